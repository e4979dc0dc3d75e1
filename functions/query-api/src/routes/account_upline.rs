//! `GET /v1/accounts/{account}/upline`: the accounts above, the referrer first, with what each has unlocked.

use std::collections::{BTreeMap, BTreeSet};

use domain::heads::AdoptionState;
use domain::{AccountSequence, Link, Owner, TalentLevel};
use serde::Serialize;
use store::heads::{self, AccountHead};
use store::talent;

use crate::access::Access;
use crate::account;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::{Method, Route};

pub(crate) const ROUTE: Route = Route {
    method: Method::Get,
    path: "/v1/accounts/{account}/upline",
    access: Access::Account,
    parameters: &["cursor", "limit"],
    answer: |request| Box::pin(answer(request)),
};

#[derive(Debug, Serialize)]
struct UplineView {
    ancestors: Vec<AncestorView>,
    /// How the way up ends: `ROOT`, `MISSING` (no referral row), `CYCLE`, or `MORE`.
    end: &'static str,
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct AncestorView {
    level: u32,
    /// The ancestor, as the caller may see it.
    account: String,
    has_adopted: Option<bool>,
    unlocked_level_depth: Option<u8>,
    unlocked_bonus_tiers: Option<u8>,
    talent_level: Option<TalentLevel>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let account: AccountSequence = request.path("account")?;
    let limit = request.limit()?;
    let after = request.place::<Place>()?;
    // A member's own cursor would name an ancestor, so that a member reads what decides the own legs, at once.
    let limit = if request.member().is_some() { limit.min(20) } else { limit };
    let owner = Owner::User(account.clone());
    let (known, network) = futures::join!(account::known(request, &owner), request.network());
    let ((own, _), network) = (known?, network?);
    let policy = request.policy_today(&network);
    let (mut current, mut level) = match after {
        Some(place) if request.member().is_none() => (place.account, place.level),
        Some(_) => return Err(Problem::InvalidCursor),
        None => (account.clone(), 0),
    };
    let mut seen = BTreeSet::from([current.clone()]);
    let (mut ancestors, mut passed) = (Vec::new(), Vec::new());
    let mut heads = Heads(BTreeMap::from([(account.clone(), own)]));
    let mut head = heads.of(request, &current, None).await?;
    let end = loop {
        let referrer = match head.node.link() {
            Link::Root => break "ROOT",
            Link::Missing => break "MISSING",
            Link::Under(referrer) => referrer,
        };
        if !seen.insert(referrer.clone()) || referrer == account {
            break "CYCLE";
        }
        if ancestors.len() == limit {
            break "MORE";
        }
        level += 1;
        head = heads.of(request, &referrer, Some(&head)).await?;
        let unlock = request.sees_others().then(|| head.node.facts.latest(policy));
        ancestors.push(AncestorView {
            level,
            account: request.name(&referrer),
            has_adopted: unlock.map(|unlock| unlock.has_adopted),
            unlocked_level_depth: unlock.map(|unlock| unlock.level_depth),
            unlocked_bonus_tiers: unlock.map(|unlock| unlock.bonus_tiers),
            talent_level: None,
        });
        passed.push(referrer.clone());
        current = referrer;
    };
    if request.sees_others() {
        let talents = talent::read_all(request.engine(), passed.clone()).await?;
        for (ancestor, account) in ancestors.iter_mut().zip(&passed) {
            ancestor.talent_level = talents.get(account).map(|stored| stored.talent.published);
        }
    }
    let more = end == "MORE" && request.member().is_none();
    let next_cursor = more.then(|| request.cursor(Place { level, account: current }));
    Ok(Answer::json(&UplineView { ancestors, end, next_cursor }))
}

/// Heads that were read, and those that were read ahead.
struct Heads(BTreeMap<AccountSequence, AccountHead>);

impl Heads {
    /// Returns the head of an account, which is the referrer of the account of `below`.
    ///
    /// What that one adopted last names fifteen accounts above it as they were then. Mostly they still are, so that all
    /// of them are read at once.
    async fn of(
        &mut self,
        request: &Request<'_>,
        account: &AccountSequence,
        below: Option<&AccountHead>,
    ) -> Result<AccountHead, Problem> {
        if !self.0.contains_key(account) {
            let mut wanted = BTreeSet::from([account.clone()]);
            if let Some(order) = below.and_then(|below| below.node.orders.last()) {
                let adoptions = heads::adoptions(request.engine(), vec![*order]).await?;
                if let AdoptionState::Posted(posting) = &adoptions[order].head.state {
                    wanted.extend(posting.chain.iter().cloned());
                }
            }
            let owners = wanted.into_iter().map(Owner::User).collect();
            for (owner, at) in heads::accounts(request.engine(), owners).await? {
                if let Owner::User(account) = owner {
                    self.0.insert(account, at.head);
                }
            }
        }
        Ok(self.0.remove(account).unwrap_or_default())
    }
}

/// The last ancestor of an answer.
struct Place {
    level: u32,
    account: AccountSequence,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.level, self.account)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (level, account) = text.split_once('.').ok_or(())?;
        Ok(Self { level: level.parse().map_err(drop)?, account: account.parse().map_err(drop)? })
    }
}
