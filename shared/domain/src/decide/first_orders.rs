//! What an adoption changes in its account's first order, and which other adoptions that concerns.

use super::Decider;
use super::state::Need;
use crate::heads::Node;
use crate::log::{Cause, FirstOrderChange};
use crate::{AccountSequence, Backfill, OrderId, OrderRange, UnlockFacts, affected_orders};

/// Facts of accounts before a change.
pub(super) type FactsBefore = Vec<(AccountSequence, UnlockFacts)>;

impl Decider {
    /// Returns what posting `order` changes in the first order of `account`.
    pub(super) fn first_order_change(
        &self,
        order: OrderId,
        account: &AccountSequence,
    ) -> Result<Option<FirstOrderChange>, Vec<Need>> {
        let node = self.state.node(account)?;
        let before = node.facts.first_order();
        if before.is_some_and(|first| first <= order) {
            return Ok(None);
        }
        let referrer = node.link_in_force().referrer().cloned();
        Ok(Some(FirstOrderChange { before, after: Some(order), referrer }))
    }

    /// Returns the smallest posted order of an account but `without`.
    pub(super) fn next_posted(
        &self,
        account: &AccountSequence,
        without: OrderId,
    ) -> Result<Option<OrderId>, Vec<Need>> {
        let mut missing = Vec::new();
        let mut next = None;
        for order in self.state.node(account)?.orders.iter().filter(|order| **order != without) {
            match self.state.adoption(*order) {
                Ok(head) => {
                    let is_own = head.posting().is_some_and(|posting| posting.account == *account);
                    if is_own && next.is_none() {
                        next = Some(*order);
                    }
                }
                Err(needs) => missing.extend(needs),
            }
        }
        if missing.is_empty() { Ok(next) } else { Err(missing) }
    }

    /// Returns the facts of an account and of its referrer before this change of its first order, as far as other
    /// adoptions can be concerned. `order` is the smallest order from which they change.
    pub(super) fn facts_before(
        &self,
        order: OrderId,
        account: &AccountSequence,
        change: Option<&FirstOrderChange>,
    ) -> Result<FactsBefore, Vec<Need>> {
        match change {
            Some(change) if self.may_concern_others(order) => {
                self.facts_of(std::iter::once(account).chain(change.referrer.as_ref()))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Returns the facts of these accounts, completed where they keep too few first orders.
    pub(super) fn facts_of<'a>(
        &self,
        accounts: impl Iterator<Item = &'a AccountSequence>,
    ) -> Result<FactsBefore, Vec<Need>> {
        let mut facts = Vec::new();
        let mut missing = Vec::new();
        for account in accounts {
            match self.state.node(account) {
                Ok(node) if self.needs_refill(&node.facts) => {
                    missing.push(Need::FirstOrders(account.clone()));
                }
                Ok(node) => facts.push((account.clone(), node.facts.clone())),
                Err(needs) => missing.extend(needs),
            }
        }
        if missing.is_empty() { Ok(facts) } else { Err(missing) }
    }

    /// Returns whether a change at `order` of what is unlocked can concern any other posted adoption.
    pub(super) fn may_concern_others(&self, order: OrderId) -> bool {
        self.state.network.counts.posted_max.is_some_and(|last| last > order || self.backfills())
    }

    /// Returns whether any version of the rules gives legs that were locked to those who unlock them later.
    pub(super) fn backfills(&self) -> bool {
        self.state.network.versions.iter().any(|version| version.policy.backfill() == Backfill::OnUnlock)
    }

    /// Has the adoptions compared again whose legs may be other because these accounts' facts changed.
    ///
    /// Everything that it needs was in memory when the facts before were read.
    pub(super) fn compare_below(&mut self, order: OrderId, before: FactsBefore) {
        for (account, facts) in before {
            let after = self.state.node(&account).map(|node: &Node| node.facts.clone());
            let after = after.expect("its facts before were in memory");
            if facts == after {
                continue;
            }
            if let Some(orders) = self.affected_range(order, &facts, &after) {
                self.begin_walk(account, orders, Cause::Unlock { order });
            }
        }
    }

    /// Returns the orders whose legs differ between two versions of an account's facts, by any version of the rules.
    fn affected_range(
        &self,
        order: OrderId,
        before: &UnlockFacts,
        after: &UnlockFacts,
    ) -> Option<OrderRange> {
        if self.needs_refill(after) {
            // Facts that keep too few first orders may differ anywhere from the order on.
            let from = if self.backfills() { OrderId::MIN } else { order };
            return Some(OrderRange { from, to: None });
        }
        let ranges = self.state.network.versions.iter();
        ranges.filter_map(|version| affected_orders(before, after, &version.policy)).reduce(OrderRange::hull)
    }

    /// Returns whether facts keep too few first orders for any version of the rules.
    pub(super) fn needs_refill(&self, facts: &UnlockFacts) -> bool {
        self.state.network.versions.iter().any(|version| facts.needs_refill(&version.policy))
    }

    /// Completes an account's facts by the first orders of all its direct referrals.
    pub(super) fn refill(&mut self, account: &AccountSequence) -> Result<(), Vec<Need>> {
        let mut missing = Vec::new();
        let mut first_orders = Vec::new();
        for child in self.state.children(account)? {
            match self.state.node(child) {
                Err(needs) => missing.extend(needs),
                Ok(node) if node.link_in_force().referrer() == Some(account) => {
                    first_orders.extend(node.facts.first_order());
                }
                Ok(_) => {}
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        self.state.node(account)?;
        self.state.node_mut(account).expect("it was just there").facts.refill(first_orders);
        Ok(())
    }
}
