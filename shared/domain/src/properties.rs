//! Compares the rules, from recording to distribution, with a naive reading of them over random forests.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use crate::{
    Adoption, Amount, AmountOverflow, Ancestor, Backfill, ContributionPerTree, Distribution, OrderId,
    OrderRange, Owner, Policy, Rate, Recipient, Slot, SystemAccount, TreeCount, Unallocated, UnlockFacts,
    UnlockState, affected_orders, distribute,
};

/// The rules read literally: it keeps no state and looks through all adoptions each time.
#[derive(Debug, Clone)]
struct Network {
    /// The referrer of each account, an account with a smaller index.
    referrers: Vec<Option<usize>>,
    adoptions: BTreeMap<u64, NaiveAdoption>,
}

#[derive(Debug, Clone, Copy)]
struct NaiveAdoption {
    account: usize,
    trees: u32,
    units_per_tree: u64,
}

/// A leg as type, index, owner, units and would-be account.
type NaiveLeg = (String, Option<u8>, String, i128, Option<String>);

impl Network {
    fn has_adopted(&self, account: usize, as_of: u64) -> bool {
        self.adoptions.range(..=as_of).any(|(_, adoption)| adoption.account == account)
    }

    fn direct_adopters(&self, account: usize, as_of: u64) -> usize {
        let direct = |other: &usize| self.referrers[*other] == Some(account);
        (0..self.referrers.len()).filter(direct).filter(|other| self.has_adopted(*other, as_of)).count()
    }

    fn level_depth(&self, account: usize, as_of: u64) -> u8 {
        match self.direct_adopters(account, as_of) {
            _ if !self.has_adopted(account, as_of) => 0,
            5.. => 15,
            3.. => 10,
            1.. => 5,
            0 => 0,
        }
    }

    fn bonus_tiers(&self, account: usize, as_of: u64) -> u8 {
        let direct = self.direct_adopters(account, as_of);
        u8::from(self.has_adopted(account, as_of)) + u8::from(direct >= 2) + u8::from(direct >= 4)
    }

    fn ancestors(&self, account: usize) -> Vec<usize> {
        std::iter::successors(self.referrers[account], |ancestor| self.referrers[*ancestor]).collect()
    }

    fn legs(&self, order: u64, as_of: u64) -> Vec<NaiveLeg> {
        let adoption = &self.adoptions[&order];
        let ancestors = self.ancestors(adoption.account);
        let total = i128::from(adoption.trees) * i128::from(adoption.units_per_tree);
        let mut legs: Vec<NaiveLeg> = Vec::new();
        for (name, owner, per_mille) in [
            ("PERSONAL", name(adoption.account), 700),
            ("OPERATION", "OPERATION".to_owned(), 120),
            ("PROVINCE", "PROVINCE".to_owned(), 10),
            ("CITY", "CITY".to_owned(), 20),
        ] {
            legs.push((name.to_owned(), None, owner, total * per_mille / 1000, None));
        }
        let headquarters = || "HEADQUARTERS".to_owned();
        for level in 1..=15_u8 {
            let amount = total * 5 / 1000;
            legs.push(match ancestors.get(usize::from(level - 1)) {
                Some(ancestor) if self.level_depth(*ancestor, as_of) >= level => {
                    ("TEAM_LEVEL".to_owned(), Some(level), name(*ancestor), amount, None)
                }
                would_be => {
                    let would_be = would_be.map(|account| name(*account));
                    ("LEVEL_OVERFLOW".to_owned(), Some(level), headquarters(), amount, would_be)
                }
            });
        }
        for tier in 1..=3_u8 {
            let amount = total * 25 / 1000;
            legs.push(match ancestors.first() {
                Some(referrer) if self.bonus_tiers(*referrer, as_of) >= tier => {
                    ("TEAM_BONUS".to_owned(), Some(tier), name(*referrer), amount, None)
                }
                would_be => {
                    let would_be = would_be.map(|account| name(*account));
                    (format!("BONUS_TIER_{tier}"), Some(tier), headquarters(), amount, would_be)
                }
            });
        }
        let left_over = total - legs.iter().map(|leg| leg.3).sum::<i128>();
        if left_over > 0 {
            legs.push(("ROUNDING".to_owned(), None, headquarters(), left_over, None));
        }
        legs
    }
}

/// The same network as the ledger keeps it: facts of each account, recorded as adoptions come and go.
struct Recorded {
    network: Network,
    facts: Vec<UnlockFacts>,
}

impl Recorded {
    fn first_order(&self, account: usize) -> Option<OrderId> {
        let own = |(order, adoption): (&u64, &NaiveAdoption)| (adoption.account == account).then_some(*order);
        self.network.adoptions.iter().find_map(own).map(order_id)
    }

