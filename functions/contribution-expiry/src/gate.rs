//! Whether everything the source committed for earlier dates is distributed or held.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use ledger::cdc::{Profile, Table};
use ledger::queue::Release;
use ledger::rules::{BusinessDate, OrderId, Policy};
use ledger::store::{AdoptionRecord, OutstandingTree, Progress, Store, StoreError};

/// Adoptions on their way that are looked at one by one; where there are more, the date waits.
const ADOPTIONS_MAX: usize = 2_000;
/// Trees at work named one by one in what a date waits for.
const NAMED_MAX: usize = 10;

/// The gate.
pub(crate) struct Gate<'a> {
    pub(crate) store: &'a Store,
    pub(crate) policy: &'a Policy,
    pub(crate) profile: &'a Profile,
    pub(crate) quiet_period: TimeDelta,
}

impl Gate<'_> {
    /// What the close of a date has to wait for; nothing if it may begin.
    ///
    /// Work is looked for in the order in which it moves: read, staged, released, posted, reassessed.
    /// So what moves on while this looks is met at a later stage, and cannot slip through.
    pub(crate) async fn waits_for(
        &self,
        date: BusinessDate,
        release: Option<Release>,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, StoreError> {
        let mut waits = Vec::new();
        if release.is_none() {
            let midnight = date.begins_at(self.policy.business_time_zone());
            let progress = self.store.progress().await?;
            waits.extend(unread(&progress, self.profile, self.quiet_period, midnight, now));
        }
        waits.extend(self.staged(date).await?);
        let trees = self.store.outstanding_trees().await?;
        for tree in &trees {
            waits.extend(self.at_work(tree, date).await?);
            if waits.len() >= NAMED_MAX {
                waits.push(format!("{} trees in all have work outstanding", trees.len()));
                break;
            }
        }
        Ok(waits)
    }

    /// Adoptions of earlier dates that wait for their turn.
    async fn staged(&self, date: BusinessDate) -> Result<Option<String>, StoreError> {
        let staged = self.store.staged(ADOPTIONS_MAX).await?;
        if staged.len() >= ADOPTIONS_MAX {
            return Ok(Some(format!("{} or more adoptions are staged", staged.len())));
        }
        let orders: Vec<OrderId> = staged.iter().map(|staged| staged.order).collect();
        let earlier = earlier_than(date, &self.store.adoptions(orders).await?);
        Ok((!earlier.is_empty()).then(|| {
            format!("{} adoptions of earlier dates are staged, the first is {}", earlier.len(), earlier[0])
        }))
    }

    /// What is not done in a tree.
    async fn at_work(
        &self,
        tree: &OutstandingTree,
        date: BusinessDate,
    ) -> Result<Option<String>, StoreError> {
        let OutstandingTree { tree, stopped, .. } = tree;
        if let Some(reason) = stopped {
            return Ok(Some(format!("the distribution of tree {tree} stopped: {reason}")));
        }
        let work = self.store.work(tree, ADOPTIONS_MAX).await?;
        let orders: Vec<OrderId> = work.iter().map(|item| item.order).collect();
        let earlier = earlier_than(date, &self.store.adoptions(orders).await?);
        if !earlier.is_empty() || work.len() >= ADOPTIONS_MAX {
            let first = earlier.first().or(work.first().map(|item| &item.order));
            let first = first.map(ToString::to_string).unwrap_or_default();
            return Ok(Some(format!(
                "tree {tree} has adoptions of earlier dates to post, the first is {first}"
            )));
        }
        let next = self.store.next_tasks(tree, 1).await?;
        Ok(next.first().map(|task| {
            format!("tree {tree} has reassessments to do, the next because of adoption {}", task.cause)
        }))
    }
}

