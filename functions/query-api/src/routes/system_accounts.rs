//! `GET /v1/system-accounts`: what every system account has, all at one position.

use std::collections::BTreeMap;

use domain::{Amount, AmountOverflow, SystemAccount, SystemAccountKind};
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
    /// The same by kind, so that hundreds of provinces and cities are a few figures.
    kinds: Vec<KindView>,
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

#[derive(Debug, Serialize)]
struct KindView {
    kind: &'static str,
    /// How many accounts are of this kind.
    accounts: usize,
    total: Amount,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let network = request.network().await?;
    let totals = system_totals::at_end_of_log(request, &network).await?;
    let total = Amount::sum(totals.values().copied())?;
    let kinds =
        SystemAccountKind::ALL.into_iter().filter_map(|kind| KindView::new(kind, &totals).transpose());
    let kinds = kinds.collect::<Result<_, _>>()?;
    let system_accounts = totals.into_iter().map(|(id, total)| SystemAccountView::new(id, total)).collect();
    Ok(Answer::json(&SystemAccountsView { system_accounts, kinds, total }).at(network.position))
}

impl KindView {
    /// Returns what the accounts of a kind have together; none where there is no such account.
    fn new(
        kind: SystemAccountKind,
        totals: &BTreeMap<SystemAccount, Amount>,
    ) -> Result<Option<Self>, AmountOverflow> {
        let of_kind = totals.iter().filter(|(account, _)| account.kind() == kind);
        let amounts: Vec<Amount> = of_kind.map(|(_, total)| *total).collect();
        let total = Amount::sum(amounts.iter().copied())?;
        Ok((!amounts.is_empty()).then(|| Self { kind: kind.name(), accounts: amounts.len(), total }))
    }
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
