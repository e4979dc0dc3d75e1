//! The functions, invoked as Lambda invokes them: with an event as JSON, answered as JSON.

use std::sync::Arc;
use std::time::Duration;

use adoption_distribution::Distributor;
use adoption_sequencer::Sequencer;
use anyhow::{Context, Result};
use cdc_ingest::Ingest;
use chrono::{DateTime, TimeDelta, Utc};
use contribution_expiry::ContributionExpiry;
use daily_snapshot::DailySnapshot;
use futures::FutureExt;
use futures::future::BoxFuture;
use ledger::environment::{Environment, Variables};
use ledger::store::Meter;
use ledger_audit::Auditor;
use ledger_stream::LedgerStream;
use query_api::QueryApi;
use serde_json::Value;
use talent_propagation::Propagator;

use crate::calls::Calls;
use crate::endpoints::Clients;
use crate::resources::Created;
use crate::template::Template;

/// How long an invocation may take here.
const INVOCATION_TIME: TimeDelta = TimeDelta::minutes(5);

/// A function of the template.
#[derive(Clone)]
pub struct Function {
    /// Its name in the template.
    pub logical_name: &'static str,
    /// What its storage calls cost.
    pub meter: Meter,
    invoke: Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value>> + Send + Sync>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.logical_name)
    }
}

impl Function {
    /// Invokes the function. A panic is a failed invocation, as with the Lambda runtime.
    pub async fn invoke(&self, event: Value) -> Result<Value> {
        match std::panic::AssertUnwindSafe((self.invoke)(event)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(_) => anyhow::bail!("{} panicked", self.logical_name),
        }
    }
}

/// All functions of the template, each with an environment of its own.
#[derive(Debug, Clone)]
pub struct Functions {
    /// `CdcIngest`.
    pub ingest: Function,
    /// `AdoptionSequencer`.
    pub sequencer: Function,
    /// `AdoptionDistribution`.
    pub distributor: Function,
    /// `LedgerAudit`.
    pub audit: Function,
    /// `ContributionExpiry`.
    pub expiry: Function,
    /// `DailySnapshot`.
    pub snapshot: Function,
    /// `LedgerStream`.
    pub stream: Function,
    /// `QueryApi`.
    pub query: Function,
    /// `TalentPropagation`.
    pub propagator: Function,
}

