//! Referrals that come late, change and go, and what waits for a later version (rules, section 6).

use domain::log::{Cause, Command, Paused};

use crate::bench::{Bench, user};
use crate::table::{amount, bench, bench_with};

const SETTLE_MS: i64 = 60_000;

fn settling() -> Bench {
    bench_with("{}", |parameters| parameters.settle_ms = SETTLE_MS)
}

fn upline(account: &str) -> Cause {
    Cause::Upline { account: user(account) }
}

/// Returns the ancestors that an order was posted with.
fn chain(bench: &Bench, number: u64) -> Vec<String> {
    let head = bench.head(number);
    let posting = head.posting().expect("it is posted");
    posting.chain.iter().map(ToString::to_string).collect()
}

#[test]
fn an_account_that_moves_takes_all_accounts_below_along_old_orders_included() {
    let mut bench = bench();
    bench.refer_chain(&["A", "B", "C"]);
    bench.refer("Z", None);
    for (number, account) in [(1, "A"), (2, "Z"), (3, "B"), (4, "C")] {
        bench.adopt(number, account);
    }
    bench.run();
    let position = bench.last_position();
    bench.refer("B", Some("Z"));
    bench.run();
    assert_eq!(chain(&bench, 4), ["B", "Z"]);
    assert_eq!(bench.causes_after(position), [(3, upline("B")), (4, upline("B"))]);
    assert_eq!(bench.total_of("A"), amount("700"));
    let facts = |account| bench.node_at(&user(account), bench.last_position()).facts;
    assert_eq!((facts("A").direct_adopter_count(), facts("Z").direct_adopter_count()), (0, 1));
}

#[test]
fn a_move_gives_and_takes_unlocks_that_concern_others() {
    let mut bench = bench();
    bench.refer_chain(&["A", "B"]);
    bench.refer("C", Some("A"));
    for (number, account) in [(1, "A"), (2, "B"), (3, "C"), (4, "C")] {
        bench.adopt(number, account);
    }
    bench.run();
    assert_eq!(bench.legs_of("A", 4), ["L1", "B1", "B2"]);
    // Without B, A has one direct adopter.
    bench.refer("B", None);
    bench.run();
    assert_eq!(bench.legs_of("A", 4), ["L1", "B1"]);
    bench.refer("B", Some("A"));
    bench.run();
    assert_eq!(bench.legs_of("A", 4), ["L1", "B1", "B2"]);
}

#[test]
fn a_root_that_gets_a_referrer_moves_all_accounts_below() {
    let mut bench = bench();
    bench.refer_chain(&["A", "B"]);
    bench.refer("Z", None);
    bench.adopt(1, "B");
    bench.run();
    bench.refer("A", Some("Z"));
    bench.run();
    assert_eq!(chain(&bench, 1), ["A", "Z"]);
}

#[test]
fn the_row_with_the_greatest_key_decides_a_referral_that_has_several() {
    let mut bench = bench();
    bench.refer("A", None);
    bench.refer("B", None);
    bench.adopt(1, "C");
    let put = |bench: &mut Bench, key: &str, referrer: Option<&str>| {
        let row = referrer
            .map(|referrer| domain::ReferralRow { account: user("C"), referrer: Some(user(referrer)) });
        let announced = bench.source.put_referral(domain::RowKey::new(key), row);
        bench.announce(announced);
        bench.run();
    };
    put(&mut bench, "10", Some("A"));
    put(&mut bench, "9", Some("B"));
    assert_eq!(chain(&bench, 1), ["A"]);
    put(&mut bench, "10", None);
    assert_eq!(chain(&bench, 1), ["B"]);
    put(&mut bench, "9", None);
    assert_eq!(bench.state(1), "NO_REFERRAL: C");
}

