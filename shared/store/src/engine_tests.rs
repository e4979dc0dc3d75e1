//! What every engine does, as one suite that each implementation runs over itself.
//!
//! An engine passes when [`run`] returns; it panics at the first thing that goes otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::{Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Segment, Table, Write, Written};

/// Runs the whole suite over an engine whose tables are empty.
///
/// # Panics
///
/// Where the engine does something else than it should.
pub async fn run(engine: Arc<dyn Engine>) {
    let engine = engine.as_ref();
    an_item_comes_back_as_it_was_put(engine).await;
    conditions_of_puts(engine).await;
    conditions_of_deletes(engine).await;
    revisions_of_any_size(engine).await;
    many_writes_have_their_outcomes_in_order(engine).await;
    many_writes_of_every_kind(engine).await;
    many_reads_give_each_item_once(engine).await;
    a_query_gives_a_range_in_order(engine).await;
    a_query_gives_pages(engine).await;
    large_items_come_in_pages(engine).await;
    large_reads_are_complete(engine).await;
    an_item_that_is_too_large_is_refused(engine).await;
    segments_cover_a_table_once(engine).await;
}

fn key(partition: &str, sort: &str) -> Key {
    Key::new(Table::Ledger, partition, sort)
}

fn item(key: Key, revision: u64) -> Item {
    Item::new(key, revision, format!("revision {revision}").into_bytes())
}

async fn write(engine: &dyn Engine, write: Write) -> Written {
    engine.write(write).await.expect("a small write works")
}

async fn put(engine: &dyn Engine, key: &Key, revision: u64, condition: Condition) -> Written {
    write(engine, Write::put(item(key.clone(), revision), condition)).await
}

async fn revision_at(engine: &dyn Engine, key: &Key) -> Option<u64> {
    engine.get(key.clone()).await.expect("a read works").map(|item| item.revision)
}

async fn an_item_comes_back_as_it_was_put(engine: &dyn Engine) {
    for table in Table::ALL {
        let key = Key::new(table, "ROW#adoptions", "päth/with:signs \u{1F333}");
        assert_eq!(engine.get(key.clone()).await, Ok(None));
        let bytes = (0..=255).collect::<Vec<u8>>();
        let item = Item { expires_at_s: Some(1_798_761_600), ..Item::new(key.clone(), 7, bytes) };
        assert_eq!(write(engine, Write::put(item.clone(), Condition::None)).await, Written::Done);
        assert_eq!(engine.get(key.clone()).await, Ok(Some(item)));
        let stays = Item::new(key.clone(), 8, Vec::new());
        assert_eq!(write(engine, Write::put(stays.clone(), Condition::None)).await, Written::Done);
        assert_eq!(engine.get(key).await, Ok(Some(stays)), "a put replaces the whole item");
    }
}

async fn conditions_of_puts(engine: &dyn Engine) {
    let key = key("conditions", "put");
    let failed = |revision| Written::ConditionFailed(Some(item(key.clone(), revision)));
    let nothing = Written::ConditionFailed(None);
    assert_eq!(put(engine, &key, 1, Condition::Revision(1)).await, nothing, "nothing is there");
    assert_eq!(put(engine, &key, 2, Condition::Absent).await, Written::Done);
    assert_eq!(put(engine, &key, 3, Condition::Absent).await, failed(2), "it names what is there");
    assert_eq!(put(engine, &key, 3, Condition::Revision(1)).await, failed(2));
    assert_eq!(put(engine, &key, 3, Condition::Below(2)).await, failed(2));
    assert_eq!(revision_at(engine, &key).await, Some(2), "a failed condition changes nothing");
    assert_eq!(put(engine, &key, 3, Condition::Below(3)).await, Written::Done);
    assert_eq!(put(engine, &key, 1, Condition::Revision(3)).await, Written::Done);
    assert_eq!(put(engine, &key, 9, Condition::None).await, Written::Done);
    assert_eq!(revision_at(engine, &key).await, Some(9));
    let free = Key::new(Table::Ledger, "conditions", "below, and free");
    assert_eq!(put(engine, &free, 1, Condition::Below(1)).await, Written::Done);
}

