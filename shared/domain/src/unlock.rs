//! Unlocks of an account as a function of the order number (rules, section 5).

use serde::{Deserialize, Serialize};

use crate::{Backfill, OrderId, Policy, Slot};

/// The facts that decide an account's unlocks. The state as of any order follows by comparison.
///
/// The facts are the account's own first order, the smallest orders at which its direct referrals first
/// adopted (at most [`KEPT`](Self::KEPT) of them), and the number of direct referrals that adopted.
///
/// The kept orders are always the smallest ones, without gaps. When one of them goes away while more exist
/// than are kept, the list gets shorter: the order that follows the last kept one is unknown, and a later one
/// must not take its place. Once too few are kept to decide a threshold, [`needs_refill`](Self::needs_refill)
/// returns true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredFacts", into = "StoredFacts")]
pub struct UnlockFacts {
    first_order: Option<OrderId>,
    /// Strictly ascending; the smallest `len` of all `direct_adopter_count` there are.
    direct_first_orders: Vec<OrderId>,
    direct_adopter_count: u32,
}

impl UnlockFacts {
    /// The number of first orders of direct referrals that are kept: as many as the largest threshold of a policy.
    pub const KEPT: usize = Policy::MAX_THRESHOLD;

    /// Returns the state as of `order`, including what `order` itself unlocks (rules, section 5).
    ///
    /// Its number of direct adopters stops at [`KEPT`](Self::KEPT), which no threshold exceeds.
    ///
    /// Panics if the facts need a refill: they would show less than is unlocked.
    #[must_use]
    pub fn as_of(&self, order: OrderId, policy: &Policy) -> UnlockState {
        assert!(!self.needs_refill(policy), "unlock facts are refilled before they decide anything");
        let has_adopted = self.first_order.is_some_and(|first| first <= order);
        let direct_adopters = self.direct_first_orders.partition_point(|first| *first <= order);
        UnlockState::new(has_adopted, count(direct_adopters), policy)
    }

    /// Returns the state with all recorded adoptions, and the exact number of direct adopters.
    #[must_use]
    pub fn latest(&self, policy: &Policy) -> UnlockState {
        UnlockState::new(self.first_order.is_some(), self.direct_adopter_count, policy)
    }

    /// Returns the state that decides the owners of the legs of `order`.
    ///
    /// Without backfill, that is the state as of `order`. With backfill, a leg moves to its would-be owner
    /// once that owner's unlock reaches it, so that the latest state decides for every order.
    #[must_use]
    pub fn evaluated_for(&self, order: OrderId, policy: &Policy) -> UnlockState {
        match policy.backfill() {
            Backfill::None => self.as_of(order, policy),
            Backfill::OnUnlock => self.latest(policy),
        }
    }

    /// Returns the first order whose team leg of this slot belongs to the account, as those of all later orders do;
    /// `None` while no order's does. Panics if the facts need a refill.
    #[must_use]
    pub fn opened_from(&self, slot: Slot, policy: &Policy) -> Option<OrderId> {
        // The state changes at no other order, and an unlock ends at none.
        let mut changes: Vec<OrderId> = vec![OrderId::MIN];
        changes.extend(self.first_order.iter().chain(&self.direct_first_orders));
        changes.sort_unstable();
        changes.into_iter().find(|order| self.evaluated_for(*order, policy).opens(slot))
    }

    /// Records the order of the account's own first posted adoption, or that it has none.
    pub fn set_first_order(&mut self, order: Option<OrderId>) {
        self.first_order = order;
    }

    /// Records that the first order of one direct referral appeared, moved or went away.
    ///
    /// The caller records the changes of one referral in their sequence, each once. Between referrals, any
    /// sequence gives the same facts. The kept orders tell a repeated change, and it changes nothing. Beyond
    /// the last kept order they cannot tell, so storage records a change together with the referral's own new
    /// first order.
    pub fn direct_first_order_changed(&mut self, before: Option<OrderId>, after: Option<OrderId>) {
        let repeated = before.is_some_and(|order| self.kept(order) == Kept::No)
            || after.is_some_and(|order| self.kept(order) == Kept::Yes);
        if before == after || repeated {
            return;
        }
        match (before, after) {
            // The place of the earlier order is known while the later one still marks the end of the list. So
            // the earlier one is inserted first.
            (Some(before), Some(after)) if after < before => {
                self.insert(after);
                self.remove(before);
            }
            (before, after) => {
                if let Some(order) = before {
                    self.remove(order);
                }
                if let Some(order) = after {
                    self.insert(order);
                }
            }
        }
    }

