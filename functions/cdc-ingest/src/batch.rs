//! A batch of records, decoded.

use aws_lambda_events::event::kafka::{KafkaEvent, KafkaRecord};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::cdc::{self, Change, Decoded, Profile, Refusal};
use ledger::store::{RecordPosition, RowVersion};

use crate::outcome::Outcome;

/// The records of one event, in order within each partition.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Received>,
}

/// One record: where it was, its bytes, and what they say.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) position: RecordPosition,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) content: Content,
}

/// What a record says.
#[derive(Debug)]
pub(crate) enum Content {
    Change {
        change: Box<Change>,
        version: RowVersion,
    },
    Control,
    Refused(Refusal),
    /// The event itself does not hold what an event of this kind holds.
    Malformed(String),
}

impl Batch {
    /// Decodes every record of an event.
    pub(crate) fn decode(event: KafkaEvent, profile: &Profile) -> Self {
        // Positions repeat across clusters. A managed cluster has a resource name; others are told
        // apart by their brokers.
        let source = event
            .event_source_arn
            .as_deref()
            .and_then(|arn| arn.rsplit_once(":cluster/"))
            .map(|(_, cluster)| cluster.to_owned())
            .or(event.bootstrap_servers)
            .unwrap_or_else(|| "kafka".to_owned());
        let mut records: Vec<Received> = event
            .records
            .into_iter()
            .flat_map(|(partition, records)| {
                records.into_iter().map(move |record| (partition.clone(), record))
            })
            .map(|(partition, record)| receive(&source, &partition, record, profile))
            .collect();
        records.sort_by(|one, other| one.position.cmp(&other.position));
        Self { records }
    }

    /// The source's time of the newest change.
    pub(crate) fn latest_source_ts_ms(&self) -> Option<i64> {
        self.records
            .iter()
            .filter_map(|received| match &received.content {
                Content::Change { version, .. } => version.source_ts_ms,
                _ => None,
            })
            .max()
    }
}

impl Received {
    /// What becomes of it if it is no change.
    pub(crate) fn initial_outcome(&self) -> Outcome {
        match &self.content {
            Content::Change { .. } => Outcome::Duplicated,
            Content::Control => Outcome::Control,
            Content::Refused(refusal) => {
                Outcome::Refused { reason: refusal.code().to_owned(), message: refusal.to_string() }
            }
            Content::Malformed(message) => {
                Outcome::Refused { reason: "MALFORMED_EVENT".to_owned(), message: message.clone() }
            }
        }
    }
}

fn receive(source: &str, event_key: &str, record: KafkaRecord, profile: &Profile) -> Received {
    // The event's own key is `<topic>-<partition>`; records repeat the topic, but need not.
    let topic = record
        .topic
        .or_else(|| event_key.rsplit_once('-').map(|(topic, _)| topic.to_owned()))
        .unwrap_or_else(|| event_key.to_owned());
    let partition = i32::try_from(record.partition).unwrap_or(i32::MAX);
    let position = RecordPosition { source: source.to_owned(), topic, partition, offset: record.offset };
    let decoded = decode_base64(record.key.as_deref())
        .and_then(|key| Ok((key, decode_base64(record.value.as_deref())?)));
    let (key, value) = match decoded {
        Ok(bytes) => bytes,
        Err(message) => {
            let raw = record.value.map(String::into_bytes);
            return Received { position, key: None, value: raw, content: Content::Malformed(message) };
        }
    };
    let content = match cdc::decode(profile, &position.topic, key.as_deref(), value.as_deref()) {
        Ok(Decoded::Control(_)) => Content::Control,
        Err(refusal) => Content::Refused(refusal),
        Ok(Decoded::Change(change)) => {
            let version = RowVersion {
                lsn: change.version.lsn,
                source_ts_ms: change.source_ts_ms,
                position: position.clone(),
            };
            Content::Change { change: Box::new(change), version }
        }
    };
    Received { position, key, value, content }
}

fn decode_base64(text: Option<&str>) -> Result<Option<Vec<u8>>, String> {
    let decode = |text| {
        STANDARD.decode(text).map_err(|error| format!("a key or value of the event is not base64: {error}"))
    };
    text.map(decode).transpose()
}
