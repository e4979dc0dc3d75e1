//! Logs and counts what became of a batch.
//!
//! Touches: the clock.

use std::collections::BTreeMap;

use cdc::OlderCause;
use runtime::Context;
use runtime::telemetry::Metrics;
use store::progress::{Counts, PartitionName};

use crate::batch::Batch;
use crate::outcome::Outcome;

/// Logs and counts what became of a batch: one line per partition and cause, never a value of a row.
pub(crate) fn report(function: &'static str, batch: &Batch, outcomes: &[Outcome], context: &Context) {
    log(batch, outcomes, &context.request_id);
    let mut counts = Counts::default();
    for outcome in outcomes {
        counts.add(outcome.counts());
    }
    let number =
        |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count() as u64;
    let older_by = |by: OlderCause| {
        let is_by = |outcome: &&Outcome| matches!(outcome, Outcome::Older { cause, .. } if *cause == by);
        outcomes.iter().filter(is_by).count() as u64
    };
    let now = context.clock.now();
    let lag_ms =
        batch.latest_source_ts_ms().map_or(0, |source_ms| now.timestamp_millis().saturating_sub(source_ms));
    Metrics::of(function)
        .count("RecordsApplied", counts.applied)
        .count("RegionsDropped", number(|outcome| matches!(outcome, Outcome::WithoutRegion { .. })))
        .count("RecordsDuplicated", counts.duplicated)
        .count("RecordsOlder", counts.older)
        .count("RecordsOlderByEarlierCommit", older_by(OlderCause::EarlierCommit))
        .count("RecordsOlderByEarlierPosition", older_by(OlderCause::EarlierPosition))
        .count("RecordsOlderByIncrementalRead", older_by(OlderCause::BeforeIncrementalRead))
        .count("RecordsOlderByEarlierRead", older_by(OlderCause::EarlierIncrementalRead))
        .count("RecordsOlderByTombstone", older_by(OlderCause::BeforeTombstone))
        .count("RecordsOlderDeliveredLater", number(Outcome::is_older_and_later))
        .count("RecordsAmbiguous", counts.ambiguous)
        .count("RecordsControl", counts.control)
        .count("RecordsQuarantined", counts.quarantined)
        .count("RecordsFailed", number(|outcome| matches!(outcome, Outcome::Failed(_))))
        .milliseconds("SourceLag", lag_ms)
        .emit(now);
}

/// Logs what went otherwise than usual: how many records of a partition did for one cause, and the first of them.
fn log(batch: &Batch, outcomes: &[Outcome], request_id: &str) {
    let mut unusual: BTreeMap<(&PartitionName, &str, &str), (u64, i64, &Outcome)> = BTreeMap::new();
    for (record, outcome) in batch.records.iter().zip(outcomes) {
        let (reason, message) = match outcome {
            Outcome::Refused { code, .. } => (*code, ""),
            Outcome::Failed(message) => ("FAILED", message.as_str()),
            Outcome::Older { cause, delivered_later: true } => (cause.code(), ""),
            Outcome::Ambiguous => ("AMBIGUOUS", ""),
            _ => continue,
        };
        unusual.entry((&record.name, reason, message)).or_insert((0, record.offset, outcome)).0 += 1;
    }
    for ((name, reason, _), (records, offset, outcome)) in unusual {
        let PartitionName { topic, partition, .. } = name;
        match outcome {
            Outcome::Failed(message) => tracing::error!(
                topic,
                partition,
                offset,
                records,
                request_id,
                "records were not stored and will be delivered again: {message}"
            ),
            Outcome::Refused { message, .. } => {
                tracing::warn!(topic, partition, offset, records, reason, "records were refused: {message}");
            }
            _ => tracing::warn!(
                topic,
                partition,
                offset,
                records,
                reason,
                "records look older although they came later, or no message shows which is newer"
            ),
        }
    }
}
