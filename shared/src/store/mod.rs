//! Storage: the only place that knows a table, a key or an attribute name.
//!
//! # Access patterns
//!
//! | what | key |
//! |---|---|
//! | a user's row | `Source` `USER#<account>` / `ROW` |
//! | a referral's row with its resolved ancestors | `Source` `REFERRAL#<account>` / `ROW` |
//! | the direct referrals of an account | `Source` `REFERRAL#<account>` / `CHILD#<child>` |
//! | what waits for an account's referral row | `Source` `WAITING#<account>` / `REFERRAL#<child>`, `ORDER#<order>` |
//! | adoptions' rows, by order | `Source` `ADOPTION#<shard>` / `<order>` |
//! | an account's own adoptions by order | `Source` `ADOPTER#<account>` / `<order>` |
//! | adoptions to release, by order | `Source` `STAGED#<shard>` / `<order>` |
//! | adoptions held, by order | `Source` `HELD#<shard>` / `<order>` |
//! | released work of a referral tree, by order | `Source` `WORK#<tree>` / `<order>#<revision>` |
//! | trees with work outstanding | `Source` `OUTSTANDING#<shard>` / `<tree>` |
//! | how far each partition was read | `Source` `PROGRESS` / `<source>#<topic>#<partition>` |
//! | what was refused | `Source` `QUARANTINE#<shard>` / `<source>#<topic>#<partition>#<offset>` |
//! | how many trees were adopted so far | `Source` `SEQUENCE` / `LADDER` |
//! | an account's team and talent level | `Source` `TALENT#<account>` / `ROW` |
//! | accounts that changes are to be carried up from | `Source` `TALENT_RAISED#<shard>` / `<tree>#<account>` |
//! | accounts that may no longer be active, by time | `Source` `TALENT_ACTIVE#<shard>` / `<time>#<account>` |
//! | the changes of an account's talent level | `Source` `TALENT#<account>` / `CHANGE#<number>` |
//! | the entries of an adoption | `Journal` `ORDER#<order>` / `<number>` |
//! | where the postings to a tree left its accounts, in order | `Journal` `POSTED#<tree>` / `<version>` |
//! | what else was published | `Journal` `EVENT#<group>` / `<event id>` |
//! | a user's account | `Accounts` `ACCOUNT#<account>` / `ACCOUNT` |
//! | a system account's share of some trees | `Accounts` `SYSTEM#<shard>` / `<system account>` |
//! | a referral tree's cursor | `Accounts` `TREE#<tree>` / `CURSOR` |
//! | reassessments to do in a tree | `Accounts` `TASK#<tree>` / `<order>#<entry>#<account>` |
//! | a user's records, by order | `Records` `RECORDS#<account>#<PERSONAL, TEAM_LEVEL or TEAM_BONUS>` / `<order>#<entry>` |
//! | a system account's records, by order | `Records` `RECORDS#<system account>#<shard>` / `<order>#<entry>` |
//! | legs that an account has not unlocked, by order | `Records` `UNALLOCATED#<account>` / `<order>#<entry>` |
//! | every account, in parallel segments | `Accounts`, scanned |
//! | the close of a date; the latest close | `Snapshots` `CLOSE` / `<date>` |
//! | which dates are closed | `Snapshots` `CLOSED_DATES` / `ROW` |
//! | how far each segment of a close is | `Snapshots` `CLOSE#<date>` / `<step>#<segment>` |
//! | what expires on a date | `Snapshots` `EXPIRY#<date>#<shard>` / `<holder>` |
//! | what a close took late, and which dates it missed | `Snapshots` `LATE#<date>#<shard>` / `<holder>#<effective date>` |
//! | a date's snapshot rows, by page; one account's row | `Snapshots` `SNAPSHOT#<date>#<part>` / `<account>` |
//! | a date's totals, which is also the event | `Journal` `SNAPSHOT#<date>` / `CREATED` |
//! | an account's team as of a date | `Snapshots` `TEAM#<account>` / `<date>` up to that date, summed |
//!
//! No key is written for every adoption of the whole network: lists are spread over shards by
//! order number, system accounts over shards by tree, and the ladder once per released batch. What
//! is written for every account on every date is spread over parts by account.

mod account;
mod action;
mod adoption;
mod chain;
mod client;
mod close;
mod expiry;
mod holder;
mod item;
mod journal;
mod key;
mod ladder;
mod lists;
mod meter;
mod outbox;
mod outstanding;
mod posted;
mod progress;
mod quarantine;
mod records;
mod referral;
mod rows;
mod snapshot;
mod talent;
mod task;
mod team;
mod user;
mod version;
mod whole;

