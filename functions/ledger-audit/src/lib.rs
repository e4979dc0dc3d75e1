//! Recomputes the ledger from the source's rows and the journal, and reports every difference.
//!
//! The ledger keeps what it could recompute: totals, unlock facts, cursors, lists. The audit trusts
//! none of that. It takes the source's rows and the journal, and asks three things: are the posted
//! adoptions those that count, is every leg with whom the rules give it as of its order, and does
//! everything kept besides say the same?
//!
//! # Memory
//!
//! Nothing is held that grows with the number of adoptions. Adoptions are read in ascending order, 16
//! shards merged, a page at a time; their entries with them; items of the tables by scan. What must be
//! summed by account is summed in *parts*: an account belongs to the part its hash says, and a part
//! that fits the budget (`AUDIT_MEMORY_MIB`, default 512) is recomputed, compared and forgotten before
//! the next one. A leg is judged in the part of the ancestor whose unlocks decide it.
//!
//! An account with a name of 12 characters takes about 512 bytes: its name twice (as an account, and
//! as an adopter its referrer has counted), up to eight orders of direct adopters, four sums and two
//! for what is pending (dates are fingerprinted, so that they take no room), and what hash maps leave
//! free. Ten million adoptions of five million accounts are 5,000,000 × 512 bytes = 2.4 GiB, five
//! parts with the default budget, one part with `AUDIT_MEMORY_MIB=2560`. Each part reads the adoptions
//! twice (once for the facts, once for the legs), the journal once and the accounts once; everything
//! else is read once. So with 2.5 KB per entry a part reads about 25 GB of journal, and memory is
//! bought with reads.
//!
//! # Certainty
//!
//! The ledger goes on while it is audited. What is being worked on is counted as in progress, not as a
//! difference; and what one look finds only counts if a second look finds it too.

mod accounts;
mod checks;
mod examine;
mod findings;
mod lists;
mod part;
mod repair;
mod report;
mod source;
mod sums;

use chrono::{DateTime, TimeDelta, Utc};
use ledger::environment::{Environment, InvalidEnvironment};
use ledger::queue::QueueError;
use ledger::store::StoreError;
use ledger::telemetry::Metrics;
use serde::{Deserialize, Serialize};

use crate::examine::Examination;
use crate::findings::Findings;
use crate::repair::Repairs;
pub use report::{
    AbsentOrders, Difference, Examined, InProgress, Kind, LISTED_PER_KIND_MAX, Report, Subject,
};

/// The name under which this function logs and counts.
pub const FUNCTION: &str = "ledger-audit";
/// The variable that holds the URL of the distribution's queue, to wake trees that are put right.
pub const RUNS_QUEUE_VARIABLE: &str = "RELEASED_RUNS_QUEUE_URL";
/// The variable that says how much memory the sums may take, in MiB.
pub const MEMORY_VARIABLE: &str = "AUDIT_MEMORY_MIB";

/// What is left of an invocation's time when no further page is read.
const TIME_RESERVE: TimeDelta = TimeDelta::seconds(10);
/// What the sums may take unless the environment says otherwise.
const DEFAULT_MEMORY_MIB: u64 = 512;

/// What is asked of an audit. Whatever else an event carries is not read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Whether what the ledger's own means can put right is put right.
    #[serde(default)]
    pub repair: bool,
}

/// The function, built once per process.
#[derive(Debug)]
pub struct Auditor {
    environment: Environment,
    runs_queue_url: String,
    memory_budget_bytes: u64,
}

/// Why there is no report. An audit changes nothing but what it repairs, so it is safe to repeat.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuditError {
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was put right could not be announced; the next schedule of the sequencer does it.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Auditor {
    /// The function in this environment.
    pub fn new(environment: Environment) -> Result<Self, InvalidEnvironment> {
        let runs_queue_url = environment.variables().required(RUNS_QUEUE_VARIABLE)?;
        let memory_mib = environment.variables().parsed_or(MEMORY_VARIABLE, DEFAULT_MEMORY_MIB)?;
        let memory_budget_bytes = memory_mib.max(1) * 1024 * 1024;
        Ok(Self { environment, runs_queue_url, memory_budget_bytes })
    }

    /// The same auditor with another memory budget.
    #[must_use]
    pub fn with_memory_budget(self, memory_budget_bytes: u64) -> Self {
        Self { memory_budget_bytes: memory_budget_bytes.max(1), ..self }
    }

    /// Audits the ledger, and puts right what can be if asked to.
    pub async fn handle(
        &self,
        request: Request,
        clock: impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<Report, AuditError> {
        let started_at = clock();
        let mut findings = Box::pin(self.look(&clock, deadline)).await?;
        if !findings.differences.is_empty() && findings.complete {
            let again = Box::pin(self.look(&clock, deadline)).await?;
            // A second look that was cut short confirms nothing, and what the first found stands.
            if again.complete {
                findings = again.confirmed_by(&findings);
            }
        }
        if request.repair && findings.complete {
            Box::pin(self.repair(&mut findings, clock())).await?;
        }
        let report = findings.into_report(started_at, clock());
        announce(&report);
        Ok(report)
    }

    async fn look(
        &self,
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<Findings, AuditError> {
        let Environment { store, policy, .. } = &self.environment;
        let deadline = deadline - TIME_RESERVE;
        Examination::new(store, policy, clock, deadline, self.memory_budget_bytes).run().await
    }

    async fn repair(&self, findings: &mut Findings, now: DateTime<Utc>) -> Result<(), AuditError> {
        let Environment { store, policy, queues, .. } = &self.environment;
        let Findings { differences, keys, .. } = findings;
        let messages = Repairs::new(store, policy, keys, now).run(differences).await?;
        Ok(queues.send_in_groups(&self.runs_queue_url, messages).await?)
    }
}

impl Findings {
    fn into_report(self, started_at: DateTime<Utc>, finished_at: DateTime<Utc>) -> Report {
        let Self {
            counts,
            differences,
            examined,
            in_progress,
            held,
            quarantined,
            absent_orders,
            complete,
            keys: _,
        } = self;
        Report {
            started_at,
            finished_at,
            complete,
            counts,
            differences,
            examined,
            in_progress,
            held,
            quarantined,
            absent_orders,
        }
    }
}

/// Logs what differs, and sets the metrics an alarm watches.
fn announce(report: &Report) {
    for difference in &report.differences {
        let Difference { kind, subject, expected, found, repair } = difference;
        tracing::error!(
            kind = %kind,
            subject = %subject,
            expected,
            found,
            repair = repair.as_deref(),
            next_step = kind.next_step(),
            "the audit found a difference"
        );
    }
    let repaired = report.differences.iter().filter(|difference| difference.repair.is_some()).count();
    Metrics::of(FUNCTION)
        .count("AuditDifferences", report.difference_count())
        .count("AuditDifferencesRepaired", repaired as u64)
        .count("AuditsIncomplete", u64::from(!report.complete))
        .milliseconds("Duration", (report.finished_at - report.started_at).num_milliseconds())
        .emit(report.finished_at.timestamp_millis());
}
