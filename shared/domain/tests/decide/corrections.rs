//! Late orders, changed rows and what they correct (rules, sections 5 and 6).

use domain::log::Cause;
use domain::{Column, OrderId};

use crate::bench::{Bench, user};
use crate::table::{amount, bench, bench_with, date, order, row};

fn unlock(number: u64) -> Cause {
    Cause::Unlock { order: order(number) }
}

/// Replays the ordering incident: D25122700018 adopts with order 55, D25122700019 below it with 57, 58 and
/// 59.
fn incident(arrival: [u64; 4]) -> Bench {
    let mut bench = bench();
    bench.refer_chain(&["D25122700018", "D25122700019"]);
    for number in arrival {
        let account = if number == 55 { "D25122700018" } else { "D25122700019" };
        bench.adopt_with(number, account, |row| row.price = Column::Value(Some(amount("128163"))));
        bench.run();
    }
    bench
}

#[test]
fn the_incident_has_one_ledger_whatever_arrives_first() {
    let in_order = incident([55, 57, 58, 59]);
    for arrival in [[57, 58, 59, 55], [59, 55, 58, 57], [58, 57, 55, 59]] {
        let other = incident(arrival);
        for number in [55, 57, 58, 59] {
            assert_eq!(other.head(number).state, in_order.head(number).state, "{arrival:?}: {number}");
        }
        for owner in ["D25122700018", "D25122700019", "HEADQUARTERS", "OPERATION"] {
            assert_eq!(other.total_of(owner), in_order.total_of(owner), "{arrival:?}: {owner}");
        }
    }
    assert_eq!(in_order.legs_of("D25122700018", 57), ["L1", "B1"]);
}

#[test]
fn a_late_first_order_corrects_the_orders_from_its_own_to_the_first_before() {
    let mut bench = bench();
    bench.refer_chain(&["A", "B"]);
    for (number, account) in [(10, "B"), (20, "B"), (30, "A"), (40, "B")] {
        bench.adopt(number, account);
        bench.run();
    }
    let position = bench.last_position();
    bench.adopt(15, "A");
    bench.run();
    assert_eq!(bench.causes_after(position), [(20, unlock(15))]);
    assert_eq!(bench.legs_of("A", 10), Vec::<String>::new());
    assert_eq!(bench.legs_of("A", 20), ["L1", "B1"]);

    let position = bench.last_position();
    bench.remove(15);
    bench.run();
    assert_eq!(bench.causes_after(position), [(15, Cause::Row), (20, unlock(15))]);
    assert_eq!(bench.legs_of("A", 20), Vec::<String>::new());
    assert_eq!(bench.legs_of("A", 40), ["L1", "B1"]);
}

#[test]
fn a_first_order_that_goes_makes_the_next_one_the_first() {
    let mut bench = bench();
    bench.refer_chain(&["A", "B"]);
    for (number, account) in [(10, "A"), (20, "B"), (30, "A"), (40, "B")] {
        bench.adopt(number, account);
    }
    bench.run();
    bench.adopt_with(10, "A", |row| row.status = "CANCELLED".to_owned());
    bench.run();
    let facts = bench.node_at(&user("A"), bench.last_position()).facts;
    assert_eq!(facts.first_order(), Some(order(30)));
    assert_eq!(facts.direct_first_orders(), [order(20)]);
    assert_eq!(bench.legs_of("A", 20), Vec::<String>::new());
    assert_eq!(bench.legs_of("A", 40), ["L1", "B1"]);
}

#[test]
fn changed_terms_are_corrected_by_one_balancing_entry() {
    let mut bench = bench();
    bench.refer("A", None);
    bench.adopt(1, "A");
    bench.run();
    let position = bench.last_position();
    bench.adopt_with(1, "A", |row| {
        row.trees = Column::Value(3);
        row.date = Column::Value(date("2026-01-10"));
        row.city = "4401".parse().ok();
    });
    bench.run();
    assert_eq!(bench.entries_after(position), ["AdoptionRow", "Eligible", "Corrected"]);
    assert_eq!(bench.total_of("CITY"), amount("0"));
    assert_eq!(bench.total_of("CITY:4401"), amount("60"));
    assert_eq!(bench.network().counts.posted_total, amount("3000"));
    let position = bench.last_position();
    bench.adopt_with(1, "A", |row| {
        row.trees = Column::Value(3);
        row.date = Column::Value(date("2026-01-10"));
        row.city = "4401".parse().ok();
        row.status = "ACTIVE".to_owned();
    });
    bench.run();
    assert_eq!(
        bench.entries_after(position),
        ["AdoptionRow"],
        "another distributable status changes nothing"
    );
}

#[test]
fn an_order_that_goes_to_another_account_takes_its_unlocks_along() {
    let mut bench = bench();
    bench.refer_chain(&["R", "A"]);
    bench.refer("B", Some("R"));
    bench.refer("C", Some("A"));
    for (number, account) in [(1, "R"), (2, "A"), (3, "C")] {
        bench.adopt(number, account);
    }
    bench.run();
    assert_eq!(bench.legs_of("A", 3), ["L1", "B1"]);
    let position = bench.last_position();
    bench.adopt(2, "B");
    bench.run();
    let entries = bench.entries_after(position);
    assert_eq!(entries[..4], ["AdoptionRow", "Withdrawn", "WalkBegan", "WalkBegan"]);
    assert!(entries.contains(&"Posted".to_owned()));
    assert_eq!(bench.legs_of("A", 3), Vec::<String>::new());
    assert_eq!(bench.legs_of("B", 2), ["PERSONAL"]);
    let facts = bench.node_at(&user("R"), bench.last_position()).facts;
    assert_eq!(facts.direct_first_orders(), [order(2)]);
}

