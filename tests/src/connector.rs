//! Writes what Debezium writes: change envelopes without schema, decimals as bytes, in the shape that
//! version 3.6 gives them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::capture::CaptureRecord;

/// A connector that reads an invented source, and the topics it writes to.
pub(crate) struct Connector {
    partitions: u64,
    next_offsets: BTreeMap<(String, i32), i64>,
    lsn: u64,
    transaction: u64,
    /// Where in the source's log the last transaction that was read began.
    last_commit: Option<u64>,
    clock_ms: i64,
    records: Vec<CaptureRecord>,
    /// Where the snapshot's records end.
    streamed_from: usize,
}

/// A row of one of the three tables, with its columns in the source's order.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Row {
    User(UserRow),
    Order(OrderRow),
    Referral(ReferralRow),
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) account_sequence: String,
    pub(crate) phone: String,
    pub(crate) status: &'static str,
    pub(crate) created_at: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct OrderRow {
    pub(crate) order_id: u64,
    pub(crate) adoption_id: String,
    pub(crate) account_sequence: String,
    pub(crate) tree_count: u64,
    pub(crate) contribution_per_tree: Option<Price>,
    pub(crate) adoption_date: i64,
    pub(crate) status: &'static str,
    pub(crate) selected_province: Option<&'static str>,
    pub(crate) selected_city: Option<&'static str>,
    pub(crate) created_at: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ReferralRow {
    pub(crate) id: String,
    pub(crate) account_sequence: String,
    pub(crate) referrer_account_sequence: Option<String>,
    pub(crate) ancestor_path: String,
    pub(crate) depth: usize,
    pub(crate) created_at: String,
}

/// A price in units of 10⁻¹⁰, written as the base64 of the unscaled value's bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Price(pub(crate) i128);

/// What a transaction does to a row.
pub(crate) enum Change {
    Insert(Row),
    Update(Row),
    Delete(Row),
}

impl Connector {
    pub(crate) fn new(partitions: u64) -> Self {
        Self {
            partitions,
            next_offsets: BTreeMap::new(),
            lsn: 44_232_848,
            transaction: 796,
            last_commit: None,
            clock_ms: 1_795_167_685_063,
            records: Vec::new(),
            streamed_from: 0,
        }
    }

    /// Reads every row of some tables, with the marks that say where in the snapshot a row stands.
    pub(crate) fn snapshot(&mut self, tables: &[Vec<Row>]) {
        let read_at = self.clock_ms;
        for (number, rows) in tables.iter().enumerate() {
            for (index, row) in rows.iter().enumerate() {
                let is_last = index + 1 == rows.len();
                let mark = match (number == 0, number + 1 == tables.len(), index == 0, is_last) {
                    (_, true, _, true) => "last",
                    (true, _, true, _) => "first",
                    (_, _, _, true) => "last_in_data_collection",
                    (_, _, true, _) => "first_in_data_collection",
                    _ => "true",
                };
                self.clock_ms += 1;
                let source = self.source(row, mark, read_at, format!("[null,\"{}\"]", self.lsn));
                self.write_change(row.key(), "r", None, Some(row), source);
            }
        }
        self.streamed_from = self.records.len();
    }

    /// Streams a committed transaction.
    pub(crate) fn transaction(&mut self, changes: &[Change]) {
        self.transaction += 1;
        self.clock_ms += 60;
        let committed_at = self.clock_ms;
        // The log also holds what no table of ours is about.
        self.lsn += 96;
        let begin = self.lsn;
        for change in changes {
            self.lsn += 208;
            let before = self.last_commit.map_or("null".to_owned(), |lsn| format!("\"{lsn}\""));
            let (Change::Insert(row) | Change::Update(row) | Change::Delete(row)) = change;
            let source = self.source(row, "false", committed_at, format!("[{before},\"{}\"]", self.lsn));
            match change {
                Change::Insert(row) => self.write_change(row.key(), "c", None, Some(row), source),
                Change::Update(row) => self.write_change(row.key(), "u", None, Some(row), source),
                Change::Delete(row) => {
                    let rest = row.replica_identity();
                    self.write_change(row.key(), "d", Some(&rest), None, source);
                    self.write(row.topic(), row.key(), None);
                }
            }
        }
        self.last_commit = Some(begin);
    }

    /// Says that the source has been read up to now.
    pub(crate) fn heartbeat(&mut self) {
        self.clock_ms += 1000;
        let key = format!("{{\"serverName\":\"{SERVER}\"}}");
        let value = format!("{{\"ts_ms\":{}}}", self.clock_ms);
        self.write(format!("__debezium-heartbeat.{SERVER}"), key, Some(value));
    }

    /// How many records have been written since the snapshot.
    pub(crate) fn streamed(&self) -> usize {
        self.records.len() - self.streamed_from
    }

    /// Writes records since the snapshot once more, at new offsets, as a connector does that was
    /// killed before it could commit how far it had come.
    pub(crate) fn resend(&mut self, first: usize, count: usize) {
        let streamed = self.records[self.streamed_from..].iter().skip(first).take(count);
        let again: Vec<CaptureRecord> = streamed.cloned().collect();
        for record in again {
            self.write(record.topic, record.key.unwrap_or_default(), record.value);
        }
    }

    /// Everything written, in the order it was written in.
    pub(crate) fn finish(self) -> Vec<CaptureRecord> {
        self.records
    }

    fn source(&self, row: &Row, snapshot: &'static str, ts_ms: i64, sequence: String) -> Source {
        let (schema, table) = row.table();
        Source {
            version: "3.6.3.Final",
            connector: "postgresql",
            name: SERVER,
            ts_ms,
            snapshot,
            db: "invented",
            sequence,
            ts_us: ts_ms * 1000,
            ts_ns: ts_ms * 1_000_000,
            schema,
            table,
            transaction: self.transaction,
            lsn: self.lsn,
            xmin: None,
            origin: None,
            origin_lsn: None,
        }
    }

    fn write_change(
        &mut self,
        key: String,
        op: &'static str,
        before: Option<&Row>,
        after: Option<&Row>,
        source: Source,
    ) {
        let topic = format!("{SERVER}.{}.{}", source.schema, source.table);
        let ts_ms = self.clock_ms + 300;
        let envelope = Envelope {
            before,
            after,
            source,
            transaction: None,
            op,
            ts_ms,
            ts_us: ts_ms * 1000,
            ts_ns: ts_ms * 1_000_000,
        };
        let value = serde_json::to_string(&envelope).expect("an envelope has only text for keys");
        self.write(topic, key, Some(value));
    }

    fn write(&mut self, topic: String, key: String, value: Option<String>) {
        let is_heartbeat = topic.starts_with("__");
        let partition = if is_heartbeat { 0 } else { partition_of(&key, self.partitions) };
        let next_offset = self.next_offsets.entry((topic.clone(), partition)).or_default();
        let offset = *next_offset;
        *next_offset += 1;
        let timestamp = self.clock_ms + 450;
        self.records.push(CaptureRecord { topic, partition, offset, timestamp, key: Some(key), value });
    }
}

const SERVER: &str = "dbserver1";

/// A key is always in the same partition. (Not the one Kafka's own hash would give it.)
fn partition_of(key: &str, partitions: u64) -> i32 {
    // FNV-1a.
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i32::try_from((hash >> 32) % partitions).expect("topics have few partitions")
}

#[derive(Serialize)]
struct Envelope<'a> {
    before: Option<&'a Row>,
    after: Option<&'a Row>,
    source: Source,
    transaction: Option<()>,
    op: &'static str,
    ts_ms: i64,
    ts_us: i64,
    ts_ns: i64,
}