async fn conditions_of_deletes(engine: &dyn Engine) {
    let key = key("conditions", "delete");
    let delete = async |condition| write(engine, Write::delete(key.clone(), condition)).await;
    assert_eq!(delete(Condition::None).await, Written::Done, "there is nothing to delete");
    assert_eq!(delete(Condition::Absent).await, Written::Done);
    assert_eq!(delete(Condition::Revision(1)).await, Written::ConditionFailed(None));
    assert_eq!(put(engine, &key, 4, Condition::None).await, Written::Done);
    let failed = Written::ConditionFailed(Some(item(key.clone(), 4)));
    assert_eq!(delete(Condition::Absent).await, failed);
    assert_eq!(delete(Condition::Revision(3)).await, failed);
    assert_eq!(delete(Condition::Below(4)).await, failed);
    assert_eq!(delete(Condition::Below(5)).await, Written::Done);
    assert_eq!(revision_at(engine, &key).await, None);
    assert_eq!(put(engine, &key, 4, Condition::Absent).await, Written::Done, "the key is free again");
    assert_eq!(delete(Condition::Revision(4)).await, Written::Done);
    assert_eq!(put(engine, &key, 5, Condition::Absent).await, Written::Done);
    assert_eq!(delete(Condition::None).await, Written::Done);
    assert_eq!(revision_at(engine, &key).await, None);
}

async fn revisions_of_any_size(engine: &dyn Engine) {
    let key = key("conditions", "large revisions");
    let beyond_signed = 1 << 63;
    assert_eq!(put(engine, &key, beyond_signed - 1, Condition::Absent).await, Written::Done);
    assert_eq!(put(engine, &key, beyond_signed, Condition::Below(beyond_signed)).await, Written::Done);
    assert_eq!(put(engine, &key, u64::MAX, Condition::Below(u64::MAX)).await, Written::Done);
    let present = Written::ConditionFailed(Some(item(key.clone(), u64::MAX)));
    assert_eq!(put(engine, &key, 0, Condition::Below(0)).await, present);
    assert_eq!(put(engine, &key, 0, Condition::Revision(u64::MAX)).await, Written::Done);
    assert_eq!(revision_at(engine, &key).await, Some(0));
}

async fn many_writes_have_their_outcomes_in_order(engine: &dyn Engine) {
    const COUNT: usize = 130;
    let key = |number: usize| key("many", &format!("{number:04}"));
    for number in (0..COUNT).step_by(3) {
        assert_eq!(put(engine, &key(number), 5, Condition::None).await, Written::Done);
    }
    let writes = (0..COUNT).map(|number| Write::put(item(key(number), 6), Condition::Absent)).collect();
    let outcomes = engine.write_many(writes).await;
    assert_eq!(outcomes.len(), COUNT);
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let expected = match number % 3 {
            0 => Written::ConditionFailed(Some(item(key(number), 5))),
            _ => Written::Done,
        };
        assert_eq!(outcome, Ok(expected), "write {number}");
        assert_eq!(revision_at(engine, &key(number)).await, Some(if number % 3 == 0 { 5 } else { 6 }));
    }
    assert!(engine.write_many(Vec::new()).await.is_empty());
}

