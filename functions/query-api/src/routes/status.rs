//! `GET /v1/status`: whether all is well; if not, what is the matter, since when, and what to do.

use chrono::{DateTime, Utc};
use domain::BusinessDate;
use domain::heads::Network;
use domain::log::Position;
use domain::snapshot::Manifest;
use serde::Serialize;
use store::audit::{self, AuditReport};
use store::{progress, snapshots};

use super::sync_status::is_braking;
use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::subscriptions;
use crate::thresholds::Thresholds;
use crate::verdict::{self, Known, TroubleView, Verdict};
use crate::view::instant;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/status",
    access: Access::Operator,
    parameters: &[],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct StatusView {
    verdict: Verdict,
    /// What a command that says the verdict exits with.
    exit_code: u8,
    problems: Vec<TroubleView>,
    read_at: DateTime<Utc>,
    business_time_zone: String,
    business_date: BusinessDate,
    log_end: Position,
    decided_at: Option<DateTime<Utc>>,
    last_closed_date: Option<BusinessDate>,
    last_close: Option<LastCloseView>,
    last_audit: Option<LastAuditView>,
    posted: u64,
    held: u64,
    unpriced: usize,
    waiting: u64,
    corrections_under_way: usize,
    /// Through which commit the slowest partition of the source was read.
    read_through: Option<DateTime<Utc>>,
}

/// The latest date whose snapshot is there.
#[derive(Debug, Serialize)]
struct LastCloseView {
    snapshot_date: BusinessDate,
    closed_at: DateTime<Utc>,
    digest: String,
    merkle_root: String,
}

/// What the latest audit found.
#[derive(Debug, Serialize)]
struct LastAuditView {
    ended_at: DateTime<Utc>,
    /// The position that it judged.
    judged: Position,
    compared: u64,
    differences: u64,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let progress = progress::read(request.engine()).await?;
    let ((latest, negative), audits) = futures::try_join!(
        snapshots::latest_and_wait(request.engine()),
        audit::reports(request.engine(), 1)
    )?;
    let stopped_webhooks = subscriptions::stopped(request).await?;
    let network = request.network().await?;
    let known = Known {
        now: request.now(),
        unclosed_since: unclosed_since(request, &network),
        network: &network,
        projected: request.position(),
        progress: &progress,
        is_braking: is_braking(request, &network),
        negative,
        audit: audits.first(),
        stopped_webhooks: &stopped_webhooks,
    };
    let troubles = verdict::troubles(&known, Thresholds::get());
    let verdict = troubles.iter().map(verdict::Trouble::severity).max().unwrap_or(Verdict::Well);
    let counts = &network.counts;
    Ok(Answer::momentary_json(&StatusView {
        verdict,
        exit_code: verdict.exit_code(),
        problems: troubles.iter().map(|trouble| trouble.view(request.language)).collect(),
        read_at: known.now,
        business_time_zone: request.zone().name().to_owned(),
        business_date: request.today(),
        log_end: network.position,
        decided_at: (network.position > 0).then(|| instant(network.time_ms)),
        last_closed_date: network.closed.as_ref().map(|closed| closed.terms.date),
        last_close: latest.as_ref().map(LastCloseView::from),
        last_audit: audits.first().map(LastAuditView::from),
        posted: counts.posted,
        held: counts.held.values().sum(),
        unpriced: network.unpriced.len(),
        waiting: counts.orders_waiting + counts.uplines_waiting,
        corrections_under_way: network.walks.len(),
        read_through: progress
            .iter()
            .map(|partition| partition.read_through_ms().map(instant))
            .min()
            .flatten(),
    }))
}

impl From<&Manifest> for LastCloseView {
    fn from(manifest: &Manifest) -> Self {
        Self {
            snapshot_date: manifest.date,
            closed_at: instant(manifest.closed_at_ms),
            digest: manifest.digest.to_string(),
            merkle_root: manifest.root.to_string(),
        }
    }
}

impl From<&AuditReport> for LastAuditView {
    fn from(report: &AuditReport) -> Self {
        Self {
            ended_at: instant(report.ended_ms),
            judged: report.position,
            compared: report.found.compared,
            differences: report.found.count,
        }
    }
}

/// Returns when the oldest date began that should be closed and is not.
fn unclosed_since(request: &Request<'_>, network: &Network) -> Option<DateTime<Utc>> {
    let date = if let Some(closed) = &network.closed {
        closed.terms.date.next()
    } else {
        let first = request.settings().first_close_date.and_then(|date| date.try_into().ok());
        first.or(network.counts.effective_first)?
    };
    (date <= request.today()).then(|| date.begins_at(request.zone()))
}
