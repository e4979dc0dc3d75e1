//! The decoder.

use super::message::{Document, Event, SnapshotPhase, SourceVersion};
use super::profile::{Profile, Subject};
use super::refusal::Refusal;
use super::row::{self, Row};

/// Decodes one Kafka record. No bytes make it panic.
///
/// `key` and `value` are the record's, `None` where Kafka has none. An empty value counts as none,
/// because transports that cannot say "none" say that, and no converter writes an empty document.
/// The key is only looked at where a delete needs it, so an unreadable key spoils nothing else.
pub fn decode(
    profile: &Profile,
    topic: &str,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<Decoded, Refusal> {
    let subject = profile.subject(topic).ok_or_else(|| Refusal::UnknownTopic { topic: topic.to_owned() })?;
    let document = match value {
        None | Some([]) => return Ok(Decoded::Control(Control::Tombstone)),
        Some(bytes) => Document::parse(bytes)?,
    };
    if document.is_null() {
        return Ok(Decoded::Control(Control::Tombstone));
    }
    let record = document.into_record()?;
    let table = match subject {
        Subject::Table(table) => table,
        Subject::Heartbeat => {
            let source_ts_ms = record.heartbeat_ts_ms()?;
            return Ok(Decoded::Control(Control::Heartbeat { source_ts_ms }));
        }
        Subject::Transactions => return Ok(Decoded::Control(Control::TransactionBoundary)),
        Subject::Messages => return Ok(Decoded::Control(Control::LogicalMessage)),
    };
    let encoding = &profile.encoding;
    let (event, origin) = record.into_event(encoding)?;
    let row = match event {
        Event::Upsert(record) => row::upsert(table, &record, encoding)?,
        Event::Delete(before) => row::delete(table, before.as_ref(), key)?,
        Event::Truncate => return Err(Refusal::Truncate),
        Event::Message => return Ok(Decoded::Control(Control::LogicalMessage)),
    };
    Ok(Decoded::Change(Change {
        row,
        version: origin.version,
        snapshot: origin.snapshot,
        source_ts_ms: origin.source_ts_ms,
    }))
}

/// What a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A row came to be, changed or went away.
    Change(Change),
    /// Nothing about any row; to be counted, not applied.
    Control(Control),
}

/// A change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The row as it is now, or which one is gone.
    pub row: Row,
    /// Where the change stands in the source's history.
    pub version: SourceVersion,
    /// Where the change stands in the connector's initial snapshot.
    pub snapshot: SnapshotPhase,
    /// When the source made the change, in milliseconds since 1970, if the message says.
    pub source_ts_ms: Option<i64>,
}

/// A record that changes no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The connector is alive and has read the source up to this time.
    Heartbeat {
        /// Milliseconds since 1970, by the connector's clock.
        source_ts_ms: i64,
    },
    /// Lets Kafka's compaction forget a key; follows the delete that said so.
    Tombstone,
    /// Something the source's applications wrote into the log beside the tables (`op` = `m`).
    LogicalMessage,
    /// The begin or the end of a transaction of the source.
    TransactionBoundary,
}
