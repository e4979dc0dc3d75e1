//! The store's `Engine` over one connection to the SQLite file.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::{Connection, ErrorCode};
use store::{BoxFuture, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written};

use crate::directory::{Directory, OpenError};
use crate::rows;

/// The ledger's tables in one SQLite file.
///
/// Calls take effect one after the other, in the thread that polls them.
#[derive(Debug)]
pub struct SqliteEngine {
    // Closed before the directory is given up.
    connection: Mutex<Connection>,
    directory: Directory,
    failure: OnceLock<String>,
}

impl SqliteEngine {
    /// Opens the tables in `directory`, and creates both if they are missing.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what to do.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let directory = Directory::open(directory)?;
        let file = directory.tables_file()?;
        let failed = |error: &rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                OpenError::OtherFormat { file: file.clone(), found: "it is no file of tables".to_owned() }
            }
            _ => OpenError::Failed { message: message(&directory, error) },
        };
        let connection = connect(&file).map_err(|error| failed(&error))?;
        let layout = prepare(&connection).map_err(|error| failed(&error))?;
        if layout != rows::LAYOUT {
            let found = format!("its layout is {layout}, and this program has {}", rows::LAYOUT);
            return Err(OpenError::OtherFormat { file, found });
        }
        Ok(Self { connection: Mutex::new(connection), directory, failure: OnceLock::new() })
    }

    /// Returns why no write works any more, once one has failed. The process should then end with this
    /// message.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Deletes the items that expired before `now_s`, seconds since 1970, and returns how many there were.
    ///
    /// # Errors
    ///
    /// As every write.
    pub fn delete_expired(&self, now_s: i64) -> Result<usize, StoreError> {
        self.check_writable()?;
        rows::delete_expired(&self.lock(), now_s).map_err(|error| self.write_failed(&error))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere has ended its transaction on the way.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        match self.failure.get() {
            None => Ok(()),
            Some(message) => Err(StoreError::Refused { message: message.clone() }),
        }
    }

    fn write_one(&self, write: &Write) -> Result<Written, StoreError> {
        write.check_size()?;
        self.check_writable()?;
        rows::write(&self.lock(), write).map_err(|error| self.write_failed(&error))
    }

    /// Writes all of them in one SQLite transaction: it commits once instead of once a write.
    fn write_all(&self, writes: &[Write]) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        self.check_writable()?;
        let mut connection = self.lock();
        let mut write_all = || {
            let transaction = connection.transaction()?;
            let outcomes = writes
                .iter()
                .map(|write| match write.check_size() {
                    Ok(()) => rows::write(&transaction, write).map(Ok),
                    Err(refused) => Ok(Err(refused)),
                })
                .collect::<rusqlite::Result<_>>()?;
            transaction.commit()?;
            Ok(outcomes)
        };
        write_all().map_err(|error: rusqlite::Error| self.write_failed(&error))
    }

    fn write_failed(&self, error: &rusqlite::Error) -> StoreError {
        let message = self.failure.get_or_init(|| message(&self.directory, error)).clone();
        StoreError::Refused { message }
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        read(&self.lock()).map_err(|error| StoreError::Refused { message: message(&self.directory, &error) })
    }
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    // The lock file keeps other processes out, so SQLite needs no shared memory to coordinate with them.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // The log is synced at checkpoints only: a killed process loses nothing.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // 64 MB: the heads of some ten thousand accounts stay in memory.
    connection.pragma_update(None, "cache_size", -65_536)?;
    // 32 MB of the log's pages, so that a page that changes often is copied into the tables less often.
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Creates the tables in a new file. Returns the number of the layout that the file has.
fn prepare(connection: &Connection) -> rusqlite::Result<i64> {
    let layout = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get(0));
    let is_new = connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if is_new {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(rows::CREATE)?;
        transaction.pragma_update(None, "user_version", rows::LAYOUT)?;
        transaction.commit()?;
    }
    layout(connection)
}

fn message(directory: &Directory, error: &rusqlite::Error) -> String {
    let path = directory.path().display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            let megabytes = directory.bytes().div_ceil(1_000_000);
            format!(
                "no space is left on the disk of {path}, where the ledger takes {megabytes} MB: \
                 make space and start again, or name another directory"
            )
        }
        // Where space is reserved late or limited, the system reports the lack of it as any other failure.
        Some(ErrorCode::SystemIoFailure) => format!(
            "the tables in {path} cannot be read or written: {error}; see whether its disk works and has space \
             left, and start again"
        ),
        _ => format!("the tables in {path} cannot be used: {error}"),
    }
}

impl Engine for SqliteEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move { self.read(|connection| rows::get(connection, &key)) })
    }

    fn get_many(&self, mut keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            keys.sort();
            keys.dedup();
            self.read(|connection| {
                keys.iter().filter_map(|key| rows::get(connection, key).transpose()).collect()
            })
        })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move { self.read(|connection| rows::query(connection, &query)) })
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(
            async move { self.read(|connection| rows::scan(connection, table, segment, start.as_ref())) },
        )
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move { self.write_one(&write) })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(
            async move { self.write_all(&writes).unwrap_or_else(|error| vec![Err(error); writes.len()]) },
        )
    }
}

#[cfg(test)]
mod tests;
