//! Levels and counts, one step after the other.

use domain::Link;
use serde_json::{Value, json};

use crate::support::{Bench, queue_event, schedule, stream, under, user};

/// Returns a policy with two levels. Level 1: one direct referral. Level 2: one direct referral of level 1 or
/// more.
fn levels_on_levels() -> Value {
    json!({ "talent": { "rows": [
        { "direct_count": 1 },
        { "direct_count": 1, "direct_at_level": { "level": 1, "count": 1 } },
    ] } })
}

/// Returns a policy in which a level asks for a direct referral of that level, or for two direct referrals.
fn self_supporting() -> Value {
    json!({ "talent": { "rows": [
        { "direct_count": 1, "direct_at_level": { "level": 1, "count": 1 } },
        { "direct_count": 2 },
    ] } })
}

async fn chain(bench: &mut Bench, length: usize) {
    for number in 0..length {
        let name = format!("A{number:02}");
        let above = number.checked_sub(1).map(|above| format!("A{above:02}"));
        let link = above.map_or(Link::Root, |above| under(&above));
        bench.move_accounts(&[(&name, link)]).await;
        bench.set_user(&name, Some(user(None))).await;
    }
}

#[tokio::test]
async fn the_referrer_is_updated_in_the_invocation_that_reads_the_log_and_the_others_by_a_message() {
    let mut bench = Bench::new(&json!({}));
    chain(&mut bench, 2).await;
    bench.invoke(stream()).await;
    bench.take_messages().await;
    bench.move_accounts(&[("A02", under("A01"))]).await;
    bench.invoke(queue_event(&["\"log\"".to_owned()])).await;
    assert_eq!(bench.talent("A01").await.0, 1);
    assert_eq!(bench.talent("A00").await.1, 1, "its grandchild has not come up");
    assert_eq!(bench.take_messages().await, 1);
    assert_eq!(bench.talent("A00").await, (1, 2, 0, 0));
    assert_eq!(bench.take_messages().await, 0);
    bench.assert_judged("a chain").await;
}

#[tokio::test]
async fn a_message_that_is_lost_is_made_up_for_by_the_schedule() {
    let mut bench = Bench::new(&json!({}));
    chain(&mut bench, 25).await;
    bench.invoke(stream()).await;
    bench.sent.0.lock().unwrap().clear();
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A00").await.1, 20, "what is deeper does not count");
    assert_eq!(bench.talent("A05").await.1, 19);
    bench.assert_judged("a long chain").await;
}

#[tokio::test]
async fn a_promotion_below_promotes_above_and_goes_with_it() {
    let mut bench = Bench::new(&levels_on_levels());
    chain(&mut bench, 4).await;
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A00").await, (1, 3, 2, 2));
    assert_eq!(bench.talent("A02").await, (1, 1, 1, 1));
    bench.move_accounts(&[("A03", Link::Missing)]).await;
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A00").await, (1, 2, 2, 2));
    assert_eq!(bench.talent("A01").await, (1, 1, 1, 1));
    assert_eq!(bench.talent("A02").await, (0, 0, 0, 0));
    let changes = bench.changes("A02").await;
    let cause = "REFERRAL_CHANGED".to_owned();
    assert_eq!(changes, [(2, 1, 0, cause.clone()), (1, 0, 1, cause)]);
    bench.assert_judged("a shorter chain").await;
}

#[tokio::test]
async fn a_subtree_that_moves_takes_its_counts_with_it() {
    let mut bench = Bench::new(&json!({}));
    chain(&mut bench, 10).await;
    bench.move_accounts(&[("B", Link::Root), ("C", under("B"))]).await;
    bench.invoke(schedule()).await;
    bench.move_accounts(&[("A03", under("C"))]).await;
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A00").await.1, 2);
    assert_eq!(bench.talent("B").await.1, 8);
    bench.assert_judged("a moved subtree").await;
}

#[tokio::test]
async fn an_account_on_a_ring_is_never_its_own_descendant() {
    let mut bench = Bench::new(&json!({}));
    chain(&mut bench, 5).await;
    bench.move_accounts(&[("A00", under("A02")), ("S", under("S"))]).await;
    bench.invoke(schedule()).await;
    bench.assert_judged("a ring of three with a tail").await;
    assert_eq!(bench.talent("A00").await, (1, 4, 0, 0));
    assert_eq!(bench.talent("S").await, (0, 0, 0, 0));
    bench.move_accounts(&[("A00", under("A04"))]).await;
    bench.invoke(schedule()).await;
    bench.assert_judged("a ring of five").await;
    bench.move_accounts(&[("A00", Link::Root)]).await;
    bench.invoke(schedule()).await;
    bench.assert_judged("no ring").await;
}

#[tokio::test]
async fn a_ring_of_two_takes_in_any_number_of_accounts_below_it_at_once() {
    let mut bench = Bench::new(&json!({}));
    let names: Vec<String> = (0..60).map(|number| format!("D{number:02}")).collect();
    let mut moves = vec![("A", under("B")), ("B", under("A"))];
    moves
        .extend(names.iter().map(|name| (name.as_str(), under(if name.ends_with('0') { "A" } else { "B" }))));
    bench.move_accounts(&moves).await;
    bench.invoke(schedule()).await;
    bench.assert_settled("a ring of two with sixty accounts below it").await;
    assert_eq!(bench.talent("A").await, (7, 61, 1, 0));
    let more: Vec<String> = (0..60).map(|number| format!("E{number:02}")).collect();
    let further: Vec<_> = more.iter().map(|name| (name.as_str(), under("D07"))).collect();
    bench.move_accounts(&further).await;
    bench.invoke(schedule()).await;
    bench.assert_settled("sixty accounts below an account below the ring").await;
}

