//! The decider: takes in what was announced and puts the next pages of the log.
//!
//! One message group keeps it to one at a time. A second one, after a redelivery or in an environment that runs on
//! after its time, does no harm: the put of a page decides between them, and the one that loses throws away
//! everything it has in memory.
//!
//! - Reads: `Source`, `Log`, `Ledger`.
//! - Writes: `Log` (pages), `Source` (announcements that are in the log, answers of commands, rows that a truncate
//!   removes), `Ledger` (its checkpoint).
//! - Sends to: `DecisionsQueue`.

mod inputs;
mod session;
mod time;
mod truncates;

use std::sync::{Arc, Mutex, PoisonError};

use domain::Versions;
use domain::decide::Parameters;
use runtime::{Context, Function, FunctionError, Message, Queue, Settings};
use serde_json::{Value, json};
use store::BoxFuture;

use crate::session::{Deployment, Ended, Session};

pub use crate::truncates::STORING_TAKES_MS;

/// A failed wake-up comes again after so long, in seconds.
const COMES_AGAIN_AFTER_S: u32 = 0;

/// Returns the function.
pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    let versions = Versions::starting(&settings.policy_json)
        .map_err(|error| FunctionError { message: error.to_string() })?;
    let decisions = &settings.decisions;
    let milliseconds = |duration: std::time::Duration| {
        i64::try_from(duration.as_millis()).expect("settings keep durations below a day")
    };
    let parameters = Parameters {
        zone: settings.policy.business_time_zone(),
        settle_ms: milliseconds(decisions.settle),
        brake_adoptions: decisions.brake_adoptions.unwrap_or(u64::MAX),
        guard_factor: decisions.guard_factor,
        reorder_window_ms: milliseconds(decisions.reorder_window),
        first_date: settings.first_close_date.and_then(|date| date.try_into().ok()),
        page_bytes_max: decisions.page_bytes_max,
        ..Parameters::default()
    };
    Ok(Arc::new(AdoptionDistribution {
        deployment: Deployment {
            versions,
            parameters,
            shards: settings.account_shards,
            pages_ahead_max: decisions.pages_ahead_max,
        },
        decide_for_ms: milliseconds(decisions.decide_for),
        orders_partitions: settings.orders_partitions,
        kept: Mutex::new(None),
    }))
}

/// Runs the function on Lambda.
#[cfg(feature = "aws")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    runtime::aws::run("adoption-distribution", build)
}

struct AdoptionDistribution {
    deployment: Deployment,
    decide_for_ms: i64,
    orders_partitions: Option<i32>,
    /// What the invocation before had in memory: a function of the log, which only has grown since.
    kept: Mutex<Option<Session>>,
}

impl Function for AdoptionDistribution {
    fn name(&self) -> &'static str {
        "adoption-distribution"
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let decided = match self.decide(&event, context).await {
                Ok(ended) if ended.has_more => wake_again(context).await.map(|()| ended),
                decided => decided.map_err(|error| error.to_string()),
            };
            match decided {
                Ok(ended) => {
                    runtime::telemetry::Metrics::of(self.name())
                        .count("PagesPut", ended.pages)
                        .count("EntriesDecided", ended.entries)
                        .count("PagesLost", ended.lost)
                        .count("Braking", u64::from(ended.is_braking))
                        .count("CloseSuspicious", u64::from(ended.is_suspicious))
                        .count("PausedMinutes", ended.paused_minutes)
                        .emit(context.clock.now());
                    Ok(json!({ "batchItemFailures": [] }))
                }
                Err(error) => {
                    give_back(&event, context).await;
                    Err(FunctionError { message: format!("the log could not be continued: {error}") })
                }
            }
        })
    }
}

impl AdoptionDistribution {
    async fn decide(&self, event: &Value, context: &Context) -> Result<Ended, store::StoreError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut session = match kept {
            Some(session) => session,
            None => Session::open(context, self.deployment.clone()).await?,
        };
        let time = time::TimeSource::of(event, context);
        let end_ms = context.clock.now().timestamp_millis() + self.decide_for_ms;
        // A session that failed is dropped: its memory may differ from the log.
        let mut ended = session.decide_until(context, &time, end_ms, self.orders_partitions).await?;
        ended.has_more |= truncates::sweep(context, session.network()).await?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        Ok(ended)
    }
}

/// Wakes the decider once more: what is left to do is not due later, the time of this invocation was too short.
async fn wake_again(context: &Context) -> Result<(), String> {
    let id = format!("{}#more", context.request_id);
    let wake_up = Message {
        body: json!({ "cause": "adoption-distribution", "invocation": context.request_id }).to_string(),
        group: Some(("decider".to_owned(), id)),
        delay_s: None,
    };
    context.queues.send(Queue::Decisions, vec![wake_up]).await.map_err(|error| error.to_string())
}

/// Makes the messages of a failed event visible again at once: nothing else would for the visibility timeout.
async fn give_back(event: &Value, context: &Context) {
    let messages = event.get("Records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for message in messages {
        let Some(handle) = message.get("receiptHandle").and_then(Value::as_str) else { continue };
        let given_back =
            context.queues.change_visibility(Queue::Decisions, handle.to_owned(), COMES_AGAIN_AFTER_S).await;
        if let Err(error) = given_back {
            let message_id = message.get("messageId").and_then(Value::as_str).unwrap_or_default();
            tracing::warn!(message_id, %error, "a wake-up comes again only after its visibility timeout");
        }
    }
}
