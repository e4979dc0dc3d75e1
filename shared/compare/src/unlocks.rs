//! Why the two disagree on what an ancestor had unlocked.

use std::collections::BTreeMap;

use domain::{AccountSequence, OrderId, Policy, Slot, UnlockFacts};

use crate::ours::Ours;
use crate::reason::Reason;

/// When the earlier service booked each adoption, in microseconds since 1970.
pub(crate) type Booked = BTreeMap<OrderId, i64>;

/// Returns why the earlier service kept back the part `slot` of `order`, which the ancestor has by the rules, and which
/// order explains it.
pub(crate) fn why_kept_back(
    ours: &Ours,
    booked: &Booked,
    ancestor: &AccountSequence,
    order: OrderId,
    slot: Slot,
    policy: &Policy,
) -> (Reason, Option<OrderId>) {
    let Some(facts) = ours.facts(ancestor).filter(|facts| !facts.needs_refill(policy)) else {
        return (Reason::KeptBack, None);
    };
    let came_later = |other: &OrderId| match (booked.get(other), booked.get(&order)) {
        (Some(other), Some(this)) => other > this,
        // What the earlier service never booked, it had not counted.
        (None, Some(_)) => true,
        _ => false,
    };
    let opens = |facts: &UnlockFacts| facts.as_of(order, policy).opens(slot);
    let is_late = |other: &OrderId| *other < order && came_later(other);
    let without_late = without(facts, is_late);
    if !opens(&without_late) {
        return (Reason::Ordering, first(facts, is_late));
    }
    if !opens(&without(facts, |other| is_late(other) || *other == order)) {
        return (Reason::CountsItself, Some(order));
    }
    (Reason::KeptBack, None)
}

/// Returns why the earlier service gave the part `slot` of an order to an ancestor that has not unlocked it as of that
/// order.
pub(crate) fn why_given(ours: &Ours, ancestor: &AccountSequence, slot: Slot, policy: &Policy) -> Reason {
    match ours.facts(ancestor) {
        Some(facts) if facts.latest(policy).opens(slot) => Reason::UnlockedLater,
        _ => Reason::NotUnlocked,
    }
}

/// Returns the facts as they would be without some of the orders.
fn without(facts: &UnlockFacts, is_left_out: impl Fn(&OrderId) -> bool) -> UnlockFacts {
    let mut rest = UnlockFacts::default();
    rest.set_first_order(facts.first_order().filter(|order| !is_left_out(order)));
    rest.refill(facts.direct_first_orders().iter().copied().filter(|order| !is_left_out(order)));
    rest
}

/// Returns the smallest of the facts' orders of which this is true.
fn first(facts: &UnlockFacts, is_meant: impl Fn(&OrderId) -> bool) -> Option<OrderId> {
    facts
        .first_order()
        .iter()
        .chain(facts.direct_first_orders())
        .copied()
        .filter(|order| is_meant(order))
        .min()
}
