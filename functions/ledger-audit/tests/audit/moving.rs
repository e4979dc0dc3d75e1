//! An engine at which something else moves a head just before it would be replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::{
    BoxFuture, Change, Condition, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written,
};

/// Moves the item at a key to the next revision before the first write there, and keeps what it holds.
pub(crate) struct Moving {
    engine: Arc<dyn Engine>,
    key: Key,
    has_moved: AtomicBool,
}

impl Moving {
    pub(crate) fn over(engine: &Arc<dyn Engine>, key: Key) -> Self {
        Self { engine: Arc::clone(engine), key, has_moved: AtomicBool::new(false) }
    }

    pub(crate) fn has_moved(&self) -> bool {
        self.has_moved.load(Ordering::Relaxed)
    }
}

impl Engine for Moving {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        self.engine.get(key)
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        self.engine.get_many(keys)
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.engine.query(query)
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.engine.scan(table, segment, start)
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move {
            let is_at_key = matches!(&write.change, Change::Put(item) if item.key == self.key);
            if is_at_key && !self.has_moved.swap(true, Ordering::Relaxed) {
                let item = self.engine.get(self.key.clone()).await?.expect("it is there");
                let moved = Item { revision: item.revision + 1, ..item };
                assert_eq!(self.engine.write(Write::put(moved, Condition::None)).await?, Written::Done);
            }
            self.engine.write(write).await
        })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        self.engine.write_many(writes)
    }
}