async fn many_writes_of_every_kind(engine: &dyn Engine) {
    const EACH: usize = 9;
    let key = |kind: &str, number: usize| key("kinds", &format!("{kind} {number}"));
    for number in 0..EACH {
        for kind in ["update", "stale", "replace", "delete", "kept"] {
            assert_eq!(put(engine, &key(kind, number), 1, Condition::None).await, Written::Done);
        }
    }
    let writes = (0..EACH).flat_map(|number| {
        let expiring = Item { expires_at_s: Some(1_900_000_000), ..item(key("update", number), 2) };
        [
            Write::put(expiring, Condition::Revision(1)),
            Write::put(item(key("stale", number), 2), Condition::Revision(2)),
            Write::put(item(key("replace", number), 2), Condition::None),
            Write::put(item(key("new", number), 2), Condition::Below(2)),
            Write::delete(key("delete", number), Condition::Revision(1)),
            Write::delete(key("kept", number), Condition::Below(1)),
        ]
    });
    let outcomes = engine.write_many(writes.collect()).await;
    for (number, outcomes) in outcomes.chunks(6).enumerate() {
        let expected = [
            Written::Done,
            Written::ConditionFailed(Some(item(key("stale", number), 1))),
            Written::Done,
            Written::Done,
            Written::Done,
            Written::ConditionFailed(Some(item(key("kept", number), 1))),
        ];
        assert_eq!(outcomes, expected.map(Ok), "outcomes {number}");
        let updated = engine.get(key("update", number)).await.expect("a read works");
        assert_eq!(updated.and_then(|item| item.expires_at_s), Some(1_900_000_000));
        for (kind, revision) in [
            ("update", Some(2)),
            ("stale", Some(1)),
            ("replace", Some(2)),
            ("new", Some(2)),
            ("delete", None),
        ] {
            assert_eq!(revision_at(engine, &key(kind, number)).await, revision, "{kind} {number}");
        }
    }
    // A later write of the same kind takes the expiry away again.
    let stays = Write::put(item(key("update", 0), 3), Condition::Revision(2));
    assert_eq!(engine.write_many(vec![stays]).await, [Ok(Written::Done)]);
    assert_eq!(engine.get(key("update", 0)).await, Ok(Some(item(key("update", 0), 3))));
}

async fn many_reads_give_each_item_once(engine: &dyn Engine) {
    const COUNT: usize = 250;
    let of = |number: usize| {
        let table = Table::ALL[number % Table::ALL.len()];
        Key::new(table, format!("get {}", number % 7), format!("{number}"))
    };
    let writes = (0..COUNT).map(|number| Write::put(item(of(number), number as u64), Condition::None));
    for outcome in engine.write_many(writes.collect()).await {
        assert_eq!(outcome, Ok(Written::Done));
    }
    let missing = (COUNT..COUNT + 20).map(of);
    let keys = (0..COUNT).chain(0..COUNT).map(of).chain(missing).collect();
    let found = engine.get_many(keys).await.expect("a read works");
    assert_eq!(found.len(), COUNT, "each item once, and none for a key without one");
    let expected: BTreeSet<Key> = (0..COUNT).map(of).collect();
    assert_eq!(found.into_iter().map(|item| item.key).collect::<BTreeSet<_>>(), expected);
    assert_eq!(engine.get_many(Vec::new()).await, Ok(Vec::new()));
}

async fn sorts(engine: &dyn Engine, query: Query) -> Vec<String> {
    let page = engine.query(query).await.expect("a query works");
    page.items.into_iter().map(|item| item.key.sort).collect()
}

