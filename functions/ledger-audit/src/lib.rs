//! Recalculates the ledger from the log, compares everything with it, and exports what can be checked elsewhere.
//!
//! An audit stands on one position of the log: what the pages up to there say is judged by the rules, and every stored
//! head is compared with what the pages say. The pages are few and small beside the heads, so an audit that was ended
//! reads them again and goes on with the heads where it was.
//!
//! A head that is not what the log says is rebuilt from it, if that is asked for ([`repair()`]); an adoption that is
//! not what the rules say is compared again by the decider.
//!
//! Where the deployment is given a connection to the source, a schedule of its own compares the source's tables with
//! the ledger's rows, as `contribution reconcile` does.
//!
//! The command of the local stack uses the same functions: [`read_state`] for the state digest, [`export_log`] for an
//! export that `verify` checks, [`read_price_book`] and [`take_over_places`] for the price book.
//!
//! - Reads: `Source`, `Log`, `Ledger`, `Snapshots`.
//! - Writes: `Ledger` (reports of audits; heads, lines and records of talent that it rebuilds), `Source` (commands to
//!   compare again).
//! - Sends to: `DecisionsQueue`.

mod audit;
mod error;
mod expected;
mod export;
mod heads;
mod later;
mod pages;
mod price_book;
mod rebuild;
mod repair;
mod source;
mod state;
mod talent;

use std::sync::Arc;

use chrono_tz::Tz;
use domain::Versions;
use runtime::telemetry::Metrics;
use runtime::{Context, Function, FunctionError, Settings};
use serde_json::{Value, json};
use store::BoxFuture;
use store::audit::AuditReport;

pub use audit::{Audit, Audited};
pub use error::AuditError;
pub use export::{ExportError, export_log};
pub use price_book::{
    InvalidPriceBook, parse_price_book, read_price_book, take_over_places, write_price_book,
};
pub use rebuild::{Targets, rebuild};
pub use repair::{RepairError, Repaired, repair};
pub use source::Connect;
pub use state::{StateError, read_state};

/// The name under which it is deployed, logs and counts.
const NAME: &str = "ledger-audit";

/// Where an event says `true` under this name, the source's tables are compared, and the ledger is not audited.
const RECONCILE: &str = "reconcile";

/// Returns the function.
pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    build_with(settings, source::postgres())
}

/// Returns the function, with what connects it to the source's databases.
pub fn build_with(settings: &Settings, connect: Option<Connect>) -> Result<Arc<dyn Function>, FunctionError> {
    let versions = Versions::starting(&settings.policy_json)
        .map_err(|error| FunctionError { message: error.to_string() })?;
    Ok(Arc::new(LedgerAudit {
        versions,
        shards: settings.account_shards,
        zone: settings.policy.business_time_zone(),
        source: source::SourceTables::new(settings, connect),
    }))
}

/// Runs the function on Lambda.
#[cfg(feature = "aws")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    runtime::aws::run(NAME, build)
}

struct LedgerAudit {
    versions: Versions,
    shards: u32,
    zone: Tz,
    source: source::SourceTables,
}

impl Function for LedgerAudit {
    fn name(&self) -> &'static str {
        NAME
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            if event[RECONCILE] == true {
                return self.source.compare(context).await;
            }
            let audit = Audit {
                versions: &self.versions,
                shards: self.shards,
                zone: self.zone,
                context,
                watch: &|_, _| {},
            };
            let audited = audit.run().await.map_err(|error| FunctionError {
                message: format!("the ledger could not be audited: {error}"),
            })?;
            match audited {
                Audited::GoesOn { segment } => {
                    tracing::warn!(segment, "the audit's time was up; the next invocation goes on");
                    Metrics::of(NAME).count("AuditsIncomplete", 1).emit(context.clock.now());
                    Ok(json!({ "complete": false }))
                }
                Audited::Complete(report) => self.tell(&report, event["repair"] == true, context).await,
            }
        })
    }
}

impl LedgerAudit {
    async fn tell(
        &self,
        report: &AuditReport,
        repair: bool,
        context: &Context,
    ) -> Result<Value, FunctionError> {
        for difference in &report.found.differences {
            tracing::error!(
                difference = difference.name(),
                detail = ?difference,
                "something in the ledger is not as it should be"
            );
        }
        let repaired = if repair && report.found.count > 0 {
            let repaired = repair::repair(context, &self.versions, self.shards, report, NAME).await;
            repaired.map_err(|error| FunctionError {
                message: format!("what the audit found could not be mended: {error}"),
            })?
        } else {
            Repaired::default()
        };
        Metrics::of(NAME)
            .count("AuditsCompleted", 1)
            // The alarm for a missing audit watches it.
            .milliseconds("Duration", report.ended_ms - report.began_ms)
            .count("AuditDifferences", report.found.count)
            .count("AuditChangedMeanwhile", report.found.changed_meanwhile)
            .count("AuditDifferencesRepaired", repaired.rebuilt + repaired.asked)
            .emit(context.clock.now());
        Ok(json!({
            "complete": true,
            "position": report.position,
            "date": report.date,
            "posted": report.posted,
            "differences": report.found.count,
            "compared": report.found.compared,
            "changed_meanwhile": report.found.changed_meanwhile,
            "talents": report.talents,
            "rebuilt": repaired.rebuilt,
            "repairs_asked": repaired.asked,
        }))
    }
}
