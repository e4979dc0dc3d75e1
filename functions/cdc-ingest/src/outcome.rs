//! What became of a record.

use std::collections::BTreeMap;

use cdc::{Change, Fold, Folded, OlderCause, Profile};
use runtime::Context;
use runtime::telemetry::Metrics;
use store::progress::{Counts, PartitionName};

use crate::batch::Batch;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It changed its row.
    Applied,
    /// It changed its row, an order, which is booked without the region that it names.
    WithoutRegion {
        /// Which column, and what is wrong with it.
        message: String,
    },
    /// It was known already.
    Duplicate,
    /// Another version of its row is newer.
    Older {
        /// By what.
        cause: OlderCause,
        /// Whether it was delivered later nevertheless.
        delivered_later: bool,
    },
    /// Nothing tells it from another version that says something else.
    Ambiguous,
    /// It carries no row.
    Control,
    /// It is in quarantine.
    Refused {
        /// Why, as a stable code.
        code: &'static str,
        /// Why, in words.
        message: String,
    },
    /// Storage failed; it will be delivered again.
    Failed(String),
}

impl From<Folded> for Outcome {
    fn from(folded: Folded) -> Self {
        match folded {
            Folded::Applied | Folded::DeletionOfUnknownRow => Self::Applied,
            Folded::Duplicate => Self::Duplicate,
            Folded::Older { cause, delivered_later } => Self::Older { cause, delivered_later },
            Folded::Ambiguous => Self::Ambiguous,
            Folded::TombstoneAfterDelete => Self::Control,
        }
    }
}

impl Outcome {
    /// Returns what became of a change that was folded into its row.
    pub(crate) fn of(fold: &Fold, change: &Change, profile: &Profile) -> Self {
        let outcome = Self::from(fold.folded);
        match fold.state.unusable(change, profile) {
            Some(refusal) if outcome.says_how_the_row_stands() => {
                Self::Refused { code: refusal.code(), message: refusal.to_string() }
            }
            _ if outcome == Self::Applied => match fold.state.dropped_region(change, profile) {
                Some(message) => Self::WithoutRegion { message },
                None => outcome,
            },
            _ => outcome,
        }
    }

    fn says_how_the_row_stands(&self) -> bool {
        matches!(self, Self::Applied | Self::Duplicate | Self::Ambiguous)
    }

    /// Returns what the outcome adds to the counts of its partition.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        match self {
            Self::Applied | Self::WithoutRegion { .. } => counts.applied = 1,
            Self::Duplicate => counts.duplicated = 1,
            Self::Older { .. } => counts.older = 1,
            Self::Ambiguous => counts.ambiguous = 1,
            Self::Control => counts.control = 1,
            Self::Refused { .. } => counts.quarantined = 1,
            Self::Failed(_) => {}
        }
        counts
    }
}

/// Logs and counts what became of a batch: one line per partition and cause, never a value of a row.
pub(crate) fn report(function: &'static str, batch: &Batch, outcomes: &[Outcome], context: &Context) {
    let mut counts = Counts::default();
    let (mut failed, mut without_region) = (0, 0);
    let mut older: BTreeMap<OlderCause, u64> = BTreeMap::new();
    let mut delivered_later: BTreeMap<(&PartitionName, OlderCause), (u64, i64)> = BTreeMap::new();
    let mut ambiguous: BTreeMap<&PartitionName, (u64, i64)> = BTreeMap::new();
    let mut refused: BTreeMap<(&PartitionName, &'static str), (u64, i64, &str)> = BTreeMap::new();
    let mut failures: BTreeMap<(&PartitionName, &str), (u64, i64)> = BTreeMap::new();
    for (record, outcome) in batch.records.iter().zip(outcomes) {
        counts.add(outcome.counts());
        match outcome {
            Outcome::Refused { code, message } => {
                refused.entry((&record.name, code)).or_insert((0, record.offset, message)).0 += 1;
            }
            Outcome::Failed(message) => {
                failed += 1;
                failures.entry((&record.name, message)).or_insert((0, record.offset)).0 += 1;
            }
            Outcome::Older { cause, delivered_later: is_later } => {
                *older.entry(*cause).or_default() += 1;
                if *is_later {
                    delivered_later.entry((&record.name, *cause)).or_insert((0, record.offset)).0 += 1;
                }
            }
            Outcome::Ambiguous => ambiguous.entry(&record.name).or_insert((0, record.offset)).0 += 1,
            Outcome::WithoutRegion { .. } => without_region += 1,
            _ => {}
        }
    }
    for ((name, code), (records, offset, message)) in refused {
        let PartitionName { topic, partition, .. } = name;
        tracing::warn!(topic, partition, offset, records, reason = code, "records were refused: {message}");
    }
    for ((name, cause), (records, offset)) in &delivered_later {
        let (PartitionName { topic, partition, .. }, reason) = (name, cause.code());
        tracing::warn!(
            topic,
            partition,
            offset,
            records,
            reason,
            "records were older, although delivered later"
        );
    }
    for (name, (records, offset)) in &ambiguous {
        let PartitionName { topic, partition, .. } = name;
        tracing::warn!(topic, partition, offset, records, "nothing tells records from others of their rows");
    }
    for ((name, message), (records, offset)) in failures {
        let PartitionName { topic, partition, .. } = name;
        tracing::error!(
            topic,
            partition,
            offset,
            records,
            request_id = context.request_id,
            "records were not stored and will be delivered again: {message}"
        );
    }
    let now = context.clock.now();
    let lag_ms =
        batch.latest_source_ts_ms().map_or(0, |source_ms| now.timestamp_millis().saturating_sub(source_ms));
    let older_by = |cause| older.get(&cause).copied().unwrap_or_default();
    Metrics::of(function)
        .count("RecordsApplied", counts.applied)
        .count("RegionsDropped", without_region)
        .count("RecordsDuplicated", counts.duplicated)
        .count("RecordsOlder", counts.older)
        .count("RecordsOlderByEarlierCommit", older_by(OlderCause::EarlierCommit))
        .count("RecordsOlderByEarlierPosition", older_by(OlderCause::EarlierPosition))
        .count("RecordsOlderByIncrementalRead", older_by(OlderCause::BeforeIncrementalRead))
        .count("RecordsOlderByEarlierRead", older_by(OlderCause::EarlierIncrementalRead))
        .count("RecordsOlderByTombstone", older_by(OlderCause::BeforeTombstone))
        .count("RecordsOlderDeliveredLater", delivered_later.values().map(|(records, _)| records).sum())
        .count("RecordsAmbiguous", counts.ambiguous)
        .count("RecordsControl", counts.control)
        .count("RecordsQuarantined", counts.quarantined)
        .count("RecordsFailed", failed)
        .milliseconds("SourceLag", lag_ms)
        .emit(now);
}
