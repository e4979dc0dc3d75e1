//! Places in the price book (rules, section 3).

use domain::log::{Command, Entry};
use domain::{AdoptionRow, Column, OrderId};

use crate::bench::{Bench, Ran};
use crate::table::{NOON_MS, amount, bench, bench_with, order};

/// After two trees a tree costs 1 %, after four 2 % more than the base of 100.
const LADDER: &str = r#"{"price_ladder":
    {"base": "100", "increment": "0.01", "unit_size": 2, "start_tree_number": 2}}"#;

fn without_price(row: &mut AdoptionRow) {
    row.price = Column::Value(None);
}

fn ladder() -> Bench {
    let mut bench = bench_with(LADDER, |_| {});
    bench.refer("A", None);
    bench
}

fn total(bench: &Bench, number: u64) -> Option<String> {
    bench.head(number).posting().map(|posting| posting.total.to_string())
}

fn places(bench: &Bench) -> Vec<(u64, u64)> {
    let places = bench.entries().filter_map(|entry| match entry {
        Entry::Placed { order, trees_before, .. } => Some((order.get(), *trees_before)),
        _ => None,
    });
    places.collect()
}

#[test]
fn an_order_without_a_price_waits_until_the_source_is_read_past_its_commit_by_the_window() {
    let mut bench = ladder();
    bench.adopt_with(1, "A", without_price);
    let window_ms = bench.parameters.reorder_window_ms;
    bench.run_once(100, None);
    assert_eq!(bench.state(1), "UNPRICED");
    let ran = bench.run_once(100, Some(NOON_MS + window_ms - 1));
    assert_eq!(bench.state(1), "UNPRICED");
    assert_eq!(ran, Ran::UntilIdle { due_ms: Some(NOON_MS + window_ms) });
    bench.run_once(100, Some(NOON_MS + window_ms));
    assert_eq!(bench.state(1), "POSTED");
    let placed = bench.entries().find(|entry| matches!(entry, Entry::Placed { .. })).cloned();
    let read_through_ms = Some(NOON_MS + window_ms);
    assert_eq!(placed, Some(Entry::Placed { order: order(1), trees_before: 0, read_through_ms }));
}

#[test]
fn an_order_with_a_price_never_waits() {
    let mut bench = ladder();
    bench.adopt(1, "A");
    bench.run_once(100, None);
    assert_eq!(bench.state(1), "POSTED");
}

#[test]
fn places_are_decided_in_ascending_order_and_an_earlier_one_blocks_later_ones() {
    let mut bench = ladder();
    bench.adopt_with(2, "A", without_price);
    bench.run_once(100, None);
    bench.now_ms += 500;
    bench.adopt_with(1, "A", without_price);
    bench.run_once(100, Some(NOON_MS + 1_000));
    assert_eq!((bench.state(1).as_str(), bench.state(2).as_str()), ("UNPRICED", "UNPRICED"));
    bench.run_once(100, Some(NOON_MS + 1_500));
    assert_eq!(places(&bench), [(1, 0), (2, 1)]);
}

#[test]
fn a_place_counts_eligible_trees_held_or_not_and_stays_for_ever() {
    let mut bench = ladder();
    bench.adopt_with(1, "A", |row| row.trees = Column::Value(2));
    bench.adopt_with(2, "X", |row| row.trees = Column::Value(2));
    bench.adopt_with(3, "A", |row| (row.trees, row.status) = (Column::Value(9), "CREATED".to_owned()));
    bench.adopt_with(5, "A", without_price);
    bench.adopt_with(6, "X", without_price);
    bench.run();
    assert_eq!(bench.state(2), "NO_REFERRAL: X");
    assert_eq!(places(&bench), [(5, 4), (6, 5)]);
    assert_eq!(total(&bench, 5).as_deref(), Some("102.0000000000"));
    // A late order, and one that goes, change nothing.
    bench.adopt_with(4, "A", |row| row.trees = Column::Value(100));
    bench.remove(1);
    bench.run();
    assert_eq!(total(&bench, 5).as_deref(), Some("102.0000000000"));
    // Nor does the order itself, deleted and inserted again.
    bench.remove(5);
    bench.run();
    bench.adopt_with(5, "A", without_price);
    bench.run();
    assert_eq!(total(&bench, 5).as_deref(), Some("102.0000000000"));
    // The next order sees the trees of today.
    bench.adopt_with(7, "A", without_price);
    bench.run();
    assert_eq!(places(&bench).last(), Some(&(7, 104)));
    bench.refer("X", None);
    bench.run();
    assert_eq!(total(&bench, 6).as_deref(), Some("102.0000000000"));
}

