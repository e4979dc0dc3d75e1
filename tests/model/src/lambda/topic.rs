//! A topic: logs of records.

use super::record::KafkaRecord;
use crate::clock::Millis;

/// A topic with its partitions.
#[derive(Debug)]
pub struct Topic {
    name: String,
    partitions: Vec<Vec<KafkaRecord>>,
}

impl Topic {
    /// Returns an empty topic.
    #[must_use]
    pub fn new(name: &str, partitions: u32) -> Self {
        Self { name: name.to_owned(), partitions: (0..partitions).map(|_| Vec::new()).collect() }
    }

    /// Returns the number of partitions.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        u32::try_from(self.partitions.len()).expect("few partitions")
    }

    /// Appends a record that can be fetched later, and not before those ahead of it. Returns its offset and when it
    /// can be fetched; nothing where there is no such partition.
    pub fn append(
        &mut self,
        now_ms: Millis,
        fetchable_ms: Millis,
        partition: u32,
        key: Option<String>,
        value: Option<String>,
    ) -> Option<(u64, Millis)> {
        let log = self.partitions.get_mut(partition as usize)?;
        let offset = log.len() as u64;
        let fetchable_ms = log.last().map_or(fetchable_ms, |last| last.fetchable_ms.max(fetchable_ms));
        log.push(KafkaRecord {
            topic: self.name.clone(),
            partition,
            offset,
            at_ms: now_ms,
            fetchable_ms,
            key,
            value,
        });
        Some((offset, fetchable_ms))
    }

    /// Returns the records of a partition from an offset on.
    #[must_use]
    pub fn read_from(&self, partition: u32, offset: u64) -> &[KafkaRecord] {
        let log = &self.partitions[partition as usize];
        let from = usize::try_from(offset).expect("a log fits into memory").min(log.len());
        &log[from..]
    }

    /// Returns the offset that the next record of a partition gets.
    #[must_use]
    pub fn end(&self, partition: u32) -> u64 {
        self.partitions[partition as usize].len() as u64
    }
}
