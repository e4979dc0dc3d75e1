//! Records as the API shows them, and the pages they come in.

use chrono::{DateTime, Utc};
use ledger::rules::{AccountSequence, Amount, BusinessDate, LegType, OrderId, Owner, Term, TreeCount};
use ledger::store::{EntryCause, Record, RecordId, RecordPage, RecordQuery};
use serde::Serialize;

use crate::answer::Answer;
use crate::cursor;
use crate::leg::LegView;
use crate::problem::Problem;
use crate::request::Request;

/// The query parameters of every list of records.
pub(crate) const PARAMETERS: &[&str] = &["type", "order_id", "active_on", "direction", "cursor", "limit"];

/// Which records of an account are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordList {
    /// Those it holds.
    Held,
    /// Those it has not unlocked.
    Unallocated,
}

#[derive(Debug, Serialize)]
struct RecordsView {
    records: Vec<RecordView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct RecordView {
    id: String,
    order_id: OrderId,
    entry: u32,
    cause: &'static str,
    caused_by_order_id: Option<OrderId>,
    /// Whose adoption it is; kept from a user whose adoption it is not.
    adopter: Option<AccountSequence>,
    tree_count: TreeCount,
    contribution_per_tree: Amount,
    #[serde(flatten)]
    term: Term,
    #[serde(flatten)]
    leg: LegView,
    posted_at: DateTime<Utc>,
}

/// Answers a page of an account's records.
pub(crate) async fn page(request: &Request<'_>, owner: &Owner, list: RecordList) -> Result<Answer, Problem> {
    let descending = match request.query::<String>("direction")?.as_deref() {
        None | Some("ascending") => false,
        Some("descending") => true,
        Some(_) => return Err(Problem::invalid("direction", "ascending or descending")),
    };
    // A position goes on in the direction in which it was reached only.
    let list_name = if descending { "records-descending" } else { "records" };
    let query = RecordQuery {
        types: request.query::<LegType>("type")?.into_iter().collect(),
        order: request.query::<OrderId>("order_id")?,
        active_on: request.query::<BusinessDate>("active_on")?,
        after: request.cursor::<RecordId>(list_name)?,
        descending,
        limit: request.limit()?,
    };
    let RecordPage { records, next } = match (list, owner) {
        (RecordList::Unallocated, Owner::User(account)) => {
            request.store().unallocated(account, &query).await?
        }
        _ => request.store().records(owner, &query).await?,
    };
    Ok(Answer::json(&RecordsView {
        records: records.into_iter().map(|record| view(record, request)).collect::<Result<_, _>>()?,
        next_cursor: next.map(|after| cursor::encode(list_name, after)),
    }))
}

fn view(record: Record, request: &Request<'_>) -> Result<RecordView, Problem> {
    let posted_at = DateTime::from_timestamp_millis(record.posted_at_ms);
    Ok(RecordView {
        id: record.id.to_string(),
        order_id: record.id.order,
        entry: record.id.entry,
        cause: record.cause.name(),
        caused_by_order_id: match record.cause {
            EntryCause::Reassessment { order, .. } => Some(order),
            _ => None,
        },
        adopter: Some(record.adopter).filter(|adopter| request.may_name(adopter)),
        tree_count: record.tree_count,
        contribution_per_tree: record.contribution_per_tree.amount(),
        term: record.term,
        leg: LegView::from(&record.leg),
        posted_at: posted_at.ok_or_else(|| Problem::inconsistent("a record has no time"))?,
    })
}
