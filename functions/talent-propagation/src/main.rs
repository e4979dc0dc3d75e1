//! The Lambda entry point of `talent-propagation`.

use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::environment::Environment;
use ledger::telemetry;
use talent_propagation::Propagator;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let propagator = Propagator::new(Environment::of_process().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        let deadline = event.context.deadline().into();
        Ok::<_, Error>(propagator.handle(event.payload, Utc::now, deadline).await?)
    }))
    .await
}
