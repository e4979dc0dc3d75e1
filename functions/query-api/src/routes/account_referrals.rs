//! `GET /v1/accounts/{account}/referrals`: the direct referrals of an account, or of one below it.
//!
//! An operator walks the tree by accounts. A member, who may not see the accounts of others, walks it by numbers:
//! `below=3.17` is the direct referral with number 17 of the own one with number 3. Numbers count in the order of
//! accounts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

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
    let (limit, start) = (request.limit()?, request.place::<Place>()?.unwrap_or_default());
    let (_, position) = account::known(request, &Owner::User(own.clone())).await?;
    let above = below(request, own).await?;
    let mut page = start.page(request, &above, limit + 1).await?;
    let more = page.len() > limit;
    page.truncate(limit);
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
    let next_cursor = page.last().filter(|_| more).map(|last| request.cursor(Place::after(request, last)));
    Ok(Answer::json(&ReferralsView { account: request.name(&above), referrals, next_cursor }).at(position))
}

/// Where a list of direct referrals goes on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place {
    /// The number of the next direct referral.
    number: usize,
    /// The direct referral before it. A member's cursor does not name one, and so is read from the beginning.
    before: Option<AccountSequence>,
}

impl Place {
    /// Returns the place after a direct referral.
    fn after(request: &Request<'_>, (number, account): &(usize, AccountSequence)) -> Self {
        Self { number: number + 1, before: request.member().is_none().then(|| account.clone()) }
    }

    /// Returns the direct referrals from this place on, each with its number.
    async fn page(
        &self,
        request: &Request<'_>,
        above: &AccountSequence,
        count: usize,
    ) -> Result<Vec<(usize, AccountSequence)>, Problem> {
        if self.before.is_some() && request.member().is_some() {
            return Err(Problem::InvalidCursor);
        }
        let passed = if self.before.is_some() { 0 } else { self.number };
        let children =
            first_children(request, above, self.before.clone(), passed.saturating_add(count)).await?;
        Ok((self.number..).zip(children.into_iter().skip(passed)).collect())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.before {
            Some(before) => write!(formatter, "{}.{before}", self.number),
            None => write!(formatter, "{}", self.number),
        }
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, before) = match text.split_once('.') {
            Some((number, before)) => (number, Some(before.parse().map_err(drop)?)),
            None => (text, None),
        };
        Ok(Self { number: number.parse().map_err(drop)?, before })
    }
}

/// Returns the first `count` accounts that ever had this referrer, after one of them.
async fn first_children(
    request: &Request<'_>,
    account: &AccountSequence,
    mut after: Option<AccountSequence>,
    count: usize,
) -> Result<Vec<AccountSequence>, Problem> {
    let mut children = Vec::new();
    while children.len() < count {
        let wanted = count - children.len();
        let page = heads::children_page(request.engine(), account, after.as_ref(), wanted).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        children.extend(page);
    }
    Ok(children)
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
        let children = first_children(request, &account, None, number.saturating_add(1)).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_written() {
        for text in ["0", "17", "17.D25122700018"] {
            assert_eq!(text.parse::<Place>().map(|place| place.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "x", ".D1", "1.", "-1", "1.HEADQUARTERS"] {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
    }
}
