//! Compares an adoption with what should stand, and decides the difference.

use super::Decider;
use super::desired::{Desired, Outcome};
use super::state::Need;
use crate::heads::AdoptionState;
use crate::log::{Cause, Correction, Entry, FirstOrderChange, Held, HoldReason};
use crate::{AccountSequence, OrderId, OrderRange, Posting, UnlockFacts, affected_orders};

impl Decider {
    /// Decides whatever makes `order` what it should be.
    ///
    /// Nothing is decided before everything that the decision needs is in memory.
    pub(super) fn put_right(&mut self, order: OrderId, cause: &Cause) -> Result<(), Vec<Need>> {
        let desired = self.desired(order)?;
        let state = self.state.adoption(order)?.state.clone();
        if let (AdoptionState::Posted(was), Outcome::Post(is)) = (&state, &desired.outcome)
            && was.account == is.account
        {
            self.note_eligible(order, &desired)?;
            if was != is {
                let correction =
                    Correction { order, was: (**was).clone(), is: (**is).clone(), cause: cause.clone() };
                self.push(Entry::Corrected(Box::new(correction)));
            }
            return Ok(());
        }
        match state {
            AdoptionState::Posted(posting) => {
                self.withdraw(order, posting, cause)?;
                // Another account's unlocks may be other without it.
                self.put_right(order, cause)
            }
            AdoptionState::Held(reason) if desired.outcome == Outcome::Hold(reason.clone()) => {
                self.note_eligible(order, &desired)
            }
            AdoptionState::Held(reason) => {
                let first_order = self.first_order_change_of(order, &desired)?;
                self.note_eligible(order, &desired)?;
                let look_again_ms = self.look_again_ms(order, &reason)?;
                self.push(Entry::HoldEnded(Held { order, reason, look_again_ms }));
                self.decide_outcome(order, desired, first_order, cause)
            }
            AdoptionState::Unpriced if desired.outcome == Outcome::Unpriced => {
                self.note_eligible(order, &desired)
            }
            AdoptionState::Absent if desired.outcome == Outcome::Gone => self.note_eligible(order, &desired),
            AdoptionState::Absent | AdoptionState::Unpriced => {
                let first_order = self.first_order_change_of(order, &desired)?;
                self.note_eligible(order, &desired)?;
                self.decide_outcome(order, desired, first_order, cause)
            }
        }
    }

    fn decide_outcome(
        &mut self,
        order: OrderId,
        desired: Desired,
        first_order: Option<FirstOrderChange>,
        cause: &Cause,
    ) -> Result<(), Vec<Need>> {
        match desired.outcome {
            Outcome::Gone => self.push(Entry::Gone { order }),
            Outcome::Hold(reason) => {
                let look_again_ms = self.look_again_ms(order, &reason)?;
                self.push(Entry::Held(Held { order, reason, look_again_ms }));
            }
            Outcome::Unpriced => {
                let committed_ms = self.inputs_committed_ms(order);
                self.push(Entry::Unpriced { order, committed_ms });
            }
            Outcome::Post(posting) => {
                let account = posting.account.clone();
                let change = first_order.clone();
                let facts = self.facts_around(&account, change.as_ref())?;
                self.push(Entry::Posted { order, posting, first_order, cause: cause.clone() });
                self.compare_below(order, facts)?;
            }
        }
        Ok(())
    }

    /// Takes a posted adoption back, and what it unlocked with it.
    fn withdraw(&mut self, order: OrderId, posting: Box<Posting>, cause: &Cause) -> Result<(), Vec<Need>> {
        let account = posting.account.clone();
        let node = self.state.node(&account)?;
        let before = node.facts.first_order();
        let first_order = if before == Some(order) {
            let after = self.next_posted(&account, order)?;
            let referrer = self.state.node(&account)?.link().referrer().cloned();
            Some(FirstOrderChange { before, after, referrer })
        } else {
            None
        };
        let facts = self.facts_around(&account, first_order.as_ref())?;
        self.push(Entry::Withdrawn { order, posting, first_order, cause: cause.clone() });
        self.compare_below(order, facts)
    }

