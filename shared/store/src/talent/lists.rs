//! Levels that wait for their user, and accounts that are active until a time: `TALENT_AWAITING#<shard>` and
//! `TALENT_ACTIVE#<shard>`.

use domain::AccountSequence;

use super::marks::{Mark, MarkKind, RAISED_SHARDS};
use super::record::TalentCause;
use crate::codec::unreadable;
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write};
use crate::shard::Shard;

/// A level that is not published because its user has not arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// Whose.
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

fn awaiting_key(account: &AccountSequence) -> Key {
    let shard = Shard::of(account.as_str(), RAISED_SHARDS);
    Key::new(Table::Ledger, awaiting_partition(shard), account.as_str())
}

fn decode_awaiting(item: &Item) -> Result<Awaiting, StoreError> {
    let account = item.key.sort.parse();
    let account = account.map_err(|_| unreadable(item, "its sort key is not an account".to_owned()))?;
    Ok(Awaiting { account, since_revision: item.revision })
}

/// Returns the write that lists a level that waits for its user.
#[must_use]
pub fn put_awaiting(awaiting: &Awaiting) -> Write {
    let item = Item::new(awaiting_key(&awaiting.account), awaiting.since_revision, Vec::new());
    Write::put(item, Condition::Below(awaiting.since_revision))
}

/// Returns the write that says that this level no longer waits. One that began to wait later stays listed.
#[must_use]
pub fn remove_awaiting(awaiting: &Awaiting) -> Write {
    Write::delete(awaiting_key(&awaiting.account), Condition::Revision(awaiting.since_revision))
}

/// Returns levels of one shard that wait for their user, in the order of accounts, after `after`.
pub fn awaiting<'a>(
    engine: &'a dyn Engine,
    shard: Shard,
    after: Option<&AccountSequence>,
    limit: usize,
) -> BoxFuture<'a, Result<Vec<Awaiting>, StoreError>> {
    let after = after.map(ToString::to_string);
    let query = Query { after, limit, ..Query::partition(Table::Ledger, awaiting_partition(shard)) };
    Box::pin(async move { engine.query(query).await?.items.iter().map(decode_awaiting).collect() })
}

/// Returns those of these accounts whose level waits for their user.
pub fn awaiting_of(
    engine: &dyn Engine,
    accounts: Vec<AccountSequence>,
) -> BoxFuture<'_, Result<Vec<AccountSequence>, StoreError>> {
    Box::pin(async move {
        let items = engine.get_many(accounts.iter().map(awaiting_key).collect()).await?;
        items.iter().map(|item| Ok(decode_awaiting(item)?.account)).collect()
    })
}

/// Returns for which accounts `talent-propagation` is to be woken because their users' rows changed.
///
/// `cdc-ingest` calls it after it has stored users, for every user that a batch names, known ones included. A
/// level that begins to wait later looks for its user by itself. `raised_by` is a number that nothing else has.
pub fn users_changed(
    engine: &dyn Engine,
    accounts: Vec<AccountSequence>,
    knows_activity: bool,
    raised_by: u64,
) -> BoxFuture<'_, Result<Vec<AccountSequence>, StoreError>> {
    Box::pin(async move {
        if !knows_activity || !super::state(engine).await?.asks_for_activity {
            return awaiting_of(engine, accounts).await;
        }
        let mark = |account: &AccountSequence| Mark {
            account: account.clone(),
            kind: MarkKind::User,
            raised_by,
            cause: TalentCause::UserChanged { account: account.clone() },
        };
        super::raise(engine, accounts.iter().map(mark).collect()).await?;
        Ok(accounts)
    })
}

fn active_partition(shard: Shard) -> String {
    format!("TALENT_ACTIVE#{shard}")
}

fn active_key(active: &ActiveUntil) -> Key {
    let shard = Shard::of(active.account.as_str(), RAISED_SHARDS);
    Key::new(Table::Ledger, active_partition(shard), format!("{:015}#{}", active.until_ms, active.account))
}

/// Returns the write that asks for another look at an account. Repeating it changes nothing.
#[must_use]
pub fn put_active_until(active: &ActiveUntil) -> Write {
    Write::put(Item::new(active_key(active), 1, Vec::new()), Condition::None)
}

/// Returns the write that says that the look was taken.
#[must_use]
pub fn remove_active_until(active: &ActiveUntil) -> Write {
    Write::delete(active_key(active), Condition::None)
}

/// Returns accounts whose time is over, at most `limit` of each shard.
pub fn active_until_past(
    engine: &dyn Engine,
    now_ms: i64,
    limit: usize,
) -> BoxFuture<'_, Result<Vec<ActiveUntil>, StoreError>> {
    Box::pin(async move {
        let page = |shard| {
            let to = Some(format!("{now_ms:015}~"));
            engine.query(Query { to, limit, ..Query::partition(Table::Ledger, active_partition(shard)) })
        };
        let pages = futures::future::try_join_all(Shard::all(RAISED_SHARDS).map(page)).await?;
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
