//! From a capture to the source's final tables, deliberately simple.
//!
//! The truth about a capture is the database it came from; this reader is for captures of which it is not known
//! otherwise. It assumes that
//!
//! - a topic is named after its table, and its message key is the row's primary key;
//! - a change states its position in the source's log (`lsn`), and of two changes of one row the one with the
//!   higher position, and among equal ones the higher offset, is the newer one. So the order of arrival and
//!   repetitions do not matter, but a transaction that was open while a snapshot read its row is read wrongly, and
//!   so are a restored database and a topic made anew;
//! - an update that leaves a column out does not change it;
//! - a tombstone says nothing, unless no delete of its key is in the capture: then it is the delete, and follows the
//!   newest change before it in the file;
//! - prices are all text, or all base64 of an unscaled integer with scale 10: text if any of them is a decimal;
//! - dates are ISO text or days since 1970; `created_at` is ISO text, of the zone Asia/Shanghai once it names one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Days, FixedOffset, NaiveDate};
use serde_json::{Map, Value};

use crate::Amount;
use crate::capture::Record;
use crate::rows::{AdoptionRow, KeyPart, OrderId, PrimaryKey, ReferralRow, Table, Tables, Term, UserRow};

/// A record that is not a change this reader knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRecord {
    /// The record's place: topic, partition and offset.
    pub place: String,
    /// What it lacks.
    pub lacks: &'static str,
}

impl fmt::Display for UnreadableRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the record at {} has no {}: leave it out", self.place, self.lacks)
    }
}

impl std::error::Error for UnreadableRecord {}

/// Returns the final tables of a capture. Topics of other tables are passed over.
pub fn final_tables(records: &[Record]) -> Result<Tables, UnreadableRecord> {
    let rows = final_rows(records)?;
    let prices = rows.values().filter_map(|row| row.get("contribution_per_tree").and_then(Value::as_str));
    let format = if prices.into_iter().any(|price| Amount::from_decimal(price.trim_end()).is_some()) {
        PriceFormat::Decimal
    } else {
        PriceFormat::Base64
    };
    let mut tables = Tables::default();
    for ((table, key), row) in rows {
        match table {
            Table::Users => {
                let account = text(&row, "account_sequence").given().unwrap_or_default();
                tables.users.push(UserRow { key, account });
            }
            Table::Referrals => {
                let account = text(&row, "account_sequence").given().unwrap_or_default();
                let referrer = text(&row, "referrer_account_sequence").given();
                tables.referrals.push(ReferralRow { key, account, referrer });
            }
            Table::Adoptions => tables.adoptions.extend(adoption(key, &row, format)),
        }
    }
    Ok(tables)
}

type Row = Map<String, Value>;

/// How a capture writes prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PriceFormat {
    Decimal,
    Base64,
}

/// A change of a row.
#[derive(Debug, Clone)]
enum Change {
    /// The row begins, with these columns.
    Insert(Row),
    /// These columns have these values now.
    Update(Row),
    /// The row ends.
    Delete,
}

/// The changes of one row, by position in the log and offset.
type Changes = BTreeMap<(u64, i64), Change>;

fn final_rows(records: &[Record]) -> Result<BTreeMap<(Table, PrimaryKey), Row>, UnreadableRecord> {
    let mut rows: BTreeMap<(Table, PrimaryKey), Changes> = BTreeMap::new();
    let mut tombstones = Vec::new();
    let mut deleted = BTreeSet::new();
    for record in records {
        let Some(table) = table_of(&record.topic) else { continue };
        let row = (table, key(record)?);
        let Some(value) = value(record)? else {
            let newest = rows.get(&row).and_then(|changes| changes.last_key_value());
            let position = newest.map_or((0, 0), |((lsn, _), _)| (*lsn, record.offset));
            tombstones.push((row, position));
            continue;
        };
        let (position, change) = change(record, value)?;
        if matches!(change, Change::Delete) {
            deleted.insert(row.clone());
        }
        rows.entry(row).or_default().insert(position, change);
    }
    for (row, position) in tombstones.into_iter().filter(|(row, _)| !deleted.contains(row)) {
        rows.entry(row).or_default().insert(position, Change::Delete);
    }
    Ok(rows.into_iter().filter_map(|(row, changes)| Some((row, in_the_end(changes)?))).collect())
}