#[derive(Serialize)]
struct Source {
    version: &'static str,
    connector: &'static str,
    name: &'static str,
    ts_ms: i64,
    snapshot: &'static str,
    db: &'static str,
    sequence: String,
    ts_us: i64,
    ts_ns: i64,
    schema: &'static str,
    table: &'static str,
    #[serde(rename = "txId")]
    transaction: u64,
    lsn: u64,
    xmin: Option<u64>,
    origin: Option<&'static str>,
    origin_lsn: Option<u64>,
}

impl Row {
    fn table(&self) -> (&'static str, &'static str) {
        match self {
            Self::User(_) => ("rwa_identity", "users"),
            Self::Order(_) => ("rwa_planting", "planting_orders"),
            Self::Referral(_) => ("rwa_referral", "referral_relations"),
        }
    }

    fn topic(&self) -> String {
        let (schema, table) = self.table();
        format!("{SERVER}.{schema}.{table}")
    }

    fn key(&self) -> String {
        match self {
            Self::User(UserRow { id, .. }) | Self::Referral(ReferralRow { id, .. }) => {
                format!("{{\"id\":\"{id}\"}}")
            }
            Self::Order(row) => format!("{{\"order_id\":{}}}", row.order_id),
        }
    }

    /// What a delete still says of a row: its key. Columns that may not be null hold placeholders.
    fn replica_identity(&self) -> Self {
        let epoch = || "1970-01-01T00:00:00Z".to_owned();
        match self {
            Self::User(UserRow { id, .. }) => Self::User(UserRow {
                id: id.clone(),
                account_sequence: String::new(),
                phone: String::new(),
                status: "",
                created_at: epoch(),
            }),
            Self::Order(OrderRow { order_id, .. }) => Self::Order(OrderRow {
                order_id: *order_id,
                adoption_id: "00000000-0000-0000-0000-000000000000".to_owned(),
                account_sequence: String::new(),
                tree_count: 0,
                contribution_per_tree: None,
                adoption_date: 0,
                status: "",
                selected_province: None,
                selected_city: None,
                created_at: epoch(),
            }),
            Self::Referral(ReferralRow { id, .. }) => Self::Referral(ReferralRow {
                id: id.clone(),
                account_sequence: String::new(),
                referrer_account_sequence: None,
                ancestor_path: String::new(),
                depth: 0,
                created_at: epoch(),
            }),
        }
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.to_be_bytes();
        // As few bytes as hold the value and, in front, the bit that says it is not negative.
        let needless = |pair: &&[u8]| pair[0] == 0 && pair[1] < 0x80;
        let skipped = bytes.windows(2).take_while(needless).count();
        serializer.serialize_str(&STANDARD.encode(&bytes[skipped..]))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::capture;

    fn user(number: usize) -> Row {
        Row::User(UserRow {
            id: format!("{number}"),
            account_sequence: format!("D{number}"),
            phone: String::new(),
            status: "ACTIVE",
            created_at: String::new(),
        })
    }

    fn marks(tables: &[usize]) -> Vec<String> {
        let mut connector = Connector::new(1);
        let tables: Vec<Vec<Row>> = tables.iter().map(|rows| (0..*rows).map(user).collect()).collect();
        connector.snapshot(&tables);
        let mark = |record: CaptureRecord| {
            let value: Value = serde_json::from_str(&record.value.expect("no tombstone")).expect("JSON");
            value["source"]["snapshot"].as_str().expect("text").to_owned()
        };
        connector.finish().into_iter().map(mark).collect()
    }

    #[test]
    fn snapshots_are_marked_as_debezium_marks_them() {
        assert_eq!(
            marks(&[3, 2, 3]),
            [
                "first",
                "true",
                "last_in_data_collection",
                "first_in_data_collection",
                "last_in_data_collection",
                "first_in_data_collection",
                "true",
                "last"
            ]
        );
        assert_eq!(marks(&[1, 1, 1]), ["first", "last_in_data_collection", "last"]);
    }

    #[test]
    fn prices_are_written_as_debezium_writes_them() {
        let text = |units| serde_json::to_string(&Price(units)).expect("text");
        assert_eq!(text(226_170_000_000_000), "\"AM2zToJEAA==\"");
        assert_eq!(text(226_170_000_000_001), "\"AM2zToJEAQ==\"");
        assert_eq!(text(0), "\"AA==\"");
        assert_eq!(text(127), "\"fw==\"");
        assert_eq!(text(128), "\"AIA=\"");
    }

    /// The names of all fields, in their order, with those of the objects inside.
    fn shape(text: &str) -> Vec<String> {
        let strings = text.split('"').collect::<Vec<_>>();
        let is_name = |pair: &&[&str]| pair[1].starts_with(':') && pair[0] != "\\";
        strings.windows(2).filter(is_name).map(|pair| pair[0].to_owned()).collect()
    }

    #[test]
    fn every_kind_of_change_has_the_fields_of_a_real_one_in_the_same_order() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/captures/ordering-incident.jsonl");
        let kinds = |records: Vec<CaptureRecord>| -> BTreeMap<(String, String), Vec<String>> {
            let kind = |record: CaptureRecord| {
                let text = record.value?;
                let value: Value = serde_json::from_str(&text).expect("JSON");
                let op = value["op"].as_str().unwrap_or("heartbeat").to_owned();
                Some(((record.topic, op), shape(&text)))
            };
            records.into_iter().filter_map(kind).collect()
        };
        let real = kinds(capture::read(golden).expect("a capture"));
        let invented = kinds(crate::generate::history(1, 40));
        assert_eq!(real.len(), 9, "three tables read and inserted, orders also changed, heartbeats");
        for (kind, fields) in &real {
            assert_eq!(invented.get(kind), Some(fields), "{kind:?}");
        }
    }

    #[test]
    fn a_delete_keeps_the_key_and_is_followed_by_a_tombstone() {
        let mut connector = Connector::new(4);
        connector.transaction(&[Change::Insert(user(1))]);
        connector.transaction(&[Change::Delete(user(1))]);
        let records = connector.finish();
        let [insert, delete, tombstone] = &records[..] else { panic!("{records:?}") };
        assert_eq!([delete.key.as_ref(), tombstone.key.as_ref()], [insert.key.as_ref(), insert.key.as_ref()]);
        assert_eq!([insert.offset, delete.offset, tombstone.offset], [0, 1, 2]);
        assert_eq!([delete.partition, tombstone.partition], [insert.partition; 2]);
        assert_eq!(tombstone.value, None);
        let value: Value = serde_json::from_str(delete.value.as_ref().expect("a value")).expect("JSON");
        assert_eq!(value["before"]["id"], "1");
        assert_eq!(value["before"]["account_sequence"], "");
    }
}
