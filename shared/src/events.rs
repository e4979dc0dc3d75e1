//! The events that other services subscribe to.
//!
//! Every event follows from what is stored, and its id from what it tells of: the same fact always has
//! the same id, so that a consumer can drop what it has seen. The events of one account are one message
//! group, and those of its postings come in the order of the postings. A system account's totals are
//! spread over shards, so that only users' postings are published; its share is in the daily snapshot.
//!
//! What each looks like on the wire is in `events/schemas`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::rules::{AccountSequence, Amount, AmountOverflow, BusinessDate, OrderId, Owner, Term};
use crate::store::{EntryCause, EntryId, JournalEntry, Posted, PostedAccount, TreeId};

/// Something other services may want to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "eventType")]
pub enum Event {
    /// A user's totals changed.
    ContributionCalculated(ContributionCalculated),
    /// What was posted to a user earlier was corrected.
    ContributionCorrected(ContributionCorrected),
    /// Contributions of an account reached the end of their term.
    ContributionExpired(ContributionExpired),
    /// A business date was closed.
    DailySnapshotCreated(DailySnapshotCreated),
    /// A user's talent level changed.
    TalentLevelChanged(TalentLevelChanged),
}

/// A user's totals after a posting, and what it posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContributionCalculated {
    /// The user.
    pub account_sequence: AccountSequence,
    /// Everything posted, all time.
    pub total_contribution: Amount,
    /// From the user's own adoptions.
    pub personal_contribution: Amount,
    /// From descendants' adoptions, by level.
    pub team_level_contribution: Amount,
    /// From direct referrals' adoptions, by bonus tier.
    pub team_bonus_contribution: Amount,
    /// Active as of the last close.
    pub effective_contribution: Amount,
    /// What was posted, one for each entry of an adoption.
    pub changes: Vec<Change>,
    /// The referral tree the user is in for ever.
    pub tree: TreeId,
    /// Counts the tree's postings: a higher one is later. Not every posting concerns every user.
    pub posting: u64,
    /// When it was posted.
    pub calculated_at: DateTime<Utc>,
}

/// What one entry posted to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The adoption.
    pub order_id: OrderId,
    /// The number of its entry.
    pub entry: u32,
    /// Why the entry was posted, such as `DISTRIBUTION`.
    pub cause: String,
    /// What it posted to the account in sum.
    pub amount: Amount,
    /// When that counts.
    #[serde(flatten)]
    pub term: Period,
}

/// A term as events write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Period {
    /// The first date it is active on.
    pub effective_date: BusinessDate,
    /// The first date it is no longer active on.
    pub expire_date: BusinessDate,
}

/// A correction of what was posted to a user earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContributionCorrected {
    /// The user.
    pub account_sequence: AccountSequence,
    /// What was corrected, and by how much.
    #[serde(flatten)]
    pub change: Change,
    /// The adoption that brought the correction about: the corrected one itself, or another one that
    /// changed what was unlocked as of its order.
    pub caused_by_order_id: OrderId,
    /// When it was posted.
    pub corrected_at: DateTime<Utc>,
}

/// What left an account's effective contribution on a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContributionExpired {
    /// The user or system account.
    pub account_sequence: Owner,
    /// The first date it is no longer active on.
    pub expire_date: BusinessDate,
    /// How much expired.
    pub expired_contribution: Amount,
    /// What is left.
    pub effective_contribution: Amount,
    /// When the date's expiry was posted.
    pub expired_at: DateTime<Utc>,
}

/// The totals of a closed business date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DailySnapshotCreated {
    /// The business date.
    pub snapshot_date: BusinessDate,
    /// The sum of all rows.
    pub network_total_contribution: Amount,
    /// The users' part of it.
    pub user_total_contribution: Amount,
    /// The system accounts' part of it.
    pub system_total_contribution: Amount,
    /// How many rows the snapshot has.
    pub row_count: u64,
    /// When it was taken.
    pub created_at: DateTime<Utc>,
}

/// A user's new talent level, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TalentLevelChanged {
    /// The user.
    pub account_sequence: AccountSequence,
    /// Counts the user's level changes, from 1.
    pub change_number: u64,
    /// The level before; 0 for none.
    pub old_level: u8,
    /// The level now; 0 for none.
    pub new_level: u8,
    /// Direct referrals.
    pub direct_count: u64,
    /// Distinct descendants as far down as levels reach.
    pub promotion_count: u64,
    /// What brought it about.
    pub cause: String,
    /// When it was recorded.
    pub changed_at: DateTime<Utc>,
}

