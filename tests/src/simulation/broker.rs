//! A broker: partitions of records, each delivered in its order and from where all was dealt with.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;

use crate::capture::CaptureRecord;

/// How far back a partition goes at most when it is delivered again.
const RECORDS_AGAIN_MAX: usize = 20;

/// In what order partitions are read, against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// As their records were written.
    AsWritten,
    /// In any order: one may be through before another begins.
    Any,
}

/// The partitions of a capture.
#[derive(Debug)]
pub(super) struct Broker<'a> {
    records: &'a [CaptureRecord],
    partitions: Vec<Partition>,
    arrival: Arrival,
}

#[derive(Debug)]
struct Partition {
    name: String,
    /// Its records, as positions in the capture.
    records: Vec<usize>,
    /// How many of them were dealt with.
    done: usize,
    /// How many of them are being delivered.
    leased: usize,
}

/// Records that are being delivered. Nothing else of their partitions is, until it is known what
/// became of them.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    /// The records, each partition's in its order.
    pub(super) records: Vec<&'a CaptureRecord>,
    partitions: Vec<usize>,
}

impl<'a> Broker<'a> {
    pub(super) fn new(records: &'a [CaptureRecord], arrival: Arrival) -> Self {
        let mut partitions: Vec<Partition> = Vec::new();
        for (position, record) in records.iter().enumerate() {
            let name = format!("{}-{}", record.topic, record.partition);
            match partitions.iter_mut().find(|partition| partition.name == name) {
                Some(partition) => partition.records.push(position),
                None => partitions.push(Partition { name, records: vec![position], done: 0, leased: 0 }),
            }
        }
        Self { records, partitions, arrival }
    }

    /// Whether every record was dealt with.
    pub(super) fn is_done(&self) -> bool {
        self.partitions.iter().all(|partition| partition.done == partition.records.len())
    }

    /// How many records were dealt with.
    pub(super) fn done(&self) -> usize {
        self.partitions.iter().map(|partition| partition.done).sum()
    }

    /// The next records, at most so many, of partitions that nobody is reading.
    pub(super) fn lease(&mut self, size: usize, random: &mut ChaCha8Rng) -> Batch<'a> {
        let waits = |partition: &Partition| partition.leased == 0 && partition.done < partition.records.len();
        let mut waiting: Vec<usize> =
            (0..self.partitions.len()).filter(|index| waits(&self.partitions[*index])).collect();
        if self.arrival == Arrival::Any {
            // Of some partitions, as they come.
            let count = random.random_range(0..=waiting.len());
            waiting = waiting.sample(random, count.max(1)).copied().collect();
        }
        let mut next: Vec<(usize, usize)> = Vec::new();
        for index in waiting {
            let partition = &self.partitions[index];
            next.extend(partition.records[partition.done..].iter().map(|position| (*position, index)));
        }
        if self.arrival == Arrival::AsWritten {
            next.sort_unstable();
        }
        next.truncate(size);
        for (_, index) in &next {
            self.partitions[*index].leased += 1;
        }
        let mut partitions: Vec<usize> = next.iter().map(|(_, index)| *index).collect();
        partitions.sort_unstable();
        partitions.dedup();
        Batch { records: next.iter().map(|(position, _)| &self.records[*position]).collect(), partitions }
    }

    /// What became of a batch: the partitions to deliver again, each with the offset to begin at, or
    /// nothing if there was no answer.
    pub(super) fn settle(&mut self, batch: &Batch<'a>, failures: Option<&[(String, i64)]>) {
        for index in &batch.partitions {
            let partition = &mut self.partitions[*index];
            let leased = std::mem::take(&mut partition.leased);
            let Some(failures) = failures else { continue };
            let failed_from = failures.iter().find(|(name, _)| *name == partition.name);
            let delivered = &partition.records[partition.done..partition.done + leased];
            partition.done += delivered
                .iter()
                .take_while(|position| {
                    failed_from.is_none_or(|(_, offset)| self.records[**position].offset < *offset)
                })
                .count();
        }
    }

    /// A partition is delivered again from somewhere before: its consumers changed before they could
    /// say how far they were.
    pub(super) fn rewind(&mut self, random: &mut ChaCha8Rng) {
        let read: Vec<usize> = (0..self.partitions.len())
            .filter(|index| self.partitions[*index].leased == 0 && self.partitions[*index].done > 0)
            .collect();
        if let Some(index) = read.choose(random) {
            let partition = &mut self.partitions[*index];
            let back = random.random_range(1..=RECORDS_AGAIN_MAX).min(partition.done);
            partition.done -= back;
        }
    }
}
