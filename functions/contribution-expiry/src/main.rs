//! The Lambda entry point of `contribution-expiry`.

use chrono::Utc;
use contribution_expiry::ContributionExpiry;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::closing::CloseEvent;
use ledger::environment::Environment;
use ledger::telemetry;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let function = ContributionExpiry::new(Environment::of_process().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<CloseEvent>| {
        let deadline = event.context.deadline().into();
        function.handle(event.payload, Utc::now, deadline).await.map_err(Error::from)
    }))
    .await
}
