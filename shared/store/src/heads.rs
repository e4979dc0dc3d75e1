//! What the log adds up to: heads of accounts and adoptions, sums of trees, lists.
//!
//! | what | key in `Ledger` |
//! |---|---|
//! | an account, user or system | `ACCOUNT#<account>` / `HEAD` |
//! | an adoption | `ADOPTION#<order>` / `HEAD` |
//! | every account that ever had a referrer | `CHILDREN#<referrer>` / `<account>` |
//! | a sum of trees | `SUM#<level>` / `<prefix>` |
//! | a page of an account's lines; [`books`](crate::books) sum them | `LINES#<account>#<number / 16>` / `<number>` |
//! | adoptions held, by order | `HELD#<shard>` / `<order>` |
//!
//! The revision of a head is the position of the last page that changed it.

use std::collections::{BTreeMap, BTreeSet};

use domain::heads::{AdoptionHead, Line, Money, Node, SumKey, SumNode, Totals};
use domain::log::Position;
use domain::{AccountSequence, OrderId, Owner};
use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode};
use crate::engine::{Answer, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write};

const HEAD: &str = "HEAD";

/// An account: its place in the forest, and what it has. System accounts have no place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountHead {
    /// What decisions need to know of it.
    pub node: Node,
    /// What it has.
    pub money: Money,
}

impl AccountHead {
    /// Returns whether the recent lines have reached this size.
    #[must_use]
    pub fn lines_are_full(&self, bytes_max: usize) -> bool {
        let lines = &self.money.lines.recent;
        // Lines are alike, so a few of them need no counting.
        lines.len() >= LINES_COUNTED_FROM
            && postcard::experimental::serialized_size(lines).is_ok_and(|bytes| bytes >= bytes_max)
    }
}

/// Fewer lines than this always fit.
const LINES_COUNTED_FROM: usize = 4;

/// A head and the position of the last page that changed it; 0 where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct At<T> {
    /// The head.
    pub head: T,
    /// The position.
    pub position: Position,
}

/// A page of lines that no longer fit their account's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinePage {
    /// What the account had before the first line.
    pub opening: Totals,
    /// The lines, in order.
    pub lines: Vec<Line>,
}

/// Returns the key of an account's head.
#[must_use]
pub fn account_key(owner: &Owner) -> Key {
    Key::new(Table::Ledger, format!("ACCOUNT#{owner}"), HEAD)
}

/// Returns the key of an adoption's head.
#[must_use]
pub fn adoption_key(order: OrderId) -> Key {
    Key::new(Table::Ledger, format!("ADOPTION#{order}"), HEAD)
}

/// Returns the key of a sum of trees.
#[must_use]
pub fn sum_key((level, prefix): SumKey) -> Key {
    Key::new(Table::Ledger, format!("SUM#{level}"), format!("{prefix:016x}"))
}

/// So many pages of lines are in one partition: a system account gets a line of every adoption, and a partition takes
/// only so much.
pub const LINE_PAGES_TOGETHER: u32 = 16;

pub(crate) fn line_page_key(owner: &Owner, number: u32) -> Key {
    let part = number / LINE_PAGES_TOGETHER;
    Key::new(Table::Ledger, format!("LINES#{owner}#{part:07}"), format!("{number:08}"))
}

fn children_partition(account: &AccountSequence) -> String {
    format!("CHILDREN#{account}")
}

/// Returns the heads of these accounts; default ones where there is none.
pub fn accounts(engine: &dyn Engine, owners: Vec<Owner>) -> Answer<'_, BTreeMap<Owner, At<AccountHead>>> {
    Box::pin(read_heads(engine, owners, account_key))
}

/// Returns the heads of these accounts, and the items of those that cannot be read.
///
/// Each such head has to be rebuilt from the log. It must not stop what does not concern its account.
pub fn accounts_and_unreadable(
    engine: &dyn Engine,
    owners: Vec<Owner>,
) -> Answer<'_, (BTreeMap<Owner, At<AccountHead>>, BTreeMap<Owner, Item>)> {
    Box::pin(async move {
        let keys: BTreeMap<Key, Owner> =
            owners.into_iter().map(|owner| (account_key(&owner), owner)).collect();
        let items = engine.get_many(keys.keys().cloned().collect()).await?;
        let mut unreadable: BTreeMap<Owner, Item> = BTreeMap::new();
        let mut heads: BTreeMap<Owner, At<AccountHead>> = BTreeMap::new();
        for item in items {
            let owner = keys.get(&item.key).expect("the engine answers what it was asked").clone();
            match decode(&item) {
                Ok(head) => {
                    heads.insert(owner, At { head, position: item.revision });
                }
                Err(_) => {
                    unreadable.insert(owner, item);
                }
            }
        }
        for owner in keys.into_values().filter(|owner| !unreadable.contains_key(owner)) {
            heads.entry(owner).or_default();
        }
        Ok((heads, unreadable))
    })
}

