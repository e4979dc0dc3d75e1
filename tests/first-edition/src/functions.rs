//! The functions of the first edition as the bench calls functions.

use std::sync::Arc;

use first_adoption_distribution::Distributor;
use first_adoption_sequencer::Sequencer;
use first_cdc_ingest::Ingest;
use first_contribution_expiry::ContributionExpiry;
use first_daily_snapshot::DailySnapshot;
use first_ledger_stream::LedgerStream;
use first_talent_propagation::Propagator;
use ledger::environment::{Environment, Variables};
use model::bench::{Shared, WireClient};
use runtime::{Context, Function, FunctionError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::BoxFuture;

use crate::deployed::variable;
use crate::services::{Services, Within};

/// A function in an environment of its own.
struct Adapted {
    name: &'static str,
    world: WireClient,
    handler: Handler,
}

enum Handler {
    Ingest(Ingest),
    Sequencer(Sequencer),
    Distributor(Distributor),
    LedgerStream(LedgerStream),
    Expiry(ContributionExpiry),
    Snapshot(DailySnapshot),
    Talent(Propagator),
}

/// Returns what builds a function for an environment.
pub(crate) fn builder(name: &'static str) -> Arc<dyn Fn(&Shared) -> Arc<dyn Function> + Send + Sync> {
    Arc::new(move |shared: &Shared| {
        let world = WireClient::new(shared, name);
        let (tables, queues) = Services::new(world.clone()).clients();
        let environment = Environment::with_clients(tables, queues, Variables::new(variable))
            .expect("the settings of the deployment");
        Arc::new(Adapted { name, world, handler: handler(name, environment) })
    })
}

fn handler(name: &str, environment: Environment) -> Handler {
    let built = match name {
        "cdc-ingest" => Ingest::new(environment).map(Handler::Ingest),
        "adoption-sequencer" => Sequencer::new(environment).map(Handler::Sequencer),
        "adoption-distribution" => Distributor::new(environment).map(Handler::Distributor),
        "ledger-stream" => LedgerStream::new(environment).map(Handler::LedgerStream),
        "contribution-expiry" => ContributionExpiry::new(environment).map(Handler::Expiry),
        "daily-snapshot" => DailySnapshot::new(environment).map(Handler::Snapshot),
        "talent-propagation" => Propagator::new(environment).map(Handler::Talent),
        _ => unreachable!("the deployment names no other function"),
    };
    built.expect("the settings of the deployment")
}

impl Function for Adapted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(Within::new(self.world.clone(), self.handler.handle(event, context)))
    }
}

impl Handler {
    /// Does what `main` of each function does.
    async fn handle(&self, event: Value, context: &Context) -> Result<Value, FunctionError> {
        let clock = || context.clock.now();
        let deadline = context.deadline;
        match self {
            Self::Ingest(ingest) => answered(ingest.handle(read(event)?, clock()).await),
            Self::Sequencer(sequencer) => answered(sequencer.handle(clock, deadline).await.map_err(failed)?),
            Self::Distributor(distributor) => {
                answered(distributor.handle(read(event)?, clock, deadline).await)
            }
            Self::LedgerStream(stream) => answered(stream.handle(read(with_sizes(event))?, clock()).await),
            Self::Expiry(expiry) => {
                expiry.handle(read(as_scheduled(event))?, clock, deadline).await.map_err(failed)
            }
            Self::Snapshot(snapshot) => {
                snapshot.handle(read(as_scheduled(event))?, clock, deadline).await.map_err(failed)
            }
            Self::Talent(propagator) => {
                answered(propagator.handle(read(event)?, clock, deadline).await.map_err(failed)?)
            }
        }
    }
}

/// Returns the event of a schedule as the template's `Input` has it: empty.
fn as_scheduled(event: Value) -> Value {
    if event["source"] == "aws.scheduler" { json!({}) } else { event }
}

/// Returns an event of a stream with the sizes that the service gives, which the function reads and never uses.
fn with_sizes(mut event: Value) -> Value {
    for record in event["Records"].as_array_mut().into_iter().flatten() {
        record["dynamodb"]["SizeBytes"] = json!(0);
    }
    event
}

fn read<T: DeserializeOwned>(event: Value) -> Result<T, FunctionError> {
    serde_json::from_value(event).map_err(failed)
}

fn answered(answer: impl Serialize) -> Result<Value, FunctionError> {
    serde_json::to_value(answer).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> FunctionError {
    FunctionError { message: error.to_string() }
}
