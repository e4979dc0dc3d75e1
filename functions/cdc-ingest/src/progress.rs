//! Records how far each partition was read.

use std::collections::BTreeMap;

use cdc::{Profile, SnapshotPhase};
use runtime::Context;
use store::progress::{self, Counts, PartitionName, Progress};
use store::rows::RowTable;
use store::{Engine, StoreError};

use crate::batch::{Batch, Content};
use crate::outcome::Outcome;
use crate::rows::table_of;

/// What a batch says of a partition.
#[derive(Debug, Default)]
struct Read {
    next_offset: i64,
    in_snapshot: Option<bool>,
    streamed_ms: Option<i64>,
    counts: Counts,
}

/// Records the progress of every partition of the batch, up to its first record that failed.
pub(crate) async fn record(
    engine: &dyn Engine,
    batch: &Batch,
    outcomes: &[Outcome],
    profile: &Profile,
    context: &Context,
) -> Result<(), StoreError> {
    let mut partitions: BTreeMap<&PartitionName, (Read, bool)> = BTreeMap::new();
    for (record, outcome) in batch.records.iter().zip(outcomes) {
        let (read, has_failed) = partitions.entry(&record.name).or_default();
        *has_failed |= matches!(outcome, Outcome::Failed(_));
        if *has_failed {
            continue;
        }
        read.next_offset = record.offset + 1;
        read.counts.add(outcome.counts());
        if let Content::Change(change) = &record.content {
            match change.snapshot {
                SnapshotPhase::Reading => read.in_snapshot = Some(true),
                SnapshotPhase::LastOfCollection | SnapshotPhase::Last => read.in_snapshot = Some(false),
                SnapshotPhase::Streaming => {
                    read.in_snapshot = Some(false);
                    read.streamed_ms = read.streamed_ms.max(change.source_ts_ms());
                }
                SnapshotPhase::Incremental | SnapshotPhase::Unknown => {}
            }
        }
    }
    let now_ms = context.clock.now().timestamp_millis();
    let updates =
        partitions.into_iter().filter(|(_, (read, _))| read.next_offset > 0).map(|(name, (read, _))| {
            let table = table_of_topic(profile, &name.topic);
            progress::update(engine, name.clone(), table, move |progress: &mut Progress| {
                progress.next_offset = progress.next_offset.max(Some(read.next_offset));
                progress.in_snapshot = read.in_snapshot.unwrap_or(progress.in_snapshot);
                progress.streamed_ms = progress.streamed_ms.max(read.streamed_ms);
                progress.read_at_ms = progress.read_at_ms.max(Some(now_ms));
                progress.counts.add(read.counts);
            })
        });
    futures::future::try_join_all(updates).await.map(|_| ())
}

/// Returns the table that a topic carries.
fn table_of_topic(profile: &Profile, topic: &str) -> Option<RowTable> {
    profile.tables().find(|(name, _)| *name == topic).map(|(_, table)| table_of(table.holds()))
}
