//! `GET /v1/held`: the adoptions that do not take part for now, with why and what would help.

use std::collections::BTreeMap;

use domain::heads::{AdoptionHead, AdoptionState};
use domain::log::HoldReason;
use domain::{AdoptionRow, Amount, Column, OrderId};
use serde::Serialize;
use store::heads::{self, At};
use store::lists::{self, HeldAdoption};

use crate::access::Access;
use crate::adoption::SourceView;
use crate::answer::Answer;
use crate::expected::Expected;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::{HoldView, instant, order_text};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/held",
    access: Access::Operator,
    parameters: &["reason", "account", "cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

/// The reasons by which the list can be filtered.
const REASONS: [&str; 7] = [
    "STATUS",
    "INVALID_TERMS",
    "NOT_YET",
    "NO_REFERRAL",
    "REFERRAL_CYCLE",
    "ACCOUNT_UNREADABLE",
    "POSTING_PAUSED",
];
/// How many held adoptions one answer looks at, at most, for those that a filter takes.
const LOOKED_AT_MAX: usize = 2_000;

#[derive(Debug, Serialize)]
struct HeldListView {
    /// How many there are by reason, whatever the filter.
    counts: BTreeMap<String, u64>,
    held: Vec<HeldView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct HeldView {
    order_id: String,
    #[serde(flatten)]
    hold: HoldView,
    since: chrono::DateTime<chrono::Utc>,
    /// The primary key and the table of the row that counts.
    row_key: Option<String>,
    /// What it would be posted with; absent where its terms are invalid, or the row has no price of its own.
    amount: Option<Amount>,
    source: Option<SourceView>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let reason: Option<String> = request.query("reason")?;
    if reason.as_deref().is_some_and(|reason| !REASONS.contains(&reason)) {
        return Err(Problem::invalid("reason", Expected::one_of(&REASONS)));
    }
    let account: Option<domain::AccountSequence> = request.query("account")?;
    let (limit, mut after) = (request.limit()?, request.place::<OrderId>()?);
    let shards = request.settings().account_shards;
    let mut found: Vec<(HeldAdoption, AdoptionHead)> = Vec::new();
    let mut looked_at = 0;
    let more = loop {
        let page = lists::held(request.engine(), shards, after, limit.max(50)).await?;
        let is_last = page.len() < limit.max(50);
        let orders = page.iter().filter(|held| takes_reason(held, reason.as_deref())).map(|held| held.order);
        let mut adoptions = heads::adoptions(request.engine(), orders.collect()).await?;
        let mut is_full = false;
        for held in page {
            if found.len() == limit {
                is_full = true;
                break;
            }
            after = Some(held.order);
            looked_at += 1;
            let Some(At { head, .. }) = adoptions.remove(&held.order) else { continue };
            if account.as_ref().is_none_or(|account| concerns(&held, &head, account)) {
                found.push((held, head));
            }
        }
        if is_full || (!is_last && looked_at >= LOOKED_AT_MAX) {
            break true;
        }
        if is_last {
            break false;
        }
    };
    let network = request.network().await?;
    let counts = network.counts.held.iter().filter(|(_, count)| **count > 0);
    Ok(Answer::json(&HeldListView {
        counts: counts.map(|(reason, count)| (reason.clone(), *count)).collect(),
        held: found.iter().map(|(held, head)| view(request, held, head)).collect(),
        next_cursor: after.filter(|_| more).map(|order| request.cursor(order)),
    }))
}

fn takes_reason(held: &HeldAdoption, reason: Option<&str>) -> bool {
    reason.is_none_or(|reason| held.reason.name() == reason)
}

fn concerns(listed: &HeldAdoption, head: &AdoptionHead, account: &domain::AccountSequence) -> bool {
    let adopts = |adoption: &AdoptionRow| adoption.account == Column::Value(account.clone());
    listed.reason.account() == Some(account) || head.row().is_some_and(adopts)
}

fn view(request: &Request<'_>, listed: &HeldAdoption, head: &AdoptionHead) -> HeldView {
    let reason = match &head.state {
        AdoptionState::Held(reason) => reason,
        // The list and the head are read one after the other.
        AdoptionState::Absent | AdoptionState::Unpriced | AdoptionState::Posted(_) => &listed.reason,
    };
    HeldView {
        order_id: order_text(listed.order),
        hold: HoldView::new(reason, &request.settings().profile, request.language, |account| {
            request.name(account)
        }),
        since: instant(listed.since_ms),
        row_key: head.rows.last_key_value().map(|(key, _)| key.to_string()),
        amount: head.row().filter(|_| !matches!(reason, HoldReason::InvalidTerms(_))).and_then(amount),
        source: head.row().map(SourceView::from),
    }
}

/// Returns trees times price, where the row has both and both are amounts that an adoption may have.
fn amount(row: &AdoptionRow) -> Option<Amount> {
    let (Column::Value(trees), Column::Value(Some(price))) = (&row.trees, &row.price) else { return None };
    price.times(u32::try_from(*trees).ok()?).ok()
}
