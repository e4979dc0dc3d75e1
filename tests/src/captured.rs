//! What a history of the oracle wrote, as the harness is fed with it.

use cdc::CapturedRecord;
use oracle::generate::History;

/// Returns the records of a history, in the order in which its source wrote them.
#[must_use]
pub fn captured(history: &History) -> Vec<CapturedRecord> {
    let record = |record: oracle::capture::Record| CapturedRecord {
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: Some(record.timestamp),
        key: record.key,
        value: record.value,
    };
    history.records().into_iter().map(record).collect()
}
