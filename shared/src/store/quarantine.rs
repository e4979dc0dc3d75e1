//! What was refused, kept whole.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::client::{BatchWrite, Range, Store};
use super::key::{Key, Shard, quarantine_partition};
use super::version::RecordPosition;
use super::{Item, StoreError, Table};

/// A refused record: where it was, why it was refused, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Where the record was.
    pub position: RecordPosition,
    /// The reason's stable code, for example `UNKNOWN_TOPIC`.
    pub reason: String,
    /// What was wrong, and what to do about it.
    pub message: String,
    /// The record's key as it came.
    pub key: Option<Vec<u8>>,
    /// The record's value as it came. May hold a phone number: it is never logged.
    pub value: Option<Vec<u8>>,
    /// When it was refused. Milliseconds since 1970.
    pub refused_at_ms: i64,
}

impl Quarantined {
    /// The largest part of a value kept in one item; an item holds 400 KB.
    const PART_BYTES_MAX: usize = 350_000;

    /// The writes that keep it. A value too large for one item goes on in further ones.
    #[must_use]
    pub fn writes(&self) -> Vec<BatchWrite> {
        let key = Key::quarantine(&self.position);
        let bytes = |bytes: &[u8]| AttributeValue::B(Blob::new(bytes));
        let mut item = Item::at(&key)
            .with_text("source", &self.position.source)
            .with_text("topic", &self.position.topic)
            .with_number("partition", self.position.partition)
            .with_number("offset", self.position.offset)
            .with_text("reason", &self.reason)
            .with_text("message", &self.message)
            .with_number("refused_at_ms", self.refused_at_ms);
        if let Some(key) = &self.key {
            item = item.with("record_key", bytes(key));
        }
        let mut rest = Vec::new();
        if let Some(value) = &self.value {
            let mut parts = value.chunks(Self::PART_BYTES_MAX);
            item = item.with("record_value", bytes(parts.next().unwrap_or_default()));
            for (number, part) in parts.enumerate() {
                let sort = format!("{}#PART{number:04}", key.sort());
                let key = Key::new(Table::Source, key.partition(), sort);
                rest.push(BatchWrite::Put(Item::at(&key).with("record_value", bytes(part))));
            }
        }
        rest.push(BatchWrite::Put(item));
        rest
    }
}

impl Store {
    /// Everything in quarantine, by topic, partition and offset. For tools; its answer may be long.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        let queries = Shard::all().map(|shard| async move {
            self.query_all(Table::Source, &quarantine_partition(shard), &Range::default()).await
        });
        let mut found: Vec<Quarantined> = Vec::new();
        for item in futures::future::try_join_all(queries).await?.iter().flatten() {
            // Parts follow their first item, because their sort keys continue its own.
            match found.last_mut() {
                Some(whole) if item.text("sk")?.contains("#PART") => {
                    whole
                        .value
                        .get_or_insert_default()
                        .extend(bytes(item, "record_value").unwrap_or_default());
                }
                _ => found.push(quarantined(item)?),
            }
        }
        found.sort_by(|one, other| one.position.cmp(&other.position));
        Ok(found)
    }
}

fn quarantined(item: &Item) -> Result<Quarantined, StoreError> {
    Ok(Quarantined {
        position: RecordPosition {
            source: item.text("source")?.to_owned(),
            topic: item.text("topic")?.to_owned(),
            partition: item.number("partition")?,
            offset: item.number("offset")?,
        },
        reason: item.text("reason")?.to_owned(),
        message: item.text("message")?.to_owned(),
        key: bytes(item, "record_key"),
        value: bytes(item, "record_value"),
        refused_at_ms: item.number("refused_at_ms")?,
    })
}

fn bytes(item: &Item, name: &str) -> Option<Vec<u8>> {
    item.attributes().find(|(attribute, _)| *attribute == name).and_then(|(_, value)| match value {
        AttributeValue::B(blob) => Some(blob.as_ref().to_vec()),
        _ => None,
    })
}