#[test]
fn an_order_whose_price_is_taken_away_gets_its_place_then() {
    let mut bench = ladder();
    bench.adopt(9, "A");
    bench.run();
    bench.adopt(4, "A");
    bench.run();
    bench.adopt_with(9, "A", without_price);
    bench.run();
    assert_eq!(places(&bench), [(9, 1)]);
    assert_eq!(total(&bench, 9).as_deref(), Some("100.0000000000"));
    // A price in the source wins, and the place comes back when it goes again.
    bench.adopt(9, "A");
    bench.run();
    assert_eq!(total(&bench, 9).as_deref(), Some("1000.0000000000"));
    bench.adopt_with(5, "A", |row| row.trees = Column::Value(100));
    bench.adopt_with(9, "A", without_price);
    bench.run();
    assert_eq!(total(&bench, 9).as_deref(), Some("100.0000000000"));
}

#[test]
fn places_of_another_stack_are_taken_over_and_never_contradicted() {
    let mut bench = ladder();
    bench.adopt_with(1, "A", without_price);
    bench.run_once(100, None);
    let places = vec![(order(1), 7), (order(2), 50)];
    assert_eq!(bench.ask(Command::TakeOverPlaces { places: places.clone() }), None);
    assert_eq!(total(&bench, 1).as_deref(), Some("103.0000000000"));
    bench.adopt_with(2, "A", without_price);
    bench.run();
    assert_eq!(total(&bench, 2).as_deref(), Some("125.0000000000"));
    assert_eq!(bench.network().counts.orders_seen, 2);
    assert_eq!(bench.ask(Command::TakeOverPlaces { places }), None, "the same again changes nothing");
    let refused = bench.ask(Command::TakeOverPlaces { places: vec![(order(2), 51)] });
    assert_eq!(refused.as_deref(), Some("order 2 has its place already: 50 trees before it"));
}

#[test]
fn an_order_of_a_place_that_was_taken_over_is_found_by_a_repair() {
    let mut bench = ladder();
    bench.ask(Command::TakeOverPlaces { places: vec![(order(300), 7)] });
    bench.adopt_with(300, "A", without_price);
    bench.run();
    let position = bench.last_position();
    bench.ask(Command::Repair { order: None });
    assert_eq!(bench.entries_after(position), ["Commanded", "WalkBegan", "WalkEnded"]);
    assert_eq!(bench.state(300), "POSTED");
}

#[test]
fn a_late_order_without_a_price_reads_few_items() {
    let mut bench = bench();
    bench.refer("A", None);
    for number in (1_000..1_200).step_by(3) {
        bench.adopt(number, "A");
    }
    bench.run();
    bench.forget_heads();
    bench.loaded = 0;
    bench.adopt_with(1_001, "A", without_price);
    bench.run();
    assert_eq!(places(&bench), [(1_001, 1)]);
    assert!(bench.loaded <= 20, "{} items", bench.loaded);
}

#[test]
fn the_trees_before_are_right_across_the_whole_range_of_numbers() {
    let mut bench = ladder();
    let numbers = [1, 255, 256, 65_535, 65_536, 1 << 40, OrderId::MAX.get()];
    for number in numbers {
        bench.adopt_with(number, "A", without_price);
    }
    bench.run();
    let expected: Vec<(u64, u64)> = numbers.into_iter().zip(0..).collect();
    assert_eq!(places(&bench), expected);
    let position = bench.last_position();
    bench.ask(Command::Repair { order: None });
    assert_eq!(bench.entries_after(position), ["Commanded", "WalkBegan", "WalkEnded"]);
    assert_eq!(total(&bench, 256).map(|total| amount(&total)), Some(amount("101")));
}