    /// Returns whether too few orders are kept to decide every threshold of the policy, although more exist.
    /// Call [`refill`](Self::refill) then, before any evaluation.
    #[must_use]
    pub fn needs_refill(&self, policy: &Policy) -> bool {
        !self.is_complete() && count(self.direct_first_orders.len()) < policy.largest_threshold()
    }

    /// Replaces the facts about direct referrals by `all` their first orders, in any sequence.
    ///
    /// `all` must include every change recorded so far, and none that will be recorded later.
    pub fn refill(&mut self, all: impl IntoIterator<Item = OrderId>) {
        let mut orders: Vec<OrderId> = all.into_iter().collect();
        orders.sort_unstable();
        orders.dedup();
        self.direct_adopter_count = count(orders.len());
        orders.truncate(Self::KEPT);
        self.direct_first_orders = orders;
    }

    /// Returns the order of the account's own first posted adoption.
    #[must_use]
    pub fn first_order(&self) -> Option<OrderId> {
        self.first_order
    }

    /// Returns the number of direct referrals with a posted adoption.
    #[must_use]
    pub fn direct_adopter_count(&self) -> u32 {
        self.direct_adopter_count
    }

    /// Returns the smallest orders at which a direct referral first adopted, ascending.
    #[must_use]
    pub fn direct_first_orders(&self) -> &[OrderId] {
        &self.direct_first_orders
    }

    /// Returns whether the first order of every direct adopter is kept.
    fn is_complete(&self) -> bool {
        count(self.direct_first_orders.len()) == self.direct_adopter_count
    }

    fn kept(&self, order: OrderId) -> Kept {
        if self.direct_first_orders.binary_search(&order).is_ok() {
            Kept::Yes
        } else if self.is_complete() || self.direct_first_orders.last().is_some_and(|last| order < *last) {
            Kept::No
        } else {
            Kept::Unknown
        }
    }

    fn remove(&mut self, order: OrderId) {
        if let Ok(position) = self.direct_first_orders.binary_search(&order) {
            self.direct_first_orders.remove(position);
        }
        self.direct_adopter_count -= 1;
    }

    fn insert(&mut self, order: OrderId) {
        // Past the last kept order of an incomplete list there may be smaller unknown orders. So only an
        // order that is known to be absent has a known place.
        if self.kept(order) == Kept::No {
            let position = self.direct_first_orders.partition_point(|kept| *kept < order);
            self.direct_first_orders.insert(position, order);
            self.direct_first_orders.truncate(Self::KEPT);
        }
        self.direct_adopter_count += 1;
    }
}

/// The kept orders' answer to whether an order is the first one of a direct referral.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Yes,
    No,
    /// The order lies beyond the last kept one, and unknown orders lie beyond it, too.
    Unknown,
}

/// The unlocks of an account as of an order (rules, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnlockState {
    /// True if the account itself has adopted.
    pub has_adopted: bool,
    /// The number of its direct referrals that have adopted.
    pub direct_adopters: u32,
    /// The team levels it has unlocked, counted from level 1.
    pub level_depth: u8,
    /// The bonus tiers it has unlocked, counted from tier 1.
    pub bonus_tiers: u8,
}

impl UnlockState {
    /// Returns the unlocks of an account with these facts.
    ///
    /// Bonus tiers are counted: two direct adopters unlock a tier without the account's own adoption.
    #[must_use]
    pub fn new(has_adopted: bool, direct_adopters: u32, policy: &Policy) -> Self {
        let levels_open = has_adopted || !policy.team_requires_own_adoption();
        let reached_steps =
            policy.depth_steps().iter().take_while(|step| step.direct_adopters <= direct_adopters);
        let depth = reached_steps.last().map_or(0, |step| step.depth);
        let reached_tiers = policy.bonus_tier_steps().iter().filter(|step| **step <= direct_adopters).count();
        let team_tiers = u8::try_from(reached_tiers).expect("no more steps than bonus tiers");
        Self {
            has_adopted,
            direct_adopters,
            level_depth: if levels_open { depth } else { 0 },
            bonus_tiers: u8::from(has_adopted) + team_tiers,
        }
    }

