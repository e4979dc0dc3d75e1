//! What operators ask for: versions, adjustments, pauses, repairs (rules, sections 6, 8 and 11).

use domain::decide::{Decider, DoesNotFollow, Parameters};
use domain::log::{
    AdjustmentTerms, Command, CommandOutcome, Entry, Page, PageHash, PauseScope, Paused, Truncate,
};
use domain::{Column, VersionTerms};

use crate::bench::Bench;
use crate::table::{amount, bench, bench_with, date, order};

fn introduce(number: u32, from: &str, until: Option<&str>, policy: &str) -> Command {
    Command::Introduce(Box::new(VersionTerms {
        number,
        from: Some(date(from)),
        until: until.map(date),
        reason: "a test".to_owned(),
        introduced_by: "a test".to_owned(),
        policy: policy.to_owned(),
    }))
}

fn adjust(giver: &str, receiver: &str, moved: &str) -> Command {
    Command::Adjust(Box::new(AdjustmentTerms {
        giver: giver.parse().expect("an owner"),
        receiver: receiver.parse().expect("an owner"),
        amount: amount(moved),
        effective_date: date("2026-02-01"),
        expire_date: Some(date("2027-02-01")),
        reference: "a test".to_owned(),
    }))
}

/// Returns a bench in which A and B, whom A refers, have one tree each.
fn adopted() -> Bench {
    let mut bench = bench();
    bench.refer_chain(&["A", "B"]);
    bench.adopt(1, "A");
    bench.adopt(2, "B");
    bench.run();
    bench
}

#[test]
fn a_command_is_carried_out_once_however_often_it_is_handed_in() {
    let mut bench = adopted();
    bench.command(adjust("A", "B", "100"));
    let repeated = bench.commands().front().cloned().expect("it was handed in");
    bench.run();
    bench.hand_in(repeated);
    bench.run();
    assert_eq!(bench.total_of("A"), amount("630"));
    let carried_out = bench.entries().filter(|entry| matches!(entry, Entry::Adjusted(_))).count();
    assert_eq!(carried_out, 1);
}

#[test]
fn an_adjustment_moves_an_amount_and_is_refused_where_the_giver_has_less() {
    let mut bench = adopted();
    assert_eq!(bench.total_of("A"), amount("730"));
    assert_eq!(bench.ask(adjust("A", "B", "730")), None);
    assert_eq!((bench.total_of("A"), bench.total_of("B")), (amount("0"), amount("1430")));
    let refused = [
        (adjust("A", "B", "0.0000000001"), "A has 0.0000000000, less than 0.0000000001"),
        (adjust("B", "A", "0"), "an adjustment moves an amount above zero"),
        (adjust("B", "B", "1"), "an adjustment needs two accounts"),
        (adjust("X", "A", "1"), "X has 0.0000000000, less than 1.0000000000"),
    ];
    for (command, reason) in refused {
        assert_eq!(bench.ask(command).as_deref(), Some(reason));
    }
    assert_eq!(bench.ask(adjust("HEADQUARTERS", "A", "70")), None);
    assert_eq!(bench.total_of("A"), amount("70"));
}

#[test]
fn an_adjustment_from_an_account_that_cannot_be_read_is_refused_and_stops_nothing() {
    let mut bench = adopted();
    bench.unreadable.insert("A".parse().expect("an account"));
    let reason = "what A has cannot be read: rebuild the account, then ask again";
    assert_eq!(bench.ask(adjust("A", "B", "1")).as_deref(), Some(reason));
    assert_eq!(bench.ask(adjust("B", "HEADQUARTERS", "1")), None);
}

#[test]
fn a_page_that_does_not_follow_the_one_before_is_not_decided_upon() {
    let bench = adopted();
    let last = bench.pages.last().expect("a page").clone();
    let mut decider = Decider::new(bench.network_at(last.position - 1), Parameters::default());
    let changed = Page { previous: PageHash::of(b"another"), ..last.clone() };
    let refused = Err(DoesNotFollow { position: last.position });
    assert_eq!(decider.read_page(changed, false), refused);
    assert_eq!(
        decider.read_page(Page { position: last.position + 1, ..last.clone() }, false).map_err(|_| ()),
        Err(())
    );
    assert_eq!(decider.read_page(last, false), Ok(()));
}

#[test]
fn adjustments_of_one_page_see_each_other() {
    let mut bench = adopted();
    bench.command(adjust("A", "B", "700"));
    bench.command(adjust("A", "B", "700"));
    bench.run();
    assert!(matches!(bench.last_outcome(), Some(CommandOutcome::Refused { .. })));
    assert_eq!(bench.total_of("A"), amount("30"));
}

#[test]
fn a_version_with_a_past_date_corrects_what_it_judges_and_undoing_it_corrects_it_back() {
    let mut bench = bench();
    bench.refer("A", None);
    for (number, day) in [(1, "2026-01-01"), (2, "2026-01-10"), (3, "2026-01-20")] {
        bench.adopt_with(number, "A", |row| row.date = Column::Value(date(day)));
    }
    bench.run();
    let policy = r#"{"rates": {"personal": "0.71", "operation": "0.11"}}"#;
    assert_eq!(bench.ask(introduce(2, "2026-01-05", Some("2026-01-15"), policy)), None);
    assert_eq!(bench.total_of("A"), amount("2110"));
    assert_eq!(bench.network().counts.corrections, 1);
    assert_eq!(bench.ask(introduce(3, "2026-01-05", None, "{}")), None);
    assert_eq!(bench.total_of("A"), amount("2100"));
    let versions = |bench: &Bench| -> Vec<Option<u32>> {
        [1, 2, 3].map(|number| bench.head(number).posting().map(|posting| posting.version)).into()
    };
    assert_eq!(versions(&bench), [Some(1), Some(3), Some(3)]);
    assert_eq!(bench.network().counts.posted_total, amount("3000"));
}