    /// Returns the smallest posted order of an account but `without`.
    fn next_posted(&self, account: &AccountSequence, without: OrderId) -> Result<Option<OrderId>, Vec<Need>> {
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

    /// Returns what posting `order` as desired changes in its account's first order.
    fn first_order_change_of(
        &self,
        order: OrderId,
        desired: &Desired,
    ) -> Result<Option<FirstOrderChange>, Vec<Need>> {
        let Outcome::Post(posting) = &desired.outcome else { return Ok(None) };
        let node = self.state.node(&posting.account)?;
        let before = node.facts.first_order();
        if before.is_some_and(|first| first <= order) {
            return Ok(None);
        }
        let referrer = node.link().referrer().cloned();
        self.facts_around(
            &posting.account,
            Some(&FirstOrderChange { before, after: None, referrer: referrer.clone() }),
        )?;
        Ok(Some(FirstOrderChange { before, after: Some(order), referrer }))
    }

    /// Returns the facts of an account and of its referrer before a change of its first order.
    fn facts_around(
        &self,
        account: &AccountSequence,
        change: Option<&FirstOrderChange>,
    ) -> Result<Vec<(AccountSequence, UnlockFacts)>, Vec<Need>> {
        let Some(change) = change else { return Ok(Vec::new()) };
        let mut facts = Vec::new();
        let mut missing = Vec::new();
        for account in std::iter::once(account).chain(change.referrer.as_ref()) {
            match self.state.node(account) {
                Ok(node) if self.needs_refill(&node.facts) => {
                    missing.push(Need::FirstOrders(account.clone()))
                }
                Ok(node) => facts.push((account.clone(), node.facts.clone())),
                Err(needs) => missing.extend(needs),
            }
        }
        if missing.is_empty() { Ok(facts) } else { Err(missing) }
    }

    /// Has the adoptions compared again whose legs may be other because these accounts' facts changed.
    pub(super) fn compare_below(
        &mut self,
        order: OrderId,
        before: Vec<(AccountSequence, UnlockFacts)>,
    ) -> Result<(), Vec<Need>> {
        for (account, facts) in before {
            let Ok(node) = self.state.node(&account) else { continue };
            let after = node.facts.clone();
            if facts == after {
                continue;
            }
            let range = self.affected_range(&facts, &after);
            let Some(orders) = range.filter(|range| self.may_be_posted_in(*range, order)) else { continue };
            let depth = self.state.network.versions.level_count_max();
            self.begin_walk(account, false, depth, orders, Cause::Unlock { order });
        }
        Ok(())
    }

    /// Returns the orders whose legs differ between two versions of an account's facts, by any version of the rules.
    ///
    /// Facts that keep too few first orders may differ anywhere.
    fn affected_range(&self, before: &UnlockFacts, after: &UnlockFacts) -> Option<OrderRange> {
        if self.needs_refill(before) || self.needs_refill(after) {
            return Some(OrderRange { from: OrderId::MIN, to: None });
        }
        let ranges = self.state.network.versions.iter();
        ranges.filter_map(|version| affected_orders(before, after, &version.policy)).reduce(|one, other| {
            OrderRange {
                from: one.from.min(other.from),
                to: one.to.zip(other.to).map(|(one, other)| one.max(other)),
            }
        })
    }

    /// Returns whether facts keep too few first orders for any version of the rules.
    pub(super) fn needs_refill(&self, facts: &UnlockFacts) -> bool {
        self.state.network.versions.iter().any(|version| facts.needs_refill(&version.policy))
    }

    /// Returns whether an order other than `order` may be posted in this range.
    fn may_be_posted_in(&self, range: OrderRange, order: OrderId) -> bool {
        let Some(last) = self.state.network.counts.posted_max else { return false };
        last >= range.from && !(last == order && range.from >= order)
    }

    /// Records how many trees of the order count for the prices of later ones.
    fn note_eligible(&mut self, order: OrderId, desired: &Desired) -> Result<(), Vec<Need>> {
        let before = self.state.adoption(order)?.eligible_trees;
        let after = desired.eligible_trees;
        if before != after {
            self.push(Entry::Eligible { order, before, after });
        }
        Ok(())
    }

    /// Returns when an order that is held for this reason is looked at again, in milliseconds since 1970.
    fn look_again_ms(&self, order: OrderId, reason: &HoldReason) -> Result<Option<i64>, Vec<Need>> {
        if *reason != HoldReason::NotYet {
            return Ok(None);
        }
        let held_until = self.state.adoption(order)?.row().and_then(|row| match row.date {
            crate::Column::Value(date) => Some(date.previous()),
            crate::Column::Missing | crate::Column::Unreadable => None,
        });
        Ok(held_until.map(|date| date.begins_at(self.parameters.zone).timestamp_millis()))
    }

    /// Decides an entry: it goes into the draft, and into everything in memory.
    pub(super) fn push(&mut self, entry: Entry) {
        self.state.apply(&entry, self.draft.position(), self.draft.time_ms());
        self.draft.push(entry);
    }
}