    /// Records that an adoption arrives or goes away.
    fn record(&mut self, order: u64, adoption: NaiveAdoption, arrives: bool, policy: &Policy) {
        let account = adoption.account;
        let before = self.first_order(account);
        if arrives {
            self.network.adoptions.insert(order, adoption);
        } else {
            self.network.adoptions.remove(&order);
        }
        let after = self.first_order(account);
        self.facts[account].set_first_order(after);
        let Some(referrer) = self.network.referrers[account] else { return };
        self.facts[referrer].direct_first_order_changed(before, after);
        if self.facts[referrer].needs_refill(policy) {
            let direct =
                (0..self.facts.len()).filter(|other| self.network.referrers[*other] == Some(referrer));
            let all: Vec<OrderId> = direct.filter_map(|other| self.first_order(other)).collect();
            self.facts[referrer].refill(all);
        }
    }

    fn distribute(&self, order: u64, policy: &Policy) -> Distribution {
        let NaiveAdoption { account, trees, units_per_tree } = self.network.adoptions[&order];
        let adoption = adoption(order, account, trees, price(i128::from(units_per_tree)));
        let ancestor = |account: usize| Ancestor {
            account: name(account).parse().expect("an account"),
            unlock: self.facts[account].evaluated_for(order_id(order), policy),
        };
        let ancestors: Vec<Ancestor> =
            self.network.ancestors(account).into_iter().take(15).map(ancestor).collect();
        distribute(&adoption, &ancestors, policy).expect("within the limit")
    }
}

fn name(account: usize) -> String {
    format!("A{account}")
}

fn order_id(number: u64) -> OrderId {
    OrderId::new(number).expect("an order number")
}

fn price(units: i128) -> ContributionPerTree {
    Amount::from_units(units).expect("within the limit").try_into().expect("not negative")
}

fn adoption(order: u64, account: usize, trees: u32, contribution_per_tree: ContributionPerTree) -> Adoption {
    Adoption {
        order: order_id(order),
        account: name(account).parse().expect("an account"),
        tree_count: TreeCount::new(trees).expect("at least one"),
        contribution_per_tree,
        adoption_date: "2026-01-09".parse().expect("a date"),
        province: None,
        city: None,
    }
}

fn as_naive(distribution: &Distribution) -> Vec<NaiveLeg> {
    let leg = |leg: &crate::Leg| {
        let would_be = leg.recipient.would_be().map(ToString::to_string);
        let owner = leg.recipient.owner().to_string();
        (leg.type_name().into_owned(), leg.index(), owner, leg.amount.units(), would_be)
    };
    distribution.legs.iter().map(leg).collect()
}

/// Forests both deeper than the levels and wider than the kept orders.
fn referrers() -> impl Strategy<Value = Vec<Option<usize>>> {
    let distance = prop_oneof![4 => 1..3_usize, 2 => 1..40_usize];
    proptest::collection::vec(distance, 1..40).prop_map(|distances| {
        // An account whose referrer would lie before the first one is a root.
        distances.iter().enumerate().map(|(account, distance)| account.checked_sub(*distance)).collect()
    })
}

/// Returns a forest, adoptions in ascending order number, and the sequence in which they come and go: the
/// first mention of an adoption is its arrival, the second its cancellation.
fn histories() -> impl Strategy<Value = (Network, Vec<NaiveAdoption>, Vec<usize>)> {
    referrers().prop_flat_map(|referrers| {
        let account = 0..referrers.len();
        let adoption = (account, 1..20_u32, 1..300_000_000_000_000_u64, proptest::bool::weighted(0.3))
            .prop_map(|(account, trees, units_per_tree, cancelled)| {
                (NaiveAdoption { account, trees, units_per_tree }, cancelled)
            });
        proptest::collection::vec(adoption, 1..60).prop_flat_map(move |adoptions| {
            let mentions: Vec<usize> = adoptions
                .iter()
                .enumerate()
                .flat_map(|(index, (_, cancelled))| std::iter::repeat_n(index, 1 + usize::from(*cancelled)))
                .collect();
            let network = Network { referrers: referrers.clone(), adoptions: BTreeMap::new() };
            let adoptions = adoptions.into_iter().map(|(adoption, _)| adoption).collect();
            (Just(network), Just(adoptions), Just(mentions).prop_shuffle())
        })
    })
}

/// Policies with any rates that sum to one.
fn policies() -> impl Strategy<Value = Policy> {
    (0..20_000_u32, 0..100_000_u32, 0..100_000_u32, 0..100_000_u32, 0..100_000_u32).prop_map(
        |(level, bonus, operation, province, city)| {
            let personal = 1_000_000 - 15 * level - 3 * bonus - operation - province - city;
            let rate = |millionths| Rate::from_millionths(millionths).expect("at most one");
            serde_json::from_value(json!({ "rates": {
                "personal": rate(personal), "operation": rate(operation), "province": rate(province),
                "city": rate(city), "team_level": rate(level), "team_bonus": rate(bonus),
            }}))
            .expect("a valid policy")
        },
    )
}

fn chains() -> impl Strategy<Value = Vec<Ancestor>> {
    let state = (any::<bool>(), 0..7_u32);
    proptest::collection::vec(state, 0..=15).prop_map(|states| {
        let ancestor = |(level, (has_adopted, direct_adopters)): (usize, (bool, u32))| Ancestor {
            account: name(level + 1).parse().expect("an account"),
            unlock: UnlockState::new(has_adopted, direct_adopters, &Policy::default()),
        };
        states.into_iter().enumerate().map(ancestor).collect()
    })
}

