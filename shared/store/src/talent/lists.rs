//! Levels that wait for their user, and accounts that are active until a time: `TALENT_AWAITING#<shard>` and
//! `TALENT_ACTIVE#<shard>`.

use domain::AccountSequence;

use super::shards::TalentShards;
use crate::codec::unreadable;
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write};
use crate::shard::Shard;

/// A level that is not published because its user has not arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// The account.
    pub account: AccountSequence,
    /// The revision of the account's record that began to wait.
    pub since_revision: u64,
}

/// An account that is active until a time, when that must be looked at again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActiveUntil {
    /// The time, in milliseconds since 1970.
    pub until_ms: i64,
    /// The account.
    pub account: AccountSequence,
}

fn awaiting_partition(shard: Shard) -> String {
    format!("TALENT_AWAITING#{shard}")
}

fn awaiting_sort(awaiting: &Awaiting) -> String {
    format!("{}#{:020}", awaiting.account, awaiting.since_revision)
}

fn awaiting_key(awaiting: &Awaiting, shards: TalentShards) -> Key {
    let partition = awaiting_partition(shards.of(awaiting.account.as_str()));
    Key::new(Table::Ledger, partition, awaiting_sort(awaiting))
}

fn decode_awaiting(item: &Item) -> Result<Awaiting, StoreError> {
    let parts = item.key.sort.split_once('#');
    let awaiting = parts.and_then(|(account, since_revision)| {
        Some(Awaiting { account: account.parse().ok()?, since_revision: since_revision.parse().ok()? })
    });
    awaiting.ok_or_else(|| unreadable(item, "its sort key is not an account and a revision".to_owned()))
}

/// Returns the write that lists a level that waits for its user. A late one may list a level that waits no longer: the
/// schedule finds that.
#[must_use]
pub fn put_awaiting(awaiting: &Awaiting, shards: TalentShards) -> Write {
    Write::put(Item::new(awaiting_key(awaiting, shards), 1, Vec::new()), Condition::None)
}

/// Returns the write that says that this level no longer waits. A level that began to wait again has an entry of its
/// own.
#[must_use]
pub fn remove_awaiting(awaiting: &Awaiting, shards: TalentShards) -> Write {
    Write::delete(awaiting_key(awaiting, shards), Condition::None)
}

/// Returns levels of one shard that wait for their user, in the order of accounts, after `after`.
pub fn awaiting<'a>(
    engine: &'a dyn Engine,
    shard: Shard,
    after: Option<&Awaiting>,
    limit: usize,
) -> BoxFuture<'a, Result<Vec<Awaiting>, StoreError>> {
    let after = after.map(awaiting_sort);
    let query = Query { after, limit, ..Query::partition(Table::Ledger, awaiting_partition(shard)) };
    Box::pin(async move { engine.query(query).await?.items.iter().map(decode_awaiting).collect() })
}

fn active_partition(shard: Shard) -> String {
    format!("TALENT_ACTIVE#{shard}")
}

fn active_key(active: &ActiveUntil, shards: TalentShards) -> Key {
    let shard = shards.of(active.account.as_str());
    Key::new(Table::Ledger, active_partition(shard), format!("{:015}#{}", active.until_ms, active.account))
}

/// Returns the write that asks for another look at an account. Repeating it changes nothing.
#[must_use]
pub fn put_active_until(active: &ActiveUntil, shards: TalentShards) -> Write {
    Write::put(Item::new(active_key(active, shards), 1, Vec::new()), Condition::None)
}

/// Returns the write that says that the look was taken.
#[must_use]
pub fn remove_active_until(active: &ActiveUntil, shards: TalentShards) -> Write {
    Write::delete(active_key(active, shards), Condition::None)
}

/// Returns accounts whose time is over, at most `limit` of each shard.
pub fn active_until_past(
    engine: &dyn Engine,
    shards: TalentShards,
    now_ms: i64,
    limit: usize,
) -> BoxFuture<'_, Result<Vec<ActiveUntil>, StoreError>> {
    Box::pin(async move {
        let page = |shard| {
            let to = Some(format!("{now_ms:015}~"));
            engine.query(Query { to, limit, ..Query::partition(Table::Ledger, active_partition(shard)) })
        };
        let pages = futures::future::try_join_all(shards.all().map(page)).await?;
        pages.iter().flat_map(|page| &page.items).map(decode_active).collect()
    })
}

fn decode_active(item: &Item) -> Result<ActiveUntil, StoreError> {
    let parts = item.key.sort.split_once('#');
    let active = parts.and_then(|(until_ms, account)| {
        Some(ActiveUntil { until_ms: until_ms.parse().ok()?, account: account.parse().ok()? })
    });
    active.ok_or_else(|| unreadable(item, "its sort key is not a time and an account".to_owned()))
}
