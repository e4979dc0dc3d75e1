//! Section 4: the distribution of one adoption.

use oracle::rows::{AdoptionRow, Term};
use oracle::{Amount, Judgement, OddRegion, SystemKind};

use super::source::{Source, amount, legs, order, order_id};

fn sum(judgement: &Judgement, number: u64) -> Amount {
    judgement.distribution(order_id(number)).expect("posted").legs.iter().map(|leg| leg.amount).sum()
}

#[test]
fn a_root_keeps_70_percent_and_headquarters_gets_what_an_upline_would() {
    let judgement = Source::chain(&["A"]).orders(&[(1, "A")]).judged();
    let mut expected = vec!["PERSONAL A 70", "OPERATION OPERATION 12", "PROVINCE PROVINCE 1", "CITY CITY 2"]
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    expected.extend((1..=15).map(|level| format!("LEVEL_OVERFLOW {level} HEADQUARTERS 0.5 NO_ANCESTOR")));
    expected.extend((1..=3).map(|tier| format!("BONUS_TIER_{tier} {tier} HEADQUARTERS 2.5 NO_ANCESTOR")));
    assert_eq!(legs(&judgement, 1), expected);
    assert_eq!(judgement.system_accounts()["HEADQUARTERS"].balance, amount("15"));
}

#[test]
fn an_ancestor_gets_what_it_has_unlocked_and_headquarters_the_rest_with_its_name() {
    // A adopted before; B's order makes it A's first direct adopter: five levels and the first tier.
    let judgement = Source::chain(&["A", "B"]).orders(&[(1, "A"), (2, "B")]).judged();
    let legs = legs(&judgement, 2);
    assert_eq!(legs[4], "TEAM_LEVEL 1 A 0.5");
    assert_eq!(legs[5], "LEVEL_OVERFLOW 2 HEADQUARTERS 0.5 NO_ANCESTOR");
    assert_eq!(legs[19], "TEAM_BONUS 1 A 2.5");
    assert_eq!(legs[20], "BONUS_TIER_2 2 HEADQUARTERS 2.5 LOCKED");
    let distribution = judgement.distribution(order_id(2)).expect("posted");
    assert_eq!(distribution.legs[20].would_be.as_deref(), Some("A"));
    assert_eq!(distribution.legs[20].expire_date, None, "headquarters never expires");
    assert_eq!(distribution.legs[19].expire_date, Some(distribution.expire_date));
}

#[test]
fn a_locked_level_never_moves_up_to_the_next_ancestor() {
    // B has not adopted, so level 1 is locked; A above it has a direct referral B that has not adopted either.
    let judgement = Source::chain(&["A", "B", "C"]).orders(&[(1, "A"), (2, "C")]).judged();
    let legs = legs(&judgement, 2);
    assert_eq!(legs[4], "LEVEL_OVERFLOW 1 HEADQUARTERS 0.5 LOCKED");
    assert_eq!(legs[5], "LEVEL_OVERFLOW 2 HEADQUARTERS 0.5 LOCKED");
}

#[test]
fn what_rounding_leaves_over_is_a_leg_of_headquarters() {
    // 0.0000001003: 70 % is 702.1 units, 12 % is 120.36, 1 % is 10.03, 2 % is 20.06, a level 5.015, a tier 25.075.
    let row = AdoptionRow { price: Term::Given(amount("0.0000001003")), ..order(1, "A") };
    let judgement = Source::chain(&["A"]).adoption(row).judged();
    let legs = legs(&judgement, 1);
    assert_eq!(legs[0], "PERSONAL A 0.0000000702");
    assert_eq!(legs[4], "LEVEL_OVERFLOW 1 HEADQUARTERS 0.0000000005 NO_ANCESTOR");
    assert_eq!(legs[19], "BONUS_TIER_1 1 HEADQUARTERS 0.0000000025 NO_ANCESTOR");
    // 1003 - 702 - 120 - 10 - 20 - 15 * 5 - 3 * 25 = 1
    assert_eq!(legs[22], "ROUNDING HEADQUARTERS 0.0000000001");
    assert_eq!(sum(&judgement, 1), amount("0.0000001003"));
}

#[test]
fn a_leg_of_zero_is_not_written() {
    // Of three units 70 % are two, and every other share is less than one.
    let row = AdoptionRow { price: Term::Given(amount("0.0000000003")), ..order(1, "A") };
    let judgement = Source::chain(&["A"]).adoption(row).judged();
    assert_eq!(legs(&judgement, 1), ["PERSONAL A 0.0000000002", "ROUNDING HEADQUARTERS 0.0000000001"]);
    assert_eq!(judgement.system_accounts().len(), 1, "nothing went to the others");
}

#[test]
fn the_largest_total_is_distributed_exactly() {
    let largest = "999999999999999999.9999999999";
    // 999,999,999,999,999,999.9999999999 is not a product of the largest price and number of trees, so both bounds go.
    let mut policy = oracle::Policy::default();
    policy.bounds.price_max = amount(largest);
    let row = AdoptionRow { price: Term::Given(amount(largest)), ..order(1, "A") };
    let judgement = Source::chain(&["A"]).policy(policy).adoption(row).judged();
    assert_eq!(sum(&judgement, 1).to_string(), largest);
    assert_eq!(legs(&judgement, 1)[0], "PERSONAL A 699999999999999999.9999999999");
}

#[test]
fn regions_have_accounts_of_their_own_and_odd_ones_none() {
    let with = |number, province: &str, city: &str| AdoptionRow {
        province: Some(province.to_owned()),
        city: Some(city.to_owned()),
        ..order(number, "A")
    };
    let longest = "x".repeat(64);
    let too_long = "长".repeat(65);
    let judgement = Source::chain(&["A"])
        .adoption(with(1, "440000", "  CN-HN-01 "))
        .adoption(with(2, &longest, &too_long))
        .adoption(with(3, "   ", ""))
        .adoption(order(4, "A"))
        .judged();
    assert_eq!(legs(&judgement, 1)[2..4], ["PROVINCE PROVINCE:440000 1", "CITY CITY:CN-HN-01 2"]);
    assert_eq!(
        legs(&judgement, 2)[2..4],
        [format!("PROVINCE PROVINCE:{longest} 1"), "CITY CITY 2".to_owned()]
    );
    assert_eq!(legs(&judgement, 3)[2..4], ["PROVINCE PROVINCE 1", "CITY CITY 2"]);
    let odd = |number, kind| OddRegion { order_id: order_id(number), kind };
    assert_eq!(
        judgement.odd_regions,
        [odd(2, SystemKind::City), odd(3, SystemKind::Province), odd(3, SystemKind::City)]
    );
    assert_eq!(judgement.system_accounts()["CITY"].balance, amount("6"), "orders 2, 3 and 4");
}
