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
    /// How much of a key is kept with the first part of the value.
    const KEY_BYTES_MAX: usize = 40_000;

    /// The writes that keep it. A key or a value too large for one item goes on in further ones.
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
        let mut rest = Vec::new();
        let mut further = |name: &str, attribute: &str, number: usize, part: &[u8]| {
            let sort = format!("{}#{name}{number:04}", key.sort());
            let key = Key::new(Table::Source, key.partition(), sort);
            rest.push(BatchWrite::Put(Item::at(&key).with(attribute, bytes(part))));
        };
        if let Some(record_key) = &self.key {
            let (first, others) = record_key.split_at(record_key.len().min(Self::KEY_BYTES_MAX));
            item = item.with("record_key", bytes(first));
            for (number, part) in others.chunks(Self::PART_BYTES_MAX).enumerate() {
                further("KEY", "record_key", number, part);
            }
        }
        if let Some(value) = &self.value {
            let mut parts = value.chunks(Self::PART_BYTES_MAX);
            item = item.with("record_value", bytes(parts.next().unwrap_or_default()));
            for (number, part) in parts.enumerate() {
                further("PART", "record_value", number, part);
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
                Some(whole) if is_part(item) => {
                    for (name, so_far) in [("record_key", &mut whole.key), ("record_value", &mut whole.value)]
                    {
                        if let Some(part) = bytes(item, name) {
                            so_far.get_or_insert_default().extend(part);
                        }
                    }
                }
                _ => found.push(quarantined(item)?),
            }
        }
        found.sort_by(|one, other| one.position.cmp(&other.position));
        Ok(found)
    }
}

/// Whether an item goes on with the key or the value of the one before it.
pub(super) fn is_part(item: &Item) -> bool {
    !item.has("reason")
}

pub(super) fn quarantined(item: &Item) -> Result<Quarantined, StoreError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_large_record_is_too_large_for_an_item() {
        let large = Quarantined {
            position: RecordPosition {
                source: "s".to_owned(),
                topic: "t".to_owned(),
                partition: 0,
                offset: 7,
            },
            reason: "MALFORMED_JSON".to_owned(),
            message: "not JSON".to_owned(),
            key: Some(vec![1; 450_000]),
            value: Some(vec![2; 900_000]),
            refused_at_ms: 0,
        };
        let items: Vec<Item> = large
            .writes()
            .into_iter()
            .map(|write| match write {
                BatchWrite::Put(item) => item,
                BatchWrite::Delete(key) => panic!("{key} is kept"),
            })
            .collect();
        let mut lengths = [0, 0];
        for item in &items {
            let of_item =
                ["record_key", "record_value"].map(|name| bytes(item, name).map_or(0, |part| part.len()));
            assert!(of_item.iter().sum::<usize>() < 400_000, "{of_item:?}");
            lengths = [lengths[0] + of_item[0], lengths[1] + of_item[1]];
        }
        assert_eq!(lengths, [450_000, 900_000]);
        assert_eq!(items.iter().filter(|item| !is_part(item)).count(), 1);
    }
}
