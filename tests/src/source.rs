//! A source that writes what Debezium 3.6 writes, for tests that say what happens to its rows.

use std::collections::BTreeMap;

use cdc::CapturedRecord;
use serde_json::{Value, json};

/// The users' topic.
pub const USERS: &str = "dbserver1.rwa_identity.users";
/// The referrals' topic.
pub const REFERRALS: &str = "dbserver1.rwa_referral.referral_relations";
/// The orders' topic.
pub const ORDERS: &str = "dbserver1.rwa_planting.planting_orders";
/// The topic of the connector's heartbeats.
pub const HEARTBEATS: &str = "__debezium-heartbeat.dbserver1";

/// When the source makes its first change, in milliseconds since 1970: 2026-11-30T12:00:00Z, half a day before the
/// harness's clock begins.
pub const FIRST_CHANGE_MS: i64 = 1_796_040_000_000;

/// A change of a row, as the connector writes it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The topic.
    pub topic: &'static str,
    /// The partition.
    pub partition: i32,
    /// The message key.
    pub key: Value,
    /// The row before.
    pub before: Value,
    /// The row after.
    pub after: Value,
    /// `c`, `u`, `d`, `r` or `t`.
    pub operation: &'static str,
    /// `source.ts_ms`.
    pub ts_ms: i64,
    /// `source.lsn`.
    pub lsn: Option<i64>,
    /// `source.sequence`.
    pub sequence: [Option<i64>; 2],
    /// `source.snapshot`.
    pub snapshot: &'static str,
}

/// A source, and what it has written so far.
#[derive(Debug)]
pub struct Source {
    /// What it wrote.
    pub records: Vec<CapturedRecord>,
    next_offsets: BTreeMap<(String, i32), i64>,
    /// When the producer sent its last record: later than the one before, whatever the record is about.
    sent_ms: i64,
    changes: i64,
}

impl Default for Source {
    fn default() -> Self {
        Self::new()
    }
}

impl Source {
    /// Returns a source that has written nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { records: Vec::new(), next_offsets: BTreeMap::new(), sent_ms: FIRST_CHANGE_MS, changes: 0 }
    }

    /// Returns the next change, an insert a second after the change before, to be written by [`Source::write`].
    pub fn insert(&mut self, topic: &'static str, key: Value, row: Value) -> Change {
        self.changes += 1;
        let lsn = 50_000_000 + self.changes * 100;
        Change {
            topic,
            partition: 0,
            key,
            before: Value::Null,
            after: row,
            operation: "c",
            ts_ms: FIRST_CHANGE_MS + self.changes * 1_000,
            lsn: Some(lsn),
            sequence: [Some(lsn - 40), Some(lsn)],
            snapshot: "false",
        }
    }

    /// Returns the next change: a row of the referrals.
    pub fn referral(&mut self, account: &str, referrer: Option<&str>) -> Change {
        let key = json!({ "account_sequence": account });
        self.insert(
            REFERRALS,
            key,
            json!({ "account_sequence": account, "referrer_account_sequence": referrer }),
        )
    }

    /// Returns the next change: an order of `trees` for 22,617 each, paid on 3 January 2026.
    pub fn order(&mut self, order: u64, account: &str, trees: i64) -> Change {
        self.insert(ORDERS, json!({ "order_id": order }), paid(order, account, trees))
    }

    /// Writes a change at the end of its partition.
    pub fn write(&mut self, change: &Change) -> CapturedRecord {
        let value = json!({
            "before": change.before,
            "after": change.after,
            "source": {
                "version": "3.6.3.Final",
                "connector": "postgresql",
                "name": "dbserver1",
                "ts_ms": change.ts_ms,
                "snapshot": change.snapshot,
                "db": "shop",
                "sequence": serde_json::to_string(&change.sequence.map(|part| part.map(|part| part.to_string())))
                    .expect("two texts or nulls"),
                "schema": change.topic.rsplit('.').nth(1),
                "table": change.topic.rsplit('.').next(),
                "txId": change.lsn,
                "lsn": change.lsn,
            },
            "transaction": null,
            "op": change.operation,
            "ts_ms": change.ts_ms.saturating_add(3),
        });
        let key = Some(change.key.to_string());
        self.append(change.topic, change.partition, key, Some(value.to_string()))
    }

    /// Writes a tombstone of this message key.
    pub fn tombstone(&mut self, topic: &str, partition: i32, key: &Value) -> CapturedRecord {
        self.append(topic, partition, Some(key.to_string()), None)
    }

    /// Writes a heartbeat.
    pub fn heartbeat(&mut self, ts_ms: i64) -> CapturedRecord {
        let key = Some(json!({ "serverName": "dbserver1" }).to_string());
        self.append(HEARTBEATS, 0, key, Some(json!({ "ts_ms": ts_ms }).to_string()))
    }

    /// Writes a record with these bytes at the end of a partition.
    pub fn append(
        &mut self,
        topic: &str,
        partition: i32,
        key: Option<String>,
        value: Option<String>,
    ) -> CapturedRecord {
        self.sent_ms = (FIRST_CHANGE_MS + self.changes * 1_000 + 5).max(self.sent_ms + 1);
        let next = self.next_offsets.entry((topic.to_owned(), partition)).or_default();
        let record = CapturedRecord {
            topic: topic.to_owned(),
            partition,
            offset: *next,
            timestamp_ms: Some(self.sent_ms),
            key,
            value,
        };
        *next += 1;
        self.records.push(record.clone());
        record
    }
}

impl Change {
    /// Returns the change as an update of a row that was `before`.
    #[must_use]
    pub fn updating(self, before: Value) -> Self {
        Self { before, operation: "u", ..self }
    }

    /// Returns the change as the delete of its row.
    #[must_use]
    pub fn deleting(self) -> Self {
        Self { before: self.after, after: Value::Null, operation: "d", ..self }
    }

    /// Returns the change as a `TRUNCATE` of its table.
    #[must_use]
    pub fn truncating(self) -> Self {
        Self { before: Value::Null, after: Value::Null, key: Value::Null, operation: "t", ..self }
    }

    /// Returns the change as what a snapshot read.
    #[must_use]
    pub fn read_by_snapshot(self, snapshot: &'static str) -> Self {
        Self { operation: "r", snapshot, ..self }
    }

    /// Returns the change with this column in its row.
    #[must_use]
    pub fn with(mut self, column: &str, value: Value) -> Self {
        self.after[column] = value;
        self
    }

    /// Returns the change without this column in its row.
    #[must_use]
    pub fn without(mut self, column: &str) -> Self {
        self.after.as_object_mut().expect("a row").remove(column);
        self
    }

    /// Returns the change in this partition.
    #[must_use]
    pub fn in_partition(self, partition: i32) -> Self {
        Self { partition, ..self }
    }

    /// Returns the change committed at this time.
    #[must_use]
    pub fn at_ms(self, ts_ms: i64) -> Self {
        Self { ts_ms, ..self }
    }
}

/// Returns the row of an order of `trees` for 22,617 each, paid on 3 January 2026.
#[must_use]
pub fn paid(order: u64, account: &str, trees: i64) -> Value {
    json!({
        "order_id": order,
        "account_sequence": account,
        "tree_count": trees,
        "contribution_per_tree": "22617.0000000000",
        // 2026-01-03, in days since 1970.
        "adoption_date": 20_456,
        "status": "PAID",
    })
}
