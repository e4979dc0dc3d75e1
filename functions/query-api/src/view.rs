//! How answers show what is stored.

mod hold;
mod leg;
mod record;
mod unlock;

use chrono::{DateTime, Utc};
use domain::{AccountSequence, OrderId};

pub(crate) use hold::HoldView;
pub(crate) use leg::LegView;
pub(crate) use record::RecordView;
pub(crate) use unlock::{MissingView, UnlockView, missing_for};

/// Returns the instant of a stored time, in milliseconds since 1970.
pub(crate) fn instant(at_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at_ms).unwrap_or_default()
}

/// Returns an order number as text: beyond 2^53 a JavaScript number is another order.
pub(crate) fn order_text(order: OrderId) -> String {
    order.to_string()
}

/// Returns an account with its middle hidden, as a member sees another member.
pub(crate) fn masked(account: &AccountSequence) -> String {
    let text = account.as_str();
    let (first, last) = if text.len() > 8 { (3, text.len() - 2) } else { (1, text.len()) };
    format!("{}{}{}", &text[..first], "*".repeat(last - first), &text[last..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_account_keeps_its_ends_only() {
        let masked = |text: &str| masked(&text.parse().expect("an account"));
        assert_eq!(masked("D25122700018"), "D25*******18");
        assert_eq!(masked("D1"), "D*");
        assert_eq!(masked("X"), "X");
    }
}
