//! `GET /v1/quarantine`: the records that were refused, and why.
//!
//! Their bytes are not shown: a refused record may hold anything, a phone number included, and
//! where it is in Kafka says enough to find it there.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use ledger::store::Quarantined;
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::cursor;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/quarantine",
    access: Access::Operator,
    parameters: &["cursor", "limit"],
    answer: |request| answer(request).boxed(),
};

const LIST: &str = "quarantine";

#[derive(Debug, Serialize)]
struct QuarantineView {
    quarantined: Vec<QuarantinedView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct QuarantinedView {
    source: String,
    topic: String,
    partition: i32,
    offset: i64,
    reason: String,
    message: String,
    has_key: bool,
    has_value: bool,
    refused_at: DateTime<Utc>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let page = request.store().quarantine_page(request.cursor(LIST)?, request.limit()?).await?;
    Ok(Answer::json(&QuarantineView {
        quarantined: page.entries.into_iter().map(view).collect::<Result<_, _>>()?,
        next_cursor: page.next.map(|position| cursor::encode(LIST, position)),
    }))
}

fn view(record: Quarantined) -> Result<QuarantinedView, Problem> {
    let refused_at = DateTime::from_timestamp_millis(record.refused_at_ms);
    Ok(QuarantinedView {
        source: record.position.source,
        topic: record.position.topic,
        partition: record.position.partition,
        offset: record.position.offset,
        reason: record.reason,
        message: record.message,
        has_key: record.key.is_some(),
        has_value: record.value.is_some(),
        refused_at: refused_at.ok_or_else(|| Problem::inconsistent("a quarantined record has no time"))?,
    })
}
