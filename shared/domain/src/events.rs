//! What other services are told of what the log decides.
//!
//! Events are a function of the log, so the log is their outbox: an event is there exactly if its entry is, nothing is
//! kept twice, and any period can be told again. An entry tells at most one event, and its place in the log is the
//! event's id.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::heads::lines_of;
use crate::log::{AdjustmentTerms, Cause, CloseTerms, Entry, EventPlace, EventType, Held, Page, Position};
use crate::{AccountSequence, Amount, BusinessDate, OrderId, Owner, Posting, VersionNumber, Versions};

/// The version of the schemas that events are written by. The first edition's was 1.
pub const SCHEMA_VERSION: u32 = 2;

/// Something that other services are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The place of its entry in the log: the same for ever, and of no other event.
    pub id: EventPlace,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The version of its schema.
    pub schema_version: u32,
    /// The page of its entry. Every answer at this position or a later one includes what it tells.
    pub position: Position,
    /// When it was decided.
    pub time: DateTime<Utc>,
    /// What it tells.
    pub data: EventData,
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EventData {
    /// An adoption was posted.
    Calculated(Calculated),
    /// What an adoption gives was changed, or taken back.
    Corrected(Corrected),
    /// An amount was moved by hand.
    Adjusted {
        /// What the giver and the receiver have of it.
        shares: Vec<Share>,
    },
    /// An adoption is held, or no longer held.
    Hold(Hold),
    /// A date was closed.
    Closed {
        /// The date.
        date: BusinessDate,
        /// The date that was closed before.
        previous_date: Option<BusinessDate>,
    },
}

/// An adoption as it was posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Calculated {
    /// The order, as text: beyond 2^53 a JavaScript number is another order.
    pub order_id: String,
    /// The adopter.
    pub account: AccountSequence,
    /// The number of trees.
    pub tree_count: u32,
    /// Trees times contribution per tree: the sum of the shares.
    pub total: Amount,
    /// The adoption date.
    pub adoption_date: BusinessDate,
    /// The version of the rules that judges it.
    pub policy_version: VersionNumber,
    /// Why it was posted now.
    pub cause: EventCause,
    /// What each account has of it.
    pub shares: Vec<Share>,
}

/// What a correction changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Corrected {
    /// The order.
    pub order_id: String,
    /// The adopter.
    pub account: AccountSequence,
    /// The sum of all shares before.
    pub previous_total: Amount,
    /// The sum of all shares now: zero where the adoption was taken back.
    pub total: Amount,
    /// Whether the adoption was taken back, so that nothing of it is posted.
    pub is_withdrawn: bool,
    /// The cause.
    pub cause: EventCause,
    /// What this adds to each account or, below zero, takes from it.
    pub shares: Vec<Share>,
}

/// What an event adds to an account or, below zero, takes from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// A user's account, or a system account.
    pub account: Owner,
    /// The amount.
    pub amount: Amount,
    /// The first date it is active on.
    pub effective_date: BusinessDate,
    /// The first date it is no longer active on; `None` if it never expires.
    pub expire_date: Option<BusinessDate>,
}

/// Why an adoption is, or no longer is, held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// The order.
    pub order_id: String,
    /// The reason's name.
    pub reason: &'static str,
    /// The account that the reason is about.
    pub account: Option<AccountSequence>,
}

/// Why something was posted or corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventCause {
    /// The kind of cause.
    pub kind: &'static str,
    /// The other adoption that brought it about.
    pub order_id: Option<String>,
    /// The account that was moved.
    pub account: Option<AccountSequence>,
    /// The version of the rules that was introduced.
    pub version: Option<VersionNumber>,
}

/// Returns the events that a page tells, in its order. The versions include those that its postings name.
pub fn events_of<'a>(page: &'a Page, versions: &'a Versions) -> impl Iterator<Item = Event> + 'a {
    (0_u32..).zip(&page.entries).filter_map(move |(index, entry)| {
        let (kind, data) = told_by(entry, page, index, versions)?;
        Some(Event {
            id: EventPlace::of_entry(page.position, index),
            kind,
            schema_version: SCHEMA_VERSION,
            position: page.position,
            time: DateTime::from_timestamp_millis(page.time_ms).unwrap_or_default(),
            data,
        })
    })
}