#[test]
fn a_version_that_is_no_version_is_refused() {
    let mut bench = bench();
    assert!(
        bench.ask(introduce(3, "2026-01-01", None, "{}")).is_some_and(|reason| reason.contains("number 2"))
    );
    assert!(bench.ask(introduce(2, "2026-01-01", None, r#"{"level_count": 14}"#)).is_some());
    assert_eq!(bench.network().versions.iter().count(), 1);
}

#[test]
fn while_posting_is_stopped_orders_are_taken_in_and_held() {
    let mut bench = adopted();
    bench.ask(Command::Pause { scope: PauseScope::Posting });
    bench.adopt(5, "A");
    bench.adopt(9, "B");
    bench.adopt(7, "X");
    bench.adopt_with(1, "A", |row| row.trees = Column::Value(2));
    bench.run();
    let states = [1, 5, 7, 9].map(|number| bench.state(number));
    assert_eq!(states, ["POSTED", "POSTING_PAUSED", "NO_REFERRAL: X", "POSTING_PAUSED"]);
    assert_eq!(bench.head(1).posting().map(|posting| posting.trees), Some(2), "what is posted is corrected");
    bench.ask(Command::Resume { scope: PauseScope::Posting });
    assert_eq!([5, 9].map(|number| bench.state(number)), ["POSTED", "POSTED"]);
    assert_eq!(bench.network().held_back, None);
}

#[test]
fn while_corrections_are_stopped_nothing_posted_changes_and_then_all_of_it_does() {
    let mut bench = adopted();
    bench.refer("Z", None);
    bench.adopt(10, "B");
    bench.run();
    bench.ask(Command::Pause { scope: PauseScope::Corrections });
    let position = bench.last_position();
    bench.remove(2);
    bench.refer("B", Some("Z"));
    bench.adopt(3, "Z");
    bench.ask(introduce(2, "2026-01-01", None, r#"{"term_years": 3}"#));
    bench.wait(3_600_000);
    assert_eq!(bench.causes_after(position), []);
    assert_eq!(bench.head(3).posting().map(|posting| posting.version), Some(2), "new ones are posted");
    bench.ask(Command::Resume { scope: PauseScope::Corrections });
    assert_eq!(bench.state(2), "ABSENT");
    assert_eq!(bench.legs_of("Z", 10), ["L1", "B1"]);
    assert_eq!(
        [1, 10].map(|number| bench.head(number).posting().map(|posting| posting.version)),
        [Some(2), Some(2)]
    );
    assert_eq!(bench.network().due.len(), 0);
}

#[test]
fn a_repair_of_what_is_right_changes_nothing() {
    let mut bench = adopted();
    let position = bench.last_position();
    assert_eq!(bench.ask(Command::Repair { order: Some(order(1)) }), None);
    assert_eq!(bench.ask(Command::Repair { order: Some(order(99)) }), None);
    assert_eq!(bench.ask(Command::Repair { order: None }), None);
    let expected = ["Commanded", "Commanded", "Commanded", "WalkBegan", "WalkEnded"];
    assert_eq!(bench.entries_after(position), expected);
}

#[test]
fn a_truncated_table_waits_until_an_operator_lets_it_go() {
    let mut bench = adopted();
    let truncate =
        Truncate { key: "orders-0@17".to_owned(), table: "adoption_orders".to_owned(), committed_ms: 5 };
    bench.truncates.push_back(truncate.clone());
    bench.run();
    bench.truncates.push_back(truncate.clone());
    bench.run();
    assert_eq!(bench.network().truncates.values().collect::<Vec<_>>(), [&truncate]);
    assert_eq!(bench.entries().filter(|entry| matches!(entry, Entry::TruncateWaits(_))).count(), 1);
    let let_go = |key: &str| Command::LetGo { what: Paused::Truncate { key: key.to_owned() } };
    assert!(bench.ask(let_go("orders-0@18")).is_some());
    assert_eq!(bench.ask(let_go("orders-0@17")), None);
    assert!(bench.network().truncates.is_empty());
    // The record of it may come again.
    bench.truncates.push_back(truncate);
    bench.run();
    assert!(bench.network().truncates.is_empty());
}

#[test]
fn a_version_of_many_orders_is_gone_through_page_by_page() {
    let mut bench = bench_with("{}", |parameters| parameters.page_bytes_max = 500);
    bench.refer("A", None);
    (1..=100).for_each(|number| bench.adopt(number * 7, "A"));
    bench.run();
    let position = bench.last_position();
    bench.unkindness.killed = 10;
    bench.unkindness.lost = 10;
    assert_eq!(bench.ask(introduce(2, "2026-01-01", None, r#"{"term_years": 3}"#)), None);
    bench.unkindness.killed = 0;
    bench.unkindness.lost = 0;
    bench.run();
    assert_eq!(bench.causes_after(position).len(), 100);
    let steps = bench.entries_after(position).iter().filter(|name| *name == "WalkStepped").count();
    assert!(steps > 5, "{steps} steps");
}
