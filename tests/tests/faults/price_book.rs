//! When a place in the price book is decided (fault 16).

use chrono::TimeDelta;
use end_to_end::source::{Change, FIRST_CHANGE_MS, HEARTBEATS, Source};
use end_to_end::{Harness, Options, kafka_event, ledger};
use serde_json::{Value, json};

use crate::{assert_held, assert_posted, two_accounts};

fn unpriced(source: &mut Source, order: u64, trees: i64) -> Change {
    source.order(order, "BELOW", trees).with("contribution_per_tree", Value::Null)
}

async fn read(harness: &Harness, source: &mut Source) {
    let records = std::mem::take(&mut source.records);
    let answer = harness.ingest(kafka_event(&records)).await;
    assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
    harness.settle().await;
}

fn with_partitions(orders_partitions: i32) -> Harness {
    let mut options = Options::default();
    options.settings.orders_partitions = Some(orders_partitions);
    Harness::new(options)
}

const PRICED: &[(u64, &str)] = &[(20, "22752.7020000000")];

/// Two orders without a price. The smaller one, of 1,100 trees, lies in a partition that is far behind.
struct Backlog {
    harness: Harness,
    source: Source,
    behind: Change,
}

async fn backlog() -> Backlog {
    let harness = with_partitions(2);
    let mut source = two_accounts();
    let behind = unpriced(&mut source, 10, 1_100).in_partition(1);
    let ahead = unpriced(&mut source, 20, 1);
    source.write(&ahead);
    read(&harness, &mut source).await;
    Backlog { harness, source, behind }
}

async fn orders_posted(harness: &Harness) -> Value {
    ledger(harness.engine()).await["orders"].clone()
}

#[tokio::test]
async fn a_heartbeat_ahead_of_the_backlog_prices_nothing() {
    let Backlog { harness, mut source, behind } = backlog().await;
    let heartbeat = source.heartbeat(FIRST_CHANGE_MS + 3_600_000);
    assert_eq!(heartbeat.topic, HEARTBEATS);
    read(&harness, &mut source).await;
    assert_eq!(orders_posted(&harness).await, 0);
    // The backlog comes, and then something later in both partitions.
    source.write(&behind);
    read(&harness, &mut source).await;
    for partition in [0, 1] {
        let later = source.order(30 + u64::try_from(partition).expect("0 or 1"), "NOBODY", 1);
        source.write(&later.in_partition(partition).at_ms(FIRST_CHANGE_MS + 100_000));
    }
    read(&harness, &mut source).await;
    let ledger = ledger(harness.engine()).await;
    // 1,100 trees before it: two units above the start.
    assert_eq!(ledger["distributions"]["20"]["total"], PRICED[0].1);
}

#[tokio::test]
async fn a_partition_that_has_not_begun_is_waited_for() {
    let Backlog { harness, mut source, behind } = backlog().await;
    let later = source.order(30, "NOBODY", 1).at_ms(FIRST_CHANGE_MS + 100_000);
    source.write(&later);
    read(&harness, &mut source).await;
    assert_eq!(orders_posted(&harness).await, 0);
    source.write(&behind);
    let later = source.order(31, "NOBODY", 1).in_partition(1).at_ms(FIRST_CHANGE_MS + 100_000);
    source.write(&later);
    read(&harness, &mut source).await;
    assert_eq!(ledger(harness.engine()).await["distributions"]["20"]["total"], PRICED[0].1);
}

#[tokio::test]
async fn a_silent_source_prices_no_order_however_long_it_is_silent() {
    let Backlog { harness, .. } = backlog().await;
    for _ in 0..3 {
        harness.pass(TimeDelta::days(1));
        harness.settle().await;
        assert_eq!(orders_posted(&harness).await, 0);
    }
}

#[tokio::test]
async fn rows_of_a_snapshot_prove_nothing_and_a_streamed_row_after_them_does() {
    let harness = with_partitions(1);
    let mut source = two_accounts();
    let rows = [
        unpriced(&mut source, 20, 1).read_by_snapshot("true"),
        unpriced(&mut source, 10, 1_100).read_by_snapshot("last"),
    ];
    source.write(&rows[0]);
    read(&harness, &mut source).await;
    harness.pass(TimeDelta::hours(1));
    harness.settle().await;
    assert_eq!(orders_posted(&harness).await, 0);
    source.write(&rows[1]);
    let later = source.order(30, "NOBODY", 1).at_ms(FIRST_CHANGE_MS + 100_000);
    source.write(&later);
    read(&harness, &mut source).await;
    assert_eq!(ledger(harness.engine()).await["distributions"]["20"]["total"], PRICED[0].1);
}

#[tokio::test]
async fn an_order_that_is_held_counts_for_the_prices_of_those_after_it() {
    let harness = with_partitions(1);
    let mut source = two_accounts();
    let orders = [
        source.order(10, "NOBODY", 1_100).with("contribution_per_tree", Value::Null),
        unpriced(&mut source, 20, 1),
        source.order(30, "BELOW", 1).at_ms(FIRST_CHANGE_MS + 100_000),
    ];
    for order in &orders {
        source.write(order);
    }
    read(&harness, &mut source).await;
    let ledger = ledger(harness.engine()).await;
    assert_posted(&ledger, &[(20, PRICED[0].1), (30, "22617.0000000000")]);
    assert_held(&ledger, &[(10, "NO_REFERRAL")]);
}

#[tokio::test]
async fn what_a_snapshot_read_earlier_does_not_take_back_what_was_streamed_since() {
    let harness = with_partitions(1);
    let mut source = two_accounts();
    let read_by_snapshot = unpriced(&mut source, 20, 1).read_by_snapshot("true");
    let again = source.write(&read_by_snapshot);
    let streamed = source.order(30, "BELOW", 1).at_ms(FIRST_CHANGE_MS + 100_000);
    source.write(&streamed);
    read(&harness, &mut source).await;
    assert_eq!(orders_posted(&harness).await, 2);
    // A batch that was taken for lost comes again.
    source.records = vec![again];
    read(&harness, &mut source).await;
    let progress = store::progress::read(harness.engine()).await.expect("readable");
    assert!(progress.iter().all(|progress| !progress.in_snapshot), "{progress:?}");
    let later = unpriced(&mut source, 25, 1).at_ms(FIRST_CHANGE_MS + 50_000);
    source.write(&later);
    read(&harness, &mut source).await;
    assert_eq!(orders_posted(&harness).await, 3);
}

#[tokio::test]
async fn a_place_stays_when_an_earlier_order_turns_up_late() {
    let harness = with_partitions(1);
    let mut source = two_accounts();
    let orders =
        [unpriced(&mut source, 20, 1), source.order(30, "BELOW", 1).at_ms(FIRST_CHANGE_MS + 100_000)];
    for order in &orders {
        source.write(order);
    }
    read(&harness, &mut source).await;
    let late = source.order(10, "BELOW", 1_100).at_ms(FIRST_CHANGE_MS + 200_000);
    source.write(&late);
    read(&harness, &mut source).await;
    assert_eq!(ledger(harness.engine()).await["distributions"]["20"]["total"], "22617.0000000000");
}
