//! Decodes a batch of Kafka records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cdc::{Change, Control, Decoded, KafkaRecord, Profile, Truncate};
use runtime::FunctionError;
use serde_json::Value;
use store::progress::PartitionName;

use crate::outcome::Outcome;

/// The records of one event, in the order of their offsets within each partition.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Received>,
}

/// A record: where it was, its bytes, and what they say.
#[derive(Debug)]
pub(crate) struct Received {
    /// What the event calls the partition.
    pub(crate) event_key: String,
    pub(crate) name: PartitionName,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) content: Content,
}

/// What a record says.
#[derive(Debug)]
pub(crate) enum Content {
    /// A row came to be, changed or went away.
    Change(Box<Change>),
    /// A table was emptied.
    Truncate(Box<Truncate>),
    /// Nothing about any row, but a mark that the source wrote into a partition of rows.
    Mark {
        /// When the source committed it, in milliseconds since 1970.
        committed_ms: i64,
    },
    /// Nothing about any row.
    Control,
    /// Cannot be read as a row.
    Refused {
        /// Why, as a stable code.
        code: &'static str,
        /// Why, in words.
        message: String,
    },
}

impl Batch {
    /// Decodes every record of an event.
    ///
    /// An event of another source, or without records, is an error: nothing of it may count as dealt with.
    pub(crate) fn decode(
        event: &Value,
        profile: &Profile,
        source_name: Option<&str>,
    ) -> Result<Self, FunctionError> {
        let wrong = |message: &str| FunctionError { message: message.to_owned() };
        let source = event.get("eventSource").and_then(Value::as_str).unwrap_or_default();
        if !matches!(source, "aws:kafka" | "SelfManagedKafka") {
            return Err(wrong("the event is not one of a Kafka trigger: its eventSource is another"));
        }
        let cluster = event
            .get("eventSourceArn")
            .and_then(Value::as_str)
            .and_then(|arn| arn.rsplit_once(":cluster/"))
            .map(|(_, cluster)| cluster.split('/').next().unwrap_or(cluster).to_owned());
        let source = source_name.map(ToOwned::to_owned).or(cluster).unwrap_or_else(|| "kafka".to_owned());
        let Some(Value::Object(partitions)) = event.get("records") else {
            return Err(wrong("the event has no records"));
        };
        let mut records = Vec::new();
        for (event_key, of_partition) in partitions {
            let Value::Array(of_partition) = of_partition else {
                return Err(wrong("the records of a partition are not a list"));
            };
            records.extend(of_partition.iter().map(|record| receive(&source, event_key, record, profile)));
        }
        records.sort_by(|one, other| (&one.name, one.offset).cmp(&(&other.name, other.offset)));
        Ok(Self { records })
    }

    /// Returns a batch of changes that were not received.
    pub(crate) fn of_changes(changes: Vec<Change>) -> Self {
        let records = (0..).zip(changes).map(|(offset, change)| Received {
            event_key: String::new(),
            name: PartitionName {
                source: String::new(),
                topic: change.row_key.table().to_owned(),
                partition: 0,
            },
            offset,
            key: None,
            value: None,
            content: Content::Change(Box::new(change)),
        });
        Self { records: records.collect() }
    }

    /// Returns the source's time of the newest change, in milliseconds since 1970.
    pub(crate) fn latest_source_ts_ms(&self) -> Option<i64> {
        let changes = self.records.iter().filter_map(|record| match &record.content {
            Content::Change(change) => change.source_ts_ms(),
            _ => None,
        });
        changes.max()
    }
}

impl Received {
    /// Returns what becomes of the record if nothing else does.
    pub(crate) fn initial_outcome(&self) -> Outcome {
        match &self.content {
            Content::Change(_) | Content::Truncate(_) => Outcome::Duplicate,
            Content::Control | Content::Mark { .. } => Outcome::Control,
            Content::Refused { code, message } => Outcome::Refused { code, message: message.clone() },
        }
    }

    /// Returns the record as it was read, without its timestamp.
    pub(crate) fn as_read(&self) -> KafkaRecord<'_> {
        KafkaRecord {
            topic: &self.name.topic,
            partition: self.name.partition,
            offset: self.offset,
            timestamp_ms: None,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
        }
    }
}

fn receive(source: &str, event_key: &str, record: &Value, profile: &Profile) -> Received {
    let (key_topic, key_partition) = event_key.rsplit_once('-').unwrap_or((event_key, "0"));
    let topic = record.get("topic").and_then(Value::as_str).unwrap_or(key_topic);
    let partition = record.get("partition").and_then(Value::as_i64);
    let partition = partition.or_else(|| key_partition.parse().ok()).unwrap_or_default();
    let name = PartitionName {
        source: source.to_owned(),
        topic: topic.to_owned(),
        partition: i32::try_from(partition).unwrap_or(i32::MAX),
    };
    let offset = record.get("offset").and_then(Value::as_i64).unwrap_or_default();
    let mut received = Received {
        event_key: event_key.to_owned(),
        name,
        offset,
        key: None,
        value: None,
        content: Content::Control,
    };
    match (bytes(record.get("key")), bytes(record.get("value"))) {
        (Ok(key), Ok(value)) => {
            (received.key, received.value) = (key, value);
            received.content = decode(&received, timestamp_ms(record), profile);
        }
        (Err(()), _) | (_, Err(())) => {
            received.content = Content::Refused {
                code: "MALFORMED_EVENT",
                message: "the key or the value of the record is not base64".to_owned(),
            };
        }
    }
    received
}

/// Returns a record's timestamp, if it is one of the calendar. No record fails for another one.
fn timestamp_ms(record: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a millisecond means nothing")]
    let rounded = |timestamp: &Value| timestamp.as_i64().or_else(|| timestamp.as_f64().map(|ms| ms as i64));
    record.get("timestamp").and_then(rounded).filter(|timestamp_ms| *timestamp_ms >= 0)
}

fn bytes(text: Option<&Value>) -> Result<Option<Vec<u8>>, ()> {
    match text {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => STANDARD.decode(text).map(Some).map_err(|_| ()),
        Some(_) => Err(()),
    }
}

fn decode(received: &Received, timestamp_ms: Option<i64>, profile: &Profile) -> Content {
    let record = KafkaRecord { timestamp_ms, ..received.as_read() };
    match cdc::decode(profile, record) {
        Ok(Decoded::Change(change)) => Content::Change(Box::new(change)),
        Ok(Decoded::Truncate(truncate)) => Content::Truncate(Box::new(truncate)),
        Ok(Decoded::Control(Control::LogicalMessage { committed_ms: Some(committed_ms) })) => {
            Content::Mark { committed_ms }
        }
        Ok(Decoded::Control(_)) => Content::Control,
        Err(refusal) => Content::Refused { code: refusal.code(), message: refusal.to_string() },
    }
}
