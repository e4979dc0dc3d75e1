//! `GET /v1/quarantine`: the records that were refused, and why.
//!
//! Their bytes are not shown: a refused record may hold anything, a phone number included, and where it is in Kafka
//! says enough to find it there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use store::quarantine::{self, Quarantined};

use crate::access::Access;
use crate::answer::Answer;
use crate::language::Language;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::instant;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/quarantine",
    access: Access::Operator,
    parameters: &["reason", "order_id", "account", "cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

/// How many refused records one answer looks at, at most, for those that a filter takes.
const LOOKED_AT_MAX: usize = 2_000;

#[derive(Debug, Serialize)]
struct QuarantineView {
    /// How many there are by reason, whatever the filter.
    counts: BTreeMap<String, u64>,
    /// Whether the counts are of all, and not only of the first that were looked at.
    counts_are_complete: bool,
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
    order_id: Option<String>,
    account: Option<String>,
    hash: String,
    bytes: u64,
    refused_at: DateTime<Utc>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let (reason, order, account) = (
        request.query::<String>("reason")?,
        request.query::<String>("order_id")?,
        request.query::<String>("account")?,
    );
    let takes = |record: &Quarantined| {
        reason.as_ref().is_none_or(|reason| record.code == *reason)
            && order.as_ref().is_none_or(|order| record.order.as_ref() == Some(order))
            && account.as_ref().is_none_or(|account| record.account.as_ref() == Some(account))
    };
    let (limit, mut after) = (request.limit()?, request.place::<String>()?);
    let (counts, counts_are_complete) = counts(request).await?;
    let mut view = QuarantineView { counts, counts_are_complete, quarantined: Vec::new(), next_cursor: None };
    let mut looked_at = 0;
    loop {
        let wanted = limit - view.quarantined.len();
        let (records, next) = quarantine::read(request.engine(), after, wanted).await?;
        looked_at += records.len();
        let view_of = |record| QuarantinedView::new(record, request.language);
        view.quarantined.extend(records.into_iter().filter(takes).map(view_of));
        after = next;
        if after.is_none() || view.quarantined.len() == limit || looked_at >= LOOKED_AT_MAX {
            break;
        }
    }
    view.next_cursor = after.map(|after| request.cursor(after));
    Ok(Answer::json(&view))
}

/// Returns how many records were refused by reason, and whether these are all.
async fn counts(request: &Request<'_>) -> Result<(BTreeMap<String, u64>, bool), Problem> {
    let (records, next) = quarantine::read(request.engine(), None, LOOKED_AT_MAX).await?;
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(record.code).or_default() += 1;
    }
    Ok((counts, next.is_none()))
}

impl QuarantinedView {
    fn new(record: Quarantined, language: Language) -> Self {
        Self {
            source: record.name.source,
            topic: record.name.topic,
            partition: record.name.partition,
            offset: record.offset,
            reason: record.code,
            message: language.translate(&record.message),
            order_id: record.order,
            account: record.account,
            hash: record.hash,
            bytes: record.bytes,
            refused_at: instant(record.refused_at_ms),
        }
    }
}