#[test]
fn a_new_account_that_concerns_nothing_begins_no_walk() {
    let mut bench = bench();
    bench.refer("A", None);
    bench.adopt(1, "A");
    bench.adopt(2, "X");
    bench.run();
    assert_eq!(bench.state(2), "NO_REFERRAL: X");
    let position = bench.last_position();
    bench.refer("B", Some("A"));
    bench.run();
    assert_eq!(bench.entries_after(position), ["ReferralRow", "Upline"]);
}

#[test]
fn a_withdrawal_waits_and_the_row_of_then_counts() {
    let mut bench = settling();
    bench.refer("A", None);
    bench.adopt(1, "A");
    bench.run();
    bench.remove(1);
    bench.run();
    assert_eq!(bench.state(1), "POSTED");
    assert_eq!(bench.network().counts.orders_waiting, 1);
    bench.wait(SETTLE_MS - 1);
    assert_eq!(bench.state(1), "POSTED");
    bench.wait(1);
    assert_eq!(bench.state(1), "ABSENT");
    assert_eq!((bench.network().counts.orders_waiting, bench.network().due.len()), (0, 0));
}

#[test]
fn a_row_that_comes_back_in_time_ends_the_wait() {
    let mut bench = settling();
    bench.refer("A", None);
    bench.adopt(1, "A");
    bench.run();
    bench.remove(1);
    bench.run();
    let position = bench.last_position();
    bench.adopt(1, "A");
    bench.run();
    assert_eq!(bench.entries_after(position), ["AdoptionRow", "OrderWaitEnded"]);
    assert_eq!(bench.network().due.len(), 0);
    bench.wait(2 * SETTLE_MS);
    assert_eq!(bench.network().counts.withdrawals, 0);
}

#[test]
fn what_waits_is_decided_by_the_rows_as_they_were() {
    let mut bench = settling();
    bench.refer_chain(&["A", "B"]);
    bench.adopt(1, "B");
    bench.run();
    bench.refer("B", None);
    bench.run();
    assert_eq!(bench.network().counts.adoptions_below_waiting, 1);
    bench.adopt(2, "B");
    bench.wait(1_000);
    assert_eq!(chain(&bench, 2), ["A"]);
    bench.wait(SETTLE_MS);
    assert_eq!((chain(&bench, 1), chain(&bench, 2)), (Vec::new(), Vec::new()));
    assert_eq!(bench.network().counts.adoptions_below_waiting, 0);
}

#[test]
fn what_concerns_no_posted_adoption_does_not_wait() {
    let mut bench = settling();
    bench.refer_chain(&["A", "B"]);
    bench.adopt_with(1, "B", |row| row.status = "CREATED".to_owned());
    bench.run();
    bench.refer("B", None);
    bench.adopt(1, "B");
    bench.run();
    assert_eq!(chain(&bench, 1), Vec::<String>::new());
    assert_eq!(bench.network().due.len(), 0);
}

#[test]
fn two_accounts_that_swap_places_are_never_a_cycle() {
    for seconds_between in [0, 1, 59] {
        let mut bench = settling();
        bench.refer_chain(&["R", "A", "B", "C"]);
        bench.adopt(1, "C");
        bench.run();
        // A hangs below B from now on, and B where A was.
        bench.refer("A", Some("B"));
        bench.run();
        bench.wait(seconds_between * 1_000);
        bench.refer("B", Some("R"));
        bench.run();
        for _ in 0..130 {
            bench.wait(1_000);
            assert_eq!(bench.state(1), "POSTED");
        }
        assert_eq!(chain(&bench, 1), ["B", "R"]);
        assert_eq!(bench.network().counts.withdrawals, 0);
        assert_eq!(bench.network().due.len(), 0);
    }
}

