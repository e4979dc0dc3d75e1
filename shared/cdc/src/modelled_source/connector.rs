//! A connector that reads the log of a database and writes records, as Debezium 3.6.3 does.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::database::{Commit, Database, LoggedChange, Row, TableName};
use crate::CapturedRecord;

/// How a connector writes what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Enveloped or flattened.
    pub form: Form,
    /// Whether updates leave columns out that they do not change, as some transforms do.
    pub omits_unchanged: bool,
}

/// The shape of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Debezium's change envelope, with a tombstone after each delete.
    Envelope,
    /// Flattened by `ExtractNewRecordState`.
    Flattened {
        /// What becomes of a delete.
        deletes: Deletes,
        /// Whether `add.fields` has `source.sequence`.
        is_sequenced: bool,
    },
}

/// `delete.tombstone.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// A tombstone is all there is.
    Tombstone,
    /// A row that says that it is deleted.
    Rewrite,
    /// The same, with a tombstone after it.
    RewriteWithTombstone,
}

/// A connector, and the topics it writes to, named `<prefix>.<schema>.<table>`.
#[derive(Debug, Clone)]
pub struct Connector {
    prefix: &'static str,
    format: Format,
    keys: Keys,
    /// The next transaction of the log to be written.
    position: usize,
    /// Where the connector began to read, with no commit before.
    first: usize,
    partitions: i32,
    incarnation: u32,
    ends: BTreeMap<(TableName, i32), i64>,
    records: Vec<(u32, CapturedRecord)>,
}

/// How the keys of rows are written.
#[derive(Debug, Clone, Copy)]
pub enum Keys {
    /// As text, under this column of every table.
    Text(&'static str),
    /// As the JSON that the database has them by, under the column that each table has for it.
    Json(fn(TableName) -> &'static str),
}

/// Rows that an incremental snapshot has read and not written yet.
#[derive(Debug, Clone)]
pub struct Chunk {
    table: TableName,
    low: usize,
    high: Option<usize>,
    rows: Option<BTreeMap<String, Row>>,
}

/// What a snapshot sees of a table, and up to which position of the log.
#[derive(Debug, Clone)]
pub struct Seen {
    lsn: u64,
    rows: BTreeMap<String, Row>,
}

impl Seen {
    /// Returns what stands now.
    #[must_use]
    pub fn by(database: &Database, table: TableName) -> Self {
        Self { lsn: database.log_end(), rows: database.rows(table) }
    }
}

impl Keys {
    fn column(self, table: TableName) -> &'static str {
        match self {
            Self::Text(column) => column,
            Self::Json(column_of) => column_of(table),
        }
    }

    fn value(self, key: &str) -> Value {
        match self {
            Self::Text(_) => json!(key),
            Self::Json(_) => serde_json::from_str(key).expect("the database has keys as JSON"),
        }
    }
}

impl Chunk {
    /// Reads the rows.
    pub fn read(&mut self, database: &Database) {
        self.rows = Some(database.rows(self.table));
    }

    /// Returns whether the rows were read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.rows.is_some()
    }

    /// Writes the high watermark.
    pub fn close(&mut self, database: &mut Database) {
        self.high = Some(database.mark());
    }

    /// Returns the position in the log of the high watermark, once it is written.
    #[must_use]
    pub fn high(&self) -> Option<usize> {
        self.high
    }
}

/// Where a message comes from.
struct Source<'a> {
    op: &'a str,
    ts_ms: i64,
    snapshot: Value,
    sequence: (Option<u64>, Option<u64>),
    lsn: Option<u64>,
    transaction: Option<u64>,
}

impl Connector {
    /// Returns a connector that begins to stream at a position of the log: that of its slot.
    #[must_use]
    pub fn new(prefix: &'static str, format: Format, keys: Keys, slot: usize) -> Self {
        Self {
            prefix,
            format,
            keys,
            position: slot,
            first: slot,
            partitions: 1,
            incarnation: 0,
            ends: BTreeMap::new(),
            records: Vec::new(),
        }
    }

    /// Returns the position in the log of the next transaction that it writes.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns everything written, in order, each with the number of the topics' incarnation.
    #[must_use]
    pub fn records(&self) -> &[(u32, CapturedRecord)] {
        &self.records
    }

