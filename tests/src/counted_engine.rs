//! Tables that count what is asked of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use store::{
    BoxFuture, Change, Engine, Item, Key, MemoryEngine, Page, Query, Segment, StoreError, Table, Write,
    Written,
};

/// How many bytes one read unit reads, strongly consistent.
const UNIT_BYTES: usize = 4_096;
/// How many bytes one write unit writes.
const WRITE_UNIT_BYTES: usize = 1_024;

/// Tables that count calls, read units and writes; in memory unless they are others'.
pub struct CountedEngine {
    tables: Arc<dyn Engine>,
    calls: AtomicU64,
    items: AtomicU64,
    read_units: AtomicU64,
    writes: AtomicU64,
    write_units: AtomicU64,
    by_kind: Mutex<BTreeMap<String, (u64, u64)>>,
}

/// What was asked of tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Calls that read.
    pub calls: u64,
    /// Items that were read, or asked for and not there.
    pub items: u64,
    /// Read units: one for each 4 KB that are begun, of an item or of a query's page.
    pub read_units: u64,
    /// Items that were written, or were to be.
    pub writes: u64,
    /// Write units: one for each KB that is begun, of an item.
    pub write_units: u64,
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
        Self {
            tables,
            calls: AtomicU64::new(0),
            items: AtomicU64::new(0),
            read_units: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            write_units: AtomicU64::new(0),
            by_kind: Mutex::default(),
        }
    }

    /// Returns what was asked since this was called last.
    pub fn take(&self) -> Counted {
        let take = |number: &AtomicU64| number.swap(0, Ordering::Relaxed);
        Counted {
            calls: take(&self.calls),
            items: take(&self.items),
            read_units: take(&self.read_units),
            writes: take(&self.writes),
            write_units: take(&self.write_units),
        }
    }

    /// Returns, for each kind of item, how many were written since the beginning and the units of it. A kind is what
    /// stands before the first `#` of a key.
    pub fn written_by_kind(&self) -> BTreeMap<String, (u64, u64)> {
        self.by_kind.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read(&self, items: usize, units: u64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.items.fetch_add(items as u64, Ordering::Relaxed);
        self.read_units.fetch_add(units, Ordering::Relaxed);
    }

    fn count_writes(&self, writes: &[Write]) {
        let units = |write: &Write| match &write.change {
            Change::Put(item) => item.stored_bytes().div_ceil(WRITE_UNIT_BYTES) as u64,
            Change::Delete(_) => 1,
        };
        self.writes.fetch_add(writes.len() as u64, Ordering::Relaxed);
        let mut by_kind = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        for write in writes {
            let key = match &write.change {
                Change::Put(item) => &item.key,
                Change::Delete(key) => key,
            };
            let kind = key.partition.split('#').next().unwrap_or_default();
            let (items, of_kind) = by_kind.entry(kind.to_owned()).or_default();
            *items += 1;
            *of_kind += units(write);
        }
        self.write_units.fetch_add(writes.iter().map(units).sum(), Ordering::Relaxed);
    }

    fn read_page(&self, page: &Page) {
        let bytes: usize = page.items.iter().map(Item::stored_bytes).sum();
        self.read(page.items.len(), (bytes.div_ceil(UNIT_BYTES) as u64).max(1));
    }
}

fn units(item: &Item) -> u64 {
    item.stored_bytes().div_ceil(UNIT_BYTES) as u64
}

impl Engine for CountedEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            let item = self.tables.get(key).await?;
            self.read(1, item.as_ref().map_or(1, units));
            Ok(item)
        })
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            let asked = keys.len();
            let items = self.tables.get_many(keys).await?;
            let found: u64 = items.iter().map(units).sum();
            // Asking for what is not there is one unit; asking for nothing is not a call.
            if asked > 0 {
                self.read(asked, found + asked.saturating_sub(items.len()) as u64);
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
        self.count_writes(std::slice::from_ref(&write));
        self.tables.write(write)
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        self.count_writes(&writes);
        self.tables.write_many(writes)
    }
}