#[test]
fn the_ordering_incident_has_one_outcome_whatever_arrives_first() {
    let policy = Policy::default();
    let upline = NaiveAdoption { account: 0, trees: 2, units_per_tree: 226_170_000_000_000 };
    let below = NaiveAdoption { account: 1, ..upline };
    let history = [(55, upline), (57, below), (58, below), (59, below)];
    for first in 0..history.len() {
        let network = Network { referrers: vec![None, Some(0)], adoptions: BTreeMap::new() };
        let mut recorded = Recorded { network, facts: vec![UnlockFacts::default(); 2] };
        for (order, adoption) in history.into_iter().cycle().skip(first).take(history.len()) {
            recorded.record(order, adoption, true, &policy);
        }
        for order in [57, 58, 59] {
            let level_1 = &recorded.distribute(order, &policy).legs[4];
            assert_eq!(level_1.type_name(), "TEAM_LEVEL", "order {order}, arrivals from {first} on");
            assert_eq!(level_1.recipient.owner().to_string(), name(0));
        }
    }
}

#[test]
fn the_late_adoption_of_the_incident_affects_every_order_from_its_own_on() {
    let mut before = UnlockFacts::default();
    before.refill([order_id(57)]);
    let mut after = before.clone();
    after.set_first_order(Some(order_id(55)));
    let affected = affected_orders(&before, &after, &Policy::default());
    assert_eq!(affected, Some(OrderRange { from: order_id(55), to: None }));
}

proptest! {
    #[test]
    fn whatever_the_arrival_the_ledger_is_what_ascending_orders_give(
        (network, adoptions, arrivals) in histories(), backfill: bool,
    ) {
        let backfill = if backfill { Backfill::OnUnlock } else { Backfill::None };
        let policy = Policy::default().with_backfill(backfill);
        let facts = vec![UnlockFacts::default(); network.referrers.len()];
        let mut recorded = Recorded { network, facts };
        let mut arrived = BTreeSet::new();
        for index in arrivals {
            let order = u64::try_from(index).expect("an index") + 1;
            recorded.record(order, adoptions[index], arrived.insert(index), &policy);
        }
        for order in recorded.network.adoptions.keys().copied() {
            let as_of = if backfill == Backfill::OnUnlock { u64::MAX } else { order };
            let expected = recorded.network.legs(order, as_of);
            prop_assert_eq!(as_naive(&recorded.distribute(order, &policy)), expected);
        }
    }

    #[test]
    fn legs_sum_to_the_total_to_the_last_digit_or_there_are_none(
        // Prices of every magnitude: those that fit only once, and those that round a lot.
        digits in 0..28_u32, leading in 1..10_i128, trailing in 0..1_000_i128, trees in 1..=u32::MAX,
        few_trees: bool, chain in chains(), policy in policies(),
    ) {
        let trees = if few_trees { 1 + trees % 9 } else { trees };
        let units = leading * 10_i128.pow(digits) - trailing.min(10_i128.pow(digits) - 1);
        let total = units * i128::from(trees);
        match distribute(&adoption(1, 0, trees, price(units)), &chain, &policy) {
            Ok(distribution) => {
                prop_assert_eq!(distribution.total.units(), total);
                let sum: i128 = distribution.legs.iter().map(|leg| leg.amount.units()).sum();
                prop_assert_eq!(sum, total);
                prop_assert!(distribution.legs.iter().all(|leg| leg.amount >= Amount::ZERO));
                prop_assert!(distribution.legs.is_sorted_by(|one, next| one.slot < next.slot));
            }
            Err(AmountOverflow) => prop_assert!(total > Amount::TOTAL_MAX.units()),
        }
    }

    #[test]
    fn no_leg_goes_to_an_owner_that_is_missing_or_has_not_unlocked_it(
        chain in chains(), policy in policies(),
    ) {
        let adoption = adoption(1, 0, 1, price(10_000));
        let distribution = distribute(&adoption, &chain, &policy).expect("within the limit");
        for leg in &distribution.legs {
            let (ancestor, unlocked) = match leg.slot {
                Slot::TeamLevel(level) => {
                    let ancestor = chain.get(usize::from(level) - 1);
                    (ancestor, ancestor.is_some_and(|ancestor| ancestor.unlock.level_depth >= level))
                }
                Slot::TeamBonus(tier) => {
                    (chain.first(), chain.first().is_some_and(|referrer| referrer.unlock.bonus_tiers >= tier))
                }
                _ => continue,
            };
            let expected = match ancestor {
                Some(ancestor) if unlocked => Recipient::Allocated(Owner::User(ancestor.account.clone())),
                Some(ancestor) => Recipient::Unallocated(Unallocated::Locked(ancestor.account.clone())),
                None => Recipient::Unallocated(Unallocated::NoAncestor),
            };
            prop_assert_eq!(&leg.recipient, &expected);
            if !unlocked {
                prop_assert_eq!(leg.recipient.owner(), Owner::System(SystemAccount::Headquarters));
            }
        }
    }
}
