//! `GET /v1/held`: the adoptions that do not take part for now, and why.

use futures::FutureExt;
use ledger::rules::OrderId;
use serde::Serialize;

use super::adoption::HoldView;
use crate::access::Access;
use crate::answer::Answer;
use crate::cursor;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/held",
    access: Access::Operator,
    parameters: &["cursor", "limit"],
    answer: |request| answer(request).boxed(),
};

const LIST: &str = "held";

#[derive(Debug, Serialize)]
struct HeldView {
    held: Vec<HeldOrderView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct HeldOrderView {
    order_id: OrderId,
    #[serde(flatten)]
    hold: HoldView,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let page = request.store().held_page(request.cursor(LIST)?, request.limit()?).await?;
    let view = |held: &ledger::store::HeldOrder| HeldOrderView {
        order_id: held.order,
        hold: HoldView::from(&held.reason),
    };
    Ok(Answer::json(&HeldView {
        held: page.entries.iter().map(view).collect(),
        next_cursor: page.next.map(|order| cursor::encode(LIST, order)),
    }))
}
