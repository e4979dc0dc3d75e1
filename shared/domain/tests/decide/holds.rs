//! Each reason for which an adoption is held (rules, section 6), and how it ends.

use domain::{AdoptionRow, Column};

use crate::table::{amount, bench, bench_with, date, row};

const DAY_MS: i64 = 86_400_000;

/// What is done to a row, and what becomes of the adoption then.
type Case = (&'static str, fn(&mut AdoptionRow));

#[test]
fn the_terms_of_an_adoption_are_judged_by_the_bounds() {
    let cases: [Case; 14] = [
        ("POSTED", |_| {}),
        ("STATUS", |row| row.status = "CANCELLED".to_owned()),
        ("STATUS", |row| (row.status, row.trees) = ("paid".to_owned(), Column::Value(0))),
        ("INVALID_TERMS: the account is missing", |row| row.account = Column::Missing),
        ("INVALID_TERMS: the account cannot be read", |row| row.account = Column::Unreadable),
        ("INVALID_TERMS: the trees is outside the bounds of the policy", |row| row.trees = Column::Value(0)),
        ("INVALID_TERMS: the trees is outside the bounds of the policy", |row| row.trees = Column::Value(-1)),
        ("INVALID_TERMS: the trees is outside the bounds of the policy", |row| {
            row.trees = Column::Value(1_000_001);
        }),
        ("INVALID_TERMS: the trees is missing", |row| row.trees = Column::Missing),
        ("INVALID_TERMS: the date cannot be read", |row| row.date = Column::Unreadable),
        ("INVALID_TERMS: the date is outside the bounds of the policy", |row| {
            row.date = Column::Value(date("2019-12-31"));
        }),
        ("INVALID_TERMS: the price cannot be read", |row| row.price = Column::Unreadable),
        ("INVALID_TERMS: the price is outside the bounds of the policy", |row| {
            row.price = Column::Value(Some(amount("0")));
        }),
        ("INVALID_TERMS: the price is outside the bounds of the policy", |row| {
            row.price = Column::Value(Some(amount("1000000000.0000000001")));
        }),
    ];
    for (expected, change) in cases {
        let mut bench = bench();
        bench.refer("A", None);
        bench.adopt_with(1, "A", change);
        bench.run();
        assert_eq!(bench.state(1), expected);
        bench.adopt(1, "A");
        bench.run();
        assert_eq!(bench.state(1), "POSTED", "after {expected}");
    }
}

#[test]
fn a_total_of_more_than_18_digits_is_no_term() {
    let mut bench = bench_with(r#"{"bounds": {"price_max": "1000000000000"}}"#, |_| {});
    bench.refer("A", None);
    bench.adopt_with(1, "A", |row| {
        row.trees = Column::Value(1_000_000);
        row.price = Column::Value(Some(amount("1000000000000")));
    });
    bench.run();
    assert_eq!(bench.state(1), "INVALID_TERMS: the total needs more than 18 integer digits");
    assert_eq!(bench.head(1).eligible_trees, 0);
}

#[test]
fn an_adoption_of_the_future_is_posted_once_its_date_is_tomorrow() {
    let mut bench = bench();
    bench.refer("A", None);
    bench.adopt_with(1, "A", |row| row.date = Column::Value(date("2026-02-11")));
    bench.adopt_with(2, "A", |row| row.date = Column::Value(date("2026-02-13")));
    let due_ms = bench.run().expect("its date comes");
    assert_eq!((bench.state(1).as_str(), bench.state(2).as_str()), ("POSTED", "NOT_YET"));
    bench.now_ms = due_ms - 1;
    bench.run();
    assert_eq!(bench.state(2), "NOT_YET");
    bench.now_ms = due_ms;
    bench.run();
    assert_eq!(bench.state(2), "POSTED");
    assert_eq!(bench.parameters.date_at(due_ms), date("2026-02-12"));
    assert_eq!(bench.network().due.len(), 0);
}

#[test]
fn an_adoption_of_the_future_whose_date_changes_is_looked_at_on_its_new_date() {
    for (changed, days, expected) in
        [("2026-02-20", 3, "NOT_YET"), ("2026-02-12", 1, "POSTED"), ("2026-02-01", 0, "POSTED")]
    {
        let mut bench = bench();
        bench.refer("A", None);
        bench.adopt_with(1, "A", |row| row.date = Column::Value(date("2026-02-13")));
        bench.run();
        bench.adopt_with(1, "A", |row| row.date = Column::Value(date(changed)));
        bench.run();
        bench.wait(days * DAY_MS);
        assert_eq!(bench.state(1), expected, "{changed}");
        // What was due for the date before is not looked at for ever.
        bench.wait(20 * DAY_MS);
        assert_eq!(bench.state(1), "POSTED", "{changed}");
        assert_eq!(bench.network().due.len(), 0);
    }
}

#[test]
fn an_adoption_without_a_date_is_judged_by_the_version_of_the_day() {
    let mut bench = bench();
    bench.refer("A", None);
    let terms = domain::VersionTerms {
        number: 2,
        from: Some(date("2026-02-12")),
        until: None,
        reason: "a test".to_owned(),
        introduced_by: "a test".to_owned(),
        policy: r#"{"distributable_statuses": ["NEW"]}"#.to_owned(),
    };
    assert_eq!(bench.ask(domain::log::Command::Introduce(Box::new(terms))), None);
    bench.adopt_with(1, "A", |row| (row.date, row.status) = (Column::Missing, "NEW".to_owned()));
    bench.run();
    assert_eq!(bench.state(1), "STATUS");
    bench.wait(2 * DAY_MS);
    assert_eq!(bench.state(1), "INVALID_TERMS: the date is missing");
}

#[test]
fn an_upline_without_a_row_holds_what_it_decides_and_no_more() {
    let accounts: Vec<String> = (0..=17).map(|number| format!("A{number}")).collect();
    let mut bench = bench();
    // A1 is referred by A0, which has no row yet.
    for number in 1..=17 {
        bench.refer(&accounts[number], Some(&accounts[number - 1]));
        bench.adopt(number as u64, &accounts[number]);
    }
    bench.run();
    // The fifteenth ancestor of A15 is A0. That of A16 is A1, whose own referrer decides nothing.
    assert_eq!(bench.state(1), "NO_REFERRAL: A0");
    assert_eq!(bench.state(15), "NO_REFERRAL: A0");
    assert_eq!(bench.state(16), "POSTED");
    bench.refer("A0", None);
    bench.run();
    assert!((1..=17).all(|number| bench.state(number) == "POSTED"));
    bench.unrefer("A0");
    bench.run();
    assert_eq!(bench.state(15), "NO_REFERRAL: A0");
    assert_eq!(bench.state(16), "POSTED");
}

#[test]
fn a_cycle_holds_those_whose_walk_meets_an_account_twice() {
    for length in [1, 2, 3, 15, 16, 17, 40] {
        let mut bench = bench();
        for number in 0..length {
            let referrer = format!("A{}", (number + 1) % length);
            bench.refer(&format!("A{number}"), Some(&referrer));
        }
        bench.refer("B", Some("A0"));
        bench.adopt(1, "A0");
        bench.adopt(2, "B");
        bench.run();
        // The walk has sixteen accounts, so a longer cycle is not met.
        let on_cycle = if length <= 15 { "REFERRAL_CYCLE: A0" } else { "POSTED" };
        let below = if length <= 14 { "REFERRAL_CYCLE: A0" } else { "POSTED" };
        assert_eq!((bench.state(1).as_str(), bench.state(2).as_str()), (on_cycle, below), "{length}");
        bench.refer("A0", None);
        bench.run();
        assert_eq!((bench.state(1).as_str(), bench.state(2).as_str()), ("POSTED", "POSTED"), "{length}");
    }
}

#[test]
fn an_account_that_refers_itself_is_never_its_own_direct_adopter() {
    let mut bench = bench();
    bench.refer("A", None);
    bench.adopt(1, "A");
    bench.run();
    bench.refer("A", Some("A"));
    bench.run();
    assert_eq!(bench.state(1), "REFERRAL_CYCLE: A");
    bench.refer("A", None);
    bench.run();
    let node = bench.node_at(&crate::bench::user("A"), bench.last_position());
    assert_eq!(
        (node.facts.first_order().map(domain::OrderId::get), node.facts.direct_adopter_count()),
        (Some(1), 0)
    );
}

#[test]
fn the_row_with_the_greatest_key_decides_an_order_that_has_several() {
    let mut bench = bench();
    bench.refer("A", None);
    let with_trees = |trees| {
        let mut row = row("A");
        row.trees = Column::Value(trees);
        Some((7, row))
    };
    bench.put_row("9", with_trees(1));
    bench.put_row("10", with_trees(2));
    bench.put_row("007", with_trees(3));
    bench.run();
    let trees = |bench: &crate::bench::Bench| bench.head(7).posting().map(|posting| posting.trees);
    assert_eq!(trees(&bench), Some(3), "what is not written as a number is text, and greater");
    bench.put_row("007", None);
    bench.run();
    assert_eq!(trees(&bench), Some(2));
    bench.put_row("10", None);
    bench.run();
    assert_eq!(trees(&bench), Some(1));
    bench.put_row("9", None);
    bench.run();
    assert_eq!(bench.state(7), "ABSENT");
}

#[test]
fn an_account_that_cannot_be_read_holds_what_it_decides_until_it_can() {
    let mut bench = bench();
    bench.refer_chain(&["A", "B", "C"]);
    bench.adopt(1, "C");
    bench.run();
    bench.forget_heads();
    bench.unreadable.insert(crate::bench::user("B"));
    bench.adopt(2, "C");
    bench.adopt(3, "A");
    bench.remove(1);
    bench.run_once(100, None);
    assert_eq!(bench.state(1), "ABSENT", "what only C decides goes on");
    assert_eq!((bench.state(2).as_str(), bench.state(3).as_str()), ("ACCOUNT_UNREADABLE: B", "POSTED"));
    bench.unreadable.clear();
    assert_eq!(bench.ask(domain::log::Command::Repair { order: None }), None);
    assert_eq!(bench.state(2), "POSTED");
}
