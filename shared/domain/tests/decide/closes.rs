//! The close of business dates (rules, section 8).

use domain::log::{Command, Entry, PauseScope, Paused};
use domain::{BusinessDate, Column, VersionTerms};

use crate::bench::Bench;
use crate::table::{NOON_MS, amount, bench_with, date};

const DAY_MS: i64 = 86_400_000;

/// Returns a bench whose first date to close is 2026-02-10, which is today.
fn closing(guard_factor: Option<u32>) -> Bench {
    bench_with("{}", |parameters| {
        parameters.first_date = BusinessDate::new(2026, 2, 10);
        parameters.guard_factor = guard_factor;
    })
}

fn close(bench: &mut Bench, until: &str, source_is_complete: bool) {
    bench.command(Command::Close { until: date(until), source_is_complete });
}

fn closed(bench: &Bench) -> Vec<String> {
    let closes = bench.entries().filter_map(|entry| match entry {
        Entry::Close(terms) => Some(terms.date.to_string()),
        _ => None,
    });
    closes.collect()
}

fn waits(bench: &Bench) -> Vec<String> {
    bench.network().close_waits.clone().map(|(_, reasons)| reasons).unwrap_or_default()
}

#[test]
fn dates_close_one_by_one_up_to_today_and_then_at_midnight() {
    let mut bench = closing(None);
    bench.parameters.first_date = BusinessDate::new(2026, 2, 8);
    let mut bench = Bench::new(1, "{}", bench.parameters.clone(), NOON_MS);
    close(&mut bench, "2026-02-11", true);
    let due_ms = bench.run();
    assert_eq!(closed(&bench), ["2026-02-08", "2026-02-09", "2026-02-10"]);
    let midnight_ms = date("2026-02-11").begins_at(bench.parameters.zone).timestamp_millis();
    assert_eq!(due_ms, Some(midnight_ms));
    bench.now_ms = midnight_ms;
    assert_eq!(bench.run(), None);
    assert_eq!(closed(&bench).last().map(String::as_str), Some("2026-02-11"));
    assert_eq!(bench.network().close_asked, None);
}

#[test]
fn the_first_date_is_the_first_on_which_anything_is_effective() {
    let mut bench = bench_with("{}", |_| {});
    close(&mut bench, "2026-02-10", true);
    bench.run();
    assert_eq!(closed(&bench), Vec::<String>::new());
    bench.refer("A", None);
    bench.adopt_with(1, "A", |row| row.date = Column::Value(date("2026-02-07")));
    bench.run();
    assert_eq!(closed(&bench), ["2026-02-08", "2026-02-09", "2026-02-10"]);
}

#[test]
fn a_close_waits_until_every_partition_of_the_orders_is_read_past_the_midnight() {
    let mut bench = closing(None);
    close(&mut bench, "2026-02-10", false);
    let midnight_ms = date("2026-02-10").begins_at(bench.parameters.zone).timestamp_millis();
    bench.run_once(100, None);
    assert_eq!(waits(&bench), ["SOURCE: what was announced last is not read past the midnight"]);
    bench.run_once(100, Some(midnight_ms - 1));
    assert_eq!(waits(&bench), ["SOURCE: orders-0 is not read past the midnight"]);
    let position = bench.last_position();
    bench.run_once(100, Some(midnight_ms - 1));
    assert_eq!(bench.last_position(), position, "the same is not said twice");
    bench.run_once(100, Some(midnight_ms));
    assert_eq!(closed(&bench), ["2026-02-10"]);
    assert_eq!(waits(&bench), Vec::<String>::new());
    let Some(Entry::Close(terms)) = bench.entries().last() else { panic!("the close is the last entry") };
    assert_eq!(terms.progress.first().map(|progress| progress.read_through_ms), Some(midnight_ms));
}

#[test]
fn an_operator_answers_for_no_later_date_than_the_one_that_was_named() {
    let mut bench = closing(None);
    bench.ask(Command::Pause { scope: PauseScope::Closing });
    close(&mut bench, "2026-02-10", true);
    bench.run_once(100, None);
    bench.now_ms += DAY_MS;
    close(&mut bench, "2026-02-11", false);
    bench.run_once(100, None);
    bench.command(Command::Resume { scope: PauseScope::Closing });
    bench.run_once(100, None);
    assert_eq!(closed(&bench), ["2026-02-10"]);
    assert!(waits(&bench)[0].starts_with("SOURCE"), "{:?}", waits(&bench));
}

#[test]
fn a_row_that_was_read_long_ago_and_becomes_eligible_holds_back_a_date_that_was_asked_for_before() {
    let mut bench = closing(None);
    bench.refer("A", None);
    bench.adopt_with(1, "A", |row| {
        row.price = Column::Value(None);
        row.status = "CREATED".to_owned();
    });
    bench.run();
    bench.ask(Command::Pause { scope: PauseScope::Closing });
    close(&mut bench, "2026-02-10", true);
    bench.run_once(100, None);
    bench.now_ms += 5_000;
    bench.command(Command::Introduce(Box::new(VersionTerms {
        number: 2,
        from: Some(date("2020-01-01")),
        until: None,
        reason: "a test".to_owned(),
        introduced_by: "a test".to_owned(),
        policy: r#"{"distributable_statuses": ["PAID", "CREATED"]}"#.to_owned(),
    })));
    bench.command(Command::Resume { scope: PauseScope::Closing });
    bench.run_once(100, None);
    assert_eq!(closed(&bench), Vec::<String>::new(), "the order waits for its price");
    bench.run();
    assert_eq!(closed(&bench), ["2026-02-10"]);
}

