//! What is logged and counted of a batch: one line per partition and cause, never a value of a row.

use std::collections::BTreeMap;

use cdc::OlderCause;
use runtime::Context;
use runtime::telemetry::Metrics;
use store::progress::{Counts, PartitionName};

use crate::batch::Batch;
use crate::outcome::Outcome;

/// How many records there are of a kind, and the offset of the first.
type Seen = (u64, i64);

/// Logs and counts what became of a batch.
pub(crate) fn report(function: &'static str, batch: &Batch, outcomes: &[Outcome], context: &Context) {
    let report = Report::of(batch, outcomes);
    report.log(context);
    report.count(function, batch, context);
}

#[derive(Default)]
struct Report<'a> {
    counts: Counts,
    failed: u64,
    without_region: u64,
    older: BTreeMap<OlderCause, u64>,
    delivered_later: BTreeMap<(&'a PartitionName, OlderCause), Seen>,
    ambiguous: BTreeMap<&'a PartitionName, Seen>,
    /// By partition and code, with the words of the first.
    refused: BTreeMap<(&'a PartitionName, &'static str), (Seen, &'a str)>,
    failures: BTreeMap<(&'a PartitionName, &'a str), Seen>,
}

impl<'a> Report<'a> {
    fn of(batch: &'a Batch, outcomes: &'a [Outcome]) -> Self {
        let mut report = Self::default();
        for (record, outcome) in batch.records.iter().zip(outcomes) {
            let first = (0, record.offset);
            report.counts.add(outcome.counts());
            match outcome {
                Outcome::Refused { code, message } => {
                    report.refused.entry((&record.name, code)).or_insert((first, message)).0.0 += 1;
                }
                Outcome::Failed(message) => {
                    report.failed += 1;
                    report.failures.entry((&record.name, message)).or_insert(first).0 += 1;
                }
                Outcome::Older { cause, delivered_later } => {
                    *report.older.entry(*cause).or_default() += 1;
                    if *delivered_later {
                        report.delivered_later.entry((&record.name, *cause)).or_insert(first).0 += 1;
                    }
                }
                Outcome::Ambiguous => report.ambiguous.entry(&record.name).or_insert(first).0 += 1,
                Outcome::WithoutRegion { .. } => report.without_region += 1,
                _ => {}
            }
        }
        report
    }

    fn log(&self, context: &Context) {
        for ((PartitionName { topic, partition, .. }, reason), ((records, offset), message)) in &self.refused
        {
            tracing::warn!(topic, partition, offset, records, reason, "records were refused: {message}");
        }
        for ((PartitionName { topic, partition, .. }, cause), (records, offset)) in &self.delivered_later {
            let reason = cause.code();
            let text = "records were older, although delivered later";
            tracing::warn!(topic, partition, offset, records, reason, "{text}");
        }
        for (PartitionName { topic, partition, .. }, (records, offset)) in &self.ambiguous {
            tracing::warn!(
                topic,
                partition,
                offset,
                records,
                "nothing tells records from others of their rows"
            );
        }
        for ((PartitionName { topic, partition, .. }, message), (records, offset)) in &self.failures {
            tracing::error!(
                topic,
                partition,
                offset,
                records,
                request_id = context.request_id,
                "records were not stored and will be delivered again: {message}"
            );
        }
    }

    fn count(&self, function: &'static str, batch: &Batch, context: &Context) {
        let now = context.clock.now();
        let lag_ms = batch
            .latest_source_ts_ms()
            .map_or(0, |source_ms| now.timestamp_millis().saturating_sub(source_ms));
        let older_by = |cause| self.older.get(&cause).copied().unwrap_or_default();
        let delivered_later = self.delivered_later.values().map(|(records, _)| records).sum();
        Metrics::of(function)
            .count("RecordsApplied", self.counts.applied)
            .count("RegionsDropped", self.without_region)
            .count("RecordsDuplicated", self.counts.duplicated)
            .count("RecordsOlder", self.counts.older)
            .count("RecordsOlderByEarlierCommit", older_by(OlderCause::EarlierCommit))
            .count("RecordsOlderByEarlierPosition", older_by(OlderCause::EarlierPosition))
            .count("RecordsOlderByIncrementalRead", older_by(OlderCause::BeforeIncrementalRead))
            .count("RecordsOlderByEarlierRead", older_by(OlderCause::EarlierIncrementalRead))
            .count("RecordsOlderByTombstone", older_by(OlderCause::BeforeTombstone))
            .count("RecordsOlderDeliveredLater", delivered_later)
            .count("RecordsAmbiguous", self.counts.ambiguous)
            .count("RecordsControl", self.counts.control)
            .count("RecordsQuarantined", self.counts.quarantined)
            .count("RecordsFailed", self.failed)
            .milliseconds("SourceLag", lag_ms)
            .emit(now);
    }
}
