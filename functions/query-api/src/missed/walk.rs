//! The walk through the accounts below one, depth first.
//!
//! What is read next to each other is read together: accounts of a level, their direct referrals, their adoptions.
//!
//! Touches: `Ledger` (reads).

use std::collections::{BTreeMap, VecDeque};

use domain::heads::AdoptionHead;
use domain::{AccountSequence, OrderId, Owner, Policy};
use store::heads::{self, AccountHead, Children};

use super::{Missable, Place};
use crate::children::first_children;
use crate::problem::Problem;
use crate::request::Request;

/// How many accounts, or adoptions, are read together.
const AT_ONCE: usize = 50;

/// A walk, and the account that it is at.
pub(super) struct Walk<'a> {
    request: &'a Request<'a>,
    missable: Missable,
    levels: Vec<Level>,
}

/// The accounts directly below one account, from the one the walk is at on.
struct Level {
    above: AccountSequence,
    /// The number of the account that the walk is at.
    number: u32,
    /// That account, and those after it that are known; never empty.
    next: VecDeque<AccountSequence>,
    /// Whether there may be accounts after those.
    may_have_more: bool,
    /// How many of the first of those are loaded.
    loaded: usize,
    /// The loaded ones that hang here.
    accounts: BTreeMap<AccountSequence, Below>,
    adoptions: BTreeMap<OrderId, AdoptionHead>,
}

/// An account of a level.
struct Below {
    head: AccountHead,
    /// Its first direct referrals.
    children: Children,
}

impl<'a> Walk<'a> {
    /// Returns a walk that is at the account which these numbers lead to from `root`, or at the first one below it.
    pub(super) async fn begin(
        request: &'a Request<'a>,
        root: &AccountSequence,
        missable: Missable,
        numbers: Option<&[u32]>,
    ) -> Result<Self, Problem> {
        let mut walk = Self { request, missable, levels: Vec::new() };
        if walk.missable.depth() == 0 {
            return Ok(walk);
        }
        let mut above = root.clone();
        for number in numbers.unwrap_or(&[0]) {
            let is_found = walk.descend(above, *number).await?;
            match walk.levels.last().filter(|_| is_found) {
                Some(level) if walk.levels.len() <= usize::from(Policy::MAX_LEVELS) => {
                    above = level.next[0].clone();
                }
                None if numbers.is_none() => break,
                Some(_) | None => return Err(Problem::InvalidCursor),
            }
        }
        Ok(walk)
    }

    /// Goes one level down, to the account with this number, and returns whether there is one.
    async fn descend(&mut self, above: AccountSequence, number: u32) -> Result<bool, Problem> {
        let passed = usize::try_from(number).map_err(|_| Problem::InvalidCursor)?;
        let wanted = passed.saturating_add(AT_ONCE);
        let mut accounts = first_children(self.request, &above, None, wanted).await?;
        let may_have_more = accounts.len() == wanted;
        accounts.drain(..passed.min(accounts.len()));
        let is_found = !accounts.is_empty();
        if is_found {
            self.levels.push(Level::new(above, number, Children { accounts, may_have_more }));
        }
        Ok(is_found)
    }

    /// Returns whether the walk has seen all accounts.
    pub(super) fn is_at_end(&self) -> bool {
        self.levels.is_empty()
    }

    /// Returns the place of the account that the walk is at, after this order there.
    pub(super) fn place(&self, order: u64) -> Place {
        Place { numbers: self.levels.iter().map(|level| level.number).collect(), order }
    }

    /// Returns the first orders after `passed`, at most `count`, of the account that the walk is at, of which a leg may
    /// be missed; `None` at the end of the walk.
    pub(super) async fn orders(
        &mut self,
        passed: u64,
        count: usize,
    ) -> Result<Option<Vec<OrderId>>, Problem> {
        let depth = self.levels.len();
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        level.load(self.request, depth < self.missable.depth()).await?;
        let orders = level.orders(&level.next[0], depth, &self.missable);
        Ok(Some(orders.filter(|order| order.get() > passed).take(count).collect()))
    }

    /// Returns the account that the walk is at, and one of its adoptions, whose order [`orders`](Self::orders)
    /// returned.
    pub(super) async fn adoption(
        &mut self,
        order: OrderId,
    ) -> Result<(&AccountSequence, &AdoptionHead), Problem> {
        let depth = self.levels.len();
        let level = self.levels.last_mut().expect("the walk is at an account, whose order this is");
        if !level.adoptions.contains_key(&order) {
            level.load_adoptions(self.request, depth, &self.missable, order).await?;
        }
        Ok((&level.next[0], &level.adoptions[&order]))
    }

