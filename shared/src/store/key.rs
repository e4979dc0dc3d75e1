//! Every key of every table.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use aws_sdk_dynamodb::types::AttributeValue;

use super::Table;
use super::holder::Holder;
use super::referral::TreeId;
use super::talent::{TALENT_PREFIX, change_sort_key, until_sort_key};
use super::version::RecordPosition;
use crate::rules::{AccountSequence, BusinessDate, CloseStep, OrderId, Owner, SystemAccount};

/// Where an item is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub(super) table: Table,
    pub(super) partition: String,
    pub(super) sort: String,
}

/// One of the equal parts a list is spread over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// How many parts each spread list has.
    pub const COUNT: u8 = 16;

    /// Every part.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The part with this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// The part an order is in: neighbours are in different parts, so that no part is hot.
    #[must_use]
    pub fn of_order(order: OrderId) -> Self {
        Self::of_number(order.get())
    }

    /// The part a tree's shares and outstanding work are in.
    #[must_use]
    pub fn of_tree(tree: &TreeId) -> Self {
        Self::of_text(tree.as_str())
    }

    fn of_text(text: &str) -> Self {
        Self::of_number(u64::from(stable_hash(text)))
    }

    fn of_number(number: u64) -> Self {
        Self(u8::try_from(number % u64::from(Self::COUNT)).expect("less than the count"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One of the equal parts a date's snapshot is spread over.
///
/// There are more of them than of [`Shard`]s, because a snapshot has a row for every account there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatePart(u8);

impl DatePart {
    /// How many parts a date's snapshot has.
    pub const COUNT: u8 = 64;

    /// The part with this number, if there is one.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// The part an account is in.
    #[must_use]
    pub fn of(owner: &str) -> Self {
        Self(u8::try_from(stable_hash(owner) % u32::from(Self::COUNT)).expect("less than the count"))
    }
}

/// FNV-1a: stable for ever, which a standard library's hasher does not promise to be.
fn stable_hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Key {
    /// The sort key of items that are alone in their partition.
    const ROW: &str = "ROW";
    /// The partition of the partitions' progress.
    pub const PROGRESS: &str = "PROGRESS";
    /// The partition of the closes.
    pub const CLOSES: &str = "CLOSE";

    /// A key of a table.
    pub fn new(table: Table, partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { table, partition: partition.into(), sort: sort.into() }
    }

    /// The key as item attributes.
    #[must_use]
    pub fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.partition.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sort.clone())),
        ])
    }

    /// Its partition key.
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// Its sort key.
    #[must_use]
    pub fn sort(&self) -> &str {
        &self.sort
    }

    /// A user's row.
    #[must_use]
    pub fn user(account: &AccountSequence) -> Self {
        Self::new(Table::Source, format!("USER#{account}"), Self::ROW)
    }

    /// A referral's row.
    #[must_use]
    pub fn referral(account: &AccountSequence) -> Self {
        Self::new(Table::Source, referral_partition(account), Self::ROW)
    }

    /// One direct referral of an account.
    #[must_use]
    pub fn child(referrer: &AccountSequence, child: &AccountSequence) -> Self {
        Self::new(Table::Source, referral_partition(referrer), format!("{CHILD_PREFIX}{child}"))
    }

    /// A referral that waits for its referrer's row.
    #[must_use]
    pub fn waiting_referral(missing: &AccountSequence, child: &AccountSequence) -> Self {
        Self::new(Table::Source, waiting_partition(missing), format!("{WAITING_REFERRAL_PREFIX}{child}"))
    }

    /// An adoption that waits for an account's referral row.
    #[must_use]
    pub fn waiting_order(missing: &AccountSequence, order: OrderId) -> Self {
        Self::new(
            Table::Source,
            waiting_partition(missing),
            format!("{WAITING_ORDER_PREFIX}{}", padded(order)),
        )
    }

    /// An adoption's row.
    #[must_use]
    pub fn adoption(order: OrderId) -> Self {
        Self::new(Table::Source, adoption_partition(Shard::of_order(order)), padded(order))
    }

    /// One adoption in its adopter's list.
    #[must_use]
    pub fn adopter_order(account: &AccountSequence, order: OrderId) -> Self {
        Self::new(Table::Source, adopter_partition(account), padded(order))
    }

    /// An adoption in the list of those to release.
    #[must_use]
    pub fn staged(order: OrderId) -> Self {
        Self::new(Table::Source, staged_partition(Shard::of_order(order)), padded(order))
    }

    /// An adoption in the list of those held.
    #[must_use]
    pub fn held(order: OrderId) -> Self {
        Self::new(Table::Source, held_partition(Shard::of_order(order)), padded(order))
    }

    /// Released work of a tree: this revision of an adoption.
    #[must_use]
    pub fn work(tree: &TreeId, order: OrderId, revision: u64) -> Self {
        Self::new(Table::Source, work_partition(tree), format!("{}#{revision:010}", padded(order)))
    }

    /// A tree in the list of those with work outstanding.
    #[must_use]
    pub fn outstanding(tree: &TreeId) -> Self {
        Self::new(Table::Source, outstanding_partition(Shard::of_tree(tree)), tree.as_str())
    }

    /// How far a partition of a topic was read.
    #[must_use]
    pub fn progress(source: &str, topic: &str, partition: i32) -> Self {
        Self::new(Table::Source, Self::PROGRESS, format!("{source}#{topic}#{partition}"))
    }

    /// A refused message.
    #[must_use]
    pub fn quarantine(position: &RecordPosition) -> Self {
        let RecordPosition { source, topic, partition, offset } = position;
        let sort = format!("{source}#{topic}#{partition}#{offset:019}");
        Self::new(Table::Source, quarantine_partition(Shard::of_text(&sort)), sort)
    }

    /// The running number of trees adopted in the whole network.
    #[must_use]
    pub fn ladder() -> Self {
        Self::new(Table::Source, "SEQUENCE", "LADDER")
    }

    /// An account's team and talent level.
    #[must_use]
    pub fn talent(account: &AccountSequence) -> Self {
        Self::new(Table::Source, talent_partition(account), Self::ROW)
    }

    /// A mark that changes have to be carried up from an account.
    #[must_use]
    pub fn talent_mark(account: &AccountSequence, tree: Option<&TreeId>) -> Self {
        let sort = format!("{}#{account}", tree.map_or("", TreeId::as_str));
        Self::new(Table::Source, raised_partition(Shard::of_text(account.as_str())), sort)
    }

    /// An account that is active until a time.
    #[must_use]
    pub fn active_until(account: &AccountSequence, until_ms: i64) -> Self {
        let sort = format!("{}#{account}", until_sort_key(until_ms));
        Self::new(Table::Source, active_until_partition(Shard::of_text(account.as_str())), sort)
    }

    /// One change of an account's talent level.
    #[must_use]
    pub fn talent_level_changed(account: &AccountSequence, number: u32) -> Self {
        Self::new(Table::Source, talent_partition(account), change_sort_key(number))
    }

    /// An entry of an adoption.
    #[must_use]
    pub fn entry(order: OrderId, number: u32) -> Self {
        Self::new(Table::Journal, journal_partition(order), format!("{number:04}"))
    }

    /// Where a posting to a tree left its accounts.
    #[must_use]
    pub fn posted(tree: &TreeId, version: u64) -> Self {
        Self::new(Table::Journal, format!("{POSTED_PREFIX}{tree}"), format!("{version:019}"))
    }

    /// An event that is published as it is.
    #[must_use]
    pub fn event(group: &str, event_id: &str) -> Self {
        Self::new(Table::Journal, format!("{EVENT_PREFIX}{group}"), event_id)
    }

    /// A user's account.
    #[must_use]
    pub fn account(account: &AccountSequence) -> Self {
        Self::new(Table::Accounts, format!("ACCOUNT#{account}"), "ACCOUNT")
    }

    /// A system account's share of the trees of one shard.
    #[must_use]
    pub fn system(shard: Shard, account: &SystemAccount) -> Self {
        Self::new(Table::Accounts, system_partition(shard), account.to_string())
    }

    /// A referral tree's cursor.
    #[must_use]
    pub fn tree(tree: &TreeId) -> Self {
        Self::new(Table::Accounts, format!("TREE#{tree}"), "CURSOR")
    }

    /// The close of a business date.
    #[must_use]
    pub fn close(date: BusinessDate) -> Self {
        Self::new(Table::Snapshots, Self::CLOSES, date.to_string())
    }

    /// Which dates are closed.
    #[must_use]
    pub fn closed_dates() -> Self {
        Self::new(Table::Snapshots, "CLOSED_DATES", Self::ROW)
    }

    /// How far one segment of a step of a close is.
    #[must_use]
    pub fn close_segment(date: BusinessDate, step: CloseStep, segment: u32) -> Self {
        let sort = format!("{}{segment:06}", close_segment_prefix(step));
        Self::new(Table::Snapshots, close_segments_partition(date), sort)
    }

    /// What expires on a date for one holder.
    #[must_use]
    pub fn expiry(date: BusinessDate, holder: &Holder) -> Self {
        let sort = holder.to_string();
        Self::new(Table::Snapshots, expiry_partition(date, Shard::of_text(&sort)), sort)
    }

    /// What a close took late from one holder.
    #[must_use]
    pub fn late(date: BusinessDate, holder: &Holder, effective_date: BusinessDate) -> Self {
        let holder = holder.to_string();
        let shard = Shard::of_text(&holder);
        Self::new(Table::Snapshots, late_partition(date, shard), format!("{holder}#{effective_date}"))
    }

    /// An account's row in the snapshot of a date.
    #[must_use]
    pub fn snapshot_row(date: BusinessDate, account: &Owner) -> Self {
        let sort = account.to_string();
        Self::new(Table::Snapshots, snapshot_partition(date, DatePart::of(&sort)), sort)
    }

    /// The totals of a date's snapshot: the line of the journal that says the date is closed.
    #[must_use]
    pub fn snapshot_created(date: BusinessDate) -> Self {
        Self::new(Table::Journal, format!("SNAPSHOT#{date}"), "CREATED")
    }

    /// What one date added to an account's team.
    #[must_use]
    pub fn team(account: &AccountSequence, date: BusinessDate) -> Self {
        Self::new(Table::Snapshots, team_partition(account), date.to_string())
    }
}