    /// Writes the next transactions, this many at most.
    pub fn stream(&mut self, database: &Database, transactions: usize) {
        for _ in 0..transactions {
            let Some(commit) = database.log().get(self.position) else { return };
            let last_commit = self.last_commit(database, self.position);
            if commit.is_published {
                for change in &commit.changes {
                    self.write_change(database, commit, change, last_commit);
                }
            }
            self.position += 1;
        }
    }

    /// Starts again from an earlier position: what follows it is sent once more.
    pub fn restart(&mut self, position: usize) {
        self.position = self.position.min(position.max(self.first));
    }

    /// Begins with the slot of another cluster, at the end of the log.
    pub fn follow_failover(&mut self, database: &Database) {
        self.position = database.commits();
        self.first = database.commits();
    }

    /// Reads a table at once, before streaming or in the middle of it (initial and blocking snapshots).
    pub fn snapshot(&mut self, database: &Database, table: TableName) {
        self.write_snapshot(database, table, &Seen::by(database, table));
    }

    /// Writes what a snapshot sees, which may be what stood when a slot was created.
    pub fn write_snapshot(&mut self, database: &Database, table: TableName, seen: &Seen) {
        let last_commit = self.last_commit(database, self.position);
        let (lsn, rows) = (seen.lsn, &seen.rows);
        let last = rows.len().saturating_sub(1);
        for (index, (key, row)) in rows.iter().enumerate() {
            let marker = if index == last { "last" } else { "true" };
            let source = Source {
                op: "r",
                ts_ms: database.now_ms(),
                snapshot: json!(marker),
                sequence: (last_commit, Some(lsn)),
                lsn: Some(lsn),
                transaction: Some(1),
            };
            self.write_row(database, table, key, None, Some(row), &source);
        }
    }

    /// Begins a chunk of an incremental snapshot: writes the low watermark.
    #[must_use]
    pub fn open_chunk(&self, database: &mut Database, table: TableName) -> Chunk {
        let low = database.mark();
        Chunk { table, low, high: None, rows: None }
    }

    /// Writes a chunk when streaming has come to its high watermark. Rows that changed between the
    /// watermarks are left out, because the log says so itself.
    pub fn write_chunk(&mut self, database: &Database, chunk: Chunk) {
        let (Some(high), Some(mut rows)) = (chunk.high, chunk.rows) else { return };
        self.stream(database, high.saturating_sub(self.position));
        for commit in &database.log()[chunk.low..high] {
            let changes = commit.changes.iter().filter(|change| change.table == chunk.table);
            for change in changes.filter(|_| commit.is_published) {
                for (key, _) in [&change.before, &change.after].into_iter().flatten() {
                    rows.remove(key);
                }
            }
        }
        let reached = self.last_commit(database, high).expect("the low watermark is a commit");
        for (key, row) in &rows {
            let source = Source {
                op: "r",
                ts_ms: database.now_ms(),
                snapshot: json!("incremental"),
                sequence: (Some(reached), Some(reached)),
                lsn: None,
                transaction: None,
            };
            self.write_row(database, chunk.table, key, None, Some(row), &source);
        }
        self.stream(database, 1);
    }

    /// Returns the same with topics that have this many partitions.
    #[must_use]
    pub fn with_partitions(mut self, partitions: i32) -> Self {
        self.partitions = partitions;
        self
    }

    /// Gives the topics another partition. Keys move.
    pub fn add_partition(&mut self) {
        self.partitions += 1;
    }

    /// Makes the topics anew: offsets start over, what was written before has been read already.
    pub fn recreate_topics(&mut self) {
        self.incarnation += 1;
        self.ends.clear();
    }

    /// Returns the end of the commit that the connector emitted last, before this position of the log.
    fn last_commit(&self, database: &Database, position: usize) -> Option<u64> {
        let before = position.checked_sub(1).filter(|_| position > self.first)?;
        database.log().get(before).map(|commit| commit.end)
    }

    fn write_change(
        &mut self,
        database: &Database,
        commit: &Commit,
        change: &LoggedChange,
        last_commit: Option<u64>,
    ) {
        let source = |op| Source {
            op,
            ts_ms: commit.ts_ms,
            snapshot: Value::Null,
            sequence: (last_commit, Some(change.lsn)),
            lsn: Some(change.lsn),
            transaction: Some(commit.transaction),
        };
        match (&change.before, &change.after) {
            (None, Some((key, row))) => {
                self.write_row(database, change.table, key, None, Some(row), &source("c"));
            }
            (Some((before, old)), Some((after, row))) if before == after => {
                self.write_row(database, change.table, after, Some(old), Some(row), &source("u"));
            }
            // A primary key that changes is a delete and an insert at one position.
            (Some((before, old)), after) => {
                self.write_delete(database, change.table, before, old, &source("d"));
                if let Some((after, row)) = after {
                    self.write_row(database, change.table, after, None, Some(row), &source("c"));
                }
            }
            (None, None) => {}
        }
    }

