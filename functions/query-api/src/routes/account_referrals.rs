//! `GET /v1/accounts/{account}/referrals`: the direct referrals of an account, or of one below it.
//!
//! An operator walks the tree by accounts. A member, who may not see the accounts of others, walks it by numbers:
//! `below=3.17` is the direct referral with number 17 of the own one with number 3. Numbers count in the order of
//! accounts.

use std::collections::BTreeMap;

use domain::{AccountSequence, Amount, Owner};
use serde::Serialize;
use store::heads::{self, AccountHead, At};

use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::order_text;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/referrals",
    access: Access::Account,
    parameters: &["below", "cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

/// How many levels below the own account a member may go.
const DEPTH_MAX: usize = 20;

#[derive(Debug, Serialize)]
struct ReferralsView {
    /// Whose direct referrals these are, as the caller may see it.
    account: String,
    referrals: Vec<ReferralView>,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReferralView {
    /// Its number among the direct referrals, for `below`.
    number: usize,
    account: String,
    has_adopted: bool,
    first_order_id: Option<String>,
    unlocked_level_depth: Option<u8>,
    unlocked_bonus_tiers: Option<u8>,
    total: Option<Amount>,
    has_referrals: bool,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let own: AccountSequence = request.path("account")?;
    let (limit, start) = (request.limit()?, request.place::<usize>()?.unwrap_or(0));
    let (_, position) = account::known(request, &Owner::User(own.clone())).await?;
    let above = below(request, own).await?;
    let children = heads::children(request.engine(), &above).await?;
    let page: Vec<(usize, AccountSequence)> =
        children.iter().cloned().enumerate().skip(start).take(limit).collect();
    let owners = page.iter().map(|(_, child)| Owner::User(child.clone())).collect();
    let heads = heads::accounts(request.engine(), owners).await?;
    let with_referrals = with_referrals(request, &page).await?;
    let network = request.network().await?;
    let policy = request.policy_today(&network);
    let mut referrals = Vec::new();
    for ((number, child), has_referrals) in page.iter().zip(with_referrals) {
        let head = &heads[&Owner::User(child.clone())].head;
        // An account that was moved stays in the list of every referrer it had.
        if head.node.link().referrer() != Some(&above) {
            continue;
        }
        let unlock = head.node.facts.latest(policy);
        let seen = request.sees_others();
        referrals.push(ReferralView {
            number: *number,
            account: request.name(child),
            has_adopted: unlock.has_adopted,
            first_order_id: head.node.facts.first_order().filter(|_| seen).map(order_text),
            unlocked_level_depth: seen.then_some(unlock.level_depth),
            unlocked_bonus_tiers: seen.then_some(unlock.bonus_tiers),
            total: if request.sees_amounts() { Some(head.money.totals.total()?) } else { None },
            has_referrals,
        });
    }
    let end = start.saturating_add(limit);
    let next_cursor = (end < children.len()).then(|| request.cursor(end));
    Ok(Answer::json(&ReferralsView { account: request.name(&above), referrals, next_cursor }).at(position))
}

/// Returns the account that `below` leads to, from the account of the path.
async fn below(request: &Request<'_>, own: AccountSequence) -> Result<AccountSequence, Problem> {
    let expected = || Problem::invalid("below", "numbers of direct referrals with dots between them");
    let Some(path) = request.query::<String>("below")? else { return Ok(own) };
    let numbers: Vec<usize> =
        path.split('.').map(|number| number.parse().map_err(|_| expected())).collect::<Result<_, _>>()?;
    if numbers.len() > DEPTH_MAX {
        return Err(expected());
    }
    let mut account = own;
    for number in numbers {
        let children = heads::children(request.engine(), &account).await?;
        let child = children.into_iter().nth(number).ok_or_else(expected)?;
        let mut heads: BTreeMap<Owner, At<AccountHead>> =
            heads::accounts(request.engine(), vec![Owner::User(child.clone())]).await?;
        let head = heads.remove(&Owner::User(child.clone())).unwrap_or_default().head;
        // What is not below the own account now is not shown.
        if head.node.link().referrer() != Some(&account) {
            return Err(expected());
        }
        account = child;
    }
    Ok(account)
}

async fn with_referrals(
    request: &Request<'_>,
    page: &[(usize, AccountSequence)],
) -> Result<Vec<bool>, Problem> {
    let first = page.iter().map(|(_, child)| heads::children_page(request.engine(), child, None, 1));
    let first = futures::future::try_join_all(first).await?;
    Ok(first.iter().map(|children| !children.is_empty()).collect())
}