/// Returns the heads of these adoptions; default ones where there is none.
pub fn adoptions(
    engine: &dyn Engine,
    orders: Vec<OrderId>,
) -> Answer<'_, BTreeMap<OrderId, At<AdoptionHead>>> {
    Box::pin(read_heads(engine, orders, |order| adoption_key(*order)))
}

/// Returns these sums of trees; default ones where there is none.
pub fn sums(engine: &dyn Engine, keys: Vec<SumKey>) -> Answer<'_, BTreeMap<SumKey, At<SumNode>>> {
    Box::pin(read_heads(engine, keys, |key| sum_key(*key)))
}

async fn read_heads<N: Ord + Clone, T: Default + serde::de::DeserializeOwned>(
    engine: &dyn Engine,
    names: Vec<N>,
    key: impl Fn(&N) -> Key,
) -> Result<BTreeMap<N, At<T>>, StoreError> {
    let keys: BTreeMap<Key, N> = names.into_iter().map(|name| (key(&name), name)).collect();
    let items = engine.get_many(keys.keys().cloned().collect()).await?;
    let mut heads = BTreeMap::new();
    for item in items {
        let name = keys.get(&item.key).expect("the engine answers what it was asked").clone();
        heads.insert(name, At { head: decode(&item)?, position: item.revision });
    }
    for name in keys.into_values() {
        heads.entry(name).or_insert_with(|| At { head: T::default(), position: 0 });
    }
    Ok(heads)
}

/// Returns the revision of the item at each of these keys; of those where nothing is, none.
pub fn revisions(engine: &dyn Engine, keys: Vec<Key>) -> Answer<'_, BTreeMap<Key, Position>> {
    Box::pin(async move {
        let items = engine.get_many(keys).await?;
        Ok(items.into_iter().map(|item| (item.key, item.revision)).collect())
    })
}

/// Returns whose head an item is, whether or not that head can be read: for tools that scan the table.
#[must_use]
pub fn owner_of(item: &Item) -> Option<Owner> {
    item.key.partition.strip_prefix("ACCOUNT#")?.parse().ok()
}

/// Returns whose head an item is, whether or not that head can be read: for tools that scan the table.
#[must_use]
pub fn order_of(item: &Item) -> Option<OrderId> {
    item.key.partition.strip_prefix("ADOPTION#")?.parse().ok()
}

/// Returns the sum of trees that an item holds: for tools that scan the table.
pub fn sum_of(item: &Item) -> Result<Option<(SumKey, SumNode)>, StoreError> {
    let Some(level) = item.key.partition.strip_prefix("SUM#") else { return Ok(None) };
    let prefix = u64::from_str_radix(&item.key.sort, 16).ok();
    let key = level.parse().ok().zip(prefix);
    let key = key.ok_or_else(|| crate::codec::unreadable(item, "its key names no sum".to_owned()))?;
    Ok(Some((key, decode(item)?)))
}

/// Returns the referrer and the account that an item lists below it: for tools that scan the table.
#[must_use]
pub fn child_of(item: &Item) -> Option<(AccountSequence, AccountSequence)> {
    let referrer = item.key.partition.strip_prefix("CHILDREN#")?.parse().ok()?;
    Some((referrer, item.key.sort.parse().ok()?))
}

/// Returns the head of an account that an item holds: for tools that scan the table.
pub fn account_of(item: &Item) -> Result<Option<(Owner, AccountHead)>, StoreError> {
    let Some(name) = item.key.partition.strip_prefix("ACCOUNT#") else { return Ok(None) };
    let owner =
        name.parse().map_err(|_| crate::codec::unreadable(item, "its key names no account".to_owned()))?;
    Ok(Some((owner, decode(item)?)))
}

/// Returns the head of an adoption that an item holds: for tools that scan the table.
pub fn adoption_of(item: &Item) -> Result<Option<(OrderId, AdoptionHead)>, StoreError> {
    let Some(name) = item.key.partition.strip_prefix("ADOPTION#") else { return Ok(None) };
    let order =
        name.parse().map_err(|_| crate::codec::unreadable(item, "its key names no order".to_owned()))?;
    Ok(Some((order, decode(item)?)))
}

/// Returns the page of lines that an item holds, with its owner and number: for tools that scan the table.
pub fn line_page_of(item: &Item) -> Result<Option<(Owner, u32, LinePage)>, StoreError> {
    let Some(name) = item.key.partition.strip_prefix("LINES#") else { return Ok(None) };
    let wrong = || crate::codec::unreadable(item, "its key names no page of lines".to_owned());
    let (owner, _) = name.split_once('#').ok_or_else(wrong)?;
    let owner = owner.parse().map_err(|_| wrong())?;
    let number = item.key.sort.parse().map_err(|_| wrong())?;
    Ok(Some((owner, number, decode(item)?)))
}

