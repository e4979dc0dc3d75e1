//! An engine that counts what is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store::{BoxFuture, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written};

/// Counts what is read as the service does: four kilobytes are a unit; of single items, each is rounded up.
pub(crate) struct Counting {
    engine: Arc<dyn Engine>,
    read_bytes: AtomicU64,
}

impl Counting {
    pub(crate) fn over(engine: &Arc<dyn Engine>) -> Self {
        Self { engine: Arc::clone(engine), read_bytes: AtomicU64::new(0) }
    }

    /// Returns how many units were read.
    pub(crate) fn read_units(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed).div_ceil(4_096)
    }

    fn count_single(&self, items: &[Item]) {
        let bytes = items.iter().map(|item| item.stored_bytes().div_ceil(4_096) * 4_096).sum::<usize>();
        self.read_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn count_page(&self, page: &Page) {
        let bytes = page.items.iter().map(Item::stored_bytes).sum::<usize>();
        self.read_bytes.fetch_add(bytes.div_ceil(4_096) as u64 * 4_096, Ordering::Relaxed);
    }
}

impl Engine for Counting {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            let item = self.engine.get(key).await?;
            self.count_single(item.as_slice());
            Ok(item)
        })
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            let items = self.engine.get_many(keys).await?;
            self.count_single(&items);
            Ok(items)
        })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            let page = self.engine.query(query).await?;
            self.count_page(&page);
            Ok(page)
        })
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            let page = self.engine.scan(table, segment, start).await?;
            self.count_page(&page);
            Ok(page)
        })
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        self.engine.write(write)
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        self.engine.write_many(writes)
    }
}
