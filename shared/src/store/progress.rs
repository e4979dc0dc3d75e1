//! How far each partition of each topic was read.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::client::{Range, Store};
use super::key::Key;
use super::{Action, Item, StoreError, Table};

/// The longest that an invocation of a function can take (a limit of Lambda).
const INVOCATION_TIME_MAX: TimeDelta = TimeDelta::minutes(15);

/// How far a partition was read, and what became of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The Kafka cluster.
    pub source: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The highest offset read; -1 until the first batch is done.
    pub offset: i64,
    /// The log sequence number of the last record that had one.
    pub lsn: Option<u64>,
    /// The source's time of the last record that had one. Milliseconds since 1970.
    pub source_ts_ms: Option<i64>,
    /// Whether the source's snapshot is still being read.
    pub snapshot: SnapshotState,
    /// When the last record was read, by our clock. Milliseconds since 1970.
    pub read_at_ms: i64,
    /// Until when a batch may still be under way, unless it is done before. Milliseconds since 1970.
    pub reading_until_ms: Option<i64>,
    /// What became of the records, all time.
    pub counts: Counts,
}

/// Whether a partition's records are still the source's snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SnapshotState {
    /// The last record was part of a snapshot, and not its last.
    Reading,
    /// The snapshot ended: by its last record, a streamed one or a heartbeat.
    Complete,
}

/// What became of records. Every record that arrives is in exactly one of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Changed what is stored, or confirmed it with a newer version.
    pub applied: u64,
    /// The same or an older version of what is stored.
    pub duplicated: u64,
    /// Carry no row: tombstones, heartbeats, transaction boundaries.
    pub control: u64,
    /// In quarantine, with a reason.
    pub quarantined: u64,
}

impl Counts {
    /// All records.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.applied + self.duplicated + self.control + self.quarantined
    }

    /// Adds the counts of other records.
    pub fn add(&mut self, other: Self) {
        self.applied += other.applied;
        self.duplicated += other.duplicated;
        self.control += other.control;
        self.quarantined += other.quarantined;
    }
}

impl Progress {
    /// The write that says that a batch of a partition is under way, so that however long it takes the
    /// partition does not seem quiet.
    #[must_use]
    pub fn begin(source: &str, topic: &str, partition: i32, now: DateTime<Utc>) -> Action {
        let until = now + INVOCATION_TIME_MAX;
        of_partition(source, topic, partition)
            .set("reading_until_ms", number(until.timestamp_millis()))
            .set_if_absent("offset", number(-1))
            .set_if_absent("snapshot", AttributeValue::S("READING".to_owned()))
            .set_if_absent("read_at_ms", number(now.timestamp_millis()))
            .add("applied", 0)
            .add("duplicated", 0)
            .add("control", 0)
            .add("quarantined", 0)
    }

    /// The write that records what one batch read of a partition; `counts` are those of the batch.
    #[must_use]
    pub fn update(&self) -> Action {
        let state = match self.snapshot {
            SnapshotState::Reading => "READING",
            SnapshotState::Complete => "COMPLETE",
        };
        let mut update = of_partition(&self.source, &self.topic, self.partition)
            .set("offset", number(self.offset))
            .set("snapshot", AttributeValue::S(state.to_owned()))
            .set("read_at_ms", number(self.read_at_ms))
            .remove("reading_until_ms")
            .add("applied", self.counts.applied)
            .add("duplicated", self.counts.duplicated)
            .add("control", self.counts.control)
            .add("quarantined", self.counts.quarantined);
        if let Some(lsn) = self.lsn {
            update = update.set("lsn", AttributeValue::N(lsn.to_string()));
        }
        if let Some(source_ts_ms) = self.source_ts_ms {
            update = update.set("source_ts_ms", number(source_ts_ms));
        }
        update
    }

    /// How long ago the last record was read; nothing while a batch is under way.
    #[must_use]
    pub fn quiet_ms(&self, now: DateTime<Utc>) -> i64 {
        let now_ms = now.timestamp_millis();
        if self.reading_until_ms.is_some_and(|until_ms| now_ms < until_ms) {
            0
        } else {
            now_ms - self.read_at_ms
        }
    }
}

impl Store {
    /// How far every partition was read.
    pub async fn progress(&self) -> Result<Vec<Progress>, StoreError> {
        let items = self.query_all(Table::Source, Key::PROGRESS, &Range::default()).await?;
        items.iter().map(progress).collect()
    }
}

/// An update of a partition's item, with what names the partition.
fn of_partition(source: &str, topic: &str, partition: i32) -> Action {
    Action::update(Key::progress(source, topic, partition))
        .set("source", AttributeValue::S(source.to_owned()))
        .set("topic", AttributeValue::S(topic.to_owned()))
        .set("partition", number(partition.into()))
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn progress(item: &Item) -> Result<Progress, StoreError> {
    Ok(Progress {
        source: item.text("source")?.to_owned(),
        topic: item.text("topic")?.to_owned(),
        partition: item.number("partition")?,
        offset: item.number("offset")?,
        lsn: item.number_if_present("lsn")?,
        source_ts_ms: item.number_if_present("source_ts_ms")?,
        snapshot: match item.text("snapshot")? {
            "READING" => SnapshotState::Reading,
            "COMPLETE" => SnapshotState::Complete,
            _ => return Err(item.corrupt("snapshot")),
        },
        read_at_ms: item.number("read_at_ms")?,
        reading_until_ms: item.number_if_present("reading_until_ms")?,
        counts: Counts {
            applied: item.number("applied")?,
            duplicated: item.number("duplicated")?,
            control: item.number("control")?,
            quarantined: item.number("quarantined")?,
        },
    })
}
