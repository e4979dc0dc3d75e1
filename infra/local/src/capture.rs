//! Captures: files of Kafka records, one per line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::triggers::KafkaRecord;

/// A capture: records in the order they arrived.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Names the Kafka cluster the records are of. Positions repeat across captures, so that each
    /// capture is a cluster of its own; the same content is the same cluster again.
    pub source: String,
    /// The records.
    pub records: Vec<CaptureRecord>,
}

/// One Kafka record.
#[derive(Debug, Clone, Deserialize)]
pub struct CaptureRecord {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i64,
    /// The offset.
    pub offset: i64,
    /// When the record was written. Milliseconds since 1970.
    #[serde(default)]
    pub timestamp: i64,
    /// The key's bytes as text.
    pub key: Option<String>,
    /// The value's bytes as text.
    pub value: Option<String>,
}

impl CaptureRecord {
    /// The record as a broker would hold it.
    #[must_use]
    pub fn as_kafka(&self) -> KafkaRecord<'_> {
        KafkaRecord {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp,
            key: self.key.as_deref().map(str::as_bytes),
            value: self.value.as_deref().map(str::as_bytes),
        }
    }
}

impl Capture {
    /// Reads a capture from a file.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.file_stem().map_or_else(|| "capture".into(), |stem| stem.to_string_lossy());
        let file = File::open(path).with_context(|| format!("cannot open the capture {}", path.display()))?;
        Self::parse(&name, file).with_context(|| format!("cannot read the capture {}", path.display()))
    }

    /// Reads a capture from bytes.
    pub fn parse(name: &str, content: impl Read) -> Result<Self> {
        let mut records = Vec::new();
        let mut digest = Sha256::new();
        for (index, line) in BufReader::new(content).lines().enumerate() {
            let line = line.with_context(|| format!("line {} is not UTF-8 text", index + 1))?;
            if line.trim().is_empty() {
                continue;
            }
            digest.update(line.as_bytes());
            let record = serde_json::from_str(&line).with_context(|| {
                format!(
                    "line {} is not a Kafka record: expected {{\"topic\", \"partition\", \"offset\", \"timestamp\", \"key\", \"value\"}}",
                    index + 1
                )
            })?;
            records.push(record);
        }
        let digest = digest.finalize();
        let fingerprint = digest.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        Ok(Self { source: format!("{name}-{fingerprint:08x}"), records })
    }
}