/// Returns what a row is after its changes, unless it is deleted.
fn in_the_end(changes: Changes) -> Option<Row> {
    changes.into_values().fold(None, |row: Option<Row>, change| match change {
        Change::Insert(columns) => Some(columns),
        Change::Update(columns) => {
            let mut row = row.unwrap_or_default();
            row.extend(columns);
            Some(row)
        }
        Change::Delete => None,
    })
}

fn table_of(topic: &str) -> Option<Table> {
    match topic.rsplit('.').next()? {
        "users" | "user_accounts" => Some(Table::Users),
        "referral_relations" | "referral_relationships" => Some(Table::Referrals),
        "planting_orders" | "adoptions" => Some(Table::Adoptions),
        _ => None,
    }
}

fn key(record: &Record) -> Result<PrimaryKey, UnreadableRecord> {
    let parsed = record.key.as_deref().and_then(|key| serde_json::from_str(key).ok()).map(without_schema);
    match parsed {
        Some(Value::Object(columns)) if !columns.is_empty() => {
            Ok(PrimaryKey(columns.values().map(key_part).collect()))
        }
        _ => Err(unreadable(record, "key of columns")),
    }
}

fn key_part(value: &Value) -> KeyPart {
    match value {
        Value::String(text) => KeyPart::of_text(text),
        other => KeyPart::of_text(&other.to_string()),
    }
}

/// Returns what a record says of its row; a tombstone says nothing.
fn value(record: &Record) -> Result<Option<Value>, UnreadableRecord> {
    let Some(text) = record.value.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
    let value: Value = serde_json::from_str(text).map_err(|_| unreadable(record, "JSON value"))?;
    Ok(Some(without_schema(value)).filter(|value| !value.is_null()))
}

fn change(record: &Record, mut change: Value) -> Result<((u64, i64), Change), UnreadableRecord> {
    let is_envelope = change.get("source").is_some();
    let (operation, lsn) = if is_envelope {
        (change["op"].as_str(), change["source"]["lsn"].as_u64())
    } else {
        (change["__op"].as_str(), change["__lsn"].as_u64())
    };
    let lsn = lsn.ok_or_else(|| unreadable(record, "position"))?;
    let operation = operation.ok_or_else(|| unreadable(record, "operation"))?.to_owned();
    let columns = if is_envelope { change["after"].take() } else { change };
    let change = match (operation.as_str(), columns) {
        ("d", _) => Change::Delete,
        ("c" | "r", Value::Object(columns)) => Change::Insert(columns),
        ("u", Value::Object(columns)) => Change::Update(columns),
        _ => return Err(unreadable(record, "change that creates, reads, updates or deletes")),
    };
    Ok(((lsn, record.offset), change))
}

/// Returns the payload of a value that carries its schema, and any other value as it is.
fn without_schema(mut value: Value) -> Value {
    match value.get_mut("payload") {
        Some(payload) => payload.take(),
        None => value,
    }
}

fn unreadable(record: &Record, lacks: &'static str) -> UnreadableRecord {
    let place = format!("{}-{}@{}", record.topic, record.partition, record.offset);
    UnreadableRecord { place, lacks }
}

/// Returns an order, unless it has no number.
fn adoption(key: PrimaryKey, row: &Row, format: PriceFormat) -> Option<AdoptionRow> {
    let number = ["order_id", "id"].into_iter().find(|column| row.contains_key(*column))?;
    let order_id = text(row, number).given().and_then(|text| text.trim_end().parse().ok())?;
    Some(AdoptionRow {
        key,
        order_id: OrderId::new(order_id)?,
        account: text(row, "account_sequence"),
        trees: integer(row, "tree_count"),
        price: price(row, format),
        adoption_date: date(row, "adoption_date"),
        created_on: date(row, "created_at"),
        status: text(row, "status").given().unwrap_or_default(),
        province: text(row, "selected_province").given(),
        city: text(row, "selected_city").given(),
    })
}

fn column<'a>(row: &'a Row, name: &str) -> Term<&'a Value> {
    match row.get(name) {
        None | Some(Value::Null) => Term::Missing,
        Some(value) => Term::Given(value),
    }
}

