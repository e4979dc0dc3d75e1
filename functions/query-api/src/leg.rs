//! Legs as the API shows them.

use std::borrow::Cow;

use ledger::rules::{AccountSequence, Amount, Leg, Owner, Recipient};
use serde::Serialize;

/// A leg as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct LegView {
    r#type: Cow<'static, str>,
    index: Option<u8>,
    owner: Owner,
    amount: Amount,
    would_be_account: Option<AccountSequence>,
    reason: Option<&'static str>,
}

impl From<&Leg> for LegView {
    fn from(leg: &Leg) -> Self {
        let reason = match &leg.recipient {
            Recipient::Allocated(_) => None,
            Recipient::Unallocated(unallocated) => Some(unallocated.reason()),
        };
        Self {
            r#type: leg.type_name(),
            index: leg.index(),
            owner: leg.recipient.owner(),
            amount: leg.amount,
            would_be_account: leg.recipient.would_be().cloned(),
            reason,
        }
    }
}
