//! Closes business dates when an operator asks for it.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use domain::BusinessDate;
use domain::heads::Network;
use domain::log::{Command, CommandOutcome};
use domain::snapshot::Totals;
use store::inbox::{self, StoredCommand};

use crate::operators_log;
use crate::progress_line::ProgressLine;
use crate::stack::Stack;

/// How often progress is looked at while dates close.
const LOOK: Duration = Duration::from_millis(100);

/// What was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Business dates closed by this call.
    pub dates: u32,
    /// The last closed date; `None` while none is closed.
    pub last: Option<BusinessDate>,
    /// The first date on which anything is effective, where no date is closed.
    pub first: Option<BusinessDate>,
    /// What the last closed date ended with.
    pub totals: Option<Totals>,
}

/// Checks that dates up to `until` can be closed, before anything else is done.
///
/// # Errors
///
/// It says why not: the date has not begun, or a later one is closed already.
pub async fn check(stack: &Stack, until: BusinessDate) -> Result<()> {
    let zone = stack.settings.policy.business_time_zone();
    if let Some(today) = BusinessDate::at(stack.shared.clock.now(), zone) {
        ensure!(until <= today, "{until} cannot be closed: it has not begun, today is {today} in {zone}");
    }
    let closed = closed(network(stack).await?.as_ref());
    if let Some(last) = closed.filter(|last| *last > until) {
        bail!(
            "the ledger as of {until} cannot be shown: dates up to {last} are closed, and closes are not undone. \
             Replay into an empty directory with --as-of {until}"
        );
    }
    Ok(())
}

/// Closes every date up to this one that is not closed yet, and waits until all that follows is done.
///
/// The source counts as complete: what was read is all there is.
pub async fn close_until(stack: &Stack, until: BusinessDate, reason: &str) -> Result<Closed> {
    check(stack, until).await?;
    let before = closed(network(stack).await?.as_ref());
    let command = StoredCommand::new(
        operators_log::operator(),
        reason,
        Command::Close { until, source_is_complete: true },
    );
    let key = format!("close-{until}-{}", stack.shared.next_id());
    inbox::ask(stack.engine(), &key, &command).await?;
    let since = before.or(network(stack)
        .await?
        .and_then(|network| network.counts.effective_first)
        .map(BusinessDate::previous));
    tokio::select! {
        settled = stack.settle() => settled?,
        watched = watch(stack, since, until) => watched?,
    }
    if let Some(StoredCommand { answer: Some((CommandOutcome::Refused { reason }, _)), .. }) =
        inbox::command(stack.engine(), &key).await?
    {
        bail!("the close of {until} was refused: {reason}");
    }
    let network = network(stack).await?;
    let last = closed(network.as_ref());
    let first = network.as_ref().and_then(|network| network.counts.effective_first);
    if let Some((date, reasons)) = network.and_then(|network| network.close_waits) {
        bail!("the close of {date} waits: {}", reasons.join("; "));
    }
    let since = before.or(first.map(BusinessDate::previous));
    let dates = last.zip(since).map_or(0, |(last, since)| last.days_since_epoch() - since.days_since_epoch());
    let published = store::snapshots::latest(stack.engine()).await?;
    if published.as_ref().map(|manifest| manifest.date) != last {
        bail!(
            "the snapshot of {} is not published; the errors above say why",
            last.map_or_else(String::new, |last| last.to_string())
        );
    }
    Ok(Closed { dates, last, first, totals: published.map(|manifest| manifest.totals) })
}

/// Shows how many of the dates after `since` are closed, then how many are published, for as long as the work goes on.
async fn watch(stack: &Stack, since: Option<BusinessDate>, until: BusinessDate) -> Result<()> {
    let Some(since) = since.filter(|since| *since < until) else { return std::future::pending().await };
    let days =
        |date: BusinessDate| u64::from(date.days_since_epoch().saturating_sub(since.days_since_epoch()));
    let mut closing = Some(ProgressLine::new("close", "dates closed", days(until)));
    let mut publishing = ProgressLine::new("close", "dates published", days(until));
    loop {
        stack.shared.clock.sleep(LOOK).await;
        let closed = closed(network(stack).await?.as_ref()).map_or(0, days);
        if let Some(line) = &mut closing {
            line.set(closed, days(until));
            if closed == days(until) {
                closing = None;
            }
            continue;
        }
        let published = store::snapshots::latest(stack.engine()).await?;
        publishing.set(published.map_or(0, |manifest| days(manifest.date)), days(until));
    }
}

async fn network(stack: &Stack) -> Result<Option<Network>> {
    Ok(store::network::read(stack.engine()).await?)
}

fn closed(network: Option<&Network>) -> Option<BusinessDate> {
    Some(network?.closed.as_ref()?.terms.date)
}

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "business dates")?;
        match (self.last, self.first) {
            (Some(last), _) => {
                writeln!(formatter, "  closed       {:>12}   up to {last}", self.dates)?;
                let Some(totals) = &self.totals else { return Ok(()) };
                writeln!(formatter, "  network      {:>23}", totals.network.to_string())?;
                writeln!(formatter, "    users      {:>23}", totals.users.to_string())?;
                writeln!(formatter, "    system     {:>23}", totals.system.to_string())?;
                writeln!(formatter, "  rows         {:>12}", totals.rows)
            }
            (None, Some(first)) => {
                writeln!(
                    formatter,
                    "  none closed: what is posted becomes effective on {first} at the earliest"
                )
            }
            (None, None) => writeln!(formatter, "  none closed: no adoption is posted"),
        }
    }
}
