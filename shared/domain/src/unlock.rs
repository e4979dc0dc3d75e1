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
    /// The number of first orders of direct referrals that are kept, and so the largest threshold of a
    /// policy. It exceeds the default policy's thresholds, so that a cancellation rarely needs a refill.
    pub const KEPT: usize = 8;

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
mod tests {
    use std::collections::{BTreeMap, BTreeSet, VecDeque};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn order(number: u64) -> OrderId {
        OrderId::new(number).expect("an order number")
    }

    fn orders(numbers: impl IntoIterator<Item = u64>) -> Vec<OrderId> {
        numbers.into_iter().map(order).collect()
    }

    fn facts(first: Option<u64>, direct: impl IntoIterator<Item = u64>) -> UnlockFacts {
        let mut facts = UnlockFacts::default();
        facts.set_first_order(first.map(order));
        facts.refill(orders(direct));
        facts
    }

    /// Returns level depth and bonus tiers as of each order.
    fn unlocked(facts: &UnlockFacts, at: impl IntoIterator<Item = u64>, policy: &Policy) -> Vec<(u8, u8)> {
        let state = |number| facts.evaluated_for(order(number), policy);
        at.into_iter().map(state).map(|state| (state.level_depth, state.bonus_tiers)).collect()
    }

    #[test]
    fn direct_adopters_unlock_by_the_steps_of_the_rules() {
        let facts = facts(Some(10), [20, 30, 40, 50, 60, 70]);
        let expected = [(0, 0), (0, 1), (0, 1), (5, 1), (5, 2), (10, 2), (10, 3), (15, 3), (15, 3), (15, 3)];
        assert_eq!(unlocked(&facts, [9, 10, 19, 20, 30, 40, 50, 60, 70, 80], &Policy::default()), expected);
    }

    #[test]
    fn without_an_own_adoption_levels_stay_closed_and_only_the_first_tier_is_missing() {
        let team_only = facts(None, [1, 2, 3, 4, 5]);
        let policy = Policy::default();
        assert_eq!(unlocked(&team_only, 1..=5, &policy), [(0, 0), (0, 1), (0, 1), (0, 2), (0, 2)]);

        let lenient: Policy =
            serde_json::from_value(json!({ "team_requires_own_adoption": false })).expect("a valid policy");
        assert_eq!(unlocked(&team_only, 1..=5, &lenient), [(5, 0), (5, 1), (10, 1), (10, 2), (15, 2)]);
    }

    #[test]
    fn with_backfill_an_unlock_counts_for_earlier_orders_too() {
        let facts = facts(Some(10), [20]);
        let on_unlock = Policy::default().with_backfill(Backfill::OnUnlock);
        assert_eq!(unlocked(&facts, [1, 9, 30], &Policy::default()), [(0, 0), (0, 0), (5, 1)]);
        assert_eq!(unlocked(&facts, [1, 9, 30], &on_unlock), [(5, 1), (5, 1), (5, 1)]);
    }

    #[test]
    fn an_order_past_an_unknown_one_is_not_kept_in_its_place() {
        let mut facts = facts(None, 1..=10);
        for gone in 1..=4 {
            facts.direct_first_order_changed(Some(order(gone)), None);
        }
        facts.direct_first_order_changed(None, Some(order(11)));
        assert_eq!(facts.direct_first_orders(), orders(5..=8), "9 and 10 exist, but are not known");
        assert_eq!(facts.direct_adopter_count(), 7);
        assert!(facts.needs_refill(&Policy::default()));

        facts.refill(orders([11, 10, 9, 8, 7, 6, 5]));
        assert_eq!(facts.direct_first_orders(), orders(5..=11));
        assert!(!facts.needs_refill(&Policy::default()));
    }

    #[test]
    fn a_list_is_complete_again_once_the_unknown_orders_went_away() {
        let mut facts = facts(None, 1..=9);
        facts.direct_first_order_changed(Some(order(1)), None);
        facts.direct_first_order_changed(Some(order(9)), Some(order(20)));
        assert_eq!(facts.direct_first_orders(), orders((2..=8).chain([20])));
        assert_eq!(facts.direct_adopter_count(), 8);
    }

    #[test]
    #[should_panic(expected = "refilled before they decide")]
    fn facts_that_need_a_refill_decide_nothing() {
        let mut facts = facts(None, 1..=10);
        for gone in 1..=4 {
            facts.direct_first_order_changed(Some(order(gone)), None);
        }
        let _ = facts.as_of(order(9), &Policy::default());
    }