/// The partition prefix of adoptions' entries.
pub(super) const ORDER_PREFIX: &str = "ORDER#";
/// The partition prefix of where postings left accounts.
pub(super) const POSTED_PREFIX: &str = "POSTED#";
/// The partition prefix of events that are published as they are.
pub(super) const EVENT_PREFIX: &str = "EVENT#";
/// The sort key prefix of direct referrals.
pub(super) const CHILD_PREFIX: &str = "CHILD#";
/// The sort key prefix of referrals that wait.
pub(super) const WAITING_REFERRAL_PREFIX: &str = "REFERRAL#";
/// The sort key prefix of adoptions that wait.
pub(super) const WAITING_ORDER_PREFIX: &str = "ORDER#";

pub(super) fn referral_partition(account: &AccountSequence) -> String {
    format!("REFERRAL#{account}")
}

pub(super) fn waiting_partition(missing: &AccountSequence) -> String {
    format!("WAITING#{missing}")
}

pub(super) fn adoption_partition(shard: Shard) -> String {
    format!("ADOPTION#{}", shard.0)
}

pub(super) fn adopter_partition(account: &AccountSequence) -> String {
    format!("ADOPTER#{account}")
}

pub(super) fn staged_partition(shard: Shard) -> String {
    format!("STAGED#{}", shard.0)
}

