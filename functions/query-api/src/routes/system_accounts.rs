//! `GET /v1/system-accounts`: what every system account has.

use futures::FutureExt;
use ledger::rules::{Amount, SystemAccount};
use serde::Serialize;

use super::account::{PendingView, pending};
use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/system-accounts",
    access: Access::Operator,
    parameters: &[],
    answer: |request| answer(request).boxed(),
};

#[derive(Debug, Serialize)]
struct SystemAccountsView {
    system_accounts: Vec<SystemAccountView>,
}

#[derive(Debug, Serialize)]
struct SystemAccountView {
    id: SystemAccount,
    total: Amount,
    effective: Amount,
    pending: Vec<PendingView>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let accounts = request.store().system_accounts().await?.into_iter();
    let view = |(id, share): (SystemAccount, ledger::store::SystemShare)| SystemAccountView {
        id,
        total: share.total,
        effective: share.effective,
        pending: pending(share.pending),
    };
    Ok(Answer::json(&SystemAccountsView { system_accounts: accounts.map(view).collect() }))
}
