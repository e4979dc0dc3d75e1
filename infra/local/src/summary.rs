//! What a replay did, for a person to read.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Result;
use ledger::rules::{Amount, OrderId, Policy};
use ledger::store::{Cost, Counts, Quarantined, Store};

use crate::export::is_distributed;
use crate::stack::{Backlog, Stack};

/// Quarantined records listed one by one; more are only counted.
const QUARANTINED_LISTED_MAX: usize = 20;

/// What a replay did.
#[derive(Debug)]
pub struct Summary {
    counts: Counts,
    held: BTreeMap<&'static str, usize>,
    quarantined: Vec<Quarantined>,
    distributed: usize,
    /// `None` if it needs more than 18 integer digits, which no account's total did.
    distributed_total: Option<Amount>,
    stopped: Vec<(String, String)>,
    cost: Cost,
    elapsed: Duration,
    posted: u64,
}

impl Summary {
    /// Reads what there is to say. `posted` are the adoptions this run added, in `elapsed`.
    pub async fn read(stack: &Stack, distributed_before: usize, elapsed: Duration) -> Result<Self> {
        let store = stack.store();
        let mut counts = Counts::default();
        for progress in store.progress().await? {
            counts.add(progress.counts);
        }
        let mut held = BTreeMap::new();
        for adoption in store.held().await? {
            *held.entry(adoption.reason.name()).or_default() += 1;
        }
        let (distributed, distributed_total) = distributed(store, &stack.environment().policy).await?;
        let trees = store.outstanding_trees().await?;
        let stopped =
            trees.into_iter().filter_map(|tree| Some((tree.tree.to_string(), tree.stopped?))).collect();
        Ok(Self {
            counts,
            held,
            quarantined: store.quarantined().await?,
            distributed,
            distributed_total,
            stopped,
            cost: stack.functions.distributor.meter.cost(),
            elapsed,
            posted: distributed.saturating_sub(distributed_before) as u64,
        })
    }
}

/// How many adoptions are distributed, and their total, if it fits an amount.
pub async fn distributed(store: &Store, policy: &Policy) -> Result<(usize, Option<Amount>)> {
    let mut count = 0;
    let mut total = Some(Amount::ZERO);
    for record in store.adoptions_from(OrderId::MIN).await? {
        if let Some(row) = record.row.as_ref().filter(|_| is_distributed(&record, policy)) {
            count += 1;
            let price = row.contribution_per_tree.unwrap_or_default();
            let of_adoption = price.times(row.tree_count.get())?;
            total = total.and_then(|total| total.checked_add(of_adoption).ok());
        }
    }
    Ok((count, total))
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { applied, duplicated, control, quarantined } = self.counts;
        writeln!(formatter, "records")?;
        writeln!(formatter, "  received     {:>12}", self.counts.received())?;
        writeln!(formatter, "  applied      {applied:>12}")?;
        writeln!(formatter, "  duplicated   {duplicated:>12}")?;
        writeln!(formatter, "  control      {control:>12}   tombstones, heartbeats")?;
        writeln!(formatter, "  quarantined  {quarantined:>12}")?;
        for (reason, count) in self.quarantined_by_reason() {
            writeln!(formatter, "    {reason:<28} {count:>6}")?;
        }
        for refused in self.quarantined.iter().take(QUARANTINED_LISTED_MAX) {
            let position = &refused.position;
            writeln!(
                formatter,
                "    {}-{} @{}: {}: {}",
                position.topic, position.partition, position.offset, refused.reason, refused.message
            )?;
        }
        if let Some(more) =
            self.quarantined.len().checked_sub(QUARANTINED_LISTED_MAX).filter(|more| *more > 0)
        {
            writeln!(formatter, "    and {more} more")?;
        }
        writeln!(formatter, "adoptions")?;
        writeln!(formatter, "  distributed  {:>12}", self.distributed)?;
        let total =
            self.distributed_total.map_or_else(|| "over 18 digits".to_owned(), |total| total.to_string());
        writeln!(formatter, "  total        {total:>23}")?;
        writeln!(formatter, "  held         {:>12}", self.held.values().sum::<usize>())?;
        for (reason, count) in &self.held {
            writeln!(formatter, "    {reason:<28} {count:>6}")?;
        }
        for (tree, reason) in &self.stopped {
            writeln!(formatter, "  STOPPED tree {tree}: {reason}")?;
        }
        if self.posted > 0 {
            self.write_cost(formatter)?;
        }
        Ok(())
    }
}

impl Summary {
    fn quarantined_by_reason(&self) -> BTreeMap<&str, usize> {
        let mut by_reason = BTreeMap::new();
        for refused in &self.quarantined {
            *by_reason.entry(refused.reason.as_str()).or_default() += 1;
        }
        by_reason
    }

    /// What the distribution cost, in all and for each adoption of this run.
    #[expect(clippy::cast_precision_loss, reason = "counts are for reading, and far below 2^52")]
    fn write_cost(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let posted = self.posted as f64;
        let mut line = |name: &str, value: f64| {
            writeln!(formatter, "  {name:<24} {value:>14.1} {:>10.3} per adoption", value / posted)
        };
        let cost = self.cost;
        line("service calls", cost.calls as f64)?;
        line("sequential round trips", cost.round_trips as f64)?;
        line("write units", cost.write_units)?;
        line("read units", cost.read_units)?;
        let seconds = self.elapsed.as_secs_f64();
        writeln!(
            formatter,
            "speed\n  {} adoptions in {seconds:.1} s, {:.0} adoptions/s from the first record to the last posting",
            self.posted,
            posted / seconds
        )
    }
}

/// One line about what is left.
#[must_use]
pub fn backlog_line(backlog: &Backlog) -> String {
    let Backlog { staged, trees, stream_records, .. } = backlog;
    format!("{staged} adoptions to release, {trees} trees at work, {stream_records} changes to publish")
}