#[tokio::test]
async fn levels_of_a_ring_that_only_hold_each_other_fall() {
    let mut bench = Bench::new(&self_supporting());
    chain(&mut bench, 3).await;
    bench.move_accounts(&[("A00", under("A02")), ("D", under("A01"))]).await;
    bench.invoke(schedule()).await;
    bench.assert_judged("a ring held up by a fourth account").await;
    assert_eq!(bench.talent("A00").await.2, 1);
    bench.move_accounts(&[("D", Link::Missing)]).await;
    bench.invoke(schedule()).await;
    bench.assert_judged("a ring that nothing holds up").await;
    assert_eq!(bench.talent("A00").await.2, 0);
}

#[tokio::test]
async fn a_ring_longer_than_twenty_has_the_least_levels_as_well() {
    let mut bench = Bench::new(&self_supporting());
    chain(&mut bench, 30).await;
    bench.move_accounts(&[("A00", under("A29")), ("D", under("A11"))]).await;
    bench.invoke(schedule()).await;
    bench.assert_judged("a long ring held up").await;
    bench.move_accounts(&[("D", Link::Missing)]).await;
    bench.invoke(schedule()).await;
    bench.assert_judged("a long ring that nothing holds up").await;
}

#[tokio::test]
async fn an_account_with_very_many_direct_referrals_has_a_small_record() {
    let mut bench = Bench::new(&json!({}));
    bench.move_accounts(&[("A", Link::Root)]).await;
    for part in 0..5 {
        let names: Vec<String> = (0..60).map(|number| format!("D{part}{number:02}")).collect();
        let moves: Vec<_> = names.iter().map(|name| (name.as_str(), under("A"))).collect();
        bench.move_accounts(&moves).await;
        bench.invoke(schedule()).await;
    }
    let stored = store::talent::read(&*bench.engine, &crate::support::account("A")).await.unwrap();
    assert!(stored.talent.taken_in.len() <= 16, "{}", stored.talent.taken_in.len());
    bench.assert_judged("three hundred referrals").await;
    bench.move_accounts(&[("B", Link::Root)]).await;
    let names: Vec<String> = (0..60).map(|number| format!("D0{number:02}")).collect();
    let moves: Vec<_> = names.iter().map(|name| (name.as_str(), under("B"))).collect();
    bench.move_accounts(&moves).await;
    bench.invoke(schedule()).await;
    bench.assert_judged("sixty of them moved").await;
    let moves: Vec<_> = names.iter().map(|name| (name.as_str(), under("A"))).collect();
    bench.move_accounts(&moves).await;
    bench.invoke(schedule()).await;
    bench.assert_judged("and moved back").await;
    for name in ["A", "B"] {
        let stored = store::talent::read(&*bench.engine, &crate::support::account(name)).await.unwrap();
        assert!(stored.talent.taken_in.len() <= 16, "{name}: {}", stored.talent.taken_in.len());
    }
}

#[tokio::test]
async fn another_table_applies_to_every_account_from_its_date_on() {
    let mut bench = Bench::new(&json!({}));
    chain(&mut bench, 4).await;
    bench.introduce(2, "2026-02-11", &levels_on_levels()).await;
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A00").await, (1, 3, 0, 0));
    bench.clock.advance(chrono::TimeDelta::days(1));
    bench.invoke(schedule()).await;
    assert_eq!(bench.talent("A00").await, (1, 3, 2, 2));
    assert_eq!(bench.changes("A00").await[0].3, "TABLE_CHANGED");
}

#[tokio::test]
async fn a_message_that_asks_for_nothing_known_fails_alone() {
    let mut bench = Bench::new(&json!({}));
    chain(&mut bench, 3).await;
    bench.invoke(stream()).await;
    let mut bodies = std::mem::take(&mut *bench.sent.0.lock().unwrap());
    bodies.push("{}".to_owned());
    let answer = bench.invoke(queue_event(&bodies)).await;
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "message-1" }] }));
    bench.assert_judged("the other message was worked on").await;
}

#[tokio::test]
async fn many_changes_below_one_account_cost_few_writes() {
    let mut bench = Bench::new(&json!({}));
    chain(&mut bench, 20).await;
    bench.invoke(schedule()).await;
    bench.engine.writes.store(0, std::sync::atomic::Ordering::Relaxed);
    let names: Vec<String> = (0..200).map(|number| format!("D{number:03}")).collect();
    for part in names.chunks(20) {
        let moves: Vec<_> = part.iter().map(|name| (name.as_str(), under("A19"))).collect();
        bench.move_accounts(&moves).await;
    }
    bench.invoke(schedule()).await;
    let writes = bench.engine.writes.load(std::sync::atomic::Ordering::Relaxed);
    // Each referral itself once, most of them once more when the referrer's record is made tidy, each ancestor a few
    // times.
    assert!(writes < 200 * 2 + 60, "{writes} writes");
    bench.assert_judged("two hundred referrals at once").await;
}