#[test]
fn what_a_page_has_begun_is_finished_in_it_however_small_pages_are() {
    let mut bench = bench_with("{}", |parameters| parameters.page_bytes_max = 1);
    bench.unkindness.partial = 50;
    bench.refer_chain(&["A", "B"]);
    bench.adopt(1, "A");
    bench.run();
    bench.forget_heads();
    bench.adopt(1, "B");
    bench.run();
    let taken_back = bench
        .pages
        .iter()
        .find(|page| page.entries.iter().any(|entry| matches!(entry, domain::log::Entry::Withdrawn { .. })));
    let page = taken_back.expect("it was taken back");
    assert!(page.entries.iter().any(|entry| matches!(entry, domain::log::Entry::Posted { .. })), "{page:?}");
}

#[test]
fn an_order_that_is_deleted_and_inserted_again_is_posted_again() {
    let mut bench = bench();
    bench.refer("A", None);
    bench.adopt(1, "A");
    bench.run();
    bench.remove(1);
    bench.run();
    assert_eq!(bench.state(1), "ABSENT");
    assert_eq!(bench.network().counts.posted_total, amount("0"));
    bench.adopt(1, "A");
    bench.run();
    assert_eq!(bench.state(1), "POSTED");
    assert_eq!(bench.network().counts.orders_seen, 1);
}

#[test]
fn a_row_that_takes_another_order_number_leaves_its_own() {
    let mut bench = bench();
    bench.refer("A", None);
    bench.put_row("k", Some((5, row("A"))));
    bench.run();
    bench.put_row("k", Some((3, row("A"))));
    bench.run();
    assert_eq!((bench.state(3).as_str(), bench.state(5).as_str()), ("POSTED", "ABSENT"));
    let first = bench.node_at(&user("A"), bench.last_position()).facts.first_order();
    assert_eq!(first, OrderId::new(3));
}

#[test]
fn more_than_eight_direct_adopters_are_refilled_when_the_smallest_go() {
    let mut bench = bench();
    bench.refer("A", None);
    bench.adopt(1, "A");
    for number in 2..=12 {
        bench.refer(&format!("B{number}"), Some("A"));
        bench.adopt(number, &format!("B{number}"));
    }
    bench.run();
    assert_eq!(bench.legs_of("A", 12).len(), 4);
    // Eight orders are kept; two more adopters go unnoticed until the kept ones are too few.
    for number in 2..=9 {
        bench.remove(number);
        bench.run();
    }
    let facts = bench.node_at(&user("A"), bench.last_position()).facts;
    assert_eq!(facts.direct_adopter_count(), 3);
    assert_eq!(bench.legs_of("A", 10), ["L1", "B1"]);
    assert_eq!(bench.legs_of("A", 12), ["L1", "B1", "B2"]);
}

#[test]
fn backfill_moves_a_leg_once_its_account_unlocks_it_and_its_term_is_not_over() {
    let mut bench = bench_with(r#"{"backfill": "on_unlock", "term_years": 1}"#, |_| {});
    bench.refer_chain(&["A", "B"]);
    bench.adopt_with(1, "B", |row| row.date = Column::Value(date("2024-01-01")));
    bench.adopt_with(2, "B", |row| row.date = Column::Value(date("2025-12-01")));
    bench.run();
    assert_eq!(bench.legs_of("A", 2), Vec::<String>::new());
    bench.adopt_with(3, "A", |row| row.date = Column::Value(date("2026-01-01")));
    bench.run();
    assert_eq!(bench.legs_of("A", 1), Vec::<String>::new(), "its term was over on 2025-01-02");
    assert_eq!(bench.legs_of("A", 2), ["L1", "B1"]);
    // The date of what unlocks decides, also where it changes later.
    bench.adopt_with(3, "A", |row| row.date = Column::Value(date("2024-12-31")));
    bench.run();
    assert_eq!(bench.legs_of("A", 1), ["L1", "B1"]);
    bench.adopt_with(3, "A", |row| row.date = Column::Value(date("2025-01-01")));
    bench.run();
    assert_eq!(bench.legs_of("A", 1), Vec::<String>::new());
}

#[test]
fn a_leg_whose_unlock_came_too_late_stays_also_where_later_ones_come_in_time() {
    let policy = r#"{"backfill": "on_unlock", "term_years": 1}"#;
    let mut bench = bench_with(policy, |_| {});
    bench.refer_chain(&["A", "B"]);
    bench.refer("C", Some("A"));
    // Order 2 unlocks tier 1 of order 1 when its term is over; order 3 unlocks tier 2 in time.
    bench.adopt_with(1, "B", |row| row.date = Column::Value(date("2024-01-01")));
    bench.adopt_with(2, "A", |row| row.date = Column::Value(date("2026-01-01")));
    bench.adopt_with(3, "C", |row| row.date = Column::Value(date("2024-06-01")));
    bench.run();
    assert_eq!(bench.legs_of("A", 1), ["B2"]);
}