use std::fmt;

pub use account::{Account, AccountChange, KnownAccount, SystemShare, SystemShareChange, TreeCursor};
pub use action::Action;
pub use adoption::{AdoptionRecord, HeldOrder, HoldReason, Stage, StagedOrder, order_sort_key};
pub use chain::{Chain, Chains};
pub use client::{BatchWrite, CONCURRENT_CALLS_MAX, Page, Range, Store, TRANSACTION_ACTIONS_MAX, Transacted};
pub use close::{CloseState, ClosedDates, NetworkTotals, SegmentState};
pub use expiry::Expiring;
pub use holder::{Due, Holder, Holding, Taking};
pub use item::Item;
pub use journal::{EntryCause, EntryId, JournalEntry, Position};
pub use key::{DatePart, Key, Shard};
pub use ladder::Ladder;
pub use lists::{Count, ListPage};
pub use meter::{Cost, Meter};
pub use outbox::JournalItem;
pub use outstanding::{OutstandingTree, WorkItem};
pub use posted::{Posted, PostedAccount};
pub use progress::{Counts, Progress, SnapshotState};
pub use quarantine::Quarantined;
pub use records::{InvalidRecordId, Record, RecordId, RecordPage, RecordQuery};
pub use referral::{Lineage, ReferralRecord, TreeId};
pub use rows::{RowWrite, Written};
pub use snapshot::{DailySnapshotCreated, SnapshotPage, SnapshotPosition, SnapshotRow};
pub use talent::{
    ActiveUntil, KnownTalent, Reported, TalentCause, TalentLevelChange, TalentMark, TalentRecord,
};
pub use task::{Frame, ReassessTask};
pub use team::{TeamChange, TeamStatistics};
pub use user::UserRecord;
pub use version::{RecordPosition, RowVersion};
pub use whole::{AccountsItem, AdoptionPage, SourceItem};

/// One of the ledger's tables, each named for the life its items lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What the source said, and how far it was worked through. Items change.
    Source,
    /// What was posted. Items are written once and never change.
    Journal,
    /// What the journal adds up to. Items change with every posting.
    Accounts,
    /// The journal once more, account by account. Items are written once, and can be written again
    /// from the journal at any time.
    Records,
    /// What each business date ended with, and what later dates take back. A closed date never changes.
    Snapshots,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 5] = [Self::Source, Self::Journal, Self::Accounts, Self::Records, Self::Snapshots];

    /// Its logical name, as in the template.
    #[must_use]
    pub fn logical_name(self) -> &'static str {
        match self {
            Self::Source => "Source",
            Self::Journal => "Journal",
            Self::Accounts => "Accounts",
            Self::Records => "Records",
            Self::Snapshots => "Snapshots",
        }
    }

    /// The environment variable that names it.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Source => "SOURCE_TABLE",
            Self::Journal => "JOURNAL_TABLE",
            Self::Accounts => "ACCOUNTS_TABLE",
            Self::Records => "RECORDS_TABLE",
            Self::Snapshots => "SNAPSHOTS_TABLE",
        }
    }
}

/// The deployed names of the tables.
#[derive(Debug, Clone)]
pub struct Tables(Vec<String>);

impl Tables {
    /// Names found by `lookup`, which is given each table's variable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, MissingTable> {
        Table::ALL
            .into_iter()
            .map(|table| lookup(table.variable()).ok_or(MissingTable { variable: table.variable() }))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The deployed name of a table.
    #[must_use]
    pub fn name(&self, table: Table) -> &str {
        &self.0[table as usize]
    }

    /// The table deployed under this name.
    fn named(&self, name: &str) -> Table {
        let position = self.0.iter().position(|known| known == name);
        Table::ALL[position.expect("the service answers for tables it was asked about")]
    }
}

/// A table whose deployed name is not configured.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {variable} is not set: name the deployed table in it")]
pub struct MissingTable {
    variable: &'static str,
}

/// Trouble with storage, by what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Passing: the same call may work later, and whatever it was part of is safe to repeat.
    #[error("storage is not available: {message}")]
    Unavailable {
        /// What the service or the connection said.
        message: String,
    },
    /// Lasting: the call itself is wrong, or not allowed.
    #[error("storage refused a call: {message}")]
    Rejected {
        /// What the service said.
        message: String,
    },
    /// Lasting: an item is not what this version writes.
    #[error("the item {key} cannot be read: {message}")]
    Corrupt {
        /// Where it is.
        key: Box<Key>,
        /// What is wrong with it.
        message: String,
    },
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}[{} / {}]", self.table.logical_name(), self.partition, self.sort)
    }
}
