//! Tests of unlocks, with a naive reading of the rules.

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
fn facts_that_need_a_refill_panic_when_they_are_asked() {
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

/// Returns changes: one referral after the other changes its first order, and no two ever share one.
fn changes() -> impl Strategy<Value = Vec<(u64, Option<u64>)>> {
    let change = (0..REFERRALS, proptest::option::weighted(0.75, 0..6_u64));
    let numbered =
        change.prop_map(|(referral, round)| (referral, round.map(|round| round * REFERRALS + referral + 1)));
    proptest::collection::vec(numbered, 0..80)
}

/// A referral's first order before a change and after it.
type FirstOrders = (Option<OrderId>, Option<OrderId>);

/// Returns such changes, and which referral records its next change at each step of another sequence.
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
    fn a_leg_is_open_from_the_first_order_that_opens_it_on(
        facts in any_facts(),
        policy in policies(),
        number in 1_u8..=15,
        is_level: bool,
    ) {
        let slot = if is_level { Slot::TeamLevel(number) } else { Slot::TeamBonus(number % 3 + 1) };
        prop_assume!(!facts.needs_refill(&policy));
        let from = facts.opened_from(slot, &policy);
        for at in (1..=HORIZON).map(order) {
            let is_open = facts.evaluated_for(at, &policy).opens(slot);
            prop_assert_eq!(is_open, from.is_some_and(|from| at >= from));
        }
    }

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
