//! Section 5: unallocated legs that move once they are unlocked.

use oracle::rows::{AdoptionRow, Term};
use oracle::{Backfill, Policy};

use super::source::{Source, allocated, amount, date, order, order_id};

fn backfilled(source: Source) -> Source {
    source.policy(Policy { backfill: Backfill::OnUnlock, ..Policy::default() })
}

fn on(number: u64, account: &str, day: &str) -> AdoptionRow {
    AdoptionRow { adoption_date: Term::Given(date(day)), ..order(number, account) }
}

#[test]
fn a_leg_moves_to_the_account_that_unlocks_it_later_with_its_own_dates() {
    let source =
        Source::chain(&["A", "B"]).adoption(on(1, "B", "2025-03-01")).adoption(on(2, "A", "2026-01-05"));
    assert_eq!(allocated(&source.judged(), 1), [""; 0]);
    let judgement = backfilled(source).judged();
    assert_eq!(allocated(&judgement, 1), ["L1 A", "B1 A"]);
    let distribution = judgement.distribution(order_id(1)).expect("posted");
    assert_eq!(distribution.effective_date, date("2025-03-02"));
    assert_eq!(distribution.legs[4].expire_date, Some(date("2027-03-02")));
    // Order 1: 15 less 0.5 and 2.5. Order 2: 15.
    assert_eq!(judgement.system_accounts()["HEADQUARTERS"].balance, amount("27"));
}

#[test]
fn an_unlock_moves_only_the_legs_within_its_levels() {
    // T is six levels below A. Three direct adopters open ten levels, one opens five.
    let source = Source::chain(&["A", "M1", "M2", "M3", "M4", "M5", "T"])
        .account("D1", Some("A"))
        .account("D2", Some("A"))
        .account("D3", Some("A"))
        .orders(&[(1, "T"), (2, "A"), (3, "D1"), (4, "D2")]);
    assert_eq!(allocated(&backfilled(source.clone()).judged(), 1), [""; 0]);
    assert_eq!(allocated(&backfilled(source.orders(&[(5, "D3")])).judged(), 1), ["L6 A"]);
}

#[test]
fn a_leg_whose_term_is_over_on_the_effective_date_of_the_unlocking_order_stays() {
    // Effective 2023-03-02 to 2025-03-02. The unlocking order is effective on the day after its own date.
    let unlocked_on = |day| {
        let source = Source::chain(&["A", "B"]).adoption(on(1, "B", "2023-03-01")).adoption(on(2, "A", day));
        allocated(&backfilled(source).judged(), 1)
    };
    assert_eq!(unlocked_on("2025-02-28"), ["L1 A", "B1 A"]);
    assert_eq!(unlocked_on("2025-03-01"), [""; 0]);
}

#[test]
fn the_order_that_unlocks_decides_even_if_a_later_one_is_dated_earlier() {
    let source = Source::chain(&["A", "B"])
        .adoption(on(1, "B", "2023-03-01"))
        .adoption(on(2, "A", "2025-06-01"))
        .adoption(on(3, "A", "2024-01-01"));
    assert_eq!(allocated(&backfilled(source).judged(), 1), [""; 0]);
}

#[test]
fn a_leg_without_an_ancestor_never_moves() {
    let source = Source::chain(&["A"]).orders(&[(1, "A"), (2, "A")]);
    assert_eq!(allocated(&backfilled(source).judged(), 1), [""; 0]);
}

#[test]
fn bonus_tiers_move_one_by_one() {
    let source = Source::chain(&["A"])
        .account("B", Some("A"))
        .account("C", Some("A"))
        .account("D", Some("A"))
        .account("E", Some("A"))
        .orders(&[(1, "B"), (2, "C"), (3, "D")]);
    let bonuses = |source: &Source| -> Vec<String> {
        let legs = allocated(&backfilled(source.clone()).judged(), 1);
        legs.into_iter().filter(|leg| leg.starts_with('B')).collect()
    };
    assert_eq!(bonuses(&source), ["B1 A"], "two direct adopters");
    let source = source.orders(&[(4, "E")]);
    assert_eq!(bonuses(&source), ["B1 A", "B2 A"], "four");
    assert_eq!(bonuses(&source.orders(&[(5, "A")])), ["B1 A", "B2 A", "B3 A"]);
}