#[test]
fn the_guard_stops_a_close_also_where_everything_was_taken_back() {
    let mut bench = closing(Some(10));
    bench.refer("A", None);
    bench.adopt(1, "A");
    close(&mut bench, "2026-02-10", true);
    bench.run();
    assert_eq!(closed(&bench), ["2026-02-10"]);
    bench.remove(1);
    bench.now_ms += DAY_MS;
    close(&mut bench, "2026-02-11", true);
    bench.run();
    assert!(waits(&bench)[0].starts_with("SUSPICIOUS"), "{:?}", waits(&bench));
}

#[test]
fn orders_without_a_price_hold_back_only_the_dates_after_their_commit() {
    let mut bench = closing(None);
    bench.refer("A", None);
    bench.adopt_with(1, "A", |row| row.price = Column::Value(None));
    close(&mut bench, "2026-02-11", true);
    bench.run_once(100, None);
    assert_eq!(closed(&bench), ["2026-02-10"], "it was committed after that midnight");
    bench.now_ms += DAY_MS;
    bench.run_once(100, None);
    assert_eq!(waits(&bench), ["UNPRICED: 1 adoptions have no price yet"]);
    bench.run();
    assert_eq!(closed(&bench), ["2026-02-10", "2026-02-11"]);
}

#[test]
fn a_date_that_is_caught_up_waits_for_earlier_adoptions_that_were_committed_before_it_was_asked_for() {
    let mut bench = closing(None);
    bench.refer("A", None);
    bench.adopt_with(1, "A", |row| row.price = Column::Value(None));
    bench.run_once(100, None);
    bench.now_ms += 500;
    close(&mut bench, "2026-02-10", true);
    bench.adopt_with(2, "A", |row| {
        row.price = Column::Value(None);
        row.date = Column::Value(date("2026-02-10"));
    });
    bench.run_once(100, None);
    assert_eq!(waits(&bench), ["UNPRICED: 1 adoptions have no price yet"]);
    bench.run();
    assert_eq!(closed(&bench), ["2026-02-10"]);
    let posted_before = bench.entries().take_while(|entry| !matches!(entry, Entry::Close(_)));
    assert!(posted_before.filter(|entry| matches!(entry, Entry::Posted { .. })).count() >= 1);
}

#[test]
fn a_close_waits_while_closing_or_posting_is_stopped() {
    for scope in [PauseScope::Closing, PauseScope::Posting] {
        let mut bench = closing(None);
        bench.ask(Command::Pause { scope });
        close(&mut bench, "2026-02-10", true);
        bench.run();
        assert!(waits(&bench)[0].starts_with("PAUSED"), "{:?}", waits(&bench));
        bench.ask(Command::Resume { scope });
        assert_eq!(closed(&bench), ["2026-02-10"]);
    }
}

#[test]
fn a_close_waits_for_corrections_no_longer_than_its_patience() {
    let mut bench = closing(None);
    bench.refer_chain(&["A", "B"]);
    bench.adopt(10, "B");
    bench.run();
    bench.ask(Command::Pause { scope: PauseScope::Corrections });
    bench.adopt(5, "A");
    close(&mut bench, "2026-02-10", true);
    bench.run();
    assert!(waits(&bench)[0].starts_with("CORRECTIONS"), "{:?}", waits(&bench));
    bench.wait(bench.parameters.walk_patience_ms);
    assert_eq!(closed(&bench), ["2026-02-10"]);
}

/// Adopts for the nine dates before today and for today: today `today` trees, one on each of the others.
fn adopt_for_dates(bench: &mut Bench, today: i64) {
    bench.refer("A", None);
    for number in 1..=10_u16 {
        let effective = date("2026-02-10").minus_days(10 - number);
        let trees = if number == 10 { today } else { 1 };
        bench.adopt_with(u64::from(number), "A", |row| {
            row.date = Column::Value(effective.previous());
            row.trees = Column::Value(trees);
        });
    }
    bench.run();
}

#[test]
fn the_guard_stops_a_date_with_more_than_ten_times_the_largest_before() {
    for (trees, stops) in [(10, false), (11, true)] {
        let mut bench = closing(Some(10));
        adopt_for_dates(&mut bench, trees);
        close(&mut bench, "2026-02-10", true);
        bench.run();
        assert_eq!(closed(&bench).is_empty(), stops, "{trees}");
        if stops {
            assert!(waits(&bench)[0].starts_with("SUSPICIOUS"), "{:?}", waits(&bench));
            let future = Paused::SuspiciousClose { date: date("2026-02-11") };
            assert!(bench.ask(Command::LetGo { what: future }).is_some(), "a date that has not begun");
            let what = Paused::SuspiciousClose { date: date("2026-02-10") };
            assert_eq!(bench.ask(Command::LetGo { what }), None);
            assert_eq!(closed(&bench), ["2026-02-10"]);
        }
    }
}

#[test]
fn the_guard_stops_a_close_after_more_than_a_tenth_was_taken_back() {
    let mut bench = closing(Some(10));
    adopt_for_dates(&mut bench, 1);
    close(&mut bench, "2026-02-11", true);
    bench.run();
    assert_eq!(closed(&bench), ["2026-02-10"]);
    bench.remove(1);
    bench.run();
    bench.wait(DAY_MS);
    assert_eq!(closed(&bench), ["2026-02-10"]);
    assert!(
        waits(&bench)[0].starts_with("SUSPICIOUS: 1000.0000000000 was taken back"),
        "{:?}",
        waits(&bench)
    );
}

#[test]
fn a_correction_takes_back_only_the_legs_that_go_to_others() {
    let mut bench = closing(Some(10));
    bench.refer_chain(&["A", "B"]);
    bench.adopt(10, "B");
    bench.run();
    bench.adopt(5, "A");
    bench.run();
    // Level 1 and tier 1 went from the headquarters to A.
    assert_eq!(bench.network().counts.taken_back_since_close, amount("30"));
}