async fn a_query_gives_a_range_in_order(engine: &dyn Engine) {
    for (partition, sort) in
        [("range", "a"), ("range", "b"), ("range", "b1"), ("range", "c"), ("range", "é"), ("range2", "a")]
    {
        assert_eq!(put(engine, &key(partition, sort), 1, Condition::None).await, Written::Done);
    }
    let whole = Query::partition(Table::Ledger, "range");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(sorts(engine, whole.clone()).await, ["a", "b", "b1", "c", "é"], "in the order of bytes");
    let descending = Query { descending: true, ..whole.clone() };
    assert_eq!(sorts(engine, descending.clone()).await, ["é", "c", "b1", "b", "a"]);
    assert_eq!(sorts(engine, Query { from: text("b"), ..whole.clone() }).await, ["b", "b1", "c", "é"]);
    assert_eq!(sorts(engine, Query { to: text("b1"), ..whole.clone() }).await, ["a", "b", "b1"]);
    let range = Query { from: text("b"), to: text("c"), ..whole.clone() };
    assert_eq!(sorts(engine, range.clone()).await, ["b", "b1", "c"]);
    assert_eq!(sorts(engine, Query { after: text("b"), ..range.clone() }).await, ["b1", "c"]);
    assert_eq!(sorts(engine, Query { after: text("a"), ..range.clone() }).await, ["b", "b1", "c"]);
    assert!(sorts(engine, Query { after: text("c"), ..range.clone() }).await.is_empty());
    let range_down = Query { descending: true, ..range };
    assert_eq!(sorts(engine, Query { after: text("c"), ..range_down.clone() }).await, ["b1", "b"]);
    assert_eq!(sorts(engine, Query { after: text("z"), ..range_down }).await, ["c", "b1", "b"]);
    let upside_down = Query { from: text("c"), to: text("b"), ..whole.clone() };
    assert!(sorts(engine, upside_down).await.is_empty());
    let one = Query { from: text("b"), to: text("b"), ..whole };
    assert_eq!(sorts(engine, one).await, ["b"]);
    assert_eq!(sorts(engine, Query { limit: 1, ..descending }).await, ["é"]);
    assert!(sorts(engine, Query::partition(Table::Ledger, "rang")).await.is_empty());
    assert!(sorts(engine, Query::partition(Table::Log, "range")).await.is_empty(), "tables are apart");
}

/// Returns the sort keys of every page, and checks that none is longer than the limit.
async fn pages(engine: &dyn Engine, mut query: Query) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let page = engine.query(query.clone()).await.expect("a query works");
        assert!(page.items.len() <= query.limit);
        if let (Some(next), Some(last)) = (&page.next, page.items.last()) {
            assert_eq!(*next, last.key, "a page goes on after its last item");
        }
        pages.push(page.items.into_iter().map(|item| item.key.sort).collect());
        let Some(next) = page.next else { return pages };
        query.after = Some(next.sort);
    }
}

async fn a_query_gives_pages(engine: &dyn Engine) {
    let numbers: Vec<String> = (0..23).map(|number| format!("{number:02}")).collect();
    for number in &numbers {
        assert_eq!(put(engine, &key("pages", number), 1, Condition::None).await, Written::Done);
    }
    let query = Query { limit: 5, ..Query::partition(Table::Ledger, "pages") };
    let ascending = pages(engine, query.clone()).await;
    assert_eq!(ascending[0], ["00", "01", "02", "03", "04"]);
    assert_eq!(ascending.concat(), numbers, "the pages are everything, once each, in order");
    let descending = pages(engine, Query { descending: true, ..query.clone() }).await;
    let mut backwards = numbers.clone();
    backwards.reverse();
    assert_eq!(descending.concat(), backwards);
    // A limit that is met exactly may be followed by an empty page, and no more.
    let exact = pages(engine, Query { limit: 23, ..query }).await;
    assert!(exact.len() <= 2);
    assert_eq!(exact.concat(), numbers);
}

async fn put_large(engine: &dyn Engine, partition: &str, count: usize, bytes: usize) -> Vec<Key> {
    let keys: Vec<Key> = (0..count).map(|number| key(partition, &format!("{number:03}"))).collect();
    let large = |(number, key): (usize, &Key)| {
        let letter = u8::try_from(number % 251).expect("a remainder by 251");
        Write::put(Item::new(key.clone(), number as u64, vec![letter; bytes]), Condition::Absent)
    };
    for outcome in engine.write_many(keys.iter().enumerate().map(large).collect()).await {
        assert_eq!(outcome, Ok(Written::Done));
    }
    keys
}

