//! Tables that count what is asked of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store::{
    BoxFuture, Engine, Item, Key, MemoryEngine, Page, Query, Segment, StoreError, Table, Write, Written,
};

/// How many bytes one read unit reads, strongly consistent.
const UNIT_BYTES: usize = 4_096;

/// Tables that count calls, read units and writes; in memory unless they are others'.
pub struct CountedEngine {
    tables: Arc<dyn Engine>,
    calls: AtomicU64,
    read_units: AtomicU64,
    writes: AtomicU64,
}

/// What was asked of tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Calls that read.
    pub calls: u64,
    /// Read units: one for each 4 KB that are begun, of an item or of a query's page.
    pub read_units: u64,
    /// Items that were written, or were to be.
    pub writes: u64,
}

impl Default for CountedEngine {
    fn default() -> Self {
        Self::over(Arc::new(MemoryEngine::default()))
    }
}

impl CountedEngine {
    /// Returns tables that count what is asked of `tables` through them.
    #[must_use]
    pub fn over(tables: Arc<dyn Engine>) -> Self {
        Self { tables, calls: AtomicU64::new(0), read_units: AtomicU64::new(0), writes: AtomicU64::new(0) }
    }

    /// Returns what was asked since this was called last.
    pub fn take(&self) -> Counted {
        let take = |number: &AtomicU64| number.swap(0, Ordering::Relaxed);
        Counted { calls: take(&self.calls), read_units: take(&self.read_units), writes: take(&self.writes) }
    }

    fn read(&self, units: u64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.read_units.fetch_add(units, Ordering::Relaxed);
    }

    fn read_page(&self, page: &Page) {
        let bytes: usize = page.items.iter().map(Item::stored_bytes).sum();
        self.read((bytes.div_ceil(UNIT_BYTES) as u64).max(1));
    }
}

fn units(item: &Item) -> u64 {
    item.stored_bytes().div_ceil(UNIT_BYTES) as u64
}

impl Engine for CountedEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            let item = self.tables.get(key).await?;
            self.read(item.as_ref().map_or(1, units));
            Ok(item)
        })
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            let asked = keys.len() as u64;
            let items = self.tables.get_many(keys).await?;
            let found: u64 = items.iter().map(units).sum();
            // Asking for what is not there is one unit; asking for nothing is not a call.
            if asked > 0 {
                self.read(found + asked.saturating_sub(items.len() as u64));
            }
            Ok(items)
        })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            let page = self.tables.query(query).await?;
            self.read_page(&page);
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
            let page = self.tables.scan(table, segment, start).await?;
            self.read_page(&page);
            Ok(page)
        })
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.tables.write(write)
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        self.writes.fetch_add(writes.len() as u64, Ordering::Relaxed);
        self.tables.write_many(writes)
    }
}
