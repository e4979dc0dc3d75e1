//! Projects the log into what is read: heads of accounts and adoptions, lines, sums and lists.
//!
//! A stream over pages is no order, so the event only wakes this function: it goes on from each shard's mark and reads
//! the pages itself. Whatever it does can be repeated, and two of it at once do no harm: a head takes a page only
//! if it stands before it.

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
        _event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let projected = self.projector.catch_up(context).await.map_err(|error| FunctionError {
                message: format!("the log could not be projected further: {error}"),
            })?;
            if projected.has_closed {
                let wake_up =
                    Message { body: json!({ "cause": "closed" }).to_string(), group: None, delay_s: None };
                context
                    .queues
                    .send(Queue::Closings, vec![wake_up])
                    .await
                    .map_err(|error| FunctionError { message: error.to_string() })?;
            }
            runtime::telemetry::Metrics::of(self.name())
                .count("PagesProjected", projected.pages)
                .count("AccountsWritten", projected.accounts)
                .emit(context.clock.now());
            Ok(json!({ "batchItemFailures": [] }))
        })
    }
}