/// Partitions that may hold changes of earlier dates that were not read yet.
///
/// A partition's records are in the order of their commits, so that a change committed after midnight
/// proves that all before it were read. A partition without one counts as read to its end if it has
/// been silent for the quiet period since midnight, provided that the connector is alive: where it
/// sends heartbeats, one must have come since midnight.
fn unread(
    progress: &[Progress],
    profile: &Profile,
    quiet_period: TimeDelta,
    midnight: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<String> {
    let (midnight_ms, quiet_ms) = (midnight.timestamp_millis(), quiet_period.num_milliseconds());
    let table = |topic: &str| profile.tables().find(|(known, _)| *known == topic).map(|(_, table)| table);
    let is_dead = |source: &str| {
        let mut heartbeats = progress
            .iter()
            .filter(|other| {
                other.source == source && other.counts.control > 0 && table(&other.topic).is_none()
            })
            .peekable();
        heartbeats.peek().is_some() && heartbeats.all(|heartbeat| heartbeat.read_at_ms < midnight_ms)
    };
    let mut waits = Vec::new();
    for Progress { source, topic, partition, source_ts_ms, read_at_ms, .. } in progress {
        let has_rows = matches!(table(topic), Some(Table::Referrals { .. } | Table::Adoptions { .. }));
        if !has_rows || source_ts_ms.is_some_and(|committed_ms| committed_ms >= midnight_ms) {
            continue;
        }
        let silent_ms = now.timestamp_millis() - (*read_at_ms).max(midnight_ms);
        if silent_ms < quiet_ms {
            waits.push(format!(
                "partition {partition} of {topic} may still hold changes of earlier dates: \
                 nothing of it is later than midnight, and it has not been silent for {quiet_ms} ms since"
            ));
        } else if is_dead(source) {
            waits.push(format!(
                "nothing proves that partition {partition} of {topic} was read to midnight: \
                 no heartbeat of {source} has come since"
            ));
        }
    }
    waits
}

/// The orders of adoptions that were made before a date, ascending.
fn earlier_than(date: BusinessDate, adoptions: &HashMap<OrderId, AdoptionRecord>) -> Vec<OrderId> {
    let is_earlier =
        |record: &&AdoptionRecord| record.row.as_ref().is_none_or(|row| row.adoption_date < date);
    let mut earlier: Vec<OrderId> =
        adoptions.values().filter(is_earlier).map(|record| record.order).collect();
    earlier.sort_unstable();
    earlier
}

#[cfg(test)]
mod tests {
    use ledger::store::{Counts, SnapshotState};

    use super::*;

    const MIDNIGHT_MS: i64 = 1_000_000_000;
    const ROWS: &str = "dbserver1.rwa_planting.planting_orders";
    const HEARTBEATS: &str = "__debezium-heartbeat.dbserver1";

    fn progress(topic: &str, committed_ms: Option<i64>, read_ms: i64) -> Progress {
        Progress {
            source: "cluster".to_owned(),
            topic: topic.to_owned(),
            partition: 0,
            offset: 7,
            lsn: None,
            source_ts_ms: committed_ms.map(|after| MIDNIGHT_MS + after),
            snapshot: SnapshotState::Complete,
            read_at_ms: MIDNIGHT_MS + read_ms,
            counts: Counts { control: 1, ..Counts::default() },
        }
    }

    /// What is unread so many milliseconds after midnight, with a quiet period of 100.
    fn unread_at(after_ms: i64, progress: &[Progress]) -> Vec<String> {
        let at = |after| DateTime::from_timestamp_millis(MIDNIGHT_MS + after).expect("an instant");
        unread(progress, &Profile::built_in(), TimeDelta::milliseconds(100), at(0), at(after_ms))
    }

    #[test]
    fn a_change_committed_after_midnight_proves_that_all_before_it_were_read() {
        assert_eq!(unread_at(5, &[progress(ROWS, Some(0), 1)]), [""; 0]);
        let waits = unread_at(5, &[progress(ROWS, Some(-1), 1)]);
        assert!(waits[0].contains("may still hold changes"), "{waits:?}");
    }

    #[test]
    fn a_silent_partition_is_read_once_the_quiet_period_after_midnight_is_over() {
        assert_eq!(unread_at(99, &[progress(ROWS, Some(-1), -5_000)]).len(), 1);
        assert_eq!(unread_at(100, &[progress(ROWS, Some(-1), -5_000)]), [""; 0]);
        assert_eq!(unread_at(100, &[progress(ROWS, None, 50)]).len(), 1);
        assert_eq!(unread_at(150, &[progress(ROWS, None, 50)]), [""; 0]);
    }

    #[test]
    fn silence_proves_nothing_while_heartbeats_are_missing() {
        let rows = progress(ROWS, Some(-1), -5_000);
        let waits = unread_at(500, &[rows.clone(), progress(HEARTBEATS, None, -1)]);
        assert!(waits[0].contains("no heartbeat of cluster"), "{waits:?}");
        assert_eq!(unread_at(500, &[rows, progress(HEARTBEATS, None, 0)]), [""; 0]);
    }
}
