//! `GET /v1/network`: what the whole network has, now and day by day.
//!
//! Now is what is posted, all time. System accounts are summed over their shares, and users together
//! from what each posting noted with a share (`SystemShare::users`): both in the transaction of the
//! posting itself, so that they follow it at once. By day is what was active on each closed date.

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

#[derive(Debug, Serialize)]
struct NowView {
    adopted_trees: u64,
    last_order_id: Option<OrderId>,
    network_total: Amount,
    user_total: Amount,
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
    let user_total = Amount::sum(systems.values().map(|share| share.users))?;
    let system_total = Amount::sum(systems.values().map(|share| share.total))?;
    Ok(Answer::json(&NetworkView {
        now: NowView {
            adopted_trees: ladder.trees,
            last_order_id: ladder.last_order,
            network_total: user_total.checked_add(system_total)?,
            user_total,
            system_total,
        },
        days: days.iter().map(TotalsView::new).collect::<Result<_, _>>()?,
        next_cursor: page.next_cursor,
    }))
}
