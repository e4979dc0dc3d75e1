//! `GET /v1/accounts/{account}/snapshots`: an account's part of the network, day by day.

use futures::FutureExt;
use ledger::rules::{AccountSequence, Owner};
use ledger::store::SnapshotRow;
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::dates::{self, DatePage};
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/accounts/{account}/snapshots",
    access: Access::Account,
    parameters: dates::PARAMETERS,
    answer: |request| answer(request).boxed(),
};

const LIST: &str = "account-snapshots";

#[derive(Debug, Serialize)]
struct SnapshotsView {
    snapshots: Vec<SnapshotRow>,
    next_cursor: Option<String>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let account = Owner::User(request.path::<AccountSequence>("account")?);
    let page = DatePage::of(request, LIST).await?;
    let snapshots = request.store().snapshot_rows(&account, &page.dates).await?;
    Ok(Answer::json(&SnapshotsView { snapshots, next_cursor: page.next_cursor }))
}
