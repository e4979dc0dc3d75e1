//! `GET /v1/accounts/{account}/adoptions`: every adoption of an account, with what became of each.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use domain::{AccountSequence, Column, OrderId, Owner};
use serde::Serialize;
use store::heads;

use crate::access::Access;
use crate::account;
use crate::adoption::SummaryView;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/adoptions",
    access: Access::Account,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct AdoptionsView {
    /// The highest order first.
    adoptions: Vec<SummaryView>,
    next_cursor: Option<String>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let account: AccountSequence = request.path("account")?;
    let (limit, before) = (request.limit()?, request.place::<OrderId>()?);
    let (head, position) = account::known(request, &Owner::User(account.clone())).await?;
    let before = before.map_or(Unbounded, Excluded);
    let mut orders = head.node.orders.range((Unbounded, before)).rev().copied();
    let page: Vec<OrderId> = orders.by_ref().take(limit).collect();
    let more = orders.next().is_some();
    let network = request.network().await?;
    let adoptions: BTreeMap<_, _> = heads::adoptions(request.engine(), page.clone()).await?;
    // An order may have moved on to another account since.
    let is_own = |order: &OrderId| {
        let head = &adoptions[order].head;
        let names_it = |row: &domain::AdoptionRow| row.account == Column::Value(account.clone());
        head.latest_row().is_some_and(names_it)
            || head.posting().is_some_and(|posting| posting.account == account)
    };
    let shown = page.iter().filter(|order| is_own(order));
    let adoptions = shown
        .map(|order| SummaryView::new(request, &network.versions, *order, &adoptions[order].head))
        .collect();
    let next_cursor = page.last().filter(|_| more).map(|order| request.cursor(order));
    Ok(Answer::json(&AdoptionsView { adoptions, next_cursor }).at(position))
}
