//! Lists that operators read.
//!
//! | what | key in `Ledger` |
//! |---|---|
//! | adoptions held, by order | `HELD#<shard>` / `<order>` |
//! | what operators did, in order | `OPERATIONS` / `<position>#<entry>` |
//! | system accounts that have lines | `SYSTEM_ACCOUNTS` / `<account>` |

use domain::log::{Command, CommandOutcome, HoldReason, Position};
use domain::{OrderId, SystemAccount};
use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write};
use crate::shard::Shard;

/// The service may remove the trace of a hold that ended after so long.
const ENDED_HOLD_KEPT_S: i64 = 30 * 86_400;

/// An adoption that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAdoption {
    /// The order.
    pub order: OrderId,
    /// Why it is held.
    pub reason: HoldReason,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
}

/// One entry of the operators' log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The page it stands in.
    pub position: Position,
    /// Its place in the page.
    pub index: u32,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// Under which key it was asked for.
    pub idempotency_key: String,
    /// The operator who asked.
    pub by: String,
    /// The reason that the operator gave.
    pub reason: String,
    /// The command that was asked for.
    pub command: Command,
    /// What became of it.
    pub outcome: CommandOutcome,
}

fn held_partition(shard: Shard) -> String {
    format!("HELD#{shard}")
}

fn held_key(order: OrderId, shards: u32) -> Key {
    let shard = Shard::of(&order.to_string(), shards);
    Key::new(Table::Ledger, held_partition(shard), format!("{:020}", order.get()))
}

/// Returns the write that records whether an order is held, as of `position`.
///
/// An older state never takes the place of a later one. That an order is no longer held is recorded as well, and
/// removed by the service after a while.
#[must_use]
pub fn put_held(
    order: OrderId,
    held: Option<&HeldAdoption>,
    position: Position,
    time_ms: i64,
    shards: u32,
) -> Write {
    let mut item = Item::new(held_key(order, shards), position, encode(&held));
    item.expires_at_s = held.is_none().then_some(time_ms / 1_000 + ENDED_HOLD_KEPT_S);
    Write::put(item, Condition::Below(position))
}

/// Returns the key of an order's entry in the list of held adoptions.
#[must_use]
pub fn held_entry_key(order: OrderId, shards: u32) -> Key {
    held_key(order, shards)
}

/// Returns the order of an entry in the list of held adoptions, and what the entry says: for tools that scan the table.
pub fn held_of(item: &Item) -> Result<Option<(OrderId, Option<HeldAdoption>)>, StoreError> {
    if !item.key.partition.starts_with("HELD#") {
        return Ok(None);
    }
    let order = item.key.sort.parse::<u64>().ok().and_then(OrderId::new);
    let order = order.ok_or_else(|| crate::codec::unreadable(item, "its key names no order".to_owned()))?;
    Ok(Some((order, decode(item)?)))
}

/// Returns the write that puts what the log says of an order into the list of held adoptions, in the place of the entry
/// of `before`; 0 where there is none.
#[must_use]
pub fn replace_held(
    order: OrderId,
    held: Option<&HeldAdoption>,
    time_ms: i64,
    before: Position,
    position: Position,
    shards: u32,
) -> Write {
    let Write { change, .. } = put_held(order, held, position.max(before), time_ms, shards);
    let condition = if before == 0 { Condition::Absent } else { Condition::Revision(before) };
    Write { change, condition }
}

/// Returns held adoptions of one shard in ascending order, after `after`, and whether more follow.
pub fn held_page(
    engine: &dyn Engine,
    shard: Shard,
    after: Option<OrderId>,
    limit: usize,
) -> BoxFuture<'_, Result<(Vec<HeldAdoption>, bool), StoreError>> {
    Box::pin(async move {
        let mut query = Query { limit, ..Query::partition(Table::Ledger, held_partition(shard)) };
        query.after = after.map(|order| format!("{:020}", order.get()));
        let mut held = Vec::new();
        loop {
            let page = engine.query(query.clone()).await?;
            for item in &page.items {
                held.extend(decode::<Option<HeldAdoption>>(item)?);
            }
            match page.next {
                Some(next) if held.len() < limit => query.after = Some(next.sort),
                next => {
                    let more = next.is_some() || held.len() > limit;
                    held.truncate(limit);
                    return Ok((held, more));
                }
            }
        }
    })
}

/// Returns every held adoption in ascending order, at most `limit` of them, after `after`.
pub fn held(
    engine: &dyn Engine,
    shards: u32,
    after: Option<OrderId>,
    limit: usize,
) -> BoxFuture<'_, Result<Vec<HeldAdoption>, StoreError>> {
    Box::pin(async move {
        let pages = Shard::all(shards).map(|shard| held_page(engine, shard, after, limit));
        let pages = futures::future::try_join_all(pages).await?;
        let mut held: Vec<HeldAdoption> = pages.into_iter().flat_map(|(held, _)| held).collect();
        held.sort_by_key(|held| held.order);
        held.truncate(limit);
        Ok(held)
    })
}

/// Returns the write that puts an entry of the operators' log. Repeating it changes nothing.
#[must_use]
pub fn put_operation(operation: &Operation) -> Write {
    let sort = format!("{:012}#{:06}", operation.position, operation.index);
    Write::put(Item::new(Key::new(Table::Ledger, "OPERATIONS", sort), 1, encode(operation)), Condition::None)
}

/// Returns the latest entries of the operators' log, the latest first, before `before`.
pub fn operations(
    engine: &dyn Engine,
    before: Option<(Position, u32)>,
    limit: usize,
) -> BoxFuture<'_, Result<Vec<Operation>, StoreError>> {
    Box::pin(async move {
        let query = Query {
            descending: true,
            after: before.map(|(position, index)| format!("{position:012}#{index:06}")),
            limit,
            ..Query::partition(Table::Ledger, "OPERATIONS")
        };
        engine.query(query).await?.items.iter().map(decode).collect()
    })
}

/// Returns the write that adds a system account to the list. Repeating it changes nothing.
#[must_use]
pub fn put_system_account(account: &SystemAccount) -> Write {
    let key = Key::new(Table::Ledger, "SYSTEM_ACCOUNTS", account.to_string());
    Write::put(Item::new(key, 1, Vec::new()), Condition::None)
}

/// Returns every system account that has lines, by name.
pub fn system_accounts(engine: &dyn Engine) -> BoxFuture<'_, Result<Vec<SystemAccount>, StoreError>> {
    Box::pin(async move {
        let mut query = Query::partition(Table::Ledger, "SYSTEM_ACCOUNTS");
        let mut accounts = Vec::new();
        loop {
            let page = engine.query(query.clone()).await?;
            for item in &page.items {
                let account = item.key.sort.parse();
                accounts.push(account.map_err(|_| {
                    crate::codec::unreadable(item, "its sort key is not a system account".to_owned())
                })?);
            }
            match page.next {
                Some(next) => query.after = Some(next.sort),
                None => return Ok(accounts),
            }
        }
    })
}