#[test]
fn more_withdrawals_than_the_brake_lets_pass_wait_for_an_operator() {
    let mut bench = bench_with("{}", |parameters| {
        parameters.settle_ms = SETTLE_MS;
        parameters.brake_adoptions = 3;
    });
    bench.refer("A", None);
    (1..=5).for_each(|number| bench.adopt(number, "A"));
    bench.run();
    (1..=4).for_each(|number| bench.remove(number));
    bench.run();
    bench.wait(10 * SETTLE_MS);
    assert_eq!(bench.network().counts.orders_waiting, 4);
    assert_eq!(bench.network().counts.posted, 5);
    assert_eq!(bench.ask(Command::LetGo { what: Paused::Brake }), None);
    assert_eq!(bench.network().counts.posted, 1);
    // What waits after that waits again: four were let go within the hour.
    bench.now_ms += 1_000;
    bench.remove(5);
    bench.wait(0);
    bench.wait(2 * SETTLE_MS);
    assert_eq!(bench.network().counts.posted, 1);
    let due_ms = bench.run().expect("the brake opens after an hour");
    bench.now_ms = due_ms;
    bench.run();
    assert_eq!(bench.network().counts.posted, 0);
}

#[test]
fn what_an_operator_lets_go_does_not_wait_out_its_time() {
    let mut bench = bench_with("{}", |parameters| parameters.settle_ms = SETTLE_MS);
    bench.refer("A", None);
    (1..=3).for_each(|number| bench.adopt(number, "A"));
    bench.run();
    (1..=2).for_each(|number| bench.remove(number));
    bench.run_once(100, None);
    assert_eq!(bench.network().counts.orders_waiting, 2);
    assert_eq!(bench.ask(Command::LetGo { what: Paused::Brake }), None);
    assert_eq!((bench.network().counts.posted, bench.network().counts.orders_waiting), (1, 0));
    // What waits after that waits its time.
    bench.now_ms += 1_000;
    bench.remove(3);
    bench.run_once(100, None);
    assert_eq!(bench.network().counts.orders_waiting, 1);
    bench.wait(2 * SETTLE_MS);
    assert_eq!(bench.network().counts.posted, 0);
}

#[test]
fn a_brake_holds_where_nothing_waits_for_a_later_version() {
    let mut bench = bench_with("{}", |parameters| {
        parameters.settle_ms = 0;
        parameters.brake_adoptions = 3;
    });
    bench.refer("A", None);
    (1..=6).for_each(|number| bench.adopt(number, "A"));
    bench.run();
    (1..=2).for_each(|number| bench.remove(number));
    bench.wait(0);
    assert_eq!(bench.network().counts.posted, 4, "two go by themselves");
    (3..=5).for_each(|number| bench.remove(number));
    bench.wait(0);
    assert_eq!((bench.network().counts.posted, bench.network().counts.orders_waiting), (4, 3));
    assert_eq!(bench.ask(Command::LetGo { what: Paused::Brake }), None);
    assert_eq!(bench.network().counts.posted, 1);
}

#[test]
fn a_move_of_many_is_counted_before_it_waits() {
    let mut bench = bench_with("{}", |parameters| {
        parameters.settle_ms = SETTLE_MS;
        parameters.brake_adoptions = 3;
    });
    bench.refer_chain(&["A", "B"]);
    for number in 1..=4 {
        bench.refer(&format!("C{number}"), Some("B"));
        bench.adopt(number, &format!("C{number}"));
    }
    bench.run();
    bench.refer("B", None);
    bench.run();
    assert_eq!(bench.network().counts.adoptions_below_waiting, 4);
    bench.wait(2 * SETTLE_MS);
    assert_eq!(chain(&bench, 1), ["B", "A"]);
    assert_eq!(bench.ask(Command::LetGo { what: Paused::Brake }), None);
    assert_eq!(chain(&bench, 1), ["B"]);
}

#[test]
fn corrections_because_of_late_orders_are_no_withdrawals() {
    let mut bench = bench_with("{}", |parameters| {
        parameters.settle_ms = SETTLE_MS;
        parameters.brake_adoptions = 1;
    });
    bench.refer_chain(&["A", "B"]);
    (10..=20).for_each(|number| bench.adopt(number, "B"));
    bench.run();
    bench.adopt(1, "A");
    bench.run();
    assert_eq!(bench.network().counts.corrections, 11);
    assert!(bench.network().brake.let_go.is_empty());
}
