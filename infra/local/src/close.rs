//! Closing business dates on request.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::NaiveDate;
use ledger::queue::{CloseRequest, Release};
use ledger::rules::BusinessDate;
use ledger::store::{CloseState, DailySnapshotCreated};

use crate::stack::Stack;

/// How long a date may wait for the same things before nobody expects more to happen.
const WAITED_MAX: Duration = Duration::from_secs(20);
/// How often the functions are called as their schedules would.
const SCHEDULE: Duration = Duration::from_secs(1);
/// How often the state is looked at in between.
const LOOK: Duration = Duration::from_millis(50);

/// What was closed.
#[derive(Debug)]
pub struct Closed {
    /// Business dates closed by this call.
    pub dates: i64,
    /// The latest closed date's totals; `None` if no date is closed.
    pub latest: Option<DailySnapshotCreated>,
    elapsed: Duration,
}

/// Closes every date up to this one that is not closed yet.
pub async fn close_until(stack: &Stack, until: BusinessDate, release: Release) -> Result<Closed> {
    let started = Instant::now();
    let store = stack.store();
    let before = store.latest_closed_date().await?;
    let mut waiting: Option<(CloseState, Instant)> = None;
    let request = serde_json::to_value(CloseRequest { until: Some(until), release: Some(release) })?;
    let mut called: Option<Instant> = None;
    loop {
        if called.is_none_or(|called| called.elapsed() >= SCHEDULE) {
            // Whatever is under way is closed first; a failed call is repeated, as a schedule would.
            for (function, event) in [
                (&stack.functions.expiry, request.clone()),
                (&stack.functions.snapshot, serde_json::json!({})),
            ] {
                if let Err(error) = function.invoke(event).await {
                    tracing::warn!(function = function.logical_name, "an invocation failed: {error:#}");
                }
            }
            called = Some(Instant::now());
        }
        let Some(state) = store.latest_close().await? else {
            // Nothing was ever posted, so that there is nothing to close.
            return Ok(Closed { dates: 0, latest: None, elapsed: started.elapsed() });
        };
        if state.is_closed() && state.date >= until {
            let day_before = before.unwrap_or_else(|| state.first_date.previous());
            let dates = NaiveDate::from(state.date).signed_duration_since(day_before.into()).num_days();
            let latest = store.snapshot_totals(state.date).await?;
            return Ok(Closed { dates, latest, elapsed: started.elapsed() });
        }
        let has_moved = waiting.as_ref().is_none_or(|(before, _)| *before != state);
        match &waiting {
            Some((_, since)) if !has_moved && since.elapsed() > WAITED_MAX => {
                let reasons = state.waiting_for.join("; ");
                bail!("the close of {} does not go on in step {}: {reasons}", state.date, state.step.name());
            }
            _ if has_moved => waiting = Some((state, Instant::now())),
            _ => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(totals) = &self.latest else {
            return writeln!(
                formatter,
                "business dates\n  nothing was posted, so that there is nothing to close"
            );
        };
        writeln!(formatter, "business dates")?;
        writeln!(
            formatter,
            "  closed       {:>12}   in {:.1} s, up to {}",
            self.dates,
            self.elapsed.as_secs_f64(),
            totals.snapshot_date
        )?;
        writeln!(formatter, "  network      {:>23}", totals.network_total_contribution.to_string())?;
        writeln!(formatter, "    users      {:>23}", totals.user_total_contribution.to_string())?;
        writeln!(formatter, "    system     {:>23}", totals.system_total_contribution.to_string())?;
        writeln!(formatter, "  rows         {:>12}", totals.user_count + totals.system_account_count)
    }
}
