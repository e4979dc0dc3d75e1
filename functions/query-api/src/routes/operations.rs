//! `GET /v1/operations`: what operators did, the latest first: who, when, why, and what became of it.

use chrono::SecondsFormat;
use domain::log::Position;
use serde::Serialize;
use store::lists::{self, Operation};

use crate::access::Access;
use crate::answer::Answer;
use crate::command::CommandView;
use crate::csv::{Csv, number_cell, text_cell};
use crate::expected::Expected;
use crate::language::Language;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::instant;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/operations",
    access: Access::Operator,
    parameters: &["cursor", "limit", "format"],
    answer: |request| Box::pin(answer(request)),
};

/// How many entries one part of a file has at most.
const CSV_LINES_MAX: usize = 1_000;
const COLUMNS: [&str; 11] = [
    "at",
    "page",
    "entry",
    "by",
    "reason",
    "idempotency_key",
    "command",
    "outcome",
    "refusal",
    "before",
    "after",
];

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
    /// What the command is about as that stood before, in words, where the command changes anything by itself.
    before: Option<String>,
    after: Option<String>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let is_csv = match request.query::<String>("format")?.as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(Problem::invalid("format", Expected::one_of(&["json", "csv"]))),
    };
    let (limit, before) = (request.limit()?, request.place::<Place>()?);
    let (limit, is_first) = (if is_csv { CSV_LINES_MAX } else { limit }, before.is_none());
    let before = before.map(|place| (place.0, place.1));
    let mut operations = lists::operations(request.engine(), before, limit + 1).await?;
    let more = operations.len() > limit;
    operations.truncate(limit);
    let last = operations.last().map(|operation| Place(operation.position, operation.index));
    let next_cursor = last.filter(|_| more).map(|place| request.cursor(place));
    let view = |operation| OperationView::new(operation, request.language);
    let operations: Vec<OperationView> = operations.into_iter().map(view).collect();
    if is_csv {
        return Ok(csv(&operations, is_first, next_cursor));
    }
    Ok(Answer::json(&OperationsView { operations, next_cursor }))
}

fn csv(operations: &[OperationView], is_first: bool, next_cursor: Option<String>) -> Answer {
    let mut csv = Csv::default();
    if is_first {
        csv.texts(COLUMNS);
    }
    for one in operations {
        let command = serde_json::to_string(&one.command).expect("a command has texts and numbers");
        let text = |text: &Option<String>| text_cell(text.as_deref().unwrap_or_default());
        csv.row([
            number_cell(one.at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            number_cell(one.page),
            number_cell(one.entry),
            text_cell(&one.by),
            text_cell(&one.reason),
            text_cell(&one.idempotency_key),
            text_cell(&command),
            one.outcome.to_owned(),
            text(&one.refusal),
            text(&one.before),
            text(&one.after),
        ]);
    }
    let answer = Answer::text("text/csv; charset=utf-8", csv.finish())
        .with_header("content-disposition", "attachment; filename=\"operations.csv\"");
    match next_cursor {
        Some(cursor) => answer.with_header("link", format!("<operations?cursor={cursor}>; rel=\"next\"")),
        None => answer,
    }
}

impl OperationView {
    fn new(operation: Operation, language: Language) -> Self {
        let change = operation.outcome.change();
        Self {
            page: operation.position,
            entry: operation.index,
            at: instant(operation.time_ms),
            by: operation.by,
            reason: language.translate_unless_by_hand(&operation.reason),
            idempotency_key: operation.idempotency_key,
            command: CommandView::new(&operation.command, language),
            outcome: if operation.outcome.is_done() { "DONE" } else { "REFUSED" },
            refusal: operation.outcome.refusal().map(|refusal| language.translate(refusal)),
            before: change.map(|(before, _)| language.translate(before)),
            after: change.map(|(_, after)| language.translate(after)),
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
