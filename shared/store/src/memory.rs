//! Tables in memory, for tests and for a ledger that lives as long as its process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Change, Condition, Item, Key, Page, Query, Segment, Table, Write, Written};

/// Tables in memory. Every call takes effect at once, and none fails.
#[derive(Debug, Default)]
pub struct MemoryEngine {
    items: Mutex<BTreeMap<Key, Item>>,
}

impl MemoryEngine {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Item>> {
        // A panic elsewhere cannot leave the map half changed: every change is one call on it.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether `condition` holds where `present` stands.
fn holds(condition: Condition, present: Option<&Item>) -> bool {
    match condition {
        Condition::None => true,
        Condition::Absent => present.is_none(),
        Condition::Revision(revision) => present.is_some_and(|item| item.revision == revision),
        Condition::Below(revision) => present.is_none_or(|item| item.revision < revision),
    }
}

fn write(items: &mut BTreeMap<Key, Item>, write: Write) -> Written {
    let present = items.get(write.key());
    if !holds(write.condition, present) {
        return Written::ConditionFailed(present.cloned());
    }
    match write.change {
        Change::Put(item) => {
            items.insert(item.key.clone(), item);
        }
        Change::Delete(key) => {
            items.remove(&key);
        }
    }
    Written::Done
}

fn query(items: &BTreeMap<Key, Item>, query: &Query) -> Page {
    let key = |sort: &String| Key::new(query.table, query.partition.clone(), sort.clone());
    let mut from = match &query.from {
        Some(from) => Bound::Included(key(from)),
        None => Bound::Included(key(&String::new())),
    };
    let mut to = query.to.as_ref().map(key).map(Bound::Included);
    if let Some(after) = &query.after {
        if query.descending {
            to = Some(Bound::Excluded(key(after)));
        } else {
            from = Bound::Excluded(key(after));
        }
    }
    if is_empty_range(&from, to.as_ref()) {
        return Page::default();
    }
    let in_partition = |item: &&Item| item.key.table == query.table && item.key.partition == query.partition;
    let to = to.unwrap_or_else(|| Bound::Excluded(key(&"\u{10FFFF}\u{10FFFF}".to_owned())));
    let range = items.range((from, to)).map(|(_, item)| item);
    let mut found: Vec<Item> = if query.descending {
        range.rev().take_while(in_partition).take(query.limit.saturating_add(1)).cloned().collect()
    } else {
        range.take_while(in_partition).take(query.limit.saturating_add(1)).cloned().collect()
    };
    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let next = found.last().filter(|_| more).map(|item| item.key.clone());
    Page { items: found, next }
}

/// Returns whether no key lies between the bounds; a map panics on a range whose ends have changed places.
fn is_empty_range(from: &Bound<Key>, to: Option<&Bound<Key>>) -> bool {
    let (Bound::Included(low) | Bound::Excluded(low), Some(Bound::Included(high) | Bound::Excluded(high))) =
        (from, to)
    else {
        return false;
    };
    let both_included = matches!((from, to), (Bound::Included(_), Some(Bound::Included(_))));
    low > high || (low == high && !both_included)
}

/// Returns which part of `count` a partition belongs to.
fn segment_of(partition: &str, count: u32) -> u32 {
    let hash = partition
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % count
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
        const ITEMS_PER_PAGE: usize = 1_000;
        Box::pin(async move {
            let items = self.lock();
            let from = match start {
                Some(key) => Bound::Excluded(key),
                None => Bound::Included(Key::new(table, "", "")),
            };
            let mut found: Vec<Item> = items
                .range((from, Bound::Unbounded))
                .map(|(_, item)| item)
                .take_while(|item| item.key.table == table)
                .filter(|item| segment_of(&item.key.partition, segment.count) == segment.index)
                .take(ITEMS_PER_PAGE + 1)
                .cloned()
                .collect();
            let more = found.len() > ITEMS_PER_PAGE;
            found.truncate(ITEMS_PER_PAGE);
            let next = found.last().filter(|_| more).map(|item| item.key.clone());
            Ok(Page { items: found, next })
        })
    }

    fn write(&self, one: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move { Ok(write(&mut self.lock(), one)) })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(async move {
            let mut items = self.lock();
            writes.into_iter().map(|one| Ok(write(&mut items, one))).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(sort: &str, revision: u64) -> Item {
        Item::new(Key::new(Table::Source, "p", sort), revision, Vec::new())
    }

    #[test]
    fn conditions_compare_with_what_stands_there() {
        let mut items = BTreeMap::new();
        let put = |items: &mut _, revision, condition| {
            write(items, Write::put(item("a", revision), condition)) == Written::Done
        };
        assert!(!put(&mut items, 1, Condition::Revision(1)), "nothing is there");
        assert!(put(&mut items, 2, Condition::Absent));
        assert!(!put(&mut items, 3, Condition::Absent));
        assert!(!put(&mut items, 3, Condition::Below(2)));
        assert!(put(&mut items, 3, Condition::Below(3)));
        assert!(put(&mut items, 1, Condition::Revision(3)));
        assert!(put(&mut items, 9, Condition::None));
    }

    #[test]
    fn a_query_pages_through_one_partition_in_either_order() {
        let mut items = BTreeMap::new();
        for sort in ["a", "b", "c", "d"] {
            let _ = write(&mut items, Write::put(item(sort, 1), Condition::None));
        }
        let other = Item::new(Key::new(Table::Source, "q", "a"), 1, Vec::new());
        let _ = write(&mut items, Write::put(other, Condition::None));
        let sorts = |range: &Query| -> Vec<String> {
            query(&items, range).items.into_iter().map(|item| item.key.sort).collect()
        };
        let whole = Query::partition(Table::Source, "p");
        assert_eq!(sorts(&whole), ["a", "b", "c", "d"]);
        assert_eq!(sorts(&Query { descending: true, limit: 2, ..whole.clone() }), ["d", "c"]);
        assert_eq!(sorts(&Query { after: Some("b".to_owned()), ..whole.clone() }), ["c", "d"]);
        let range = Query { from: Some("b".to_owned()), to: Some("c".to_owned()), ..whole.clone() };
        assert_eq!(sorts(&range), ["b", "c"]);
        assert_eq!(sorts(&Query { descending: true, after: Some("c".to_owned()), ..range }), ["b"]);
        let empty = Query { from: Some("c".to_owned()), to: Some("b".to_owned()), ..whole };
        assert!(sorts(&empty).is_empty());
    }
}
