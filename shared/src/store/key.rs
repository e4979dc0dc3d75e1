//! Every key of every table.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;

use super::Table;
use super::referral::TreeId;
use super::version::RecordPosition;
use crate::rules::{AccountSequence, OrderId, SystemAccount};

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
        // FNV-1a: stable for ever, which a standard library's hasher does not promise to be.
        let hash = text
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Self::of_number(u64::from(hash))
    }

    fn of_number(number: u64) -> Self {
        Self(u8::try_from(number % u64::from(Self::COUNT)).expect("less than the count"))
    }
}

impl Key {
    /// The sort key of items that are alone in their partition.
    const ROW: &str = "ROW";
    /// The partition of the partitions' progress.
    pub const PROGRESS: &str = "PROGRESS";

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

    /// An entry of an adoption.
    #[must_use]
    pub fn entry(order: OrderId, number: u32) -> Self {
        Self::new(Table::Journal, journal_partition(order), format!("{number:04}"))
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
}

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

pub(super) fn journal_partition(order: OrderId) -> String {
    format!("ORDER#{order}")
}

pub(super) fn system_partition(shard: Shard) -> String {
    format!("SYSTEM#{}", shard.0)
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
