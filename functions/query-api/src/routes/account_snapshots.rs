//! `GET /v1/accounts/{account}/snapshots`: an account's part of the network, date by date, the latest first.

use domain::{Amount, BusinessDate, Owner, Ratio};
use futures::future::try_join_all;
use serde::Serialize;
use store::snapshots;

use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::days::{DATE_PARAMETERS, DatePage};
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/snapshots",
    access: Access::Account,
    parameters: DATE_PARAMETERS,
    answer: |request| Box::pin(answer(request)),
};

/// How many dates one answer has at most: each takes two calls.
const DATES_MAX: usize = 60;

#[derive(Debug, Serialize)]
struct SnapshotsView {
    snapshots: Vec<SnapshotView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct SnapshotView {
    snapshot_date: BusinessDate,
    account: Owner,
    /// Zero, and no row in the snapshot, where the account had nothing.
    effective_contribution: Amount,
    network_total_contribution: Amount,
    contribution_ratio: Ratio,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let owner: Owner = request.path("account")?;
    let page = DatePage::of(request, DATES_MAX).await?;
    let dates =
        page.manifests.iter().map(|manifest| snapshots::account(request.engine(), manifest.date, &owner));
    let found = try_join_all(dates).await?;
    if found.iter().all(|found| found.as_ref().is_none_or(|found| found.carried.is_none())) {
        account::known(request, &owner).await?;
    }
    let snapshots = page.manifests.iter().zip(found).map(|(manifest, found)| {
        let row = found.and_then(|found| found.row);
        SnapshotView {
            snapshot_date: manifest.date,
            account: owner.clone(),
            effective_contribution: row.as_ref().map_or(Amount::ZERO, |row| row.effective),
            network_total_contribution: manifest.totals.network,
            contribution_ratio: row.map_or(Ratio::ZERO, |row| row.ratio),
        }
    });
    Ok(Answer::json(&SnapshotsView { snapshots: snapshots.collect(), next_cursor: page.next_cursor }))
}