/// Returns pages of lines by their owners and numbers; those that are not there are left out.
pub fn line_pages_of(
    engine: &dyn Engine,
    pages: Vec<(Owner, u32)>,
) -> Answer<'_, BTreeMap<(Owner, u32), LinePage>> {
    Box::pin(async move {
        let keys = pages.iter().map(|(owner, number)| line_page_key(owner, *number)).collect();
        let mut found = BTreeMap::new();
        for item in engine.get_many(keys).await? {
            if let Some((owner, number, page)) = line_page_of(&item)? {
                found.insert((owner, number), page);
            }
        }
        Ok(found)
    })
}

/// Returns every account that ever had this referrer.
pub fn children<'a>(
    engine: &'a dyn Engine,
    account: &AccountSequence,
) -> Answer<'a, BTreeSet<AccountSequence>> {
    let mut query = Query::partition(Table::Ledger, children_partition(account));
    Box::pin(async move {
        let mut children = BTreeSet::new();
        loop {
            let page = engine.query(query.clone()).await?;
            for item in page.items {
                let child = item.key.sort.parse();
                children.insert(child.map_err(|_| {
                    crate::codec::unreadable(&item, "its sort key is not an account".to_owned())
                })?);
            }
            match page.next {
                Some(next) => query.after = Some(next.sort),
                None => return Ok(children),
            }
        }
    })
}

/// Accounts that ever had a referrer, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Children {
    /// The accounts.
    pub accounts: Vec<AccountSequence>,
    /// Whether there may be more of them.
    pub may_have_more: bool,
}

/// Returns a page of the accounts that ever had this referrer, in order, after `after`.
pub fn children_page<'a>(
    engine: &'a dyn Engine,
    account: &AccountSequence,
    after: Option<&AccountSequence>,
    limit: usize,
) -> Answer<'a, Children> {
    let after = after.map(ToString::to_string);
    let query = Query { after, limit, ..Query::partition(Table::Ledger, children_partition(account)) };
    Box::pin(async move {
        let page = engine.query(query).await?;
        let accounts = page.items.iter().filter_map(|item| item.key.sort.parse().ok()).collect();
        Ok(Children { accounts, may_have_more: page.next.is_some() })
    })
}

/// Returns the page of lines with this number, from 0.
pub fn line_page<'a>(engine: &'a dyn Engine, owner: &Owner, number: u32) -> Answer<'a, Option<LinePage>> {
    let key = line_page_key(owner, number);
    Box::pin(async move {
        let item = engine.get(key).await?;
        item.as_ref().map(decode).transpose()
    })
}

/// Returns the pages of lines with numbers from `first` to before `end`, in order.
pub fn line_pages<'a>(
    engine: &'a dyn Engine,
    owner: &Owner,
    first: u32,
    end: u32,
) -> Answer<'a, Vec<LinePage>> {
    let keys: Vec<Key> = (first..end).map(|number| line_page_key(owner, number)).collect();
    Box::pin(async move {
        let mut items = engine.get_many(keys).await?;
        items.sort_by(|one, other| one.key.cmp(&other.key));
        items.iter().map(decode).collect()
    })
}

/// Returns the write that puts an account's head in the place of that of `before`.
#[must_use]
pub fn put_account(owner: &Owner, head: &AccountHead, position: Position, before: Position) -> Write {
    Write::put(Item::new(account_key(owner), position, encode(head)), condition(before))
}

/// Returns the write that puts an adoption's head in the place of that of `before`.
#[must_use]
pub fn put_adoption(order: OrderId, head: &AdoptionHead, position: Position, before: Position) -> Write {
    Write::put(Item::new(adoption_key(order), position, encode(head)), condition(before))
}

/// Returns the write that puts a sum in the place of that of `before`.
#[must_use]
pub fn put_sum(key: SumKey, node: &SumNode, position: Position, before: Position) -> Write {
    Write::put(Item::new(sum_key(key), position, encode(node)), condition(before))
}

/// Returns the write that adds an account to those that had this referrer. Repeating it changes nothing.
#[must_use]
pub fn put_child(referrer: &AccountSequence, child: &AccountSequence) -> Write {
    let key = Key::new(Table::Ledger, children_partition(referrer), child.as_str());
    Write::put(Item::new(key, 1, Vec::new()), Condition::None)
}

/// Returns the write that puts a page of lines. Repeating it changes nothing: a page follows from its lines.
#[must_use]
pub fn put_line_page(owner: &Owner, number: u32, page: &LinePage) -> Write {
    Write::put(Item::new(line_page_key(owner, number), 1, encode(page)), Condition::None)
}

/// Returns the write that moves a head which cannot be read to a later position, as it is.
///
/// So a rebuild that read it before has to begin again, and misses no page.
#[must_use]
pub fn move_unreadable(item: Item, position: Position) -> Write {
    let before = item.revision;
    Write::put(Item { revision: position, ..item }, condition(before))
}

/// Returns the write that removes a head of which the log knows nothing.
#[must_use]
pub fn remove(key: Key, before: Position) -> Write {
    Write::delete(key, Condition::Revision(before))
}

fn condition(before: Position) -> Condition {
    if before == 0 { Condition::Absent } else { Condition::Revision(before) }
}