impl Functions {
    /// Builds every function as its process would on AWS. Their calls are noted in `calls`, if asked for.
    pub fn new(
        template: &Template,
        clients: &Clients,
        created: &Created,
        calls: Option<&Calls>,
    ) -> Result<Self> {
        let environment = |function: &str| {
            let noting = calls.map(|calls| calls.noting(clients, function));
            environment(template, noting.as_ref().unwrap_or(clients), created, function)
        };

        let of_ingest = environment("CdcIngest")?;
        let ingest_meter = of_ingest.store.meter().clone();
        let ingest = Arc::new(Ingest::new(of_ingest)?);
        let of_sequencer = environment("AdoptionSequencer")?;
        let sequencer_meter = of_sequencer.store.meter().clone();
        let sequencer = Arc::new(Sequencer::new(of_sequencer)?);
        let of_distributor = environment("AdoptionDistribution")?;
        let distributor_meter = of_distributor.store.meter().clone();
        let distributor = Arc::new(Distributor::new(of_distributor)?);
        let of_audit = environment("LedgerAudit")?;
        let audit_meter = of_audit.store.meter().clone();
        let audit = Arc::new(Auditor::new(of_audit)?);
        let of_expiry = environment("ContributionExpiry")?;
        let expiry_meter = of_expiry.store.meter().clone();
        let expiry = Arc::new(ContributionExpiry::new(of_expiry)?);
        let of_snapshot = environment("DailySnapshot")?;
        let snapshot_meter = of_snapshot.store.meter().clone();
        let snapshot = Arc::new(DailySnapshot::new(of_snapshot)?);
        let of_stream = environment("LedgerStream")?;
        let stream_meter = of_stream.store.meter().clone();
        let stream = Arc::new(LedgerStream::new(of_stream)?);
        let of_query = environment("QueryApi")?;
        let query_meter = of_query.store.meter().clone();
        let query = Arc::new(QueryApi::new(of_query)?);
        let of_propagator = environment("TalentPropagation")?;
        let propagator_meter = of_propagator.store.meter().clone();
        let propagator = Arc::new(Propagator::new(of_propagator)?);
        Ok(Self {
            expiry: function("ContributionExpiry", expiry_meter, move |event| {
                let expiry = Arc::clone(&expiry);
                async move {
                    let event = serde_json::from_value(event).context("not an event of SQS or a schedule")?;
                    Ok(expiry.handle(event, Utc::now, deadline()).await?)
                }
            }),
            snapshot: function("DailySnapshot", snapshot_meter, move |event| {
                let snapshot = Arc::clone(&snapshot);
                async move {
                    let event = serde_json::from_value(event).context("not an event of SQS or a schedule")?;
                    Ok(snapshot.handle(event, Utc::now, deadline()).await?)
                }
            }),
            ingest: function("CdcIngest", ingest_meter, move |event| {
                let ingest = Arc::clone(&ingest);
                async move {
                    let event = serde_json::from_value(event).context("not an event of Kafka")?;
                    Ok(serde_json::to_value(ingest.handle(event, Utc::now()).await)?)
                }
            }),
            sequencer: function("AdoptionSequencer", sequencer_meter, move |_| {
                let sequencer = Arc::clone(&sequencer);
                async move { Ok(serde_json::to_value(sequencer.handle(Utc::now, deadline()).await?)?) }
            }),
            distributor: function("AdoptionDistribution", distributor_meter, move |event| {
                let distributor = Arc::clone(&distributor);
                async move {
                    let event = serde_json::from_value(event).context("not an event of SQS")?;
                    Ok(serde_json::to_value(distributor.handle(event, Utc::now, deadline()).await)?)
                }
            }),
            audit: function("LedgerAudit", audit_meter, move |event| {
                let audit = Arc::clone(&audit);
                async move {
                    let request = serde_json::from_value(event).context("not a request for an audit")?;
                    Ok(serde_json::to_value(audit.handle(request, Utc::now, deadline()).await?)?)
                }
            }),
            stream: function("LedgerStream", stream_meter, move |event| {
                let stream = Arc::clone(&stream);
                async move {
                    let event = serde_json::from_value(event).context("not an event of a table's stream")?;
                    Ok(serde_json::to_value(stream.handle(event, Utc::now()).await)?)
                }
            }),
            query: function("QueryApi", query_meter, move |event| {
                let query = Arc::clone(&query);
                async move {
                    let event = serde_json::from_value(event).context("not an event of an HTTP API")?;
                    Ok(serde_json::to_value(query.handle(event, Utc::now()).await)?)
                }
            }),
            propagator: function("TalentPropagation", propagator_meter, move |event| {
                let propagator = Arc::clone(&propagator);
                async move {
                    let event = serde_json::from_value(event).context("not an event of SQS or a schedule")?;
                    Ok(serde_json::to_value(propagator.handle(event, Utc::now, deadline()).await?)?)
                }
            }),
        })
    }

    /// Every function that the stack invokes by itself. The daily audit is not among them: here it
    /// runs when somebody asks for it.
    #[must_use]
    pub fn all(&self) -> [&Function; 8] {
        [
            &self.ingest,
            &self.sequencer,
            &self.distributor,
            &self.expiry,
            &self.snapshot,
            &self.stream,
            &self.query,
            &self.propagator,
        ]
    }
}

/// What a function of the template is given to work with.
pub fn environment(
    template: &Template,
    clients: &Clients,
    created: &Created,
    function: &str,
) -> Result<Environment> {
    let variables = template.variables(function, created)?;
    let variables = Variables::new(move |name| variables.get(name).cloned());
    let environment = Environment::with_clients(clients.dynamodb.clone(), clients.sqs.clone(), variables)?;
    Ok(environment)
}

fn function<F, O>(logical_name: &'static str, meter: Meter, invoke: F) -> Function
where
    F: Fn(Value) -> O + Send + Sync + 'static,
    O: Future<Output = Result<Value>> + Send + 'static,
{
    Function { logical_name, meter, invoke: Arc::new(move |event| invoke(event).boxed()) }
}

fn deadline() -> DateTime<Utc> {
    Utc::now() + INVOCATION_TIME
}

/// A pause between two attempts at what failed.
pub const RETRY_PAUSE: Duration = Duration::from_millis(500);
