//! The Lambda entry point of `ledger-audit`.

use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::environment::Environment;
use ledger::telemetry;
use ledger_audit::Auditor;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let auditor = Auditor::new(Environment::of_process().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
        let deadline = event.context.deadline().into();
        let request = serde_json::from_value(event.payload)?;
        auditor.handle(request, Utc::now, deadline).await.map_err(Error::from)
    }))
    .await
}
