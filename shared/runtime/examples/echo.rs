//! A function that answers with its event, as every function of the ledger is built.

use std::process::ExitCode;
use std::sync::Arc;

use runtime::{Context, Function, FunctionError, Settings};
use serde_json::{Value, json};
use store::BoxFuture;

struct Echo;

impl Function for Echo {
    fn name(&self) -> &'static str {
        "Echo"
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            match event.as_str() {
                Some("panic") => panic!("as it was asked to"),
                Some("fail") => Err(FunctionError { message: "as it was asked to".to_owned() }),
                _ => Ok(json!({ "event": event, "request_id": context.request_id })),
            }
        })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a function may find its settings wrong; this one has none")]
fn build(_: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    Ok(Arc::new(Echo))
}

fn main() -> ExitCode {
    runtime::aws::run("Echo", build)
}
