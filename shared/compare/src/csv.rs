//! The comparison as tables of comma-separated values.

use std::fmt::Write as _;

use domain::{Amount, AmountOverflow, Slot};

use crate::comparison::Comparison;
use crate::mining::MiningDate;

/// Returns one line for each account and reason, and one for an account without a difference.
///
/// # Errors
///
/// A difference has more digits than amounts have.
pub fn accounts(comparison: &Comparison) -> Result<String, AmountOverflow> {
    let mut text = "account,earlier,ledger,difference,reason,because\n".to_owned();
    for (owner, account) in &comparison.accounts {
        let difference = account.difference()?;
        let start = format!("{owner},{},{},{difference}", account.earlier, account.ours);
        if account.reasons.is_empty() {
            line(&mut text, &format!("{start},,"));
        }
        for (reason, amount) in &account.reasons {
            line(&mut text, &format!("{start},{},{amount}", reason.name()));
        }
    }
    Ok(text)
}

/// Returns one line for each part of an adoption that differs.
#[must_use]
pub fn legs(comparison: &Comparison) -> String {
    let mut text = "order,adoption,part,account,difference,reason,because_of_order\n".to_owned();
    for leg in &comparison.legs {
        let order = leg.order.map(|order| order.to_string()).unwrap_or_default();
        let because_of = leg.because_of.map(|order| order.to_string()).unwrap_or_default();
        let (part, owner) = (part(leg.slot), &leg.owner);
        let adoption = quoted(&leg.adoption);
        let (difference, reason) = (leg.difference, leg.reason.name());
        line(&mut text, &format!("{order},{adoption},{part},{owner},{difference},{reason},{because_of}"));
    }
    text
}

/// Returns one line for each date and account that either paid.
#[must_use]
pub fn mining(dates: &[MiningDate]) -> String {
    let mut text =
        "date,account,earlier_effective,ledger_effective,earlier_ratio,ledger_ratio,difference\n".to_owned();
    for date in dates {
        for row in &date.rows {
            let difference = ratio(row.our_ratio - row.earlier_ratio);
            let (earlier, ours) = (ratio(row.earlier_ratio), ratio(row.our_ratio));
            let effective = format!("{},{}", row.earlier_effective, row.our_effective);
            line(
                &mut text,
                &format!("{},{},{effective},{earlier},{ours},{difference}", date.date, row.owner),
            );
        }
    }
    text
}

/// Returns the name of a part, as in the earlier service's tables.
#[must_use]
pub fn part(slot: Slot) -> String {
    match slot {
        Slot::TeamLevel(level) => format!("TEAM_LEVEL {level}"),
        Slot::TeamBonus(tier) => format!("TEAM_BONUS {tier}"),
        other => other.to_string(),
    }
}

/// Returns a share with all its decimals.
#[must_use]
pub fn ratio(units: i128) -> String {
    const ONE: u128 = 10_u128.pow(18);

    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}.{:018}", units.unsigned_abs() / ONE, units.unsigned_abs() % ONE)
}

/// Returns an amount with a sign.
#[must_use]
pub fn signed(amount: Amount) -> String {
    if amount > Amount::ZERO { format!("+{amount}") } else { amount.to_string() }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes any text");
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
