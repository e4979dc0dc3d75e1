//! Projects the log into what is read: heads of accounts and adoptions, lines, sums and lists.
//!
//! A stream does not deliver pages in order, so the event only wakes this function: it goes on from each shard's mark
//! and reads the pages itself. Whatever it does can be repeated, and two of it at once do no harm: a head takes a page
//! only if it stands before it.
//!
//! - Reads: `Log`, `Ledger`.
//! - Writes: `Ledger` (heads, lines and books of them, sums, lists, closes, marks).
//! - Sends to: `TalentQueue`, `ClosingsQueue`.

mod project;
mod run;

use std::sync::Arc;

use domain::Versions;
use runtime::{Context, Function, FunctionError, Message, Queue, Settings};
use serde_json::{Value, json};
use store::BoxFuture;

pub use project::{Projected, Projector};

/// Returns the function.
pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    let versions = Versions::starting(&settings.policy_json)
        .map_err(|error| FunctionError { message: error.to_string() })?;
    Ok(Arc::new(LedgerStream { projector: Projector::new(settings.account_shards, versions) }))
}

/// Runs the function on Lambda.
#[cfg(feature = "aws")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    runtime::aws::run("ledger-stream", build)
}

struct LedgerStream {
    projector: Projector,
}

impl Function for LedgerStream {
    fn name(&self) -> &'static str {
        "ledger-stream"
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let projected = self.projector.catch_up(context).await.map_err(|error| FunctionError {
                message: format!("the log could not be projected further: {error}"),
            })?;
            if projected.has_closed {
                wake(context, Queue::Closings, &json!({ "cause": "closed" })).await?;
            }
            if projected.concerns_talent {
                wake(context, Queue::Talent, &json!("log")).await?;
            }
            runtime::telemetry::Metrics::of(self.name())
                .count("PagesProjected", projected.pages)
                .count("AccountsWritten", projected.accounts)
                .emit(context.clock.now());
            Ok(if projected.has_more { not_done(&event) } else { json!({ "batchItemFailures": [] }) })
        })
    }
}

async fn wake(context: &Context, queue: Queue, body: &Value) -> Result<(), FunctionError> {
    let message = Message { body: body.to_string(), group: None, delay_s: None };
    let sent = context.queues.send(queue, vec![message]).await;
    sent.map_err(|error| FunctionError { message: error.to_string() })
}

/// Returns the answer by which the stream delivers its records again at once: pages are left that nothing else may
/// wake this function for. Events of a schedule have no records; the next one is a minute away.
fn not_done(event: &Value) -> Value {
    let first = event.pointer("/Records/0/dynamodb/SequenceNumber");
    let failures: Vec<Value> = first.iter().map(|number| json!({ "itemIdentifier": number })).collect();
    json!({ "batchItemFailures": failures })
}
