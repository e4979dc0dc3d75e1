//! Keeps the indexes that say what becomes active and what ends on a date, and asks for the close of a date that has
//! begun.
//!
//! Each minute it goes through the pages of the log since the last time. Then, where a date has begun in the business
//! time zone and the last closed date is before it, it asks the decider to close up to it. The decider says when: it
//! has the gate and the guard, and the close is its entry.
//!
//! - Reads: `Source`, `Log`, `Ledger`.
//! - Writes: `Ledger` (what begins and ends on a date, closes, versions, its mark), `Source` (the command to close).
//! - Sends to: `DecisionsQueue`, `ClosingsQueue`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::log::Command;
use domain::{BusinessDate, Versions};
use runtime::telemetry::Metrics;
use runtime::{Context, Function, FunctionError, Message, Queue, Settings};
use serde_json::{Value, json};
use store::inbox::StoredCommand;
use store::{BoxFuture, StoreError};

/// A run over pages of the log is begun only while more than this is left of the invocation, in milliseconds.
const RUN_TAKES_MS: i64 = 1_000;

/// Where an event says `false` under this name, no close is asked for: a replay closes the dates that its caller names.
const ASK_FOR_CLOSES: &str = "ask_for_closes";

/// Returns the function.
pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    let versions = Versions::starting(&settings.policy_json)
        .map_err(|error| FunctionError { message: error.to_string() })?;
    let first_date = settings.first_close_date.and_then(|date| date.try_into().ok());
    let zone = settings.policy.business_time_zone();
    Ok(Arc::new(ContributionExpiry { versions, zone, first_date }))
}

/// Runs the function on Lambda.
#[cfg(feature = "aws")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    runtime::aws::run("contribution-expiry", build)
}

struct ContributionExpiry {
    versions: Versions,
    zone: Tz,
    first_date: Option<BusinessDate>,
}

impl Function for ContributionExpiry {
    fn name(&self) -> &'static str {
        "contribution-expiry"
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let failed = |error: StoreError| FunctionError { message: error.to_string() };
            let indexed = self.index(context).await.map_err(failed)?;
            if indexed.has_closed {
                let body = json!({ "cause": "closed" }).to_string();
                send(context, Queue::Closings, Message { body, group: None, delay_s: None }).await?;
            }
            let now = context.clock.now();
            let latest = store::dates::latest_close(&*context.engine).await.map_err(failed)?;
            let closed = latest.map(|close| close.date);
            let may_ask = event.get(ASK_FOR_CLOSES) != Some(&Value::Bool(false));
            if let Some(today) = self.date_to_ask_for(now, closed).filter(|_| may_ask) {
                self.ask(today, context).await?;
            }
            Metrics::of(self.name())
                .count("PagesIndexed", indexed.pages)
                .count("CloseOverdueMinutes", self.overdue_minutes(now, closed))
                .emit(now);
            Ok(json!({ "batchItemFailures": [] }))
        })
    }
}

/// What was indexed.
#[derive(Debug, Clone, Copy, Default)]
struct Indexed {
    pages: u64,
    has_closed: bool,
}

impl ContributionExpiry {
    /// Takes the log into the indexes up to its end, or as far as the time of the invocation goes.
    async fn index(&self, context: &Context) -> Result<Indexed, StoreError> {
        let mut indexed = Indexed::default();
        while (context.deadline - context.clock.now()).num_milliseconds() > RUN_TAKES_MS {
            let projected = store::dates::project(&*context.engine, self.versions.clone()).await?;
            indexed.pages += projected.pages;
            indexed.has_closed |= projected.has_closed;
            if projected.is_at_end {
                break;
            }
        }
        Ok(indexed)
    }

    /// Returns the date up to which closes are to be asked for: today, unless it is closed.
    fn date_to_ask_for(&self, now: DateTime<Utc>, closed: Option<BusinessDate>) -> Option<BusinessDate> {
        let today = BusinessDate::at(now, self.zone)?;
        let first = self.first_date.is_none_or(|first| first <= today);
        (first && closed.is_none_or(|closed| closed < today)).then_some(today)
    }

    /// Asks the decider to close up to `today`, unless it knows that already.
    async fn ask(&self, today: BusinessDate, context: &Context) -> Result<(), FunctionError> {
        let failed = |error: StoreError| FunctionError { message: error.to_string() };
        let engine = &*context.engine;
        let idempotency_key = format!("close-{today}");
        let present = store::inbox::command(engine, &idempotency_key).await.map_err(failed)?;
        if present.is_some_and(|command| command.answer.is_some()) {
            // The decider has taken it in, and looks each minute whether it can close.
            return Ok(());
        }
        let command = StoredCommand::new(
            self.name(),
            "the date has begun",
            Command::Close { until: today, source_is_complete: false },
        );
        store::inbox::ask(engine, &idempotency_key, &command).await.map_err(failed)?;
        let body = json!({ "cause": "close" }).to_string();
        let id = format!("{idempotency_key}-{}", context.request_id);
        let wake_up = Message { body, group: Some(("decider".to_owned(), id)), delay_s: None };
        send(context, Queue::Decisions, wake_up).await
    }

    /// Returns for how many minutes the next date could have been closed; 0 before the first close.
    fn overdue_minutes(&self, now: DateTime<Utc>, closed: Option<BusinessDate>) -> u64 {
        let overdue = closed.map(|closed| (now - closed.next().begins_at(self.zone)).num_minutes());
        overdue.and_then(|minutes| u64::try_from(minutes).ok()).unwrap_or(0)
    }
}

async fn send(context: &Context, queue: Queue, message: Message) -> Result<(), FunctionError> {
    let sent = context.queues.send(queue, vec![message]).await;
    sent.map_err(|error| FunctionError { message: error.to_string() })
}
