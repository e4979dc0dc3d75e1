//! Records that a function gets in order: those of a topic and those of a table's stream.

use crate::clock::Millis;
use crate::table::StreamRecord;

/// A record of a topic.
#[derive(Clone, Debug)]
pub struct KafkaRecord {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The position in the partition, from 0.
    pub offset: u64,
    /// When it got into the log.
    pub at_ms: Millis,
    /// When a poller can fetch it.
    pub fetchable_ms: Millis,
    /// Its key.
    pub key: Option<String>,
    /// What it says; a tombstone says nothing.
    pub value: Option<String>,
}

/// What a feeder must know of a record.
pub trait Record: Clone {
    /// Returns when the record came into being.
    fn at_ms(&self) -> Millis;
    /// Returns the strand within which its order is kept when a part of a batch fails.
    fn strand(&self) -> u32;
    /// Returns the record in the form in which destinations and scripts name it.
    fn text(&self) -> String;
}

impl Record for KafkaRecord {
    fn at_ms(&self) -> Millis {
        self.at_ms
    }

    fn strand(&self) -> u32 {
        self.partition
    }

    fn text(&self) -> String {
        self.value.clone().unwrap_or_default()
    }
}

impl Record for StreamRecord {
    fn at_ms(&self) -> Millis {
        self.at_ms
    }

    fn strand(&self) -> u32 {
        0
    }

    fn text(&self) -> String {
        format!("{} {}", self.kind.name(), self.key_text)
    }
}