    /// Goes to the next account.
    pub(super) async fn advance(&mut self) -> Result<(), Problem> {
        let is_last_level = self.levels.len() >= self.missable.depth();
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        if !is_last_level && let Some((account, children)) = level.below(self.request).await? {
            self.levels.push(Level::new(account, 0, children));
            return Ok(());
        }
        while let Some(level) = self.levels.last_mut() {
            if level.step(self.request).await? {
                return Ok(());
            }
            self.levels.pop();
        }
        Ok(())
    }
}

impl Level {
    fn new(above: AccountSequence, number: u32, children: Children) -> Self {
        Self {
            above,
            number,
            next: children.accounts.into(),
            may_have_more: children.may_have_more,
            loaded: 0,
            accounts: BTreeMap::new(),
            adoptions: BTreeMap::new(),
        }
    }

    /// Loads the account the walk is at, and those that come next, if it is not loaded.
    async fn load(&mut self, request: &Request<'_>, with_children: bool) -> Result<(), Problem> {
        if self.loaded > 0 {
            return Ok(());
        }
        let owners = self.next.iter().cloned().map(Owner::User).collect();
        let heads = heads::accounts(request.engine(), owners).await?;
        // Accounts that hang elsewhere now have nothing here.
        let heads = heads.into_iter().filter_map(|(owner, at)| match owner {
            Owner::User(account) if at.head.node.link().referrer() == Some(&self.above) => {
                Some((account, at.head))
            }
            Owner::User(_) | Owner::System(_) => None,
        });
        let below = heads.map(async |(account, head)| {
            let children = if with_children {
                heads::children_page(request.engine(), &account, None, AT_ONCE).await?
            } else {
                Children::default()
            };
            Ok::<_, Problem>((account, Below { head, children }))
        });
        self.accounts = futures::future::try_join_all(below).await?.into_iter().collect();
        self.loaded = self.next.len();
        Ok(())
    }

    /// Returns an account's orders of which a leg may be missed.
    fn orders<'l>(
        &'l self,
        account: &AccountSequence,
        depth: usize,
        missable: &'l Missable,
    ) -> impl Iterator<Item = OrderId> + use<'l> {
        let below = self.accounts.get(account);
        let orders = below.into_iter().flat_map(|below| below.head.node.orders.iter().copied());
        orders.take_while(move |order| missable.contains(depth, *order))
    }

    /// Loads adoptions from this one on, of the account the walk is at and of those after it.
    async fn load_adoptions(
        &mut self,
        request: &Request<'_>,
        depth: usize,
        missable: &Missable,
        first: OrderId,
    ) -> Result<(), Problem> {
        let own = self.orders(&self.next[0], depth, missable).skip_while(|order| *order < first);
        let later = self.next.iter().skip(1).flat_map(|account| self.orders(account, depth, missable));
        let orders = own.chain(later).take(AT_ONCE).collect();
        let adoptions = heads::adoptions(request.engine(), orders).await?;
        self.adoptions = adoptions.into_iter().map(|(order, at)| (order, at.head)).collect();
        Ok(())
    }

    /// Returns the account that the walk is at with its first direct referrals, if it has any here.
    async fn below(&mut self, request: &Request<'_>) -> Result<Option<(AccountSequence, Children)>, Problem> {
        self.load(request, true).await?;
        let account = self.next[0].clone();
        let children = self.accounts.get(&account).map(|below| below.children.clone());
        let children = children.filter(|children| !children.accounts.is_empty());
        Ok(children.map(|children| (account, children)))
    }

    /// Goes to the next account of the level, and returns whether there is one.
    async fn step(&mut self, request: &Request<'_>) -> Result<bool, Problem> {
        let passed = self.next.pop_front().expect("a level is at an account");
        self.number += 1;
        self.loaded = self.loaded.saturating_sub(1);
        if self.next.is_empty() && self.may_have_more {
            self.next = first_children(request, &self.above, Some(passed), AT_ONCE).await?.into();
            self.may_have_more = self.next.len() == AT_ONCE;
        }
        Ok(!self.next.is_empty())
    }
}
