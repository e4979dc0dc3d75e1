//! `GET /v1/network`: what the whole network has, now and day by day.

use futures::FutureExt;
use ledger::rules::{Amount, OrderId};
use serde::Serialize;

use super::snapshot::TotalsView;
use crate::access::Access;
use crate::answer::Answer;
use crate::dates::{self, DatePage};
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/network",
    access: Access::Operator,
    parameters: dates::PARAMETERS,
    answer: |request| answer(request).boxed(),
};

const LIST: &str = "network";

#[derive(Debug, Serialize)]
struct NetworkView {
    now: NowView,
    days: Vec<TotalsView>,
    next_cursor: Option<String>,
}

/// What can be said of this moment without reading every account.
#[derive(Debug, Serialize)]
struct NowView {
    adopted_trees: u64,
    last_order_id: Option<OrderId>,
    system_total: Amount,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let store = request.store();
    let page = DatePage::of(request, LIST).await?;
    let (ladder, systems, days) = futures::future::try_join3(
        store.ladder(),
        store.system_accounts(),
        store.snapshot_totals_of(&page.dates),
    )
    .await?;
    Ok(Answer::json(&NetworkView {
        now: NowView {
            adopted_trees: ladder.trees,
            last_order_id: ladder.last_order,
            system_total: Amount::sum(systems.into_values().map(|share| share.total))?,
        },
        days: days.iter().map(TotalsView::new).collect::<Result<_, _>>()?,
        next_cursor: page.next_cursor,
    }))
}
