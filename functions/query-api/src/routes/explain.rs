//! `GET /v1/adoptions/{order_id}/explain`: why an adoption is shared out as it is, or why an account received
//! something of it, or nothing.

use domain::{AccountSequence, OrderId};
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::explain::{self, AccountExplanation, AdoptionExplanation};
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/adoptions/{order_id}/explain",
    access: Access::Operator,
    parameters: &["account"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct ExplanationView<T> {
    explanation: T,
    /// The same, to be read.
    text: String,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let order: OrderId = request.path("order_id")?;
    let account = request.query::<AccountSequence>("account")?;
    let adoption: AdoptionExplanation = explain::adoption(request, order).await?;
    match account {
        None => Ok(Answer::json(&ExplanationView {
            text: adoption.text(request.language),
            explanation: adoption,
        })),
        Some(account) => {
            let explanation: AccountExplanation = explain::account(request, &adoption, &account).await?;
            let text = explanation.text(&adoption, request.language);
            Ok(Answer::json(&ExplanationView { explanation, text }))
        }
    }
}
