//! A history as the records that a connector would write of it.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value, json};

use super::{Change, History, Row};
use crate::capture::Record;
use crate::rows::{KeyPart, PrimaryKey, Table, Term};

impl History {
    /// Returns the capture of a connector that was there from the first transaction: change envelopes on one
    /// partition for each table, with a tombstone after each delete, in the order of the commits.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let mut connector = Connector { order_key_column: self.order_key_column, ..Connector::default() };
        for (number, transaction) in (1_u64..).zip(&self.transactions) {
            for change in &transaction.changes {
                connector.write(number, change);
            }
        }
        connector.records
    }
}

#[derive(Default)]
struct Connector {
    records: Vec<Record>,
    offsets: BTreeMap<Table, i64>,
    lsn: u64,
    order_key_column: &'static str,
}

impl Connector {
    fn write(&mut self, transaction: u64, change: &Change) {
        self.lsn += 64;
        let (operation, before, after) = match change {
            Change::Insert(row) => ("c", None, Some(row)),
            Change::Update { before, after } => ("u", Some(before), Some(after)),
            Change::Delete(row) => ("d", Some(row), None),
        };
        let row = after.or(before).expect("a change has a row");
        let commit_ms = COMMITTED_MS + transaction * 1_000;
        let value = json!({
            "before": before.map(|row| self.columns(row)),
            "after": after.map(|row| self.columns(row)),
            "source": {
                "version": "3.6.3.Final",
                "connector": "postgresql",
                "name": "dbserver1",
                "ts_ms": commit_ms,
                "snapshot": "false",
                "db": "invented",
                "schema": schema(row),
                "table": table(row),
                "txId": transaction,
                "lsn": self.lsn,
            },
            "transaction": null,
            "op": operation,
            "ts_ms": commit_ms,
        });
        self.push(row, commit_ms, Some(value.to_string()));
        if after.is_none() {
            self.push(row, commit_ms, None);
        }
    }

    fn push(&mut self, row: &Row, timestamp_ms: u64, value: Option<String>) {
        let column = self.key_column(row);
        let offset = self.offsets.entry(row.table()).or_default();
        self.records.push(Record {
            topic: format!("dbserver1.{}.{}", schema(row), table(row)),
            partition: 0,
            offset: *offset,
            timestamp: i64::try_from(timestamp_ms).expect("a time of this century"),
            key: Some(json!({ column: key(row.key()) }).to_string()),
            value,
        });
        *offset += 1;
    }

    fn key_column(&self, row: &Row) -> &'static str {
        if row.table() == Table::Adoptions { self.order_key_column } else { "id" }
    }

    /// Returns a row's columns as a connector writes them. An unreadable term is a text that is not such a term.
    fn columns(&self, row: &Row) -> Value {
        let mut columns = Map::new();
        let mut set = |column: &str, value: Value| drop(columns.insert(column.to_owned(), value));
        set(self.key_column(row), key(row.key()));
        match row {
            Row::User(row) => set("account_sequence", row.account.clone().into()),
            Row::Referral(row) => {
                set("account_sequence", row.account.clone().into());
                set("referrer_account_sequence", row.referrer.clone().into());
            }
            Row::Adoption(row) => {
                set("order_id", row.order_id.0.into());
                set("account_sequence", term(row.account.as_ref(), |account| account.as_str().into()));
                set("tree_count", term(row.trees.as_ref(), |trees| (*trees).into()));
                set("contribution_per_tree", term(row.price.as_ref(), |price| price.to_string().into()));
                set("adoption_date", term(row.adoption_date.as_ref(), |date| days(*date).into()));
                set("created_at", term(row.created_on.as_ref(), |date| noon(*date).into()));
                set("status", row.status.clone().into());
                set("selected_province", row.province.clone().into());
                set("selected_city", row.city.clone().into());
            }
        }
        Value::Object(columns)
    }
}

/// When the first transaction is committed.
const COMMITTED_MS: u64 = 1_770_000_000_000;

fn schema(row: &Row) -> &'static str {
    match row {
        Row::User(_) => "rwa_identity",
        Row::Referral(_) => "rwa_referral",
        Row::Adoption(_) => "rwa_planting",
    }
}

fn table(row: &Row) -> &'static str {
    match row {
        Row::User(_) => "users",
        Row::Referral(_) => "referral_relations",
        Row::Adoption(_) => "planting_orders",
    }
}

fn key(key: &PrimaryKey) -> Value {
    match key.0.first() {
        Some(KeyPart::Number(number)) => i64::try_from(*number).expect("keys are counted").into(),
        Some(KeyPart::Text(text)) => text.clone().into(),
        None => Value::Null,
    }
}

fn term<T>(term: Term<&T>, show: impl Fn(&T) -> Value) -> Value {
    match term {
        Term::Missing => Value::Null,
        Term::Unreadable => "not a value".into(),
        Term::Given(value) => show(value),
    }
}

/// Returns noon of a date in the business time zone.
fn noon(date: NaiveDate) -> String {
    format!("{date}T12:00:00+08:00")
}

/// Returns the days since 1970.
fn days(date: NaiveDate) -> i64 {
    date.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days()
}
