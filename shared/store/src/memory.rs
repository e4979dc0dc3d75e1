//! Tables in memory, for tests and for a ledger that lives as long as its process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Change, Item, Key, Page, Query, Segment, Table, Write, Written};

/// Tables in memory. Every call takes effect at once, and none fails but the write of an item that is too
/// large.
#[derive(Debug, Default)]
pub struct MemoryEngine {
    items: Mutex<Items>,
}

type Items = BTreeMap<Key, Item>;

impl MemoryEngine {
    fn lock(&self) -> MutexGuard<'_, Items> {
        // A panic elsewhere cannot leave the map half changed: every change is one call on it.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(items: &mut Items, write: Write) -> Result<Written, StoreError> {
    write.check_size()?;
    let present = items.get(write.key());
    if !write.condition.holds(present.map(|item| item.revision)) {
        return Ok(Written::ConditionFailed(present.cloned()));
    }
    match write.change {
        Change::Put(item) => {
            items.insert(item.key.clone(), item);
        }
        Change::Delete(key) => {
            items.remove(&key);
        }
    }
    Ok(Written::Done)
}

fn query(items: &Items, query: &Query) -> Page {
    let Some((low, high)) = query.bounds() else { return Page::default() };
    let key = |sort: &str| Key::new(query.table, query.partition.clone(), sort);
    let low = match low {
        Bound::Unbounded => Bound::Included(key("")),
        bound => bound.map(key),
    };
    let high = match high {
        // No partition comes between this one and the one with the least letter at its end.
        Bound::Unbounded => Bound::Excluded(Key::new(query.table, format!("{}\0", query.partition), "")),
        bound => bound.map(key),
    };
    let range = items.range((low, high)).map(|(_, item)| item.clone());
    if query.descending { page(range.rev(), query.limit) } else { page(range, query.limit) }
}

fn page(items: impl Iterator<Item = Item>, limit: usize) -> Page {
    let Ok(page) = Page::fill(items.map(Ok::<_, Infallible>), limit);
    page
}

fn scan(items: &Items, table: Table, segment: Segment, start: Option<Key>) -> Page {
    let from = match start {
        Some(key) => Bound::Excluded(key),
        None => Bound::Included(Key::new(table, "", "")),
    };
    let found = items
        .range((from, Bound::Unbounded))
        .map(|(_, item)| item)
        .take_while(|item| item.key.table == table)
        .filter(|item| segment.has(&item.key.partition))
        .cloned();
    page(found, usize::MAX)
}

impl Engine for MemoryEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move { Ok(self.lock().get(&key).cloned()) })
    }

    fn get_many(&self, mut keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            keys.sort();
            keys.dedup();
            let items = self.lock();
            Ok(keys.iter().filter_map(|key| items.get(key).cloned()).collect())
        })
    }

    fn query(&self, range: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move { Ok(query(&self.lock(), &range)) })
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move { Ok(scan(&self.lock(), table, segment, start)) })
    }

    fn write(&self, one: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move { write(&mut self.lock(), one) })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(async move {
            let mut items = self.lock();
            writes.into_iter().map(|one| write(&mut items, one)).collect()
        })
    }
}