fn text(row: &Row, name: &str) -> Term<String> {
    match column(row, name) {
        Term::Given(Value::String(text)) => Term::Given(text.clone()),
        Term::Given(Value::Number(number)) => Term::Given(number.to_string()),
        Term::Given(_) | Term::Unreadable => Term::Unreadable,
        Term::Missing => Term::Missing,
    }
}

fn integer(row: &Row, name: &str) -> Term<i64> {
    match text(row, name) {
        Term::Given(text) => text.trim_end().parse().map_or(Term::Unreadable, Term::Given),
        Term::Unreadable => Term::Unreadable,
        Term::Missing => Term::Missing,
    }
}

fn price(row: &Row, format: PriceFormat) -> Term<Amount> {
    let text = match (column(row, "contribution_per_tree"), format) {
        (Term::Given(Value::String(bytes)), PriceFormat::Base64) => {
            return unscaled(bytes).map_or(Term::Unreadable, |units| Term::Given(Amount::from_units(units)));
        }
        (Term::Given(Value::String(text)), PriceFormat::Decimal) => text.trim_end().to_owned(),
        (Term::Given(Value::Number(number)), _) => number.to_string(),
        (Term::Given(_) | Term::Unreadable, _) => return Term::Unreadable,
        (Term::Missing, _) => return Term::Missing,
    };
    Amount::from_decimal(&text).map_or(Term::Unreadable, Term::Given)
}

/// Returns a big-endian integer in two's complement, written in base64.
fn unscaled(base64: &str) -> Option<i128> {
    let bytes = STANDARD.decode(base64).ok().filter(|bytes| (1..=16).contains(&bytes.len()))?;
    let sign = if bytes[0] >= 0x80 { -1 } else { 0 };
    Some(bytes.into_iter().fold(sign, |high: i128, byte| high << 8 | i128::from(byte)))
}

fn date(row: &Row, name: &str) -> Term<NaiveDate> {
    let read = match column(row, name) {
        Term::Given(Value::Number(days)) => days.as_i64().and_then(day),
        Term::Given(Value::String(text)) => date_of_text(text.trim_end()),
        Term::Given(_) | Term::Unreadable => None,
        Term::Missing => return Term::Missing,
    };
    read.map_or(Term::Unreadable, Term::Given)
}

/// Returns the date so many days after 1 January 1970, if its year has four digits.
fn day(days: i64) -> Option<NaiveDate> {
    let epoch = DateTime::UNIX_EPOCH.date_naive();
    let distance = Days::new(days.unsigned_abs());
    let date = if days < 0 { epoch.checked_sub_days(distance) } else { epoch.checked_add_days(distance) };
    date.filter(|date| has_four_digits(*date))
}

fn date_of_text(text: &str) -> Option<NaiveDate> {
    let business_zone = FixedOffset::east_opt(8 * 3600).expect("less than a day");
    let date = match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.with_timezone(&business_zone).date_naive(),
        Err(_) => text.split(['T', ' ']).next()?.parse().ok()?,
    };
    Some(date).filter(|date| has_four_digits(*date))
}

fn has_four_digits(date: NaiveDate) -> bool {
    use chrono::Datelike;
    (1..=9999).contains(&date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unscaled_integers_are_signed() {
        assert_eq!(unscaled("AM2zToJEAQ=="), Some(226_170_000_000_001));
        assert_eq!(unscaled("/w=="), Some(-1));
        assert_eq!(unscaled("Infinity!"), None);
        assert_eq!(unscaled(""), None);
    }

    #[test]
    fn dates_are_days_or_text_and_times_are_of_the_business_zone() {
        let date = |text: &str| date_of_text(text).map(|date| date.to_string());
        assert_eq!(day(20_458).map(|date| date.to_string()).as_deref(), Some("2026-01-05"));
        assert_eq!(day(2_146_033_979), None);
        assert_eq!(day(i64::MIN), None);
        assert_eq!(date("2026-01-05").as_deref(), Some("2026-01-05"));
        assert_eq!(date("2026-01-05T16:00:00.000000Z").as_deref(), Some("2026-01-06"));
        assert_eq!(date("2026-01-05T15:59:59Z").as_deref(), Some("2026-01-05"));
        assert_eq!(date("2026-01-05T23:00:00").as_deref(), Some("2026-01-05"));
        assert_eq!(date("2026-02-29"), None);
        assert_eq!(date("infinity"), None);
    }
}
