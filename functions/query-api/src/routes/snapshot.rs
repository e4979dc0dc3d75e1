//! `GET /v1/snapshots/{date}`: the totals of a closed business date.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use ledger::rules::{Amount, BusinessDate};
use ledger::store::DailySnapshotCreated;
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/snapshots/{date}",
    access: Access::Operator,
    parameters: &[],
    answer: |request| answer(request).boxed(),
};

/// The totals of a closed business date.
#[derive(Debug, Serialize)]
pub(super) struct TotalsView {
    snapshot_date: BusinessDate,
    network_total_contribution: Amount,
    user_total_contribution: Amount,
    system_total_contribution: Amount,
    user_count: u64,
    system_account_count: u64,
    closed_at: DateTime<Utc>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    Ok(Answer::json(&TotalsView::new(&totals(request).await?)?))
}

/// The totals of the date in the path.
pub(super) async fn totals(request: &Request<'_>) -> Result<DailySnapshotCreated, Problem> {
    request.store().snapshot_totals(request.path("date")?).await?.ok_or(Problem::NotFound)
}

impl TotalsView {
    pub(super) fn new(totals: &DailySnapshotCreated) -> Result<Self, Problem> {
        let closed_at = DateTime::from_timestamp_millis(totals.closed_at_ms);
        Ok(Self {
            snapshot_date: totals.snapshot_date,
            network_total_contribution: totals.network_total_contribution,
            user_total_contribution: totals.user_total_contribution,
            system_total_contribution: totals.system_total_contribution,
            user_count: totals.user_count,
            system_account_count: totals.system_account_count,
            closed_at: closed_at.ok_or_else(|| Problem::inconsistent("a close has no time"))?,
        })
    }
}
