//! `GET /v1/system-accounts`: what every system account has, all at one position.

use domain::{Amount, SystemAccount};
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::system_totals;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/system-accounts",
    access: Access::Operator,
    parameters: &[],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct SystemAccountsView {
    system_accounts: Vec<SystemAccountView>,
    /// The sum of all.
    total: Amount,
}

#[derive(Debug, Serialize)]
struct SystemAccountView {
    id: SystemAccount,
    kind: &'static str,
    /// The region's code or name, where it stands for one.
    region: Option<String>,
    total: Amount,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let network = request.network().await?;
    let totals = system_totals::at_end_of_log(request, &network).await?;
    let total = Amount::sum(totals.values().copied())?;
    let system_accounts = totals.into_iter().map(|(id, total)| SystemAccountView::new(id, total)).collect();
    Ok(Answer::json(&SystemAccountsView { system_accounts, total }).at(network.position))
}

impl SystemAccountView {
    fn new(id: SystemAccount, total: Amount) -> Self {
        let region = match &id {
            SystemAccount::Province(region) | SystemAccount::City(region) => region.clone(),
            SystemAccount::Operation | SystemAccount::Headquarters => None,
        };
        Self { kind: id.kind().name(), region: region.map(|region| region.to_string()), id, total }
    }
}
