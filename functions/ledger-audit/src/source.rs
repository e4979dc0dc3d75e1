//! Compares the source's tables with the ledger's rows, where the deployment is given a connection to the source.
//!
//! It asks the source's PostgreSQL server over the network, and only reads, on both sides. What differs
//! is named in the log and counted; whether the ledger then takes in what the source has is a person's
//! decision.
//!
//! Touches: `Source` (reads), the clock, the network.

use reconcile::{Ledger, Options, Report, Source};
use runtime::telemetry::Metrics;
use runtime::{Context, FunctionError, Settings, SourceConnection};
use serde_json::{Value, json};
use store::BoxFuture;

use crate::NAME;

/// Connects to a database of the source. What goes wrong is said in words, without the address.
pub type Connect = fn(&str) -> BoxFuture<'_, Result<Box<dyn Source>, String>>;

/// The source of a deployment, as far as it may be asked.
pub(crate) struct SourceTables {
    connection: Option<SourceConnection>,
    connect: Option<Connect>,
    profile: cdc::Profile,
}

impl SourceTables {
    pub(crate) fn new(settings: &Settings, connect: Option<Connect>) -> Self {
        let (connection, profile) = (settings.source_postgres.clone(), settings.profile.clone());
        Self { connection, connect, profile }
    }

    /// Compares every table of the source that the ledger has read, and names what differs.
    pub(crate) async fn compare(&self, context: &Context) -> Result<Value, FunctionError> {
        let failed = |message: String| FunctionError {
            message: format!("the source's tables could not be compared: {message}"),
        };
        let Some(connection) = &self.connection else {
            let why = "the deployment has no connection to the source; SourceConnectionArn gives it one";
            tracing::warn!("{why}");
            return Ok(json!({ "compared": false, "why": why }));
        };
        let connect = self.connect.ok_or_else(|| failed("this build cannot read a database".to_owned()))?;
        let mut sources = Vec::new();
        for address in connection.addresses() {
            sources.push(connect(address).await.map_err(failed)?);
        }
        let sources: Vec<&dyn Source> = sources.iter().map(|source| &**source).collect();
        let ledger = Ledger { engine: &*context.engine, profile: &self.profile, clock: &*context.clock };
        let report = reconcile::reconcile(&sources, ledger, &Options::default()).await;
        Ok(tell(&report.map_err(|error| failed(error.to_string()))?, context))
    }
}

fn tell(report: &Report, context: &Context) -> Value {
    for difference in &report.differences {
        tracing::error!(
            topic = difference.topic,
            key = difference.key,
            kind = ?difference.kind,
            is_certain = difference.is_certain,
            "a row of the ledger is not the source's"
        );
    }
    for obstacle in &report.obstacles {
        tracing::error!(obstacle = %obstacle, "a table of the source was not compared, or not all of it");
    }
    let rows = report.tables.iter().map(|table| table.source_rows).sum::<u64>();
    Metrics::of(NAME)
        .count("SourceCompared", 1)
        .count("SourceRowsCompared", rows)
        .count("SourceRowsDiffer", report.differences.len() as u64)
        .count("SourceObstacles", report.obstacles.len() as u64)
        .emit(context.clock.now());
    json!({
        "compared": true,
        "tables": report.tables.len(),
        "rows": rows,
        "differences": report.differences.len(),
        "hot": report.hot.len(),
        "obstacles": report.obstacles.len(),
        "statements": report.load.statements,
        "busy_ms": report.load.busy_ms,
        "bytes": report.load.bytes,
        "elapsed_ms": report.elapsed_ms,
    })
}

/// Returns what connects to a PostgreSQL server, where this build can.
#[cfg(feature = "aws")]
#[expect(clippy::unnecessary_wraps, reason = "a build without the feature has none")]
pub(crate) fn postgres() -> Option<Connect> {
    use local_postgres::{ConnectOptions, Connection, PostgresSource};

    /// Rows that a statement reads, as the command has them.
    const PAGE_ROWS: u32 = 20_000;

    Some(|address| {
        Box::pin(async move {
            let connection = Connection::open(address, ConnectOptions::default()).await;
            let connection = connection.map_err(|error| error.to_string())?;
            Ok(Box::new(PostgresSource::new(connection, PAGE_ROWS)) as Box<dyn Source>)
        })
    })
}

/// Returns nothing: this build cannot read a database.
#[cfg(not(feature = "aws"))]
pub(crate) fn postgres() -> Option<Connect> {
    None
}
