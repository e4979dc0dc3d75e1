//! `GET /v1/adoptions/{order_id}`: how an adoption is shared out, and what was posted for it.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use ledger::cdc::AdoptionRow;
use ledger::rules::{AccountSequence, Amount, BusinessDate, Leg, OrderId, RegionCode, Term, TreeCount};
use ledger::store::{AdoptionRecord, EntryCause, HoldReason, JournalEntry, Position, Stage};
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::leg::LegView;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/adoptions/{order_id}",
    access: Access::Operator,
    parameters: &[],
    answer: |request| answer(request).boxed(),
};

#[derive(Debug, Serialize)]
struct AdoptionView {
    order_id: OrderId,
    state: &'static str,
    hold: Option<HoldView>,
    deleted: bool,
    /// What the source says; absent if it only ever said that the row is gone.
    source: Option<SourceView>,
    /// What is posted now, as the sum of all entries.
    distribution: Option<DistributionView>,
    entries: Vec<EntryView>,
}

/// Why an adoption does not take part for now.
#[derive(Debug, Serialize)]
pub(super) struct HoldView {
    reason: &'static str,
    waiting_for: Option<AccountSequence>,
}

#[derive(Debug, Serialize)]
struct SourceView {
    account: AccountSequence,
    tree_count: TreeCount,
    contribution_per_tree: Option<Amount>,
    adoption_date: BusinessDate,
    status: String,
    province_code: Option<RegionCode>,
    city_code: Option<RegionCode>,
}

#[derive(Debug, Serialize)]
struct DistributionView {
    account: AccountSequence,
    tree_count: TreeCount,
    contribution_per_tree: Amount,
    total: Amount,
    #[serde(flatten)]
    term: Term,
    legs: Vec<LegView>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    number: u32,
    cause: &'static str,
    caused_by: Option<CauseView>,
    sum: Amount,
    posted_at: DateTime<Utc>,
    legs: Vec<LegView>,
}

#[derive(Debug, Serialize)]
struct CauseView {
    order_id: OrderId,
    account: AccountSequence,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let order: OrderId = request.path("order_id")?;
    let store = request.store();
    let (mut records, entries) =
        futures::future::try_join(store.adoptions([order]), store.entries(order)).await?;
    let record = records.remove(&order).ok_or(Problem::NotFound)?;
    let distribution = distribution(order, &entries)?;
    Ok(Answer::json(&AdoptionView {
        order_id: order,
        state: state(&record, distribution.is_some()),
        hold: match &record.stage {
            Stage::Held(reason) => Some(reason.into()),
            Stage::Staged | Stage::Released | Stage::Removed => None,
        },
        deleted: record.deleted,
        source: record.row.map(SourceView::from),
        distribution,
        entries: entries.iter().map(entry).collect::<Result<_, _>>()?,
    }))
}

/// Where an adoption stands. The journal is behind the list for as long as its tree has work to do.
fn state(record: &AdoptionRecord, distributed: bool) -> &'static str {
    match record.stage {
        Stage::Held(_) | Stage::Released if distributed => "DISTRIBUTED",
        Stage::Held(_) => "HELD",
        Stage::Staged => "STAGED",
        Stage::Released => "RELEASED",
        Stage::Removed => "REMOVED",
    }
}

fn distribution(order: OrderId, entries: &[JournalEntry]) -> Result<Option<DistributionView>, Problem> {
    let position = Position::after(entries).ok_or_else(|| {
        Problem::inconsistent(format!("the entries of adoption {order} contradict each other"))
    })?;
    let Some(last) = entries.last().filter(|_| position.is_live()) else { return Ok(None) };
    let legs: Vec<Leg> = position
        .legs
        .into_iter()
        .map(|(slot, (recipient, amount))| Leg { slot, recipient, amount })
        .collect();
    Ok(Some(DistributionView {
        account: last.account.clone(),
        tree_count: last.tree_count,
        contribution_per_tree: last.contribution_per_tree.amount(),
        total: Amount::sum(legs.iter().map(|leg| leg.amount))?,
        term: last.term,
        legs: legs.iter().map(LegView::from).collect(),
    }))
}

fn entry(entry: &JournalEntry) -> Result<EntryView, Problem> {
    let out_of_range = || Problem::inconsistent(format!("an entry of {} has no time", entry.order));
    Ok(EntryView {
        number: entry.number,
        cause: entry.cause.name(),
        caused_by: match &entry.cause {
            EntryCause::Reassessment { order, account } => {
                Some(CauseView { order_id: *order, account: account.clone() })
            }
            EntryCause::Distribution | EntryCause::Reversal | EntryCause::Redistribution => None,
        },
        sum: entry.sum()?,
        posted_at: DateTime::from_timestamp_millis(entry.posted_at_ms).ok_or_else(out_of_range)?,
        legs: entry.legs.iter().map(LegView::from).collect(),
    })
}

impl From<AdoptionRow> for SourceView {
    fn from(row: AdoptionRow) -> Self {
        Self {
            account: row.account,
            tree_count: row.tree_count,
            contribution_per_tree: row.contribution_per_tree,
            adoption_date: row.adoption_date,
            status: row.status.to_string(),
            province_code: row.province,
            city_code: row.city,
        }
    }
}

impl From<&HoldReason> for HoldView {
    fn from(reason: &HoldReason) -> Self {
        let waiting_for = match reason {
            HoldReason::NoReferral(account) => Some(account.clone()),
            HoldReason::Status | HoldReason::AmountOverflow => None,
        };
        Self { reason: reason.name(), waiting_for }
    }
}
