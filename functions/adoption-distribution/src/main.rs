//! The Lambda entry point of `adoption-distribution`.

use adoption_distribution::Distributor;
use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::environment::Environment;
use ledger::telemetry;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let distributor = Distributor::new(Environment::of_process().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        let deadline = event.context.deadline().into();
        Ok::<_, Error>(distributor.handle(event.payload, Utc::now, deadline).await)
    }))
    .await
}