    #[test]
    fn a_late_first_order_affects_the_orders_it_moved_across() {
        let policy = Policy::default();
        let affected = |before: &UnlockFacts, after: &UnlockFacts| affected_orders(before, after, &policy);
        let range = |from, to: Option<u64>| Some(OrderRange { from: order(from), to: to.map(order) });

        let known = facts(Some(50), [60]);
        assert_eq!(affected(&known, &facts(Some(40), [60])), range(40, Some(50)));
        assert_eq!(affected(&known, &facts(Some(50), [60, 70])), range(70, None));
        assert_eq!(affected(&known, &facts(None, [60])), range(50, None));
        assert_eq!(affected(&known, &known), None);

        // A sixth direct adopter unlocks nothing, so one late among the smallest six only moves the rest.
        let six = facts(Some(1), [10, 20, 30, 40, 50, 60]);
        assert_eq!(affected(&six, &facts(Some(1), [10, 20, 30, 40, 50, 60, 70])), None);
        assert_eq!(affected(&six, &facts(Some(1), [5, 10, 20, 30, 40, 50, 60])), range(5, Some(50)));
    }

    #[test]
    fn facts_are_stored_as_few_numbers_and_refused_when_no_recording_leads_to_them() {
        let stored = json!({ "first": 55, "direct": [57, 60], "count": 2 });
        assert_eq!(serde_json::to_value(facts(Some(55), [57, 60])).expect("serialises"), stored);
        assert_eq!(serde_json::from_value::<UnlockFacts>(stored).expect("reads"), facts(Some(55), [57, 60]));
        assert_eq!(
            serde_json::to_value(UnlockFacts::default()).expect("serialises"),
            json!({ "first": null, "direct": [], "count": 0 })
        );

        for impossible in [
            json!({ "direct": [2, 1], "count": 2 }),
            json!({ "direct": [1, 1], "count": 2 }),
            json!({ "direct": [1, 2], "count": 1 }),
            json!({ "direct": [1, 2, 3, 4, 5, 6, 7, 8, 9], "count": 9 }),
        ] {
            assert!(serde_json::from_value::<UnlockFacts>(impossible.clone()).is_err(), "{impossible}");
        }
    }

    /// The orders up to which everything is compared, one past the largest any test below records.
    #[test]
    fn an_earlier_first_order_keeps_its_place_in_a_list_that_was_cut_short() {
        let mut facts = facts(Some(1), [10, 20, 30, 40, 50, 60, 70, 80, 90]);
        for cancelled in [20, 30, 40] {
            facts.direct_first_order_changed(Some(order(cancelled)), None);
        }
        facts.direct_first_order_changed(Some(order(80)), Some(order(75)));
        assert_eq!(facts.direct_first_orders(), orders([10, 50, 60, 70, 75]));
        assert_eq!(facts.direct_adopter_count(), 6);
        assert!(!facts.needs_refill(&Policy::default()));
    }

    const HORIZON: u64 = REFERRALS * 6 + 1;
    const REFERRALS: u64 = 14;

    /// One referral after the other changes its first order; no two ever share one.
    fn changes() -> impl Strategy<Value = Vec<(u64, Option<u64>)>> {
        let change = (0..REFERRALS, proptest::option::weighted(0.75, 0..6_u64));
        let numbered = change
            .prop_map(|(referral, round)| (referral, round.map(|round| round * REFERRALS + referral + 1)));
        proptest::collection::vec(numbered, 0..80)
    }

    /// A referral's first order before a change and after it.
    type FirstOrders = (Option<OrderId>, Option<OrderId>);

    /// The same, and whose turn it is to record its next change in another sequence.
    fn changes_and_other_sequence() -> impl Strategy<Value = (Vec<(u64, Option<u64>)>, Vec<u64>)> {
        changes().prop_flat_map(|changes| {
            let turns: Vec<u64> = changes.iter().map(|(referral, _)| *referral).collect();
            (Just(changes), Just(turns).prop_shuffle())
        })
    }

    fn policies() -> impl Strategy<Value = Policy> {
        (any::<bool>(), any::<bool>()).prop_map(|(own_adoption, on_unlock)| {
            serde_json::from_value(json!({
                "team_requires_own_adoption": own_adoption,
                "backfill": if on_unlock { "on_unlock" } else { "none" },
            }))
            .expect("a valid policy")
        })
    }

    fn any_facts() -> impl Strategy<Value = UnlockFacts> {
        (proptest::option::of(1..HORIZON), proptest::collection::btree_set(1..HORIZON, 0..12))
            .prop_map(|(first, direct)| facts(first, direct))
    }

