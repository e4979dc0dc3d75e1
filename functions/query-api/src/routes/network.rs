//! `GET /v1/network`: what the whole network has.

use futures::FutureExt;
use ledger::rules::{Amount, OrderId};
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/network",
    access: Access::Operator,
    parameters: &[],
    answer: |request| answer(request).boxed(),
};

#[derive(Debug, Serialize)]
struct NetworkView {
    now: NowView,
}

#[derive(Debug, Serialize)]
struct NowView {
    adopted_trees: u64,
    last_order_id: Option<OrderId>,
    system_total: Amount,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let store = request.store();
    let (ladder, systems) = futures::future::try_join(store.ladder(), store.system_accounts()).await?;
    Ok(Answer::json(&NetworkView {
        now: NowView {
            adopted_trees: ladder.trees,
            last_order_id: ladder.last_order,
            system_total: Amount::sum(systems.into_values().map(|share| share.total))?,
        },
    }))
}