fn told_by(entry: &Entry, page: &Page, index: u32, versions: &Versions) -> Option<(EventType, EventData)> {
    let shares = || shares(entry, page, index, versions);
    Some(match entry {
        Entry::Posted { order, posting, cause, .. } => {
            (EventType::ContributionCalculated, calculated(*order, posting, cause, shares()))
        }
        Entry::Corrected(correction) => (
            EventType::ContributionCorrected,
            EventData::Corrected(Corrected {
                order_id: correction.order.to_string(),
                account: correction.is.account.clone(),
                previous_total: correction.was.total,
                total: correction.is.total,
                is_withdrawn: false,
                cause: (&correction.cause).into(),
                shares: shares(),
            }),
        ),
        Entry::Withdrawn { order, posting, cause, .. } => (
            EventType::ContributionCorrected,
            EventData::Corrected(Corrected {
                order_id: order.to_string(),
                account: posting.account.clone(),
                previous_total: posting.total,
                total: Amount::ZERO,
                is_withdrawn: true,
                cause: cause.into(),
                shares: shares(),
            }),
        ),
        Entry::Adjusted(terms) => (EventType::ContributionAdjusted, adjusted(terms)),
        Entry::Held(held) => (EventType::AdoptionHeld, EventData::Hold(held.into())),
        Entry::HoldEnded(held) => (EventType::AdoptionReleased, EventData::Hold(held.into())),
        Entry::Close(terms) => (EventType::DailySnapshotCreated, terms.into()),
        _ => return None,
    })
}

fn calculated(order: OrderId, posting: &Posting, cause: &Cause, shares: Vec<Share>) -> EventData {
    EventData::Calculated(Calculated {
        order_id: order.to_string(),
        account: posting.account.clone(),
        tree_count: posting.trees,
        total: posting.total,
        adoption_date: posting.adoption_date,
        policy_version: posting.version,
        cause: cause.into(),
        shares,
    })
}

fn adjusted(terms: &AdjustmentTerms) -> EventData {
    let share = |account: &Owner, amount| Share {
        account: account.clone(),
        amount,
        effective_date: terms.effective_date,
        expire_date: terms.expire_date,
    };
    let shares = vec![share(&terms.giver, -terms.amount), share(&terms.receiver, terms.amount)];
    EventData::Adjusted { shares }
}

/// Returns what an entry gives to each account, one share for each of the terms that an account has it on.
fn shares(entry: &Entry, page: &Page, index: u32, versions: &Versions) -> Vec<Share> {
    type Term = (BusinessDate, Option<BusinessDate>);
    let mut sums: BTreeMap<(Owner, Term), Amount> = BTreeMap::new();
    for (owner, line) in lines_of(entry, page.position, index, page.time_ms, versions) {
        let sum = sums.entry((owner, (line.effective_date, line.expire_date))).or_default();
        *sum = sum.checked_add(line.amount()).expect("a share is part of a total");
    }
    let is_some = |(_, amount): &(_, Amount)| !amount.is_zero();
    sums.into_iter()
        .filter(is_some)
        .map(|((account, (effective_date, expire_date)), amount)| Share {
            account,
            amount,
            effective_date,
            expire_date,
        })
        .collect()
}

impl From<&Held> for Hold {
    fn from(held: &Held) -> Self {
        Self {
            order_id: held.order.to_string(),
            reason: held.reason.name(),
            account: held.reason.account().cloned(),
        }
    }
}

impl From<&CloseTerms> for EventData {
    fn from(terms: &CloseTerms) -> Self {
        Self::Closed { date: terms.date, previous_date: terms.previous }
    }
}

impl From<&Cause> for EventCause {
    fn from(cause: &Cause) -> Self {
        let of = |kind| Self { kind, order_id: None, account: None, version: None };
        match cause {
            Cause::Row => of("ROW"),
            Cause::Price => of("PRICE"),
            Cause::Date => of("DATE"),
            Cause::Unlock { order } => Self { order_id: Some(order.to_string()), ..of("UNLOCK") },
            Cause::Upline { account } => Self { account: Some(account.clone()), ..of("UPLINE") },
            Cause::Version { number } => Self { version: Some(*number), ..of("VERSION") },
            Cause::Repair => of("REPAIR"),
        }
    }
}

#[cfg(test)]
mod tests;
