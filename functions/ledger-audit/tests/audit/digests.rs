//! Two stacks with the same inputs have the same state.

use std::io::Cursor;

use domain::digest::{Section, diff};
use end_to_end::Shuffle;
use oracle::generate::{Plan, history};

use crate::stack::{Stack, records};

#[tokio::test]
async fn a_second_stack_that_takes_the_price_book_over_ends_with_the_same_digest() {
    for seed in [3, 4, 5] {
        let records = records(&history(&Plan::small(seed)));
        let first = Stack::new();
        first.feed(&records, Shuffle::AsCaptured).await;

        let second = Stack::new();
        let mut text = Vec::new();
        ledger_audit::write_price_book(&first.price_book().await, &mut text).expect("memory takes it");
        let places = ledger_audit::parse_price_book(Cursor::new(text)).expect("a price book");
        let keys = ledger_audit::take_over_places(&*second.engine, &places, "anna", "a second stack").await;
        second.settle().await;
        for key in keys.expect("memory answers") {
            let command = store::inbox::command(&*second.engine, &key).await.expect("memory answers");
            assert!(command.is_some_and(|command| command.answer.is_some()), "{key} was not answered");
        }
        second.feed(&records, Shuffle::Scrambled { seed: seed + 1 }).await;

        let found = diff(Cursor::new(first.dump().await), Cursor::new(second.dump().await), 10);
        assert_eq!(found.expect("two dumps"), [], "seed {seed}");
        assert_eq!(first.digest().await, second.digest().await, "seed {seed}");
    }
}

#[tokio::test]
async fn what_differs_between_two_stacks_is_named() {
    let one = Stack::fed(&Plan::small(3)).await;
    let other = Stack::fed(&Plan::small(4)).await;
    let (one_digest, other_digest) = (one.digest().await, other.digest().await);
    assert_ne!(one_digest.hash, other_digest.hash);
    let found = diff(Cursor::new(one.dump().await), Cursor::new(other.dump().await), 100).expect("two dumps");
    assert_eq!(found.len(), 100);
    assert_eq!(found[0].section, Section::Legs);
}

#[tokio::test]
async fn a_state_is_only_read_while_nothing_moves() {
    let stack = Stack::new();
    stack.harness.feed(&records(&history(&Plan::small(3))), Shuffle::AsCaptured).await;
    let date = "2026-12-01".parse().expect("a date");
    let versions = stack.versions();
    let read = ledger_audit::read_state(&*stack.engine, &versions, stack.settings.account_shards, date).await;
    assert!(read.expect_err("talent is behind").to_string().contains("talent has not caught up"));
    stack.carry_up().await;
    stack.state().await;
}
