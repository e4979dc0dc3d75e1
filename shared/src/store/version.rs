//! Which of two versions of a source row is newer.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Where a record is in Kafka. A source is one cluster, because positions repeat across clusters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordPosition {
    /// The cluster, by the last part of its resource name.
    #[serde(rename = "s")]
    pub source: String,
    /// The topic.
    #[serde(rename = "t")]
    pub topic: String,
    /// The partition of the topic.
    #[serde(rename = "p")]
    pub partition: i32,
    /// The offset in the partition.
    #[serde(rename = "o")]
    pub offset: i64,
}

/// The version of a source row: older ones never overwrite newer ones (rules, section 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowVersion {
    /// The log sequence number of the change, where the format carries it.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none", default)]
    pub lsn: Option<u64>,
    /// When the source changed the row, where the format carries it. Milliseconds since 1970.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none", default)]
    pub source_ts_ms: Option<i64>,
    /// Where the record was.
    #[serde(flatten)]
    pub position: RecordPosition,
}

impl RowVersion {
    /// Whether this version replaces `other`.
    ///
    /// The log sequence number decides; then the position. Positions compare only within one
    /// partition of one source, which is where all changes of a row are; for a row that moved,
    /// for example to a new cluster, the time of the change stands in.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let by_lsn = match (self.lsn, other.lsn) {
            (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            _ => Ordering::Equal,
        };
        let mine = &self.position;
        let theirs = &other.position;
        let same_partition =
            (&mine.source, &mine.topic, mine.partition) == (&theirs.source, &theirs.topic, theirs.partition);
        let by_time = || match (self.source_ts_ms, other.source_ts_ms) {
            (Some(mine), Some(theirs)) if !same_partition => mine.cmp(&theirs),
            _ => Ordering::Equal,
        };
        by_lsn.then_with(by_time).then_with(|| mine.offset.cmp(&theirs.offset)).then_with(|| mine.cmp(theirs))
            == Ordering::Greater
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(lsn: Option<u64>, source_ts_ms: Option<i64>, source: &str, offset: i64) -> RowVersion {
        let position =
            RecordPosition { source: source.to_owned(), topic: "t".to_owned(), partition: 0, offset };
        RowVersion { lsn, source_ts_ms, position }
    }

    #[test]
    fn the_log_sequence_number_decides_before_the_offset() {
        assert!(version(Some(2), None, "a", 1).is_newer_than(&version(Some(1), None, "a", 9)));
        assert!(!version(Some(1), None, "a", 9).is_newer_than(&version(Some(2), None, "a", 1)));
    }

    #[test]
    fn rows_of_one_snapshot_share_a_number_and_the_offset_decides() {
        assert!(version(Some(1), None, "a", 2).is_newer_than(&version(Some(1), None, "a", 1)));
    }

    #[test]
    fn the_same_record_again_is_not_newer() {
        let once = version(Some(1), Some(5), "a", 2);
        assert!(!once.is_newer_than(&once));
    }

    #[test]
    fn without_numbers_the_offset_decides_in_one_partition_and_the_time_across_clusters() {
        assert!(version(None, Some(1), "a", 2).is_newer_than(&version(None, Some(9), "a", 1)));
        assert!(version(None, Some(9), "b", 1).is_newer_than(&version(None, Some(1), "a", 2)));
    }
}
