//! The batches that a queue's trigger has in work.

use std::collections::BTreeMap;

use crate::clock::Millis;
use crate::queue::Delivered;

/// What a queue's trigger has in work.
#[derive(Debug, Default)]
pub struct SqsTrigger {
    /// Batches whose result is not known yet, by number.
    pub batches: BTreeMap<u64, SqsBatch>,
    /// The batch that still gathers messages.
    pub open: Option<u64>,
    last_batch: u64,
}

/// Messages that go to the function together.
#[derive(Debug, Default)]
pub struct SqsBatch {
    /// The messages.
    pub messages: Vec<Delivered>,
    /// Whether the function has been asked for and was not throttled.
    pub runs: bool,
    /// When it is dropped unless it runs: known as soon as it was throttled once.
    pub dropped_ms: Option<Millis>,
}

impl SqsTrigger {
    /// Takes a batch into work and returns its number.
    pub fn open_batch(&mut self, messages: Vec<Delivered>) -> u64 {
        self.last_batch += 1;
        self.batches.insert(self.last_batch, SqsBatch { messages, ..SqsBatch::default() });
        self.last_batch
    }
}
