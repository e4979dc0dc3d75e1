//! `GET /v1/network`: what the whole network has, now and date by date.

use domain::Amount;
use domain::heads::TREE_SUM_LEVELS;
use serde::Serialize;
use store::heads;

use crate::access::Access;
use crate::answer::Answer;
use crate::days::{DATE_PARAMETERS, DatePage, ManifestView};
use crate::problem::Problem;
use crate::request::{LIMIT_MAX, Request};
use crate::route::{Method, Route};
use crate::system_totals;
use crate::view::order_text;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/network",
    access: Access::Operator,
    parameters: DATE_PARAMETERS,
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct NetworkView {
    now: NowView,
    /// Closed dates, the latest first.
    days: Vec<ManifestView>,
    next_cursor: Option<String>,
}

/// What is posted, all time, at the end of the log.
#[derive(Debug, Serialize)]
struct NowView {
    /// The trees of all eligible adoptions, held ones included.
    eligible_trees: u64,
    posted: u64,
    last_order_id: Option<String>,
    network_total: Amount,
    user_total: Amount,
    system_total: Amount,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let page = DatePage::of(request, LIMIT_MAX).await?;
    let network = request.network().await?;
    let totals = system_totals::at_end_of_log(request, &network).await?;
    let system_total = Amount::sum(totals.values().copied())?;
    // The node at the top of the sums has everything below its bytes, and no order number begins with the last one.
    let top = (TREE_SUM_LEVELS - 1, 0);
    let sums = heads::sums(request.engine(), vec![top]).await?;
    let now = NowView {
        eligible_trees: sums[&top].head.below(u8::MAX),
        posted: network.counts.posted,
        last_order_id: network.counts.posted_max.map(order_text),
        network_total: network.counts.posted_total,
        user_total: network.counts.posted_total.checked_sub(system_total)?,
        system_total,
    };
    let days = page.manifests.iter().map(ManifestView::from).collect();
    let view = NetworkView { now, days, next_cursor: page.next_cursor };
    Ok(Answer::json(&view).at(network.position))
}
