//! One invocation ends, or stands still and goes on, at each of its calls, while what it propagates is undone.

use std::task::{Context as Task, Waker};

use chrono::TimeDelta;
use domain::Link;
use serde_json::json;

use crate::support::{Bench, Running, schedule, stream, under, user};

/// Longer than an invocation may take.
const INVOCATION_TAKES: TimeDelta = TimeDelta::seconds(61);

/// Returns a chain of these accounts, and a page of the log by which the last one refers `F`.
async fn chain(accounts: &[&str]) -> Bench {
    let promoted_by = accounts.len();
    let row = json!({ "direct_count": 1, "promotion_count": promoted_by });
    let mut bench = Bench::new(&json!({ "talent": { "rows": [row] } }));
    let link = |place: usize| place.checked_sub(1).map_or(Link::Root, |above| under(accounts[above]));
    let moves: Vec<_> = accounts.iter().enumerate().map(|(place, account)| (*account, link(place))).collect();
    bench.move_accounts(&moves).await;
    bench.set_user(accounts[0], Some(user(None))).await;
    bench.invoke(schedule()).await;
    bench.move_accounts(&[("F", under(accounts[accounts.len() - 1]))]).await;
    bench
}

/// Returns a chain of two accounts, and a page that was not read.
async fn unread_chain() -> Bench {
    chain(&["A", "B"]).await
}

/// Returns a chain of five accounts after the page was read, so that the last one is marked.
async fn marked_chain() -> Bench {
    let bench = chain(&["A", "B", "C", "D", "E"]).await;
    bench.invoke(stream()).await;
    bench
}

/// Goes on with an invocation for so many steps. Returns whether it ended.
fn go_on(running: &mut Running, steps: usize) -> bool {
    let mut task = Task::from_waker(Waker::noop());
    (0..steps).any(|_| running.as_mut().poll(&mut task).is_ready())
}

/// Undoes what is marked, and settles everything.
async fn undo(bench: &mut Bench) {
    bench.move_accounts(&[("F", Link::Missing)]).await;
    bench.invoke(schedule()).await;
}

/// Has the schedule come when every earlier invocation must have ended.
async fn settle_what_is_left(bench: &Bench) {
    bench.clock.advance(INVOCATION_TAKES);
    bench.invoke(schedule()).await;
}

#[tokio::test]
async fn an_interrupted_propagation_whose_change_is_undone_leaves_no_count_behind() {
    for steps in 0.. {
        let mut bench = marked_chain().await;
        let mut running = bench.begin(schedule());
        let has_ended = go_on(&mut running, steps);
        drop(running);
        undo(&mut bench).await;
        settle_what_is_left(&bench).await;
        bench.assert_settled(&format!("interrupted after {steps} steps")).await;
        if has_ended {
            assert!(steps > 30, "there are {steps} steps to interrupt");
            break;
        }
    }
}

/// Of the further steps, one in so many is tried: for each step to stand still at, others.
const FURTHER_STEPS_APART: usize = 6;

/// Has an invocation stand still after each step, while its change is undone, and end after further steps.
async fn stand_still_and_go_on(begin: impl AsyncFn() -> Bench, is_given_up: bool) {
    for before in 0.. {
        for after in (before % FURTHER_STEPS_APART..).step_by(FURTHER_STEPS_APART) {
            let mut bench = begin().await;
            let mut running = bench.begin(schedule());
            if go_on(&mut running, before) {
                assert!(before > 30, "there are {before} steps to stand still at");
                return;
            }
            undo(&mut bench).await;
            if is_given_up {
                settle_what_is_left(&bench).await;
            }
            let has_ended = go_on(&mut running, after);
            drop(running);
            settle_what_is_left(&bench).await;
            bench
                .assert_settled(&format!("stood still after {before} steps, ended after {after} more"))
                .await;
            if has_ended {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_propagation_that_goes_on_after_its_change_was_undone_leaves_no_count_behind() {
    stand_still_and_go_on(marked_chain, false).await;
}

#[tokio::test]
async fn a_propagation_that_goes_on_after_its_intent_was_settled_by_the_schedule_leaves_no_count_behind() {
    stand_still_and_go_on(marked_chain, true).await;
}

#[tokio::test]
async fn a_reader_of_the_log_that_goes_on_after_the_account_left_again_leaves_no_count_behind() {
    stand_still_and_go_on(unread_chain, false).await;
    stand_still_and_go_on(unread_chain, true).await;
}

#[tokio::test]
async fn a_reader_of_the_log_that_goes_on_under_another_version_marks_what_it_reports_further_up() {
    let another_version = json!({ "talent": { "rows": [{ "direct_count": 1, "promotion_count": 5 }] } });
    for before in 0.. {
        let mut bench = chain(&["A", "B", "C", "D", "E"]).await;
        let mut running = bench.begin(stream());
        if go_on(&mut running, before) {
            assert!(before > 15, "there are {before} steps to stand still at");
            return;
        }
        bench.invoke(schedule()).await;
        bench.introduce(2, "2026-01-02", &another_version).await;
        bench.invoke(schedule()).await;
        bench.move_accounts(&[("G", under("E"))]).await;
        bench.invoke(stream()).await;
        go_on(&mut running, usize::MAX);
        settle_what_is_left(&bench).await;
        bench.assert_settled(&format!("stood still after {before} steps")).await;
    }
}

/// Returns three accounts of which the highest moves below the lowest, after the page was read, so that all are marked.
async fn marked_ring() -> Bench {
    let mut bench = Bench::new(&json!({ "talent": { "rows": [
        { "direct_count": 1, "direct_at_level": { "level": 1, "count": 1 } },
        { "direct_count": 2 },
    ] } }));
    let held_up = [("A", Link::Root), ("B", under("A")), ("C", under("B")), ("D", under("B"))];
    bench.move_accounts(&held_up).await;
    for account in ["A", "B", "C"] {
        bench.set_user(account, Some(user(None))).await;
    }
    bench.invoke(schedule()).await;
    bench.move_accounts(&[("A", under("C"))]).await;
    bench.invoke(stream()).await;
    bench
}

/// Takes an account out of the ring, and the account that holds its levels up away.
async fn break_ring(bench: &mut Bench, leaves: &str) {
    bench.move_accounts(&[(leaves, Link::Root), ("D", Link::Missing)]).await;
    bench.invoke(schedule()).await;
}

#[tokio::test]
async fn an_interrupted_propagation_on_a_ring_that_is_broken_leaves_nothing_behind() {
    for leaves in ["A", "B", "C"] {
        for steps in 0.. {
            let mut bench = marked_ring().await;
            let mut running = bench.begin(schedule());
            let has_ended = go_on(&mut running, steps);
            drop(running);
            break_ring(&mut bench, leaves).await;
            settle_what_is_left(&bench).await;
            bench.assert_settled(&format!("{leaves} left, interrupted after {steps} steps")).await;
            if has_ended {
                assert!(steps > 30, "there are {steps} steps to interrupt");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_propagation_on_a_ring_that_goes_on_after_the_ring_was_broken_leaves_nothing_behind() {
    for leaves in ["A", "B", "C"] {
        for before in 0.. {
            let mut bench = marked_ring().await;
            let mut running = bench.begin(schedule());
            if go_on(&mut running, before) {
                break;
            }
            break_ring(&mut bench, leaves).await;
            go_on(&mut running, usize::MAX);
            settle_what_is_left(&bench).await;
            bench.assert_settled(&format!("{leaves} left, stood still after {before} steps")).await;
        }
    }
}
