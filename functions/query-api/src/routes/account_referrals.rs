//! `GET /v1/accounts/{account}/referrals`: the direct referrals of an account, or of one below it.
//!
//! An operator walks the tree by accounts. A member, who may not see the accounts of others, walks it by numbers:
//! `below=3.17` is the direct referral with number 17 of the own one with number 3. Numbers count in the order of
//! accounts.
//!
//! Subtotals are sums that are stored: of the last closed date, and of the talent records. Nothing is walked for them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use domain::snapshot::CarriedAccount;
use domain::{AccountSequence, Amount, BusinessDate, Owner, Policy, TalentLevel};
use serde::Serialize;
use store::heads::{self, AccountHead, At};
use store::{snapshots, talent};

use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::children::first_children;
use crate::expected::Expected;
use crate::problem::{Problem, Subject};
use crate::request::Request;
use crate::route::{Method, Route};
use crate::view::order_text;

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/referrals",
    access: Access::Account,
    parameters: &["below", "from", "cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

/// How many levels below the own account a member may go.
const DEPTH_MAX: usize = 20;

#[derive(Debug, Serialize)]
struct ReferralsView {
    /// Whose direct referrals these are, as the caller may see it.
    account: String,
    /// The closed date of which the trees are.
    trees_on: Option<BusinessDate>,
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
    talent_level: Option<TalentLevel>,
    /// Accounts below it, within twenty levels.
    descendants: Option<u64>,
    /// The trees of its own adoptions that have begun, and of those below it within fifteen levels.
    own_trees: Option<u64>,
    team_trees: Option<u64>,
    /// The contribution of the trees below it, when they were adopted.
    team_contribution: Option<Amount>,
    has_referrals: bool,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let own: AccountSequence = request.path("account")?;
    let (limit, start) = (request.limit()?, request.place::<Place>()?.unwrap_or_default());
    let owner = Owner::User(own.clone());
    let (known, listed, network, latest) = futures::join!(
        account::known(request, &owner),
        listed(request, own, start, limit + 1),
        request.network(),
        snapshots::latest(request.engine()),
    );
    // In this order, whichever was read first: an account that is unknown is said to be.
    let (_, position) = known?;
    let (above, mut page) = listed?;
    let (network, latest) = (network?, latest?);
    let more = page.len() > limit;
    page.truncate(limit);
    let date = latest.map(|manifest| manifest.date).filter(|_| request.sees_others());
    let loaded = Loaded::read(request, &page, date).await?;
    let policy = request.policy_today(&network);
    // An account that was moved stays in the list of every referrer it had.
    let hangs_here = |child| loaded.head(child).node.link().referrer() == Some(&above);
    let here = page.iter().filter(|(_, child)| hangs_here(child));
    let referrals = here.map(|(number, child)| view(request, policy, &loaded, *number, child));
    let referrals = referrals.collect::<Result<_, _>>()?;
    let next_cursor = page.last().filter(|_| more).map(|last| request.cursor(Place::after(request, last)));
    let view = ReferralsView { account: request.name(&above), trees_on: date, referrals, next_cursor };
    Ok(Answer::json(&view).at(position))
}

/// Returns whose direct referrals are asked for, and `count` of them, each with its number.
async fn listed(
    request: &Request<'_>,
    own: AccountSequence,
    mut start: Place,
    count: usize,
) -> Result<(AccountSequence, Vec<(usize, AccountSequence)>), Problem> {
    let above = below(request, own).await?;
    if let Some(first) = from(request)? {
        start = start.or_at(request, &above, first).await?;
    }
    let page = start.page(request, &above, count).await?;
    Ok((above, page))
}

fn view(
    request: &Request<'_>,
    policy: &Policy,
    loaded: &Loaded,
    number: usize,
    child: &AccountSequence,
) -> Result<ReferralView, Problem> {
    let head = loaded.head(child);
    let unlock = head.node.facts.latest(policy);
    let seen = request.sees_others();
    let (talent, carried) = (loaded.talent(child), loaded.carried(child));
    let contribution = carried.as_ref().map(|carried| carried.team.contribution);
    Ok(ReferralView {
        number,
        account: request.name(child),
        has_adopted: unlock.has_adopted,
        first_order_id: head.node.facts.first_order().filter(|_| seen).map(order_text),
        unlocked_level_depth: seen.then_some(unlock.level_depth),
        unlocked_bonus_tiers: seen.then_some(unlock.bonus_tiers),
        total: if request.sees_amounts() { Some(head.money.totals.total()?) } else { None },
        talent_level: talent.map(|talent| talent.published),
        descendants: talent.map(|talent| talent.team.promotion_count()),
        own_trees: carried.as_ref().map(|carried| carried.trees),
        team_trees: carried.as_ref().map(|carried| carried.team.total()),
        team_contribution: contribution.filter(|_| request.sees_amounts()),
        has_referrals: loaded.with_referrals.contains(child),
    })
}

/// Returns the account that the list is to begin at. A member, who walks by numbers, may not look for accounts.
fn from(request: &Request<'_>) -> Result<Option<AccountSequence>, Problem> {
    let first = request.query::<AccountSequence>("from")?;
    if first.is_some() && request.member().is_some() {
        return Err(Problem::Forbidden);
    }
    Ok(first)
}

/// What is stored of direct referrals and of those below them.
struct Loaded {
    heads: BTreeMap<Owner, At<AccountHead>>,
    /// Empty where the caller does not see others.
    talents: BTreeMap<AccountSequence, talent::StoredTalent>,
    /// Absent where no date is asked for.
    carried: Option<BTreeMap<Owner, CarriedAccount>>,
    with_referrals: BTreeSet<AccountSequence>,
}

impl Loaded {
    /// Reads what is stored of these accounts, and of a closed date; what does not wait for another answer, together.
    async fn read(
        request: &Request<'_>,
        page: &[(usize, AccountSequence)],
        date: Option<BusinessDate>,
    ) -> Result<Self, Problem> {
        let engine = request.engine();
        let accounts: Vec<AccountSequence> = page.iter().map(|(_, child)| child.clone()).collect();
        let owners: Vec<Owner> = accounts.iter().cloned().map(Owner::User).collect();
        let seen = if request.sees_others() { accounts.clone() } else { Vec::new() };
        let forest = async {
            let heads = heads::accounts(engine, owners.clone());
            let (heads, talents) = futures::try_join!(heads, talent::read_all(engine, seen))?;
            let with_referrals = with_referrals(request, &accounts, &heads, &talents).await?;
            Ok::<_, Problem>((heads, talents, with_referrals))
        };
        let carried = async {
            let Some(date) = date else { return Ok(None) };
            Ok(Some(snapshots::carried(engine, date, &owners).await?.unwrap_or_default()))
        };
        let ((heads, talents, with_referrals), carried) = futures::try_join!(forest, carried)?;
        Ok(Self { heads, talents, carried, with_referrals })
    }

    fn head(&self, account: &AccountSequence) -> &AccountHead {
        &self.heads[&Owner::User(account.clone())].head
    }

    fn talent(&self, account: &AccountSequence) -> Option<&talent::Talent> {
        self.talents.get(account).map(|stored| &stored.talent)
    }

    /// Returns the sums of an account; those of nothing where nothing was carried over, and none where no date is
    /// closed.
    fn carried(&self, account: &AccountSequence) -> Option<CarriedAccount> {
        let carried = self.carried.as_ref()?;
        let owner = Owner::User(account.clone());
        Some(carried.get(&owner).cloned().unwrap_or_else(|| CarriedAccount::new(owner)))
    }
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

    /// Returns this place; where it is the first, the one of `first`, or where that would stand.
    async fn or_at(
        self,
        request: &Request<'_>,
        above: &AccountSequence,
        first: AccountSequence,
    ) -> Result<Self, Problem> {
        if self != Self::default() {
            return Ok(self);
        }
        let children = heads::children(request.engine(), above).await?;
        let passed = children.range(..first);
        Ok(Self { number: passed.clone().count(), before: passed.last().cloned() })
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
        let Some(_) = self.number.checked_add(count) else { return Err(Problem::InvalidCursor) };
        let passed = if self.before.is_some() { 0 } else { self.number };
        let children = first_children(request, above, self.before.clone(), passed + count).await?;
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
        // No account refers more than that, so that counting on from it cannot overflow.
        let number: u32 = number.parse().map_err(drop)?;
        Ok(Self { number: usize::try_from(number).map_err(drop)?, before })
    }
}

/// Returns the account that `below` leads to, from the account of the path.
async fn below(request: &Request<'_>, own: AccountSequence) -> Result<AccountSequence, Problem> {
    let expected = || {
        let english = "numbers of direct referrals with dots between them";
        Problem::invalid("below", Expected::new(english, "直推的序号，以点分隔"))
    };
    let Some(path) = request.query::<String>("below")? else { return Ok(own) };
    let numbers: Vec<usize> =
        path.split('.').map(|number| number.parse().map_err(|_| expected())).collect::<Result<_, _>>()?;
    if numbers.len() > DEPTH_MAX {
        return Err(expected());
    }
    let unknown = || Problem::Unknown(Subject::Account, path.clone());
    let mut account = own;
    for number in numbers {
        let children = first_children(request, &account, None, number.saturating_add(1)).await?;
        let child = children.into_iter().nth(number).ok_or_else(unknown)?;
        let mut heads: BTreeMap<Owner, At<AccountHead>> =
            heads::accounts(request.engine(), vec![Owner::User(child.clone())]).await?;
        let head = heads.remove(&Owner::User(child.clone())).unwrap_or_default().head;
        // What is not below the own account now is not shown.
        if head.node.link().referrer() != Some(&account) {
            return Err(unknown());
        }
        account = child;
    }
    Ok(account)
}

/// Returns which of these accounts have direct referrals.
///
/// What is stored of most accounts says so: that a direct referral adopted, or that there are accounts below. Of the
/// others the lists are asked, because what is stored may be older.
async fn with_referrals(
    request: &Request<'_>,
    accounts: &[AccountSequence],
    heads: &BTreeMap<Owner, At<AccountHead>>,
    talents: &BTreeMap<AccountSequence, talent::StoredTalent>,
) -> Result<BTreeSet<AccountSequence>, Problem> {
    let is_known = |account: &&AccountSequence| {
        let head = &heads[&Owner::User((*account).clone())].head;
        head.node.facts.direct_adopter_count() > 0
            || talents.get(*account).is_some_and(|stored| stored.talent.team.promotion_count() > 0)
    };
    let (known, unknown): (Vec<_>, Vec<_>) = accounts.iter().partition(is_known);
    let first = unknown.iter().map(|account| heads::children_page(request.engine(), account, None, 1));
    let first = futures::future::try_join_all(first).await?;
    let asked = unknown.into_iter().zip(first).filter(|(_, children)| !children.accounts.is_empty());
    Ok(known.into_iter().chain(asked.map(|(account, _)| account)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_written() {
        for text in ["0", "17", "17.D25122700018"] {
            assert_eq!(text.parse::<Place>().map(|place| place.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "x", ".D1", "1.", "-1", "1.HEADQUARTERS", "4294967296"] {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
    }
}
