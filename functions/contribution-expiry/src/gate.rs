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
            waits.extend(self.unread(&self.store.progress().await?, midnight, now));
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

    /// Partitions that may hold changes of earlier dates that were not read yet.
    ///
    /// A partition's records are in the order of their commits, so that a change committed after
    /// midnight proves that all before it were read. A partition without one is read to its end if it
    /// has been silent for the quiet period since midnight, provided that the connector is alive:
    /// where it sends heartbeats, one must have come since midnight.
    fn unread(&self, progress: &[Progress], midnight: DateTime<Utc>, now: DateTime<Utc>) -> Vec<String> {
        let midnight_ms = midnight.timestamp_millis();
        let quiet_ms = self.quiet_period.num_milliseconds();
        let of_rows = |progress: &&Progress| {
            let table = self.profile.tables().find(|(topic, _)| *topic == progress.topic);
            matches!(table, Some((_, Table::Referrals { .. } | Table::Adoptions { .. })))
        };
        let is_dead = |source: &str| {
            let mut heartbeats = progress
                .iter()
                .filter(|other| {
                    other.source == source
                        && other.counts.control > 0
                        && !self.profile.tables().any(|(topic, _)| topic == other.topic)
                })
                .peekable();
            heartbeats.peek().is_some() && heartbeats.all(|heartbeat| heartbeat.read_at_ms < midnight_ms)
        };
        let mut waits = Vec::new();
        for rows in progress.iter().filter(of_rows) {
            let Progress { source, topic, partition, .. } = rows;
            if rows.source_ts_ms.is_some_and(|committed_ms| committed_ms >= midnight_ms) {
                continue;
            }
            let silent_ms = now.timestamp_millis() - rows.read_at_ms.max(midnight_ms);
            if silent_ms < quiet_ms {
                waits.push(format!(
                    "partition {partition} of {topic} may still hold changes of earlier dates; it has been \
                     silent for {} of {quiet_ms} ms",
                    silent_ms.max(0)
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
        let task = self.store.next_task(tree).await?;
        Ok(task.map(|task| {
            format!("tree {tree} has reassessments to do, the next because of adoption {}", task.cause)
        }))
    }
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
