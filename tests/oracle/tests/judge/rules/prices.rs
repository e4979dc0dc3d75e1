//! Section 3: the contribution of a tree without a price of its own.

use oracle::HoldReason::InvalidTerms;
use oracle::rows::{AdoptionRow, Term};
use oracle::{Judgement, Place};

use super::source::{Source, amount, date, order, order_id};

fn unpriced(number: u64, account: &str, trees: i64) -> AdoptionRow {
    AdoptionRow { trees: Term::Given(trees), price: Term::Missing, ..order(number, account) }
}

fn total(judgement: &Judgement, number: u64) -> String {
    judgement.distribution(order_id(number)).expect("posted").total.to_string()
}

#[test]
fn a_tree_contributes_more_from_the_thousandth_before_it_on() {
    let source = Source::chain(&["A"])
        .adoption(unpriced(1, "A", 999))
        .adoption(unpriced(2, "A", 1))
        .adoption(unpriced(3, "A", 99))
        .adoption(unpriced(4, "A", 1))
        .adoption(unpriced(5, "A", 1));
    let judgement = source.judged();
    assert_eq!(total(&judgement, 1), "22594383.0000000000", "999 at 22617");
    assert_eq!(total(&judgement, 2), "22617.0000000000", "999 trees before");
    assert_eq!(total(&judgement, 3), "2245800.2490000000", "1,000 before: 99 at 22617 * 1.003 = 22684.851");
    assert_eq!(total(&judgement, 4), "22684.8510000000", "1,099 before");
    assert_eq!(total(&judgement, 5), "22752.7020000000", "1,100 before: 22617 * 1.006");
}

#[test]
fn priced_and_held_orders_count_and_ineligible_ones_do_not() {
    let priced = AdoptionRow { trees: Term::Given(500), ..order(1, "A") };
    let held = AdoptionRow { trees: Term::Given(500), ..order(2, "Z") };
    let cancelled = AdoptionRow { trees: Term::Given(700), status: "CANCELLED".to_owned(), ..order(3, "A") };
    let invalid = AdoptionRow { trees: Term::Given(700), price: Term::Unreadable, ..order(4, "A") };
    let tomorrow_but_one = date("2026-02-12");
    let not_yet = AdoptionRow {
        trees: Term::Given(700),
        adoption_date: Term::Given(tomorrow_but_one),
        ..order(5, "A")
    };
    let source = Source::chain(&["A"])
        .adoption(priced)
        .adoption(held)
        .adoption(cancelled)
        .adoption(invalid)
        .adoption(not_yet)
        .adoption(unpriced(6, "A", 1));
    assert_eq!(total(&source.judged(), 6), "22684.8510000000", "1,000 before");
    let places: Vec<_> = source.judged().price_book.into_iter().collect();
    assert_eq!(places, [(order_id(6), Place { before: 1_000, before_today: 1_000 })]);
}

#[test]
fn an_order_that_is_held_by_its_referrals_has_a_place_and_an_ineligible_one_has_none() {
    let cancelled = AdoptionRow { status: "CANCELLED".to_owned(), ..unpriced(2, "A", 5) };
    let source = Source::chain(&["A"]).adoption(unpriced(1, "Z", 7)).adoption(cancelled);
    let places: Vec<_> = source.judged().price_book.into_iter().collect();
    assert_eq!(places, [(order_id(1), Place { before: 0, before_today: 0 })]);
}

#[test]
fn a_decided_place_stays_whatever_becomes_of_the_orders_before_it() {
    let mut source = Source::chain(&["A"]).adoption(unpriced(10, "A", 1)).adoption(unpriced(20, "A", 1));
    source.inputs.price_book = [(order_id(20), 1_250)].into();
    let judgement = source.judged();
    assert_eq!(total(&judgement, 10), "22617.0000000000");
    assert_eq!(total(&judgement, 20), "22820.5530000000", "three units: 22617 * 1.009");
    assert_eq!(judgement.price_book[&order_id(20)], Place { before: 1_250, before_today: 1 });

    // A late order with 2,000 trees changes today's number and nothing else.
    let late = source.adoption(unpriced(5, "A", 2_000)).judged();
    assert_eq!(total(&late, 20), "22820.5530000000");
    assert_eq!(late.price_book[&order_id(20)], Place { before: 1_250, before_today: 2_001 });
    assert_eq!(
        total(&late, 10),
        "23363.3610000000",
        "not decided yet: 2,000 before, eleven units, 22617 * 1.033"
    );
}

#[test]
fn a_place_belongs_to_its_number_even_when_the_order_is_gone_or_priced() {
    let mut source = Source::chain(&["A"]).adoption(order(1, "A"));
    source.inputs.price_book = [(order_id(1), 1_000), (order_id(7), 0)].into();
    let judgement = source.judged();
    assert_eq!(total(&judgement, 1), "100.0000000000", "a price in the source always wins");
    assert_eq!(judgement.price_book[&order_id(1)], Place { before: 1_000, before_today: 0 });
    assert_eq!(judgement.price_book[&order_id(7)], Place { before: 0, before_today: 1 });

    source.inputs.tables.adoptions[0].price = Term::Missing;
    assert_eq!(total(&source.judged(), 1), "22684.8510000000", "without it the place counts again");
}

#[test]
fn prices_of_more_than_ten_decimals_are_rounded_down() {
    let row = AdoptionRow { price: Term::Given(amount("1.23456789019")), ..order(1, "A") };
    assert_eq!(total(&Source::chain(&["A"]).adoption(row).judged(), 1), "1.2345678901");
}

#[test]
fn a_ladder_price_is_rounded_down_to_ten_decimals() {
    let mut policy = oracle::Policy::default();
    policy.price_ladder.base = amount("0.0000000777");
    let mut source = Source::chain(&["A"]).policy(policy).adoption(unpriced(1, "A", 1));
    source.inputs.price_book = [(order_id(1), 1_000)].into();
    // 777 * 1.003 = 779.331
    assert_eq!(total(&source.judged(), 1), "0.0000000779");
}

#[test]
fn a_place_so_high_that_the_total_overflows_makes_the_terms_invalid() {
    let mut source = Source::chain(&["A"]).adoption(unpriced(1, "A", 1_000_000));
    source.inputs.price_book = [(order_id(1), u64::MAX)].into();
    assert_eq!(source.held(), [(1, InvalidTerms)]);
}
