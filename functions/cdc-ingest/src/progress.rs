//! Records how far each partition was read.
//!
//! Touches: `Source` (reads, writes), the clock.

use std::collections::BTreeMap;

use cdc::{Profile, SnapshotPhase};
use runtime::Context;
use store::progress::{self, Counts, PartitionName, Progress};
use store::rows::RowTable;
use store::{Engine, StoreError};

use crate::batch::{Batch, Content};
use crate::outcome::Outcome;
use crate::rows::table_of;

/// A commit that lies further ahead of this environment's clock than this says nothing about what was read.
const CLOCKS_DIFFER_MAX_MS: i64 = 86_400_000;

/// What a batch says of a partition.
#[derive(Debug, Default)]
struct Read {
    next_offset: i64,
    in_snapshot: Option<bool>,
    /// When the snapshot read its rows that goes on at the end of the batch, in milliseconds since 1970.
    snapshot_ms: Option<i64>,
    streamed_ms: Option<i64>,
    counts: Counts,
}

impl Read {
    /// Takes what a record says of its partition. A commit after `possible_until_ms` was not made by the source.
    fn take(&mut self, content: &Content, possible_until_ms: i64) {
        let is_possible = |committed_ms: &i64| *committed_ms <= possible_until_ms;
        match content {
            Content::Change(change) => match change.snapshot {
                SnapshotPhase::Reading => {
                    self.in_snapshot = Some(true);
                    self.snapshot_ms = change.source_ts_ms();
                }
                SnapshotPhase::LastOfCollection | SnapshotPhase::Last => self.in_snapshot = Some(false),
                SnapshotPhase::Streaming => {
                    self.in_snapshot = Some(false);
                    self.streamed_ms = self.streamed_ms.max(change.source_ts_ms().filter(is_possible));
                }
                SnapshotPhase::Incremental | SnapshotPhase::Unknown => {}
            },
            // It is streamed like a row: what was committed before it is in front of it.
            Content::Mark { committed_ms } => {
                self.in_snapshot = Some(false);
                self.streamed_ms = self.streamed_ms.max(Some(*committed_ms).filter(is_possible));
            }
            Content::Truncate(_) | Content::Control | Content::Refused { .. } => {}
        }
    }

    /// Adds what this batch says to what is known of the partition.
    fn apply_to(&self, progress: &mut Progress, now_ms: i64) {
        let is_further = progress.next_offset < Some(self.next_offset);
        // A topic that was made anew begins with small offsets again, and its snapshot is a later one.
        let is_later = self.snapshot_ms > progress.streamed_ms;
        match self.in_snapshot {
            // Old records of a snapshot that come again say nothing about what has been streamed since.
            Some(true) if !is_further && !is_later => {}
            Some(in_snapshot) => progress.in_snapshot = in_snapshot,
            None => {}
        }
        progress.next_offset = progress.next_offset.max(Some(self.next_offset));
        progress.streamed_ms = progress.streamed_ms.max(self.streamed_ms);
        progress.read_at_ms = progress.read_at_ms.max(Some(now_ms));
        progress.counts.add(self.counts);
    }
}

/// Records the progress of every partition of the batch, up to its first record that failed.
pub(crate) async fn record(
    engine: &dyn Engine,
    batch: &Batch,
    outcomes: &[Outcome],
    profile: &Profile,
    context: &Context,
) -> Result<(), StoreError> {
    let now_ms = context.clock.now().timestamp_millis();
    let mut partitions: BTreeMap<&PartitionName, (Read, bool)> = BTreeMap::new();
    for (record, outcome) in batch.records.iter().zip(outcomes) {
        let (read, has_failed) = partitions.entry(&record.name).or_default();
        *has_failed |= matches!(outcome, Outcome::Failed(_));
        if *has_failed {
            continue;
        }
        read.next_offset = record.offset.saturating_add(1);
        read.counts.add(outcome.counts());
        read.take(&record.content, now_ms + CLOCKS_DIFFER_MAX_MS);
    }
    let updates =
        partitions.into_iter().filter(|(_, (read, _))| read.next_offset > 0).map(|(name, (read, _))| {
            let table = table_of_topic(profile, &name.topic);
            progress::update(engine, name.clone(), table, move |progress: &mut Progress| {
                read.apply_to(progress, now_ms);
            })
        });
    futures::future::try_join_all(updates).await.map(|_| ())
}

/// Returns the table that a topic carries.
fn table_of_topic(profile: &Profile, topic: &str) -> Option<RowTable> {
    profile.tables().find(|(name, _)| *name == topic).map(|(_, table)| table_of(table.holds()))
}