async fn large_items_come_in_pages(engine: &dyn Engine) {
    let keys = put_large(engine, "large", 8, 300_000).await;
    let query = Query::partition(Table::Ledger, "large");
    let pages = pages(engine, query).await;
    assert!(pages.len() > 2, "a page has at most a megabyte");
    let found = pages.concat();
    assert_eq!(found, keys.iter().map(|key| key.sort.clone()).collect::<Vec<_>>());
    let items = engine.get_many(keys.clone()).await.expect("a read works");
    assert_eq!(items.len(), keys.len(), "also where a partition gives at most a megabyte at once");
    for item in items {
        assert_eq!(item.body.len(), 300_000);
        assert!(item.body.iter().all(|byte| u64::from(*byte) == item.revision));
    }
}

async fn large_reads_are_complete(engine: &dyn Engine) {
    // Beyond the 16 MB that a single call of the service gives.
    let mut keys = Vec::new();
    for partition in 0..20 {
        keys.extend(put_large(engine, &format!("larger {partition}"), 3, 300_000).await);
    }
    let items = engine.get_many(keys.clone()).await.expect("a read works");
    assert_eq!(items.into_iter().map(|item| item.key).collect::<BTreeSet<_>>(), keys.into_iter().collect());
}

async fn an_item_that_is_too_large_is_refused(engine: &dyn Engine) {
    let of_bytes = |sort: &str, bytes: usize| {
        let mut item = Item::new(key("size", sort), 1, Vec::new());
        item.body = vec![1; bytes - item.stored_bytes()];
        item
    };
    let just = of_bytes("just", Item::BYTES_MAX);
    let beyond = of_bytes("beyond", Item::BYTES_MAX + 1);
    assert_eq!(write(engine, Write::put(just.clone(), Condition::None)).await, Written::Done);
    assert_eq!(engine.get(just.key.clone()).await, Ok(Some(just.clone())));
    let refused = engine.write(Write::put(beyond.clone(), Condition::None)).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    let small = item(key("size", "small"), 1);
    let writes = [just, beyond.clone(), small].map(|item| Write::put(item, Condition::None));
    let outcomes = engine.write_many(writes.into()).await;
    assert_eq!(outcomes[0], Ok(Written::Done));
    assert!(matches!(outcomes[1], Err(StoreError::Refused { .. })), "{:?}", outcomes[1]);
    assert_eq!(outcomes[2], Ok(Written::Done), "it does not keep the others back");
    assert_eq!(engine.get(beyond.key).await, Ok(None));
}

async fn segments_cover_a_table_once(engine: &dyn Engine) {
    const COUNT: usize = 120;
    let key = |number: usize| Key::new(Table::Snapshots, format!("part {}", number / 2), format!("{number}"));
    let body = vec![7; 40_000];
    let writes = (0..COUNT)
        .map(|number| Write::put(Item::new(key(number), 1, body.clone()), Condition::None))
        .collect();
    for outcome in engine.write_many(writes).await {
        assert_eq!(outcome, Ok(Written::Done));
    }
    for count in [1, 4, 16] {
        let mut found = Vec::new();
        for index in 0..count {
            let mut start = None;
            loop {
                let segment = Segment { index, count };
                let page = engine.scan(Table::Snapshots, segment, start).await.expect("a scan works");
                found.extend(page.items.into_iter().map(|item| item.key));
                start = page.next;
                if start.is_none() {
                    break;
                }
            }
        }
        let distinct: BTreeSet<&Key> = found.iter().collect();
        assert_eq!(distinct.len(), found.len(), "{count} segments give nothing twice");
        assert!(found.iter().all(|key| key.table == Table::Snapshots));
        assert!((0..COUNT).all(|number| distinct.contains(&key(number))), "{count} segments miss nothing");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryEngine;

    #[tokio::test]
    async fn tables_in_memory_do_what_every_engine_does() {
        run(Arc::new(MemoryEngine::default())).await;
    }
}
