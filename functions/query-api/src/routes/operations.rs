//! `GET /v1/operations`: what operators did, the latest first: who, when, why, and what became of it.

use domain::log::{CommandOutcome, Position};
use serde::Serialize;
use store::lists::{self, Operation};

use crate::access::Access;
use crate::answer::Answer;
use crate::command::CommandView;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::instant;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/operations",
    access: Access::Operator,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct OperationsView {
    operations: Vec<OperationView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct OperationView {
    page: Position,
    entry: u32,
    at: chrono::DateTime<chrono::Utc>,
    by: String,
    reason: String,
    idempotency_key: String,
    command: CommandView,
    outcome: &'static str,
    refusal: Option<String>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let (limit, before) = (request.limit()?, request.place::<Place>()?);
    let before = before.map(|place| (place.0, place.1));
    let mut operations = lists::operations(request.engine(), before, limit + 1).await?;
    let more = operations.len() > limit;
    operations.truncate(limit);
    let last = operations.last().map(|operation| Place(operation.position, operation.index));
    Ok(Answer::json(&OperationsView {
        operations: operations.into_iter().map(OperationView::from).collect(),
        next_cursor: last.filter(|_| more).map(|place| request.cursor(place)),
    }))
}

impl From<Operation> for OperationView {
    fn from(operation: Operation) -> Self {
        let (outcome, refusal) = match operation.outcome {
            CommandOutcome::Done => ("DONE", None),
            CommandOutcome::Refused { reason } => ("REFUSED", Some(reason)),
        };
        Self {
            page: operation.position,
            entry: operation.index,
            at: instant(operation.time_ms),
            by: operation.by,
            reason: operation.reason,
            idempotency_key: operation.idempotency_key,
            command: CommandView::from(&operation.command),
            outcome,
            refusal,
        }
    }
}

/// Where an entry of the operators' log stands.
struct Place(Position, u32);

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (position, index) = text.split_once('.').ok_or(())?;
        Ok(Self(position.parse().map_err(drop)?, index.parse().map_err(drop)?))
    }
}
