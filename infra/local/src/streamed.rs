//! Tables whose changes are streamed, in front of any engine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::{BoxFuture, Change, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written};
use tokio::sync::Notify;

/// An engine that notes the keys of what is put into streamed tables, for each reader of the stream, and counts
/// writes.
pub struct StreamedEngine {
    engine: Arc<dyn Engine>,
    /// What waits for each reader of a table's stream.
    streams: Mutex<BTreeMap<Table, Vec<Stream>>>,
    writes: AtomicU64,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct Stream {
    waiting: Vec<Key>,
    taken: usize,
}

/// A reader of a table's stream, which gets everything that is put after it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamReader {
    table: Table,
    number: usize,
}

impl StreamReader {
    /// Returns the table.
    #[must_use]
    pub fn table(self) -> Table {
        self.table
    }
}

impl StreamedEngine {
    /// Returns `engine` with streams of these tables. `changed` is notified when a stream has something new.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, tables: &[Table], changed: Arc<Notify>) -> Self {
        let streams = tables.iter().map(|table| (*table, Vec::new())).collect();
        Self { engine, streams: Mutex::new(streams), writes: AtomicU64::new(0), changed }
    }

    /// Returns a new reader of the stream of `table`.
    #[must_use]
    pub fn reader(&self, table: Table) -> StreamReader {
        let mut streams = self.lock();
        let readers = streams.entry(table).or_default();
        readers.push(Stream::default());
        StreamReader { table, number: readers.len() - 1 }
    }

    /// Waits until the stream has records for this reader, and takes at most `count` of them.
    pub async fn take(&self, reader: StreamReader, count: usize) -> Vec<Key> {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if let Some(stream) =
                self.lock().get_mut(&reader.table).and_then(|all| all.get_mut(reader.number))
                && !stream.waiting.is_empty()
            {
                let count = count.min(stream.waiting.len());
                stream.taken += count;
                return stream.waiting.drain(..count).collect();
            }
            changed.await;
        }
    }

    /// Says that so many records that were taken are worked through.
    pub fn finish(&self, reader: StreamReader, count: usize) {
        if let Some(stream) = self.lock().get_mut(&reader.table).and_then(|all| all.get_mut(reader.number)) {
            stream.taken -= count;
        }
        self.changed.notify_waiters();
    }

    /// Returns whether no stream has records that are not worked through.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lock().values().flatten().all(|stream| stream.waiting.is_empty() && stream.taken == 0)
    }

    /// Returns what [`StreamedEngine::is_idle`] waits for, a text for each table.
    #[must_use]
    pub fn waits_for(&self) -> Vec<String> {
        let streams = self.lock();
        let of_reader = |stream: &Stream| stream.waiting.len() + stream.taken;
        let waiting =
            streams.iter().map(|(table, all)| (table, all.iter().map(of_reader).max().unwrap_or(0)));
        let texts = waiting.filter(|(_, count)| *count > 0);
        texts.map(|(table, count)| format!("{count} changes of {}", table.logical_name())).collect()
    }

    /// Returns how many writes took effect.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Table, Vec<Stream>>> {
        // Nothing panics between the changes that belong together.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, written: &Result<Written, StoreError>, key: Option<Key>) {
        if !matches!(written, Ok(Written::Done)) {
            return;
        }
        self.writes.fetch_add(1, Ordering::Relaxed);
        let Some(key) = key else { return };
        for stream in self.lock().get_mut(&key.table).into_iter().flatten() {
            stream.waiting.push(key.clone());
        }
        self.changed.notify_waiters();
    }

    /// Returns the key that a write puts something at, if its table is streamed.
    fn streamed_key(&self, write: &Write) -> Option<Key> {
        match &write.change {
            Change::Put(item) if self.lock().contains_key(&item.key.table) => Some(item.key.clone()),
            Change::Put(_) | Change::Delete(_) => None,
        }
    }
}

impl Engine for StreamedEngine {
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
            let key = self.streamed_key(&write);
            let written = self.engine.write(write).await;
            self.note(&written, key);
            written
        })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(async move {
            let keys: Vec<Option<Key>> = writes.iter().map(|write| self.streamed_key(write)).collect();
            let written = self.engine.write_many(writes).await;
            written.iter().zip(keys).for_each(|(written, key)| self.note(written, key));
            written
        })
    }
}

#[cfg(test)]
mod tests {
    use store::{Condition, MemoryEngine};

    use super::*;

    #[tokio::test]
    async fn what_is_put_into_a_streamed_table_is_streamed_and_what_fails_is_not() {
        let engine =
            StreamedEngine::new(Arc::new(MemoryEngine::default()), &[Table::Log], Arc::new(Notify::new()));
        let (reader, other) = (engine.reader(Table::Log), engine.reader(Table::Log));
        let item = |table, sort: &str| Item::new(Key::new(table, "LOG", sort), 1, Vec::new());
        let put = |table, sort| Write::put(item(table, sort), Condition::Absent);
        let writes = vec![put(Table::Log, "1"), put(Table::Ledger, "1"), put(Table::Log, "2")];
        assert_eq!(engine.write_many(writes).await.len(), 3);
        let again = engine.write(put(Table::Log, "1")).await.unwrap();
        assert!(matches!(again, Written::ConditionFailed(_)));
        assert_eq!(engine.writes(), 3);
        let records = engine.take(reader, 10).await;
        assert_eq!(records.iter().map(|key| key.sort.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        engine.finish(reader, 2);
        assert!(!engine.is_idle(), "each reader gets everything");
        assert_eq!(engine.take(other, 10).await, records);
        assert!(!engine.is_idle(), "they are being worked on");
        engine.finish(other, 2);
        assert!(engine.is_idle());
    }
}