    fn write_delete(
        &mut self,
        database: &Database,
        table: TableName,
        key: &str,
        old: &Row,
        source: &Source<'_>,
    ) {
        let (is_written, has_tombstone) = match self.format.form {
            Form::Envelope | Form::Flattened { deletes: Deletes::RewriteWithTombstone, .. } => (true, true),
            Form::Flattened { deletes: Deletes::Rewrite, .. } => (true, false),
            Form::Flattened { deletes: Deletes::Tombstone, .. } => (false, true),
        };
        if is_written {
            self.write_row(database, table, key, Some(old), None, source);
        }
        if has_tombstone {
            self.write(database, table, key, None);
        }
    }

    fn write_row(
        &mut self,
        database: &Database,
        table: TableName,
        key: &str,
        before: Option<&Row>,
        after: Option<&Row>,
        source: &Source<'_>,
    ) {
        let after = after.map(|row| self.written(table, row, before));
        let value = match self.format.form {
            Form::Envelope => envelope(table, before, after.as_ref(), source),
            Form::Flattened { is_sequenced, .. } => {
                let row = after.as_ref().or(before).expect("a change has a row");
                flattened(table, row, after.is_none(), source, is_sequenced)
            }
        };
        self.write(database, table, key, Some(value.to_string()));
    }

    /// Returns the columns of a row that are written.
    fn written(&self, table: TableName, row: &Row, before: Option<&Row>) -> Row {
        let key_column = self.keys.column(table);
        let is_written = |(name, value): &(&String, &Value)| {
            let is_unchanged = before.is_some_and(|before| before.get(name.as_str()) == Some(value));
            !self.format.omits_unchanged || !is_unchanged || name.as_str() == key_column
        };
        row.iter().filter(is_written).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn write(&mut self, database: &Database, table: TableName, key: &str, value: Option<String>) {
        let digest = key.bytes().fold(7_i32, |digest, byte| (digest * 31 + i32::from(byte)) % 10_007);
        let partition = digest % self.partitions;
        let end = self.ends.entry((table, partition)).or_default();
        let record = CapturedRecord {
            topic: format!("{}.{}.{}", self.prefix, table.0, table.1),
            partition,
            offset: *end,
            timestamp_ms: Some(database.now_ms()),
            key: Some(json!({ self.keys.column(table): self.keys.value(key) }).to_string()),
            value,
        };
        *end += 1;
        self.records.push((self.incarnation, record));
    }
}

fn sequence_text((last_commit, position): (Option<u64>, Option<u64>)) -> String {
    json!([last_commit.map(|lsn| lsn.to_string()), position.map(|lsn| lsn.to_string())]).to_string()
}

fn envelope(table: TableName, before: Option<&Row>, after: Option<&Row>, source: &Source<'_>) -> Value {
    json!({
        "before": before,
        "after": after,
        "source": {
            "version": "3.6.3.Final",
            "connector": "postgresql",
            "ts_ms": source.ts_ms,
            "snapshot": source.snapshot,
            "sequence": sequence_text(source.sequence),
            "schema": table.0,
            "table": table.1,
            "txId": source.transaction,
            "lsn": source.lsn,
            "xmin": null,
        },
        "transaction": null,
        "op": source.op,
        "ts_ms": source.ts_ms + 5,
    })
}

fn flattened(
    table: TableName,
    row: &Row,
    is_deleted: bool,
    source: &Source<'_>,
    is_sequenced: bool,
) -> Value {
    let mut value = json!(row);
    let fields = value.as_object_mut().expect("a row is an object");
    fields.insert("__deleted".to_owned(), json!(is_deleted.to_string()));
    fields.insert("__op".to_owned(), json!(source.op));
    fields.insert("__table".to_owned(), json!(table.1));
    fields.insert("__lsn".to_owned(), json!(source.lsn));
    fields.insert("__source_ts_ms".to_owned(), json!(source.ts_ms));
    fields.insert("__source_snapshot".to_owned(), source.snapshot.clone());
    if is_sequenced {
        fields.insert("__source_sequence".to_owned(), json!(sequence_text(source.sequence)));
    }
    value
}