pub(super) fn held_partition(shard: Shard) -> String {
    format!("HELD#{}", shard.0)
}

pub(super) fn work_partition(tree: &TreeId) -> String {
    format!("WORK#{tree}")
}

pub(super) fn outstanding_partition(shard: Shard) -> String {
    format!("OUTSTANDING#{}", shard.0)
}

pub(super) fn quarantine_partition(shard: Shard) -> String {
    format!("QUARANTINE#{}", shard.0)
}

pub(super) fn talent_partition(account: &AccountSequence) -> String {
    format!("{TALENT_PREFIX}{account}")
}

pub(super) fn raised_partition(shard: Shard) -> String {
    format!("TALENT_RAISED#{}", shard.0)
}

pub(super) fn active_until_partition(shard: Shard) -> String {
    format!("TALENT_ACTIVE#{}", shard.0)
}

pub(super) fn journal_partition(order: OrderId) -> String {
    format!("{ORDER_PREFIX}{order}")
}

pub(super) fn system_partition(shard: Shard) -> String {
    format!("SYSTEM#{}", shard.0)
}

pub(super) fn close_segments_partition(date: BusinessDate) -> String {
    format!("CLOSE#{date}")
}

pub(super) fn close_segment_prefix(step: CloseStep) -> String {
    format!("{}#", step.name())
}

pub(super) fn expiry_partition(date: BusinessDate, shard: Shard) -> String {
    format!("EXPIRY#{date}#{}", shard.0)
}

pub(super) fn late_partition(date: BusinessDate, shard: Shard) -> String {
    format!("LATE#{date}#{}", shard.0)
}

pub(super) fn snapshot_partition(date: BusinessDate, part: DatePart) -> String {
    format!("SNAPSHOT#{date}#{}", part.0)
}

pub(super) fn team_partition(account: &AccountSequence) -> String {
    format!("TEAM#{account}")
}

/// An order number as text that sorts as the number does.
pub(super) fn padded(order: OrderId) -> String {
    let mut text = String::with_capacity(19);
    write!(text, "{:019}", order.get()).expect("writing to a string works");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_keys_of_orders_sort_as_the_orders_do() {
        let orders =
            [1, 9, 10, 99, 100, 12345, i64::MAX as u64].map(|number| OrderId::new(number).expect("an order"));
        assert!(orders.map(padded).is_sorted());
    }

    #[test]
    fn consecutive_orders_are_spread_over_every_shard() {
        let shards: std::collections::BTreeSet<Shard> =
            (1..=16).map(|number| Shard::of_order(OrderId::new(number).expect("an order"))).collect();
        assert_eq!(shards.len(), usize::from(Shard::COUNT));
    }
}