    proptest! {
        #[test]
        fn the_kept_orders_are_the_smallest_whatever_was_recorded(changes in changes(), refills: bool) {
            let policy = Policy::default();
            let mut facts = UnlockFacts::default();
            let mut naive: BTreeMap<u64, OrderId> = BTreeMap::new();
            for (referral, number) in changes {
                let after = number.map(order);
                let before = match after {
                    Some(after) => naive.insert(referral, after),
                    None => naive.remove(&referral),
                };
                facts.direct_first_order_changed(before, after);

                let all: BTreeSet<OrderId> = naive.values().copied().collect();
                let kept = facts.direct_first_orders().len();
                prop_assert!(kept <= UnlockFacts::KEPT);
                let smallest: Vec<OrderId> = all.iter().copied().take(kept).collect();
                prop_assert_eq!(facts.direct_first_orders(), smallest);
                prop_assert_eq!(facts.direct_adopter_count() as usize, all.len());
                prop_assert_eq!(facts.needs_refill(&policy), kept < all.len() && kept < 5);

                if facts.needs_refill(&policy) && refills {
                    facts.refill(all.iter().copied());
                }
                if !facts.needs_refill(&policy) {
                    for at in (1..=HORIZON).map(order) {
                        let adopters = all.range(..=at).count();
                        let expected = UnlockState::new(false, count(adopters), &policy);
                        prop_assert!(facts.as_of(at, &policy).gives_same_legs_as(expected));
                    }
                }
            }
        }

        #[test]
        fn referrals_may_be_recorded_in_any_sequence((changes, turns) in changes_and_other_sequence()) {
            let mut in_sequence = UnlockFacts::default();
            let mut waiting: BTreeMap<u64, VecDeque<FirstOrders>> = BTreeMap::new();
            for (referral, number) in changes {
                let own = waiting.entry(referral).or_default();
                let before = own.back().and_then(|(_, after)| *after);
                own.push_back((before, number.map(order)));
                in_sequence.direct_first_order_changed(before, number.map(order));
            }
            let mut in_turns = UnlockFacts::default();
            for referral in turns {
                let change = waiting.get_mut(&referral).and_then(VecDeque::pop_front);
                let (before, after) = change.expect("a turn for each change");
                in_turns.direct_first_order_changed(before, after);
            }

            // How many are kept depends on the sequence; what is kept and counted does not.
            prop_assert_eq!(in_sequence.direct_adopter_count(), in_turns.direct_adopter_count());
            let kept_by_both = in_sequence.direct_first_orders().iter().zip(in_turns.direct_first_orders());
            for (one, other) in kept_by_both {
                prop_assert_eq!(one, other);
            }
        }

        #[test]
        fn a_change_repeated_within_the_kept_orders_changes_nothing(
            direct in proptest::collection::btree_set(1..HORIZON, 0..12),
            number in 1..HORIZON,
            moved_to in 1..HORIZON,
        ) {
            prop_assume!(!direct.contains(&number) && !direct.contains(&moved_to) && number != moved_to);
            let mut facts = facts(None, direct);
            let [number, moved_to] = [number, moved_to].map(order);
            let life = [(None, Some(number)), (Some(number), Some(moved_to)), (Some(moved_to), None)];
            for (before, after) in life {
                facts.direct_first_order_changed(before, after);
                let once = facts.clone();
                let recognisable = before.is_some_and(|order| once.kept(order) == Kept::No)
                    || after.is_some_and(|order| once.kept(order) == Kept::Yes);
                if recognisable {
                    facts.direct_first_order_changed(before, after);
                    prop_assert_eq!(&facts, &once);
                }
            }
        }

        #[test]
        fn unlocks_only_grow_with_the_order(facts in any_facts(), policy in policies()) {
            let states = unlocked(&facts, 1..=HORIZON, &policy);
            prop_assert!(states.is_sorted_by(|one, next| one.0 <= next.0 && one.1 <= next.1));
        }

        #[test]
        fn affected_orders_span_exactly_those_that_differ(
            before in any_facts(), after in any_facts(), policy in policies(),
        ) {
            let as_of = policy.clone().with_backfill(Backfill::None);
            let states = |facts| unlocked(facts, 1..=HORIZON, &as_of);
            let differing: Vec<u64> = (1..=HORIZON)
                .zip(states(&before).into_iter().zip(states(&after)))
                .filter_map(|(number, (one, other))| (one != other).then_some(number))
                .collect();
            // Nothing is recorded at the horizon, so what still differs there differs for good.
            let expected = differing.first().zip(differing.last()).map(|(first, last)| OrderRange {
                from: order(if policy.backfill() == Backfill::None { *first } else { 1 }),
                to: (*last < HORIZON).then(|| order(last + 1)),
            });
            prop_assert_eq!(affected_orders(&before, &after, &policy), expected);
        }

        #[test]
        fn facts_read_back_as_stored(facts in any_facts()) {
            let stored = serde_json::to_string(&facts).expect("serialises");
            prop_assert_eq!(serde_json::from_str::<UnlockFacts>(&stored).expect("reads"), facts);
        }
    }
}
