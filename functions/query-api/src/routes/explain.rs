//! `GET /v1/adoptions/{order_id}/explain`: why an adoption was shared out as it was, or why an account
//! received something of it, or nothing.

use std::fmt::Display;

use futures::FutureExt;
use ledger::explain::{self, ExplainError};
use ledger::rules::{AccountSequence, OrderId};
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/adoptions/{order_id}/explain",
    access: Access::Operator,
    parameters: &["account"],
    answer: |request| answer(request).boxed(),
};

#[derive(Debug, Serialize)]
struct ExplanationView<T> {
    explanation: T,
    /// The same, to be read.
    text: String,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let order: OrderId = request.path("order_id")?;
    let (store, policy) = (request.store(), request.policy());
    match request.query::<AccountSequence>("account")? {
        None => shown(explain::adoption(store, policy, order).await?),
        Some(account) => shown(explain::account(store, policy, order, &account).await?),
    }
}

fn shown<T: Serialize + Display>(explanation: Option<T>) -> Result<Answer, Problem> {
    let explanation = explanation.ok_or(Problem::NotFound)?;
    let text = explanation.to_string();
    Ok(Answer::json(&ExplanationView { explanation, text }))
}

impl From<ExplainError> for Problem {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Store(error) => error.into(),
            ExplainError::FactsIncomplete { .. } | ExplainError::Inconsistent { .. } => {
                Self::inconsistent(error.to_string())
            }
        }
    }
}
