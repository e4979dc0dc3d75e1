//! Computes and publishes what each closed date ends with (rules, section 8).
//!
//! The close of a date is an entry of the log. This function finds the closes that have no snapshot, in their order,
//! and computes each date's state from the state of the date before and from pages of the log. Everything that it
//! puts follows from the log alone and is put once, so a computation that was ended anywhere is simply repeated, and
//! several at once do no harm. The manifest is put last: with it the date is published.
//!
//! - Reads: `Log`, `Ledger`, `Snapshots`.
//! - Writes: `Snapshots` (state, rows, manifest), `Ledger` (what begins and ends on a date, its mark).
//! - Sends to: `ClosingsQueue`.

mod changes;
mod publish;

use std::sync::Arc;

use domain::log::{Page, Position};
use domain::proof::Secret;
use domain::{AmountOverflow, BusinessDate, Versions};
use runtime::telemetry::Metrics;
use runtime::{Context, Function, FunctionError, Message, Queue, Settings};
use serde_json::{Value, json};
use store::dates::DateClose;
use store::{BoxFuture, Engine, StoreError, dates, snapshots};

use crate::publish::{Carried, Published};

/// Work is begun only while more than this is left of the invocation, in milliseconds.
const STEP_TAKES_MS: i64 = 2_000;
/// How many closes are looked for at once.
const CLOSES_AT_ONCE: usize = 100;

/// Returns the function.
pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    let versions = Versions::starting(&settings.policy_json)
        .map_err(|error| FunctionError { message: error.to_string() })?;
    if settings.proof_secret.is_none() {
        tracing::warn!("PROOF_SECRET is not set: the shares beside a proof can be guessed from it");
    }
    let secret = settings.proof_secret.clone().unwrap_or_else(|| Secret::new(Vec::new()));
    Ok(Arc::new(DailySnapshot { versions, secret }))
}

/// Runs the function on Lambda.
#[cfg(feature = "aws")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    runtime::aws::run("daily-snapshot", build)
}

struct DailySnapshot {
    versions: Versions,
    secret: Secret,
}

impl Function for DailySnapshot {
    fn name(&self) -> &'static str {
        "daily-snapshot"
    }

    fn handle<'a>(
        &'a self,
        _event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let failed = |error: SnapshotError| FunctionError {
                message: format!("the snapshots of closed dates could not go on: {error}"),
            };
            let done = self.go_on(context).await.map_err(failed)?;
            if done.is_interrupted {
                let body = json!({ "cause": "continue" }).to_string();
                let again = Message { body, group: None, delay_s: None };
                let sent = context.queues.send(Queue::Closings, vec![again]).await;
                sent.map_err(|error| FunctionError { message: error.to_string() })?;
            }
            Metrics::of(self.name())
                .count("DatesPublished", done.dates)
                .count("RowsPublished", done.rows)
                .count("SnapshotNegative", u64::from(done.is_negative))
                .emit(context.clock.now());
            Ok(json!({ "batchItemFailures": [] }))
        })
    }
}

/// What an invocation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Done {
    dates: u64,
    rows: u64,
    /// Whether a date waits because HEADQUARTERS' row would be below zero.
    is_negative: bool,
    /// Whether there is more to do, and no time for it.
    is_interrupted: bool,
}

impl DailySnapshot {
    async fn go_on(&self, context: &Context) -> Result<Done, SnapshotError> {
        let engine = &*context.engine;
        let time = Time(context);
        let mut done = Done::default();
        // What is found in the indexes includes every close that is found beside them.
        let indexed = loop {
            if !time.is_left() {
                return Ok(Done { is_interrupted: true, ..done });
            }
            let projected = dates::project(engine, self.versions.clone()).await?;
            if projected.is_at_end {
                break projected.position;
            }
        };
        let latest = snapshots::latest(engine).await?;
        let after = latest.as_ref().map(|latest| latest.date);
        let mut closes = closes_after(engine, after, indexed).await?;
        let Some(next) = closes.first() else { return Ok(done) };
        let waiting = snapshots::wait(engine).await?.filter(|wait| wait.date == next.date);
        if waiting.is_some_and(|wait| wait.looked_to >= indexed) {
            return Ok(Done { is_negative: true, ..done });
        }
        let versions = dates::versions(engine, self.versions.clone()).await?;
        let mut carried = Carried::load(engine, latest, versions, self.secret.clone()).await?;
        while !closes.is_empty() {
            for close in &closes {
                if !time.is_left() {
                    return Ok(Done { is_interrupted: true, ..done });
                }
                match carried.publish(engine, close, indexed, &time).await? {
                    Published::Done { rows } => {
                        done.dates += 1;
                        done.rows += rows;
                    }
                    Published::Negative(wait) => {
                        tracing::warn!(date = %wait.date, "NEGATIVE: HEADQUARTERS' row would be below zero");
                        snapshots::put_wait(engine, &wait).await?;
                        return Ok(Done { is_negative: true, ..done });
                    }
                    Published::Interrupted => return Ok(Done { is_interrupted: true, ..done }),
                }
            }
            let last = closes.last().map(|close| close.date);
            closes = closes_after(engine, last, indexed).await?;
        }
        if waiting.is_some() {
            snapshots::remove_wait(engine).await?;
        }
        Ok(done)
    }
}

/// How much of an invocation is left.
struct Time<'a>(&'a Context);

impl Time<'_> {
    fn is_left(&self) -> bool {
        (self.0.deadline - self.0.clock.now()).num_milliseconds() > STEP_TAKES_MS
    }
}

/// Why snapshots could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SnapshotError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Overflow(#[from] AmountOverflow),
    #[error("the page {0} of the log is missing")]
    PageMissing(Position),
    #[error("the close of {date} is not that of the day after {previous}")]
    OutOfSequence { date: BusinessDate, previous: BusinessDate },
}

/// Returns the next closes of dates after `after`.
///
/// A close that was indexed after `indexed` may be there before the pages that concern its date.
async fn closes_after(
    engine: &dyn Engine,
    after: Option<BusinessDate>,
    indexed: Position,
) -> Result<Vec<DateClose>, StoreError> {
    let mut closes = dates::closes_after(engine, after, CLOSES_AT_ONCE).await?;
    closes.retain(|close| close.position <= indexed);
    Ok(closes)
}

/// Reads pages of the log, all of which must be there.
async fn pages_at(engine: &dyn Engine, positions: &[Position]) -> Result<Vec<Page>, SnapshotError> {
    let pages = store::log::read_at(engine, positions.to_vec()).await?;
    match positions.get(pages.len()) {
        None => Ok(pages),
        Some(missing) => Err(SnapshotError::PageMissing(*missing)),
    }
}
