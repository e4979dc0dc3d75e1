//! `GET /v1/accounts/{account}/unallocated`: what an account would have received, and why it did not.

use std::collections::BTreeMap;

use domain::{AccountSequence, Amount, BusinessDate, Owner, Slot, UnlockFacts, Versions};
use serde::Serialize;

use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::missed::{self, Missed, Place};
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::{MissingView, missing_for, order_text};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/unallocated",
    access: Access::Account,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct UnallocatedView {
    records: Vec<MissedView>,
    /// The sum of the records of this answer.
    sum: Amount,
    /// The same by leg, so that what a further unlock would have given is seen.
    by_leg: Vec<LegSumView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct LegSumView {
    /// `TEAM_LEVEL` or `TEAM_BONUS`.
    r#type: &'static str,
    index: u8,
    count: u64,
    sum: Amount,
}

#[derive(Debug, Serialize)]
struct MissedView {
    order_id: String,
    /// Whose adoption it is, as the caller may see it.
    adopter: String,
    r#type: String,
    index: Option<u8>,
    amount: Amount,
    reason: &'static str,
    /// What the account lacked as of the order.
    missing: Vec<MissingView>,
    effective_date: BusinessDate,
    expire_date: Option<BusinessDate>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let account: AccountSequence = request.path("account")?;
    let (limit, after) = (request.limit()?, request.place::<Place>()?);
    let owner = Owner::User(account.clone());
    let (known, network) = futures::join!(account::known(request, &owner), request.network());
    let ((head, position), network) = (known?, network?);
    let facts = &head.node.facts;
    let (found, next) = missed::find(request, &network, (&account, facts), after, limit).await?;
    let records = found.iter().map(|missed| view(request, &network.versions, facts, missed));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    let sum = Amount::sum(found.iter().map(|missed| missed.leg.amount))?;
    let next_cursor = next.map(|place| request.cursor(place));
    let by_leg = by_leg(&found)?;
    Ok(Answer::json(&UnallocatedView { records, sum, by_leg, next_cursor }).at(position))
}

/// Returns what was missed of each leg.
fn by_leg(found: &[Missed]) -> Result<Vec<LegSumView>, Problem> {
    let mut sums: BTreeMap<(&'static str, u8), (u64, Amount)> = BTreeMap::new();
    for missed in found {
        let leg = match missed.leg.slot {
            Slot::TeamLevel(level) => ("TEAM_LEVEL", level),
            Slot::TeamBonus(tier) => ("TEAM_BONUS", tier),
            _ => continue,
        };
        let (count, sum) = sums.entry(leg).or_default();
        *count += 1;
        *sum = sum.checked_add(missed.leg.amount)?;
    }
    let view = |((r#type, index), (count, sum))| LegSumView { r#type, index, count, sum };
    Ok(sums.into_iter().map(view).collect())
}

fn view(
    request: &Request<'_>,
    versions: &Versions,
    facts: &UnlockFacts,
    Missed { order, posting, leg }: &Missed,
) -> Result<MissedView, Problem> {
    let policy = super::adoption::policy_of(versions, posting)?;
    let term = posting.term(policy);
    let slot: Slot = leg.slot;
    let missing = if facts.needs_refill(policy) {
        Vec::new()
    } else {
        missing_for(slot, facts.as_of(*order, policy), policy)
    };
    // An unallocated leg belongs to HEADQUARTERS, and its term is that of its owner.
    let never_expires = policy.never_expires(domain::SystemAccountKind::Headquarters);
    Ok(MissedView {
        order_id: order_text(*order),
        adopter: request.name(&posting.account),
        r#type: leg.type_name().into_owned(),
        index: leg.index(),
        amount: leg.amount,
        reason: "LOCKED",
        missing,
        effective_date: term.effective_date,
        expire_date: (!never_expires).then_some(term.expire_date),
    })
}
