//! What must stand in the ledger, by the oracle.

use std::collections::{BTreeMap, BTreeSet};

use domain::heads::AdoptionState;
use domain::log::Entry;
use domain::{AccountSequence, Amount, LegType, OrderId, Owner, Posting, UnlockFacts};
use oracle::{Adjustment, Inputs, Judgement};

use crate::bench::Bench;

/// Panics unless the log adds up to what the oracle says of the source.
pub(crate) fn assert_as_the_oracle_says(bench: &Bench) {
    let inputs = inputs(bench);
    let judgement = Judgement::of(&inputs);
    let heads = bench.adoptions();
    let mut expected_orders: BTreeSet<OrderId> = judgement.held.keys().map(|order| own(*order)).collect();
    expected_orders.extend(judgement.posted().map(own));
    for (order, head) in &heads {
        let theirs = oracle::rows::OrderId::new(order.get()).expect("a number");
        match &head.state {
            AdoptionState::Absent => {
                assert!(!expected_orders.contains(order), "{order} is missing: {head:?}");
            }
            AdoptionState::Unpriced => panic!("{order} has no price"),
            AdoptionState::Held(reason) => {
                let expected = judgement.held.get(&theirs).map(|reason| reason.name());
                assert_eq!(Some(reason.name()), expected, "{order}: {head:?}");
            }
            AdoptionState::Posted(posting) => {
                let expected = judgement.held.get(&theirs);
                assert_eq!(expected, None, "{order} is posted: {head:?}");
                assert_same_legs(bench, *order, posting, &judgement);
            }
        }
        expected_orders.remove(order);
    }
    assert_eq!(expected_orders, BTreeSet::new(), "orders that the log does not have");
    assert_same_totals(bench, &judgement, &inputs);
    assert_same_facts(bench);
}

fn own(order: oracle::rows::OrderId) -> OrderId {
    OrderId::new(order.get()).expect("a positive number")
}

fn inputs(bench: &Bench) -> Inputs {
    let versions: Vec<String> = bench
        .network()
        .versions
        .iter()
        .map(|version| {
            let terms = &version.terms;
            let date = |date: Option<domain::BusinessDate>| {
                date.map_or("null".to_owned(), |date| format!("\"{date}\""))
            };
            format!(
                r#"{{"number": {}, "from": {}, "until": {}, "policy": {}}}"#,
                terms.number,
                date(terms.from),
                date(terms.until),
                terms.policy
            )
        })
        .collect();
    let versions = oracle::Versions::from_json(&format!("[{}]", versions.join(","))).expect("versions");
    let mut inputs = Inputs::new(bench.source.tables(), bench.parameters.date_at(bench.now_ms).into());
    inputs.versions = versions;
    for entry in bench.entries() {
        match entry {
            Entry::Placed { order, trees_before, .. } => {
                let order = oracle::rows::OrderId::new(order.get()).expect("a number");
                inputs.price_book.insert(order, *trees_before);
            }
            Entry::Adjusted(terms) => inputs.adjustments.push(Adjustment {
                from: terms.giver.to_string(),
                to: terms.receiver.to_string(),
                amount: oracle::Amount::from_units(terms.amount.units()),
                effective_date: terms.effective_date.into(),
                expire_date: terms.expire_date.map(Into::into),
            }),
            _ => {}
        }
    }
    inputs
}

fn assert_same_legs(bench: &Bench, order: OrderId, posting: &Posting, judgement: &Judgement) {
    let theirs = oracle::rows::OrderId::new(order.get()).expect("a number");
    let expected = judgement.distribution(theirs).unwrap_or_else(|| panic!("{order} must not be posted"));
    let policy = &bench.network().versions.numbered(posting.version).expect("a version").policy;
    let terms =
        (posting.account.to_string(), u64::from(posting.trees), posting.total.units(), posting.version);
    let expected_terms =
        (expected.account.to_string(), expected.trees, expected.total.units(), expected.version);
    assert_eq!(terms, expected_terms, "{order}");
    let term = posting.term(policy);
    let dates: (chrono::NaiveDate, chrono::NaiveDate) = (term.effective_date.into(), term.expire_date.into());
    assert_eq!(dates, (expected.effective_date, expected.expire_date), "{order}");
    let legs: Vec<_> = posting
        .legs(policy)
        .into_iter()
        .map(|leg| {
            let kind = match leg.leg_type() {
                LegType::LevelOverflow => "LEVEL_OVERFLOW".to_owned(),
                _ => leg.type_name().into_owned(),
            };
            let would_be = leg.recipient.would_be().map(ToString::to_string);
            (kind, leg.recipient.owner().to_string(), would_be, leg.amount.units())
        })
        .collect();
    let expected: Vec<_> = expected
        .legs
        .iter()
        .map(|leg| {
            let would_be = leg.would_be.as_ref().map(ToString::to_string);
            (leg.kind.name(), leg.owner.to_string(), would_be, leg.amount.units())
        })
        .collect();
    assert_eq!(legs, expected, "{order}: {posting:?}");
}

fn assert_same_totals(bench: &Bench, judgement: &Judgement, inputs: &Inputs) {
    let mut expected: BTreeMap<String, i128> = BTreeMap::new();
    for order in judgement.posted() {
        for leg in judgement.distribution(order).expect("it is posted").legs {
            *expected.entry(leg.owner.to_string()).or_default() += leg.amount.units();
        }
    }
    for adjustment in &inputs.adjustments {
        *expected.entry(adjustment.from.clone()).or_default() -= adjustment.amount.units();
        *expected.entry(adjustment.to.clone()).or_default() += adjustment.amount.units();
    }
    expected.retain(|_, total| *total != 0);
    let totals = bench.totals_at(bench.last_position());
    let totals = totals.into_iter().filter(|(_, total)| *total != Amount::ZERO);
    let totals: BTreeMap<String, i128> =
        totals.map(|(owner, total): (Owner, Amount)| (owner.to_string(), total.units())).collect();
    assert_eq!(totals, expected);
}

/// Compares unlock facts with what follows from the posted adoptions and the referrals that stand.
fn assert_same_facts(bench: &Bench) {
    let referrers = bench.source.referrers_in_force();
    let mut firsts: BTreeMap<AccountSequence, OrderId> = BTreeMap::new();
    for (order, head) in bench.adoptions() {
        if let Some(posting) = head.posting() {
            firsts.entry(posting.account.clone()).or_insert(order);
        }
    }
    let mut accounts: BTreeSet<AccountSequence> = referrers.keys().cloned().collect();
    accounts.extend(referrers.values().flatten().cloned());
    for account in accounts {
        let mut facts = UnlockFacts::default();
        facts.set_first_order(firsts.get(&account).copied());
        let direct = referrers.iter().filter(|(_, referrer)| referrer.as_ref() == Some(&account));
        facts.refill(direct.filter_map(|(child, _)| firsts.get(child)).copied());
        let node = bench.node_at(&account, bench.last_position());
        assert_eq!(node.waiting, None, "{account}");
        assert_eq!(node.facts.first_order(), facts.first_order(), "{account}");
        assert_eq!(node.facts.direct_adopter_count(), facts.direct_adopter_count(), "{account}");
        let kept = node.facts.direct_first_orders();
        assert_eq!(Some(kept), facts.direct_first_orders().get(..kept.len()), "{account}");
    }
}
