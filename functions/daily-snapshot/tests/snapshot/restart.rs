//! Computations that are ended anywhere, repeated, and done twice at once.

use domain::log::{Entry, UplineChange};
use domain::{Link, OrderId};

use crate::support::{SCHEDULE, Stage, account, posted, posting};

/// Closes a few dates of a network that grows, with several pages of accounts.
async fn network(stage: &Stage) {
    let name = |number: u64| format!("D{number}");
    let mut orders = 0;
    for (day, accounts) in [("2026-01-02", 0..600_u64), ("2026-01-03", 600..710), ("2026-01-04", 710..711)] {
        for start in accounts.clone().step_by(100) {
            let mut entries = Vec::new();
            for number in start..(start + 100).min(accounts.end) {
                orders += 1;
                let referrer = number.checked_sub(7).map(name);
                entries.push(Entry::Upline(UplineChange {
                    account: account(&name(number)),
                    before: Link::Missing,
                    after: referrer.as_deref().map_or(Link::Root, |referrer| Link::Under(account(referrer))),
                    first_order: None::<OrderId>,
                }));
                let upline: Vec<(&str, bool, u32)> =
                    referrer.as_deref().map(|name| (name, true, 1)).into_iter().collect();
                entries.push(posted(orders, posting(&name(number), "22617", "2026-01-01", &upline)));
            }
            stage.page(entries).await;
        }
        stage.close("2026-01-02", day).await;
    }
}

#[tokio::test]
async fn whatever_call_fails_the_repeated_computation_publishes_the_same() {
    let whole = Stage::new();
    network(&whole).await;
    whole.invoke().await;
    let calls = whole.engine.count(|tables| &tables.calls);
    let expected = whole.snapshots().await;
    assert!(expected.len() > 15, "{} items", expected.len());

    for fails_after in 0..calls {
        let stage = Stage::new();
        network(&stage).await;
        stage.engine.fail_after(Some(fails_after));
        assert!(stage.try_invoke(SCHEDULE, 1_000_000).await.is_err(), "call {fails_after} failed");
        stage.engine.fail_after(None);
        stage.invoke().await;
        assert_eq!(stage.snapshots().await, expected, "after a failure of call {fails_after}");
    }
}

#[tokio::test]
async fn an_invocation_that_has_no_time_left_asks_for_another_that_goes_on() {
    let whole = Stage::new();
    network(&whole).await;
    whole.invoke().await;

    let stage = Stage::new();
    network(&stage).await;
    let mut invocations = 0;
    for looks in 1.. {
        let before = stage.queues.count();
        stage.try_invoke(SCHEDULE, looks).await.expect("it works");
        invocations += 1;
        if stage.queues.count() == before {
            break;
        }
    }
    assert!(invocations > 3, "{invocations} invocations");
    assert_eq!(stage.snapshots().await, whole.snapshots().await);
}

#[tokio::test]
async fn two_computations_at_once_publish_the_same_as_one() {
    let whole = Stage::new();
    network(&whole).await;
    whole.invoke().await;

    let stage = Stage::new();
    network(&stage).await;
    let [one, other, late] = [(); 3].map(|()| stage.try_invoke(SCHEDULE, 1_000_000));
    let (one, other) = tokio::join!(one, other);
    assert_eq!((one, other), (Ok(()), Ok(())));
    assert_eq!(late.await, Ok(()));
    assert_eq!(stage.snapshots().await, whole.snapshots().await);
}

#[tokio::test]
async fn a_closed_date_with_other_content_is_not_rewritten() {
    let stage = Stage::new();
    network(&stage).await;
    stage.invoke().await;
    let snapshots = stage.snapshots().await;
    let (key, body) =
        snapshots.iter().find(|(key, _)| key.partition.starts_with("RANKED#2026-01-03")).expect("rows");

    let other = Stage::new();
    network(&other).await;
    let mut foreign = body.clone();
    let last = foreign.len() - 1;
    foreign[last] ^= 1;
    let item = store::Item::new(key.clone(), 1, foreign.clone());
    let put = store::Write::put(item, store::Condition::Absent);
    assert_eq!(store::Engine::write(&other.engine.memory, put).await, Ok(store::Written::Done));
    let failed = other.try_invoke(SCHEDULE, 1_000_000).await.expect_err("it differs");
    assert!(failed.contains("other content"), "{failed}");
    assert_eq!(other.snapshots().await[key], foreign);
    let latest =
        store::snapshots::latest(&*other.engine).await.expect("it can be read").expect("one date is closed");
    assert_eq!(latest.date.to_string(), "2026-01-02");
}
