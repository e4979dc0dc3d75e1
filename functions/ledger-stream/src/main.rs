//! The Lambda entry point of `ledger-stream`.

use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::environment::Environment;
use ledger::telemetry;
use ledger_stream::LedgerStream;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let stream = LedgerStream::new(Environment::of_process().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, Error>(stream.handle(event.payload, Utc::now()).await)
    }))
    .await
}