/// An event as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The same for the same fact.
    pub event_id: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Event {
    /// The id of the fact: at most 128 letters, digits and `-`, `_` or `:`, which is what a queue takes.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::ContributionCalculated(event) => {
                format!("calculated-{}-{}-{}", event.account_sequence, event.tree, event.posting)
            }
            Self::ContributionCorrected(event) => {
                let Change { order_id, entry, .. } = &event.change;
                format!("corrected-{}-{order_id}-{entry}", event.account_sequence)
            }
            Self::ContributionExpired(event) => {
                format!("expired-{}-{}", event.account_sequence, event.expire_date)
            }
            Self::DailySnapshotCreated(event) => format!("snapshot-{}", event.snapshot_date),
            Self::TalentLevelChanged(event) => {
                format!("talent-{}-{}", event.account_sequence, event.change_number)
            }
        }
    }

    /// What it comes in order with: the account's other events, or the network's.
    #[must_use]
    pub fn group(&self) -> String {
        match self {
            Self::ContributionCalculated(event) => event.account_sequence.to_string(),
            Self::ContributionCorrected(event) => event.account_sequence.to_string(),
            Self::ContributionExpired(event) => event.account_sequence.to_string(),
            Self::DailySnapshotCreated(_) => "NETWORK".to_owned(),
            Self::TalentLevelChanged(event) => event.account_sequence.to_string(),
        }
    }

    /// The event as it is sent.
    #[must_use]
    pub fn into_message(self) -> Message {
        Message { event_id: self.id(), event: self }
    }
}

impl Posted {
    /// What there is to tell of a posting: each account's corrections, if there are any, and then its
    /// totals. `entries` are those that this posting names, and maybe others.
    pub fn events(&self, entries: &HashMap<EntryId, JournalEntry>) -> Result<Vec<Event>, InvalidPosting> {
        let posted_at = DateTime::from_timestamp_millis(self.posted_at_ms).unwrap_or_default();
        let named = self.entries.iter().map(|id| entries.get(id).ok_or(InvalidPosting::NoEntry(*id)));
        let entries: Vec<&JournalEntry> = named.collect::<Result<_, _>>()?;
        let mut events = Vec::new();
        for posted in &self.accounts {
            let changes = posted.changes(&entries)?;
            for (entry, change) in &changes {
                let caused_by_order_id = match &entry.cause {
                    EntryCause::Distribution => continue,
                    EntryCause::Reversal | EntryCause::Redistribution => entry.order,
                    EntryCause::Reassessment { order, .. } => *order,
                };
                events.push(Event::ContributionCorrected(ContributionCorrected {
                    account_sequence: posted.account.clone(),
                    change: change.clone(),
                    caused_by_order_id,
                    corrected_at: posted_at,
                }));
            }
            events.push(Event::ContributionCalculated(ContributionCalculated {
                account_sequence: posted.account.clone(),
                total_contribution: posted.total()?,
                personal_contribution: posted.personal,
                team_level_contribution: posted.team_level,
                team_bonus_contribution: posted.team_bonus,
                effective_contribution: posted.effective,
                changes: changes.into_iter().map(|(_, change)| change).collect(),
                tree: self.tree.clone(),
                posting: self.version,
                calculated_at: posted_at,
            }));
        }
        Ok(events)
    }
}

/// A posting that this system never writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPosting {
    /// It names an entry that is not there, although both are written together.
    #[error("the entry {0} that it names is not there")]
    NoEntry(EntryId),
    /// Its amounts do not sum.
    #[error(transparent)]
    Overflow(#[from] AmountOverflow),
}

impl PostedAccount {
    /// What each of these entries posted to the account, by entry; those that posted nothing are left out.
    fn changes<'a>(
        &self,
        entries: &[&'a JournalEntry],
    ) -> Result<Vec<(&'a JournalEntry, Change)>, AmountOverflow> {
        let mut changes = Vec::new();
        for &entry in entries {
            let legs = entry.legs.iter().filter(|leg| leg.recipient.is_allocated_to(&self.account));
            let mut amounts = legs.map(|leg| leg.amount).peekable();
            if amounts.peek().is_none() {
                continue;
            }
            let Term { effective_date, expire_date } = entry.term;
            let change = Change {
                order_id: entry.order,
                entry: entry.number,
                cause: entry.cause.name().to_owned(),
                amount: Amount::sum(amounts)?,
                term: Period { effective_date, expire_date },
            };
            changes.push((entry, change));
        }
        Ok(changes)
    }
}
