//! `GET /v1/adoptions/{order_id}`: what became of an adoption, with all its legs.

use chrono::{DateTime, Utc};
use domain::heads::{AdoptionHead, AdoptionState};
use domain::log::{Cause, Entry, Position};
use domain::{AccountSequence, Amount, BusinessDate, OrderId, Policy, Posting, Versions};
use serde::Serialize;
use store::heads::{self, At};

use crate::access::Access;
use crate::adoption::{self, SourceView, WaitingView};
use crate::answer::Answer;
use crate::problem::{Problem, Subject};
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::{HoldView, LegView, instant, order_text};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/adoptions/{order_id}",
    access: Access::Operator,
    parameters: &[],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct AdoptionView {
    order_id: String,
    state: &'static str,
    hold: Option<HoldView>,
    waiting: Option<WaitingView>,
    /// What the source says; absent if no row names the order any more.
    source: Option<SourceView>,
    /// What is in force while a change of the row waits.
    in_force: Option<SourceView>,
    /// Rows that name the order and do not count, because another has a greater key.
    shadowed: Vec<ShadowedView>,
    /// The trees adopted before it in the whole network, where its place in the price book was decided.
    trees_before: Option<u64>,
    distribution: Option<DistributionView>,
    last_entry: Option<EntryView>,
}

#[derive(Debug, Serialize)]
struct ShadowedView {
    key: String,
    #[serde(flatten)]
    row: SourceView,
}

/// What is posted of an adoption.
#[derive(Debug, Serialize)]
pub(super) struct DistributionView {
    account: AccountSequence,
    tree_count: u32,
    total: Amount,
    /// The version of the rules that judges it.
    version: u32,
    effective_date: BusinessDate,
    expire_date: BusinessDate,
    /// The adopter's ancestors, the referrer first.
    chain: Vec<AccountSequence>,
    legs: Vec<LegView>,
}

/// The entry of the log that last changed an adoption.
#[derive(Debug, Serialize)]
struct EntryView {
    page: Position,
    kind: &'static str,
    cause: Option<CauseView>,
    decided_at: DateTime<Utc>,
}

/// Why an entry was decided.
#[derive(Debug, Serialize)]
pub(crate) struct CauseView {
    kind: &'static str,
    order_id: Option<String>,
    account: Option<AccountSequence>,
    version: Option<u32>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let order: OrderId = request.path("order_id")?;
    let mut heads = heads::adoptions(request.engine(), vec![order]).await?;
    let At { head, position } = heads.remove(&order).unwrap_or_default();
    if position == 0 {
        return Err(Problem::Unknown(Subject::Adoption, order.to_string()));
    }
    let network = request.network().await?;
    let last_entry = last_entry(request, order, position).await?;
    Ok(Answer::json(&view(request, &network.versions, order, &head, last_entry)?))
}

fn view(
    request: &Request<'_>,
    versions: &Versions,
    order: OrderId,
    head: &AdoptionHead,
    last_entry: Option<EntryView>,
) -> Result<AdoptionView, Problem> {
    let shadowed = head.rows.iter().rev().skip(1);
    let distribution = match &head.state {
        AdoptionState::Posted(posting) => Some(DistributionView::new(posting, policy_of(versions, posting)?)),
        AdoptionState::Absent | AdoptionState::Unpriced | AdoptionState::Held(_) => None,
    };
    Ok(AdoptionView {
        order_id: order_text(order),
        state: adoption::state(head),
        hold: adoption::hold(request, head),
        waiting: adoption::waiting(head),
        source: head.latest_row().map(SourceView::from),
        in_force: head.waiting.as_ref().map(|waiting| SourceView::from(&waiting.in_force)),
        shadowed: shadowed
            .map(|(key, row)| ShadowedView { key: key.to_string(), row: SourceView::from(row) })
            .collect(),
        trees_before: head.trees_before,
        distribution,
        last_entry,
    })
}

/// Returns the policy of the version that judges a posting.
pub(super) fn policy_of<'a>(versions: &'a Versions, posting: &Posting) -> Result<&'a Policy, Problem> {
    let version = versions.numbered(posting.version);
    let unknown = || Problem::inconsistent(format!("version {} of the rules is not known", posting.version));
    version.map(|version| &version.policy).ok_or_else(unknown)
}

impl DistributionView {
    /// Returns what a posting gives to whom.
    pub(super) fn new(posting: &Posting, policy: &Policy) -> Self {
        let term = posting.term(policy);
        Self {
            account: posting.account.clone(),
            tree_count: posting.trees,
            total: posting.total,
            version: posting.version,
            effective_date: term.effective_date,
            expire_date: term.expire_date,
            chain: posting.chain.clone(),
            legs: posting.legs(policy).iter().map(LegView::from).collect(),
        }
    }
}

/// Returns the last entry about an order in the page that last changed its head.
async fn last_entry(
    request: &Request<'_>,
    order: OrderId,
    position: Position,
) -> Result<Option<EntryView>, Problem> {
    let pages = store::log::read_at(request.engine(), vec![position]).await?;
    let Some(page) = pages.first() else { return Ok(None) };
    let entries = page.entries.iter().filter(|entry| AdoptionHead::order_of(entry) == Some(order));
    let decided = entries.filter_map(|entry| Some((kind(entry)?, cause(entry)))).next_back();
    Ok(decided.map(|(kind, cause)| EntryView {
        page: position,
        kind,
        cause: cause.map(CauseView::from),
        decided_at: instant(page.time_ms),
    }))
}

fn kind(entry: &Entry) -> Option<&'static str> {
    match entry {
        Entry::Posted { .. } => Some("POSTED"),
        Entry::Corrected(_) => Some("CORRECTED"),
        Entry::Withdrawn { .. } => Some("WITHDRAWN"),
        Entry::Held(_) => Some("HELD"),
        Entry::HoldEnded(_) => Some("HOLD_ENDED"),
        Entry::Unpriced { .. } => Some("UNPRICED"),
        Entry::Placed { .. } => Some("PLACED"),
        Entry::Gone { .. } => Some("GONE"),
        Entry::OrderWaits(_) => Some("WAITS"),
        Entry::OrderWaitEnded { .. } => Some("WAIT_ENDED"),
        Entry::AdoptionRow { .. } => Some("ROW_CHANGED"),
        _ => None,
    }
}

fn cause(entry: &Entry) -> Option<&Cause> {
    match entry {
        Entry::Posted { cause, .. } | Entry::Withdrawn { cause, .. } => Some(cause),
        Entry::Corrected(correction) => Some(&correction.cause),
        _ => None,
    }
}

impl CauseView {
    /// Returns the cause as the caller may see it: a member sees neither orders nor accounts of others.
    pub(crate) fn for_caller(cause: &Cause, request: &Request<'_>) -> Self {
        let view = Self::from(cause);
        if request.member().is_some() { Self { order_id: None, account: None, ..view } } else { view }
    }
}

impl From<&Cause> for CauseView {
    fn from(cause: &Cause) -> Self {
        let of = |kind| Self { kind, order_id: None, account: None, version: None };
        match cause {
            Cause::Row => of("ROW"),
            Cause::Price => of("PRICE"),
            Cause::Date => of("DATE"),
            Cause::Unlock { order } => Self { order_id: Some(order_text(*order)), ..of("UNLOCK") },
            Cause::Upline { account } => Self { account: Some(account.clone()), ..of("UPLINE") },
            Cause::Version { number } => Self { version: Some(*number), ..of("VERSION") },
            Cause::Repair => of("REPAIR"),
        }
    }
}
