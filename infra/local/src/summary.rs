//! What a replay did, for a person to read.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Result;
use domain::heads::Counts as NetworkCounts;
use store::network;
use store::progress::{self, Counts};
use store::quarantine::{self, Quarantined};

use crate::stack::Stack;

/// Quarantined records listed one by one; more are only counted.
const QUARANTINED_LISTED_MAX: usize = 20;

/// What a replay did.
#[derive(Debug)]
pub struct Summary {
    counts: Counts,
    network: NetworkCounts,
    quarantined: BTreeMap<String, usize>,
    quarantined_first: Vec<Quarantined>,
    given_up: BTreeMap<String, usize>,
    /// Adoptions that this run posted, and how long it took.
    posted: u64,
    elapsed: Duration,
}

impl Summary {
    /// Reads what there is to say. `posted_before` are the adoptions that were posted before this run.
    pub async fn read(stack: &Stack, posted_before: u64, elapsed: Duration) -> Result<Self> {
        let engine = stack.engine();
        let mut counts = Counts::default();
        for progress in progress::read(engine).await? {
            counts.add(progress.counts);
        }
        let mut summary = Self {
            counts,
            network: network::read(engine).await?.map(|network| network.counts).unwrap_or_default(),
            quarantined: BTreeMap::new(),
            quarantined_first: Vec::new(),
            given_up: stack.shared.queues.given_up(),
            posted: 0,
            elapsed,
        };
        summary.posted = summary.network.posted.saturating_sub(posted_before);
        let mut after = None;
        loop {
            let (records, next) = quarantine::read(engine, after, 1_000).await?;
            for record in records {
                *summary.quarantined.entry(record.code.clone()).or_default() += 1;
                if summary.quarantined_first.len() < QUARANTINED_LISTED_MAX {
                    summary.quarantined_first.push(record);
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(summary),
            }
        }
    }
}

/// Returns how many adoptions are posted.
pub async fn posted(stack: &Stack) -> Result<u64> {
    Ok(network::read(stack.engine()).await?.map_or(0, |network| network.counts.posted))
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_records(formatter)?;
        writeln!(formatter, "adoptions")?;
        writeln!(formatter, "  posted       {:>12}", self.network.posted)?;
        writeln!(formatter, "  total        {:>23}", self.network.posted_total.to_string())?;
        writeln!(formatter, "  held         {:>12}", self.network.held.values().sum::<u64>())?;
        for (reason, count) in self.network.held.iter().filter(|(_, count)| **count > 0) {
            writeln!(formatter, "    {reason:<28} {count:>6}")?;
        }
        if self.network.corrections + self.network.withdrawals > 0 {
            let NetworkCounts { corrections, withdrawals, .. } = self.network;
            writeln!(formatter, "  corrected    {corrections:>12}   taken back {withdrawals}")?;
        }
        for (queue, count) in &self.given_up {
            writeln!(
                formatter,
                "  GIVEN UP: {count} messages in {queue}; their functions' errors are above"
            )?;
        }
        if self.posted > 0 {
            self.write_speed(formatter)?;
        }
        Ok(())
    }
}

impl Summary {
    fn write_records(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { applied, duplicated, older, ambiguous, control, quarantined } = self.counts;
        let received = applied + duplicated + older + ambiguous + control + quarantined;
        writeln!(formatter, "records")?;
        writeln!(formatter, "  received     {received:>12}")?;
        writeln!(formatter, "  applied      {applied:>12}")?;
        writeln!(formatter, "  duplicated   {duplicated:>12}")?;
        if older + ambiguous > 0 {
            writeln!(formatter, "  older        {older:>12}")?;
            writeln!(formatter, "  ambiguous    {ambiguous:>12}   compare these with the source")?;
        }
        writeln!(formatter, "  control      {control:>12}   tombstones, heartbeats")?;
        writeln!(formatter, "  quarantined  {quarantined:>12}")?;
        for (reason, count) in &self.quarantined {
            writeln!(formatter, "    {reason:<28} {count:>6}")?;
        }
        for Quarantined { name, offset, code, message, .. } in &self.quarantined_first {
            writeln!(formatter, "    {}-{} @{offset}: {code}: {message}", name.topic, name.partition)?;
        }
        let listed = self.quarantined_first.len();
        match self.quarantined.values().sum::<usize>().saturating_sub(listed) {
            0 => Ok(()),
            more => writeln!(formatter, "    and {more} more"),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count for reading, far below 2^52")]
    fn write_speed(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let speed = self.posted as f64 / seconds;
        writeln!(formatter, "speed")?;
        writeln!(formatter, "  posted       {:>12}   in {seconds:.2} s, {speed:.0} a second", self.posted)
    }
}
