//! The Lambda entry point of `adoption-sequencer`.

use adoption_sequencer::Sequencer;
use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ledger::environment::Environment;
use ledger::telemetry;

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let sequencer = Sequencer::new(Environment::of_process().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
        // Whatever wakes it, a tick or the schedule, there is nothing in the event to read.
        let deadline = event.context.deadline();
        sequencer.handle(Utc::now, deadline.into()).await.map_err(Error::from)
    }))
    .await
}
