//! A database with tables, transactions and a log.

use std::collections::BTreeMap;

use serde_json::Value;

/// A row: its columns by name.
pub type Row = BTreeMap<String, Value>;

/// A table's schema and name.
pub type TableName = (&'static str, &'static str);

/// A transaction that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionId(u64);

/// A database: tables of rows by primary key, and the log of what was committed.
#[derive(Debug, Clone)]
pub struct Database {
    now_ms: i64,
    /// The end of the write-ahead log of the cluster.
    log_end: u64,
    next_transaction: u64,
    tables: BTreeMap<TableName, BTreeMap<String, Row>>,
    open: BTreeMap<TransactionId, Vec<LoggedChange>>,
    log: Vec<Commit>,
    is_published: bool,
}

/// A committed transaction in the log.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub(super) transaction: u64,
    pub(super) ts_ms: i64,
    /// The position after the commit.
    pub(super) end: u64,
    /// Whether the connector gets to see it: not while its publication lacked the table.
    pub(super) is_published: bool,
    pub(super) changes: Vec<LoggedChange>,
}

/// A change of a row, with its position inside the transaction.
#[derive(Debug, Clone)]
pub(super) struct LoggedChange {
    pub(super) table: TableName,
    pub(super) lsn: u64,
    pub(super) before: Option<(String, Row)>,
    pub(super) after: Option<(String, Row)>,
}

impl Database {
    /// Returns an empty database at this time.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self {
            now_ms,
            log_end: 50_000_000,
            next_transaction: 700,
            tables: BTreeMap::new(),
            open: BTreeMap::new(),
            log: Vec::new(),
            is_published: true,
        }
    }

    /// Returns the time, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Lets time pass.
    pub fn wait(&mut self, milliseconds: i64) {
        self.now_ms += milliseconds;
    }

    /// Begins a transaction.
    pub fn begin(&mut self) -> TransactionId {
        self.next_transaction += 1;
        let transaction = TransactionId(self.next_transaction);
        self.open.insert(transaction, Vec::new());
        transaction
    }

    /// Inserts, updates or deletes a row: `key` is its primary key before, `after` its key and columns after.
    /// Does nothing and answers false where another transaction holds one of the rows, or where there is no
    /// such row to update, or one in the way.
    pub fn change(
        &mut self,
        transaction: TransactionId,
        table: TableName,
        key: Option<&str>,
        after: Option<(String, Row)>,
    ) -> bool {
        let before = key.and_then(|key| Some((key.to_owned(), self.seen_by(transaction, table, key)?)));
        let target = after.as_ref().map(|(key, _)| key.as_str());
        let is_held = [key, target].into_iter().flatten().any(|key| self.is_held(transaction, table, key));
        let is_in_the_way = target
            .is_some_and(|target| key != Some(target) && self.seen_by(transaction, table, target).is_some());
        if is_held || is_in_the_way || (key.is_some() && before.is_none()) {
            return false;
        }
        self.log_end += 48;
        let change = LoggedChange { table, lsn: self.log_end, before, after };
        self.open.get_mut(&transaction).expect("an open transaction").push(change);
        true
    }

    /// Commits a transaction. What it did is in the tables and in the log from now on.
    pub fn commit(&mut self, transaction: TransactionId) {
        let changes = self.open.remove(&transaction).expect("an open transaction");
        if changes.is_empty() {
            return;
        }
        for change in &changes {
            let rows = self.tables.entry(change.table).or_default();
            if let Some((key, _)) = &change.before {
                rows.remove(key);
            }
            if let Some((key, row)) = &change.after {
                rows.insert(key.clone(), row.clone());
            }
        }
        self.log_end += 32;
        self.push(transaction.0, changes);
    }

    fn push(&mut self, transaction: u64, changes: Vec<LoggedChange>) {
        let (end, ts_ms, is_published) = (self.log_end, self.now_ms, self.is_published);
        self.log.push(Commit { transaction, ts_ms, end, is_published, changes });
    }

    /// Writes a watermark of an incremental snapshot: a commit that changes no row of these tables.
    pub(super) fn mark(&mut self) -> usize {
        self.log_end += 80;
        self.next_transaction += 1;
        self.push(self.next_transaction, Vec::new());
        self.log.len() - 1
    }

    /// Forgets what a transaction did.
    pub fn abort(&mut self, transaction: TransactionId) {
        self.open.remove(&transaction);
    }

    /// Returns the transactions that are open.
    #[must_use]
    pub fn open_transactions(&self) -> Vec<TransactionId> {
        self.open.keys().copied().collect()
    }

    /// Starts over on another cluster, whose log has lower positions. Open transactions are lost.
    pub fn fail_over(&mut self, log_end: u64) {
        self.open.clear();
        self.log_end = log_end;
        self.now_ms += 2_000;
    }

    /// Sets whether the connector gets to see what is committed from now on.
    pub fn publish(&mut self, is_published: bool) {
        self.is_published = is_published;
    }

    /// Returns the rows of a table as they are committed, by primary key.
    #[must_use]
    pub fn rows(&self, table: TableName) -> BTreeMap<String, Row> {
        self.tables.get(&table).cloned().unwrap_or_default()
    }

    /// Returns a row as a transaction sees it, its own changes included.
    #[must_use]
    pub fn seen_by(&self, transaction: TransactionId, table: TableName, key: &str) -> Option<Row> {
        let own = self.open.get(&transaction).into_iter().flatten().filter(|change| change.table == table);
        let mut row = self.tables.get(&table).and_then(|rows| rows.get(key)).cloned();
        for change in own {
            if change.before.as_ref().is_some_and(|(before, _)| before == key) {
                row = None;
            }
            if let Some((after, columns)) = &change.after
                && after == key
            {
                row = Some(columns.clone());
            }
        }
        row
    }

    /// Returns how many transactions were committed.
    #[must_use]
    pub fn commits(&self) -> usize {
        self.log.len()
    }

    pub(super) fn log(&self) -> &[Commit] {
        &self.log
    }

    pub(super) fn log_end(&self) -> u64 {
        self.log_end
    }

    fn is_held(&self, transaction: TransactionId, table: TableName, key: &str) -> bool {
        let others = self.open.iter().filter(|(other, _)| **other != transaction);
        others.flat_map(|(_, changes)| changes).filter(|change| change.table == table).any(|change| {
            let touches = |side: &Option<(String, Row)>| side.as_ref().is_some_and(|(side, _)| side == key);
            touches(&change.before) || touches(&change.after)
        })
    }
}
