//! `contribution status`.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use store::{inbox, marks, network, progress};

use super::{show, unless_stopped};
use crate::arguments;
use crate::stack::Stack;

/// Announcements counted at most.
const ANNOUNCEMENTS_COUNTED_MAX: usize = 1_000;

/// How far a ledger is.
#[derive(Debug, Serialize)]
struct Status {
    /// The last page of the log.
    position: u64,
    /// The last page that every head includes.
    projected: u64,
    /// Announcements that are not decided, a thousand at most.
    announcements: usize,
    posted: u64,
    posted_total: String,
    held: u64,
    /// Orders that wait for their price.
    unpriced: usize,
    /// Withdrawals that wait.
    waiting: u64,
    closed: Option<String>,
    /// What the next close waits for.
    close_waits_for: Vec<String>,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Partition {
    source: String,
    topic: String,
    number: i32,
    next_offset: Option<i64>,
    in_snapshot: bool,
    read_through_ms: Option<i64>,
    quarantined: u64,
}

/// Shows how far a ledger is, as it stands: nothing is worked on.
pub(super) async fn show_status(arguments: arguments::Status) -> Result<()> {
    let stack = Stack::start(&arguments.kept.options()?)?;
    unless_stopped(Some(&arguments.kept.data), async {
        let status = read(&stack).await?;
        if arguments.json {
            return show(&serde_json::to_string_pretty(&status)?);
        }
        show(&status)
    })
    .await
}

async fn read(stack: &Stack) -> Result<Status> {
    let engine = stack.engine();
    let network = network::read(engine).await?;
    let counts = network.as_ref().map(|network| network.counts.clone()).unwrap_or_default();
    let partitions = progress::read(engine).await?.into_iter().map(|progress| Partition {
        read_through_ms: progress.read_through_ms(),
        source: progress.name.source,
        topic: progress.name.topic,
        number: progress.name.partition,
        next_offset: progress.next_offset,
        in_snapshot: progress.in_snapshot,
        quarantined: progress.counts.quarantined,
    });
    Ok(Status {
        position: network.as_ref().map_or(0, |network| network.position),
        projected: marks::read(engine).await?.heads(stack.settings.account_shards),
        announcements: inbox::read(engine, ANNOUNCEMENTS_COUNTED_MAX).await?.0.len(),
        posted: counts.posted,
        posted_total: counts.posted_total.to_string(),
        held: counts.held.values().sum(),
        unpriced: network.as_ref().map_or(0, |network| network.unpriced.len()),
        waiting: counts.orders_waiting + counts.uplines_waiting,
        closed: network
            .as_ref()
            .and_then(|network| network.closed.as_ref())
            .map(|closed| closed.terms.date.to_string()),
        close_waits_for: network
            .and_then(|network| network.close_waits)
            .map(|(_, reasons)| reasons)
            .unwrap_or_default(),
        partitions: partitions.collect(),
    })
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = self.position - self.projected.min(self.position);
        writeln!(
            formatter,
            "log\n  pages        {:>12}   balances are {behind} pages behind",
            self.position
        )?;
        writeln!(formatter, "  to decide    {:>12}   announcements", self.announcements)?;
        writeln!(
            formatter,
            "adoptions\n  posted       {:>12}\n  total        {:>23}",
            self.posted, self.posted_total
        )?;
        writeln!(formatter, "  held         {:>12}\n  without price{:>12}", self.held, self.unpriced)?;
        writeln!(formatter, "  withdrawals  {:>12}   that wait", self.waiting)?;
        writeln!(
            formatter,
            "business dates\n  closed up to {:>12}",
            self.closed.as_deref().unwrap_or("none")
        )?;
        for reason in &self.close_waits_for {
            writeln!(formatter, "  waits for {reason}")?;
        }
        writeln!(formatter, "source")?;
        for partition in &self.partitions {
            let next =
                partition.next_offset.map_or_else(|| "not begun".to_owned(), |next| format!("next {next}"));
            let snapshot = if partition.in_snapshot { ", in a snapshot" } else { "" };
            writeln!(formatter, "  {}-{}: {next}{snapshot}", partition.topic, partition.number)?;
        }
        Ok(())
    }
}
