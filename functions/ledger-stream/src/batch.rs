//! A batch of stream records, read.

use std::fmt::Display;

use aws_lambda_events::event::dynamodb::{Event as StreamEvent, EventRecord};
use chrono::{DateTime, Utc};
use ledger::store::{JournalItem, Quarantined, RecordPosition};

/// One record of the stream.
#[derive(Debug)]
pub(crate) struct Received {
    /// Where it is in its shard.
    pub(crate) sequence_number: String,
    /// When the item was written, to the second.
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) content: Content,
    /// The item it is of, for people.
    item: String,
    image: Vec<u8>,
}

/// What a record says.
#[derive(Debug)]
pub(crate) enum Content {
    /// An item was written.
    Item(JournalItem),
    /// An item was removed, which nothing here does and a person may: nothing follows from it.
    Nothing,
    /// It is not what this system writes.
    Poisoned(Box<Quarantined>),
}

impl Received {
    /// Reads every record of an event, in order.
    pub(crate) fn all(event: StreamEvent, now: DateTime<Utc>) -> Vec<Self> {
        event.records.into_iter().map(|record| Self::read(record, now)).collect()
    }

    fn read(record: EventRecord, now: DateTime<Utc>) -> Self {
        let change = record.change;
        let key = |name| match change.keys.get(name) {
            Some(serde_dynamo::AttributeValue::S(text)) => text.clone(),
            _ => "?".to_owned(),
        };
        let mut received = Self {
            sequence_number: change.sequence_number.unwrap_or_default(),
            created_at: change.approximate_creation_date_time,
            content: Content::Nothing,
            item: format!("{}/{}", key("pk"), key("sk")),
            image: serde_json::to_vec(&change.new_image).unwrap_or_default(),
        };
        if record.event_name != "REMOVE" {
            match JournalItem::of_image(change.new_image) {
                Ok(item) => received.content = Content::Item(item),
                Err(error) => received.poison("INVALID_JOURNAL_ITEM", &error, now),
            }
        }
        received
    }

    /// Marks it as one that can never be dealt with. Its key in quarantine is the item's, so that it is
    /// listed once however often it comes.
    pub(crate) fn poison(&mut self, reason: &str, error: &dyn Display, now: DateTime<Utc>) {
        self.content = Content::Poisoned(Box::new(Quarantined {
            position: RecordPosition {
                source: "journal-stream".to_owned(),
                topic: self.item.clone(),
                partition: 0,
                offset: 0,
            },
            reason: reason.to_owned(),
            message: format!("{error}; repair the item, then rebuild the records from the journal"),
            key: None,
            value: Some(self.image.clone()),
            refused_at_ms: now.timestamp_millis(),
        }));
    }
}
