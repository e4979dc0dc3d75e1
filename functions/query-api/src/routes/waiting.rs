//! `GET /v1/waiting`: changes that wait for a later version of their rows, or for an operator.

use chrono::{DateTime, Utc};
use domain::heads::Due;
use domain::{Amount, Link, OrderId, Owner};
use serde::Serialize;
use store::heads;

use super::sync_status::is_braking;
use crate::access::Access;
use crate::account::LinkView;
use crate::adoption::SourceView;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::suspicious::{self, SuspiciousCloseView};
use crate::view::{instant, order_text};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/waiting",
    access: Access::Operator,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct WaitingListView {
    is_braking: bool,
    /// Tables that the source truncated; each waits for an operator.
    truncates: Vec<TruncateView>,
    /// The close that the guard stops, if it stops one.
    suspicious_close: Option<SuspiciousCloseView>,
    waiting: Vec<WaitingView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct TruncateView {
    /// The key under which it is let go.
    key: String,
    table: String,
    committed_at: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
struct WaitingView {
    /// `ORDER` or `UPLINE`.
    kind: &'static str,
    order_id: Option<String>,
    account: Option<String>,
    until: DateTime<Utc>,
    /// `ROW_GONE` or `ROW_CHANGED`.
    because: &'static str,
    /// Of an order: what is posted of it, and would be taken back.
    total: Option<Amount>,
    /// How many posted adoptions are concerned, as far as they were counted.
    adoptions: u32,
    /// Of an order: what stays in force, and what the row says now.
    in_force: Option<SourceView>,
    row: Option<SourceView>,
    /// Of an account: where it hangs, and where its row has it.
    link: Option<LinkView>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let (limit, skipped) = (request.limit()?, request.place::<usize>()?.unwrap_or(0));
    let network = request.network().await?;
    let waits = network.due.iter().filter(|(_, due)| !matches!(due, Due::Date(_)));
    let page: Vec<(i64, Due)> = waits.clone().skip(skipped).take(limit).cloned().collect();
    let end = skipped.saturating_add(limit);
    let more = waits.count() > end;
    let mut waiting = Vec::new();
    for (until_ms, due) in page {
        waiting.extend(view(request, instant(until_ms), due).await?);
    }
    let next_cursor = more.then(|| request.cursor(end));
    let truncates = network.truncates.values().map(|truncate| TruncateView {
        key: truncate.key.clone(),
        table: truncate.table.clone(),
        committed_at: instant(truncate.committed_ms),
    });
    let view = WaitingListView {
        is_braking: is_braking(request, &network),
        truncates: truncates.collect(),
        suspicious_close: suspicious::close(request, &network).await?,
        waiting,
        next_cursor,
    };
    Ok(Answer::momentary_json(&view))
}

async fn view(request: &Request<'_>, until: DateTime<Utc>, due: Due) -> Result<Option<WaitingView>, Problem> {
    match due {
        Due::Date(_) => Ok(None),
        Due::OrderWait(order) => order_view(request, until, order).await.map(Some),
        Due::UplineWait(account) => {
            let head = crate::account::head(request, &Owner::User(account.clone())).await?.head;
            let waiting = head.node.waiting.as_ref();
            Ok(Some(WaitingView {
                kind: "UPLINE",
                order_id: None,
                account: Some(account.to_string()),
                until,
                because: because(head.node.latest_link() == Link::Missing),
                total: None,
                adoptions: waiting.map_or(0, |waiting| waiting.adoptions),
                in_force: None,
                row: None,
                link: Some(LinkView::new(&head, |account| request.name(account))),
            }))
        }
    }
}

async fn order_view(
    request: &Request<'_>,
    until: DateTime<Utc>,
    order: OrderId,
) -> Result<WaitingView, Problem> {
    let mut heads = heads::adoptions(request.engine(), vec![order]).await?;
    let head = heads.remove(&order).unwrap_or_default().head;
    Ok(WaitingView {
        kind: "ORDER",
        order_id: Some(order_text(order)),
        account: head.posting().map(|posting| posting.account.to_string()),
        until,
        because: because(head.latest_row().is_none()),
        total: head.posting().map(|posting| posting.total),
        adoptions: u32::from(head.posting().is_some()),
        in_force: head.waiting.as_ref().map(|waiting| SourceView::from(&waiting.in_force)),
        row: head.latest_row().map(SourceView::from),
        link: None,
    })
}

fn because(is_gone: bool) -> &'static str {
    if is_gone { "ROW_GONE" } else { "ROW_CHANGED" }
}
