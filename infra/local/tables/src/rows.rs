//! Items as rows of one SQL table.

use std::fmt::Write as _;
use std::ops::Bound;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Row, params, params_from_iter};
use store::{Change, Condition, Item, Key, Page, Query, Segment, Table, Write, Written};

/// The number of this layout, which SQLite keeps with the file.
pub(crate) const LAYOUT: i64 = 1;

/// The one SQL table. The body comes last, so that reading the other columns does not read it.
///
/// It has row ids: a table without them keeps whole rows in its index, which made writes of 1 KB five times
/// as slow (`examples/measure.rs`).
pub(crate) const CREATE: &str = "
    CREATE TABLE items (
        table_number INTEGER NOT NULL,
        partition TEXT NOT NULL,
        sort TEXT NOT NULL,
        revision INTEGER NOT NULL,
        expires_at_s INTEGER,
        body BLOB NOT NULL,
        PRIMARY KEY (table_number, partition, sort)
    )";

/// Returns the number of a table in the file, which never changes.
fn number(table: Table) -> i64 {
    match table {
        Table::Source => 1,
        Table::Log => 2,
        Table::Ledger => 3,
        Table::Snapshots => 4,
    }
}

/// Returns the item at `key`.
pub(crate) fn get(connection: &Connection, key: &Key) -> Result<Option<Item>> {
    connection
        .prepare_cached(
            "SELECT revision, expires_at_s, body FROM items
             WHERE table_number = ? AND partition = ? AND sort = ?",
        )?
        .query_row(params![number(key.table), key.partition, key.sort], |row| item(key.clone(), row))
        .optional()
}

/// Writes one item if its condition holds. The caller lets no other write come between.
pub(crate) fn write(connection: &Connection, write: &Write) -> Result<Written> {
    let key = write.key();
    if write.condition != Condition::None && !write.condition.holds(revision(connection, key)?) {
        return Ok(Written::ConditionFailed(get(connection, key)?));
    }
    match &write.change {
        Change::Put(item) => connection
            .prepare_cached(
                "INSERT INTO items (table_number, partition, sort, revision, expires_at_s, body)
                 VALUES (?, ?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET revision = excluded.revision,
                     expires_at_s = excluded.expires_at_s, body = excluded.body",
            )?
            .execute(params![
                number(key.table),
                key.partition,
                key.sort,
                item.revision.cast_signed(),
                item.expires_at_s,
                item.body
            ])?,
        Change::Delete(_) => connection
            .prepare_cached("DELETE FROM items WHERE table_number = ? AND partition = ? AND sort = ?")?
            .execute(params![number(key.table), key.partition, key.sort])?,
    };
    Ok(Written::Done)
}

/// Returns a page of a partition.
pub(crate) fn query(connection: &Connection, query: &Query) -> Result<Page> {
    let Some((low, high)) = query.bounds() else { return Ok(Page::default()) };
    let mut sql = "SELECT revision, expires_at_s, body, sort FROM items
                   WHERE table_number = ? AND partition = ?"
        .to_owned();
    let mut values = vec![Value::from(number(query.table)), Value::from(query.partition.clone())];
    for (bound, included, excluded) in [(low, ">=", ">"), (high, "<=", "<")] {
        let (comparison, sort) = match bound {
            Bound::Included(sort) => (included, sort),
            Bound::Excluded(sort) => (excluded, sort),
            Bound::Unbounded => continue,
        };
        write!(sql, " AND sort {comparison} ?").expect("a string takes any text");
        values.push(Value::from(sort.to_owned()));
    }
    sql.push_str(if query.descending { " ORDER BY sort DESC" } else { " ORDER BY sort" });
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        item(Key::new(query.table, query.partition.clone(), row.get::<_, String>(3)?), row)
    })?;
    Page::fill(rows, query.limit)
}

/// Returns a page of a part of a table.
pub(crate) fn scan(
    connection: &Connection,
    table: Table,
    segment: Segment,
    start: Option<&Key>,
) -> Result<Page> {
    let (partition, sort) = start.map_or(("", ""), |key| (key.partition.as_str(), key.sort.as_str()));
    let mut statement = connection.prepare_cached(
        "SELECT revision, expires_at_s, body, partition, sort FROM items
         WHERE table_number = ? AND (partition, sort) > (?, ?) ORDER BY partition, sort",
    )?;
    let rows = statement.query_and_then(params![number(table), partition, sort], |row| {
        let partition: String = row.get(3)?;
        if !segment.has(&partition) {
            return Ok(None);
        }
        item(Key::new(table, partition, row.get::<_, String>(4)?), row).map(Some)
    })?;
    Page::fill(rows.filter_map(Result::transpose), usize::MAX)
}

/// Deletes what expired before `now_s`, and returns how many items that were.
pub(crate) fn delete_expired(connection: &Connection, now_s: i64) -> Result<usize> {
    connection.execute("DELETE FROM items WHERE expires_at_s < ?", params![now_s])
}

fn revision(connection: &Connection, key: &Key) -> Result<Option<u64>> {
    connection
        .prepare_cached("SELECT revision FROM items WHERE table_number = ? AND partition = ? AND sort = ?")?
        .query_row(params![number(key.table), key.partition, key.sort], |row| row.get(0))
        .optional()
        .map(|revision| revision.map(i64::cast_unsigned))
}

/// Returns the item of a row that begins with revision, expiry and body.
fn item(key: Key, row: &Row<'_>) -> Result<Item> {
    let revision = row.get::<_, i64>(0)?.cast_unsigned();
    Ok(Item { key, revision, body: row.get(2)?, expires_at_s: row.get(1)? })
}