    /// Returns whether the team leg of this slot belongs to an ancestor in this state.
    #[must_use]
    pub fn opens(self, slot: Slot) -> bool {
        match slot {
            Slot::TeamLevel(level) => self.level_depth >= level,
            Slot::TeamBonus(tier) => self.bonus_tiers >= tier,
            Slot::Personal | Slot::Operation | Slot::Province | Slot::City | Slot::Rounding => false,
        }
    }

    /// Returns whether this state and `other` give every leg the same owner.
    fn gives_same_legs_as(self, other: Self) -> bool {
        (self.level_depth, self.bonus_tiers) == (other.level_depth, other.bonus_tiers)
    }
}

/// A range of order numbers that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderRange {
    /// The first order in the range.
    pub from: OrderId,
    /// The first order after the range; `None` if it has no end.
    pub to: Option<OrderId>,
}

impl OrderRange {
    /// Every order.
    pub const ALL: Self = Self { from: OrderId::MIN, to: None };

    /// Returns the range of this order alone.
    #[must_use]
    pub fn only(order: OrderId) -> Self {
        Self { from: order, to: OrderId::new(order.get() + 1) }
    }

    /// Returns the smallest range that has both in it.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.zip(other.to).map(|(one, other)| one.max(other)) }
    }

    /// Returns whether `order` is in the range.
    #[must_use]
    pub fn contains(self, order: OrderId) -> bool {
        self.from <= order && self.to.is_none_or(|to| order < to)
    }
}

/// Returns the range of orders for which two versions of an account's facts give different legs; `None` if
/// there is no such order.
///
/// The range runs from the first such order to the last. Orders in between may give the same legs. With backfill
/// it begins with the first order of all, because what is unlocked at an order counts for every order before it.
/// Neither version may need a refill.
#[must_use]
pub fn affected_orders(before: &UnlockFacts, after: &UnlockFacts, policy: &Policy) -> Option<OrderRange> {
    let differs_at =
        |order: OrderId| !before.as_of(order, policy).gives_same_legs_as(after.as_of(order, policy));
    // The state can only change at an order that either version knows, so each of these stands for
    // all orders up to the next. The first order of all stands for those before any known one.
    let mut changes: Vec<OrderId> = [before, after]
        .into_iter()
        .flat_map(|facts| facts.first_order.iter().chain(&facts.direct_first_orders).copied())
        .chain([OrderId::MIN])
        .collect();
    changes.sort_unstable();
    changes.dedup();

    let first = changes.iter().position(|order| differs_at(*order))?;
    let last = changes.iter().rposition(|order| differs_at(*order))?;
    let from = match policy.backfill() {
        Backfill::None => changes[first],
        Backfill::OnUnlock => OrderId::MIN,
    };
    Some(OrderRange { from, to: changes.get(last + 1).copied() })
}

/// The form in which facts are stored: short names, orders as numbers, nothing for what is empty.
#[derive(Serialize, Deserialize)]
struct StoredFacts {
    first: Option<OrderId>,
    #[serde(default)]
    direct: Vec<OrderId>,
    count: u32,
}

impl From<UnlockFacts> for StoredFacts {
    fn from(facts: UnlockFacts) -> Self {
        Self {
            first: facts.first_order,
            direct: facts.direct_first_orders,
            count: facts.direct_adopter_count,
        }
    }
}

impl TryFrom<StoredFacts> for UnlockFacts {
    type Error = InvalidUnlockFacts;

    fn try_from(stored: StoredFacts) -> Result<Self, Self::Error> {
        let StoredFacts { first, direct, count: direct_adopter_count } = stored;
        let ascending = direct.is_sorted_by(|lower, upper| lower < upper);
        if ascending && direct.len() <= Self::KEPT && count(direct.len()) <= direct_adopter_count {
            Ok(Self { first_order: first, direct_first_orders: direct, direct_adopter_count })
        } else {
            Err(InvalidUnlockFacts)
        }
    }
}

/// Stored facts that no sequence of recordings leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unlock facts must keep at most {} ascending orders, and no more than they count", UnlockFacts::KEPT)]
pub struct InvalidUnlockFacts;

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("fewer referrals than u32 counts")
}

#[cfg(test)]
mod tests;
