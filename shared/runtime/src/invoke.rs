//! One invocation of a function, by Lambda, by the local stack or by a test.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::Value;
use store::BoxFuture;

use crate::telemetry::Metrics;
use crate::{Context, Function, FunctionError};

/// Invokes `function` with `event`.
///
/// A panic becomes a failed invocation. A failure is logged and counted here, once, so that no caller
/// needs to.
///
/// # Errors
///
/// What the function returned, or what it panicked with.
pub async fn invoke(
    function: &dyn Function,
    event: Value,
    context: &Context,
) -> Result<Value, FunctionError> {
    let outcome = catch_panic(function, event, context).await.and_then(|outcome| outcome);
    if let Err(error) = &outcome {
        tracing::error!(
            function = function.name(),
            request_id = context.request_id,
            %error,
            "an invocation failed; its trigger will deliver the event again"
        );
        Metrics::of(function.name()).count("FailedInvocations", 1).emit(context.clock.now());
    }
    outcome
}

async fn catch_panic<'a>(
    function: &'a dyn Function,
    event: Value,
    context: &'a Context,
) -> Result<Result<Value, FunctionError>, FunctionError> {
    // What an invocation leaves half done is in the tables, where the next one looks. A function that keeps
    // a cache takes it out for the work and puts it back at the end, so a panic drops it.
    let caught = |panic| FunctionError { message: format!("it panicked: {}", panic_message(panic)) };
    let start = || function.handle(event, context);
    let mut work: BoxFuture<'a, _> = catch_unwind(AssertUnwindSafe(start)).map_err(caught)?;
    poll_fn(|task| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(task))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => std::task::Poll::Ready(Err(caught(panic))),
    })
    .await
}

fn panic_message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(message) => (*message).to_owned(),
            Err(_) => "with no message".to_owned(),
        },
    }
}

/// Builds a function from its settings, when its process starts.
pub type Builder = fn(&crate::Settings) -> Result<Arc<dyn Function>, FunctionError>;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::Utc;
    use store::MemoryEngine;

    use super::*;
    use crate::{MemoryQueues, SystemClock, telemetry};

    /// Answers numbers, and does with texts what they say.
    struct Example;

    impl Function for Example {
        fn name(&self) -> &'static str {
            "Example"
        }

        fn handle<'a>(
            &'a self,
            event: Value,
            context: &'a Context,
        ) -> BoxFuture<'a, Result<Value, FunctionError>> {
            assert_ne!(event, "panic before the first step");
            Box::pin(async move {
                context.clock.sleep(Duration::from_millis(1)).await;
                match event.as_str() {
                    Some("fail") => Err(FunctionError { message: "no such thing".to_owned() }),
                    Some(text) => panic!("no {text}"),
                    None => Ok(event),
                }
            })
        }
    }

    async fn outcome(event: &str) -> (Result<Value, FunctionError>, usize) {
        let context = Context {
            clock: Arc::new(SystemClock),
            deadline: Utc::now(),
            engine: Arc::new(MemoryEngine::default()),
            queues: Arc::new(MemoryQueues::default()),
            request_id: "1".to_owned(),
        };
        let event = serde_json::from_str(event).unwrap();
        let (outcome, metrics) = telemetry::keeping_metrics(invoke(&Example, event, &context)).await;
        (outcome, metrics.iter().filter(|line| line["FailedInvocations"] == 1.0).count())
    }

    #[tokio::test]
    async fn a_function_answers_or_fails_and_a_failure_is_counted() {
        assert_eq!(outcome("5").await, (Ok(Value::from(5)), 0));
        let failed = FunctionError { message: "no such thing".to_owned() };
        assert_eq!(outcome("\"fail\"").await, (Err(failed), 1));
    }

    #[tokio::test]
    async fn a_panic_is_a_failed_invocation() {
        let failed = FunctionError { message: "it panicked: no list".to_owned() };
        assert_eq!(outcome("\"list\"").await, (Err(failed), 1));
        let (early, count) = outcome("\"panic before the first step\"").await;
        assert!(early.unwrap_err().message.starts_with("it panicked: "));
        assert_eq!(count, 1);
    }
}
