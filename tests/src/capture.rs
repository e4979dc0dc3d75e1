//! Captures: Kafka records in the order of their arrival, one per line.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// One Kafka record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureRecord {
    /// The topic it arrived on.
    pub topic: String,
    /// The topic's partition.
    pub partition: i32,
    /// Its position in the partition.
    pub offset: i64,
    /// When it was written to the topic, in milliseconds since 1970.
    pub timestamp: i64,
    /// The key's bytes as text, if it has a key.
    pub key: Option<String>,
    /// The value's bytes as text; a tombstone has none.
    pub value: Option<String>,
}

/// Reads a capture from a file. An error names the line that is not a record.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<CaptureRecord>> {
    parse(&fs::read_to_string(path)?)
}

/// Reads a capture from its text.
pub fn parse(text: &str) -> io::Result<Vec<CaptureRecord>> {
    let record = |(index, line)| {
        serde_json::from_str(line).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", index + 1))
        })
    };
    text.lines().enumerate().map(record).collect()
}

/// Writes a capture, one record per line.
pub fn write(records: &[CaptureRecord], writer: impl Write) -> io::Result<()> {
    let mut writer = BufWriter::new(writer);
    for record in records {
        serde_json::to_writer(&mut writer, record)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()
}

/// The same records in another order that a broker may deliver them in: partitions are interleaved at
/// random, every interleaving as likely as any other, and each partition keeps its own order.
///
/// Topics have no order between them either, so a heartbeat may come before the end of the snapshot
/// it followed.
#[must_use]
pub fn shuffled(records: &[CaptureRecord], seed: u64) -> Vec<CaptureRecord> {
    let mut partitions: HashMap<_, VecDeque<_>> = HashMap::new();
    let mut turns = Vec::with_capacity(records.len());
    for record in records {
        let partition = (record.topic.as_str(), record.partition);
        partitions.entry(partition).or_default().push_back(record);
        turns.push(partition);
    }
    turns.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let next = |turn| partitions.get_mut(&turn).and_then(VecDeque::pop_front);
    turns.into_iter().filter_map(next).cloned().collect()
}

/// The same records, each delivered so many times in a row, at its own offset.
#[must_use]
pub fn repeated(records: &[CaptureRecord], times: usize) -> Vec<CaptureRecord> {
    records.iter().flat_map(|record| std::iter::repeat_n(record, times)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<CaptureRecord> {
        let record = |topic: &str, partition, offset| CaptureRecord {
            topic: topic.to_owned(),
            partition,
            offset,
            timestamp: 1_795_167_685_519,
            key: Some("{\"order_id\":1}".to_owned()),
            value: (offset % 5 != 0).then(|| "{\"text\":\"认种\"}".to_owned()),
        };
        (0..50)
            .flat_map(|offset| {
                [record("orders", 0, offset), record("orders", 1, offset), record("users", 0, offset)]
            })
            .collect()
    }

    #[test]
    fn captures_read_back_as_written() {
        let mut text = Vec::new();
        write(&records(), &mut text).expect("written");
        let text = String::from_utf8(text).expect("text");
        assert_eq!(text.lines().count(), 150);
        assert_eq!(parse(&text).expect("a capture"), records());
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let error = parse("{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"timestamp\":0}\n{}\n");
        assert!(error.expect_err("no record").to_string().starts_with("line 2: missing field"));
    }

    #[test]
    fn shuffling_loses_nothing_and_keeps_the_order_within_each_partition() {
        let shuffled = shuffled(&records(), 7);
        assert_ne!(shuffled, records());
        let of = |records: &[CaptureRecord], topic, partition| -> Vec<_> {
            let here = |record: &&CaptureRecord| record.topic == topic && record.partition == partition;
            records.iter().filter(here).cloned().collect()
        };
        for (topic, partition) in [("orders", 0), ("orders", 1), ("users", 0)] {
            assert_eq!(of(&shuffled, topic, partition), of(&records(), topic, partition));
        }
        assert_eq!(shuffled.len(), records().len());
    }

    #[test]
    fn a_seed_always_shuffles_alike() {
        assert_eq!(shuffled(&records(), 7), shuffled(&records(), 7));
        assert_ne!(shuffled(&records(), 7), shuffled(&records(), 8));
    }

    #[test]
    fn repeating_gives_every_record_so_many_times_in_a_row() {
        let repeated = repeated(&records(), 3);
        assert_eq!(repeated.len(), 450);
        assert!(repeated.chunks(3).zip(records()).all(|(copies, record)| copies == vec![record; 3]));
    }
}
