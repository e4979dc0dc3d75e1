//! Legs as the API shows them.

use std::borrow::Cow;

use domain::heads::{Line, LineKind, LineLeg};
use domain::{AccountSequence, Amount, Leg, Owner, Recipient, Unallocated};
use serde::Serialize;

/// A leg as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LegView {
    pub(crate) r#type: Cow<'static, str>,
    pub(crate) index: Option<u8>,
    pub(crate) owner: Owner,
    pub(crate) amount: Amount,
    pub(crate) would_be_account: Option<AccountSequence>,
    pub(crate) reason: Option<&'static str>,
}

impl LegView {
    /// Returns a leg of a line of this account.
    pub(crate) fn of_line(owner: &Owner, line: &Line, leg: &LineLeg) -> Self {
        let recipient = match (&leg.would_be, leg.is_unallocated) {
            (_, false) => Recipient::Allocated(owner.clone()),
            (Some(account), true) => Recipient::Unallocated(Unallocated::Locked(account.clone())),
            (None, true) => Recipient::Unallocated(Unallocated::NoAncestor),
        };
        let view = Self::from(&Leg { slot: leg.slot, recipient, amount: leg.amount });
        if line.kind == LineKind::Adjusted { Self { r#type: "ADJUSTMENT".into(), ..view } } else { view }
    }
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
