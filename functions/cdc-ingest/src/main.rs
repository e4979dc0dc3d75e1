//! The Lambda entry point of `cdc-ingest`.

use cdc_ingest::Ingest;
use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::environment::Environment;
use ledger::telemetry;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let ingest = Ingest::new(Environment::of_process().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, Error>(ingest.handle(event.payload, Utc::now()).await)
    }))
    .await
}
