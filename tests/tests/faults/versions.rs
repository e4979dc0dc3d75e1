//! Which version of a row stands (faults 1 to 8).

use end_to_end::source::{Change, ORDERS, REFERRALS, Source, USERS, paid};
use end_to_end::{Harness, Options, Shuffle, kafka_event, ledger};
use serde_json::{Value, json};

use crate::{assert_held, assert_posted, in_any_order, in_order, two_accounts};

/// Returns a source with order 11 of BELOW, inserted with two trees.
fn with_order() -> (Source, Change) {
    let mut source = two_accounts();
    let order = source.order(11, "BELOW", 2);
    source.write(&order);
    (source, order)
}

#[tokio::test]
async fn an_update_whose_transaction_was_open_while_a_blocking_snapshot_read_its_row_wins() {
    let (mut source, order) = with_order();
    let read = source.order(11, "BELOW", 2).read_by_snapshot("true");
    source.write(&read);
    // It began before the snapshot and committed after it.
    let mut update = source.order(11, "BELOW", 3).updating(order.after);
    update.lsn = Some(read.lsn.expect("a position") - 50);
    update.sequence = [read.lsn, update.lsn];
    source.write(&update);
    assert_posted(&in_any_order(&source).await, &[(11, "67851.0000000000")]);
}

#[tokio::test]
async fn changes_that_a_slot_kept_from_before_the_initial_snapshot_do_not_win() {
    let mut source = two_accounts();
    let old = source.order(11, "BELOW", 9);
    let mut read = source.order(11, "BELOW", 2).read_by_snapshot("true");
    read.sequence = [None, read.lsn];
    source.write(&read);
    source.write(&old);
    assert_posted(&in_any_order(&source).await, &[(11, "45234.0000000000")]);
}

#[tokio::test]
async fn old_changes_that_a_restarted_connector_sends_again_do_not_win_over_an_incremental_read() {
    let (mut source, order) = with_order();
    let update = source.order(11, "BELOW", 3).updating(order.after);
    source.write(&update);
    let mut read = source.order(11, "BELOW", 4).read_by_snapshot("incremental");
    read.lsn = None;
    let position = update.lsn.map(|lsn| lsn + 50);
    read.sequence = [position, position];
    source.write(&read);
    // At a new offset, and otherwise as it was.
    source.write(&update);
    assert_posted(&in_any_order(&source).await, &[(11, "90468.0000000000")]);
}

#[tokio::test]
async fn a_change_of_a_restored_database_wins_although_its_positions_are_lower() {
    let (mut source, order) = with_order();
    let mut update = source.order(11, "BELOW", 3).updating(order.after);
    (update.lsn, update.sequence) = (Some(700), [Some(600), Some(700)]);
    source.write(&update);
    assert_posted(&in_any_order(&source).await, &[(11, "67851.0000000000")]);
}

#[tokio::test]
async fn a_change_in_a_topic_that_was_made_anew_wins_although_its_offset_is_lower() {
    let (source, order) = with_order();
    let mut anew = Source::new();
    let update = order.clone().updating(order.after).with("tree_count", json!(3)).at_ms(order.ts_ms + 60_000);
    anew.write(&update);
    let mut records = source.records;
    records.extend(anew.records);
    let harness = Harness::new(Options::default());
    harness.feed(&records, Shuffle::AsCaptured).await;
    assert_posted(&ledger(harness.engine()).await, &[(11, "67851.0000000000")]);
}

/// Deletes a row under one primary key and inserts it under another in one statement, in two partitions.
fn moved(source: &mut Source, topic: &'static str, row: &Value, to: i32) {
    let inserted = source.insert(topic, json!({ "id": 1 }), row.clone());
    source.write(&inserted);
    let delete = source.insert(topic, json!({ "id": 1 }), row.clone()).deleting();
    source.write(&delete);
    source.tombstone(topic, 0, &json!({ "id": 1 }));
    let mut insert = Change { key: json!({ "id": 2 }), partition: to, ..inserted };
    (insert.ts_ms, insert.lsn, insert.sequence) = (delete.ts_ms, delete.lsn, delete.sequence);
    source.write(&insert);
}

#[tokio::test]
async fn rows_whose_primary_key_changes_stay() {
    let mut source = Source::new();
    moved(&mut source, USERS, &json!({ "account_sequence": "TOP", "status": "ACTIVE" }), 1);
    moved(
        &mut source,
        REFERRALS,
        &json!({ "account_sequence": "TOP", "referrer_account_sequence": null }),
        1,
    );
    moved(&mut source, ORDERS, &paid(11, "TOP", 2), 1);
    assert_posted(&in_any_order(&source).await, &[(11, "45234.0000000000")]);
    let harness = Harness::new(Options::default());
    harness.feed(&source.records, Shuffle::Scrambled { seed: 9 }).await;
    let top = "TOP".parse().expect("an account");
    let users = store::users::read(harness.engine(), vec![top]).await.expect("readable");
    assert!(users.values().all(|rows| rows.user().is_some()), "{users:?}");
}

#[tokio::test]
async fn an_order_that_gets_another_number_is_paid_once() {
    let mut source = two_accounts();
    let row = source.insert(ORDERS, json!({ "id": 7 }), paid(11, "BELOW", 2));
    source.write(&row);
    let update = source.insert(ORDERS, json!({ "id": 7 }), paid(111, "BELOW", 2)).updating(row.after);
    source.write(&update);
    assert_posted(&in_any_order(&source).await, &[(111, "45234.0000000000")]);
}

#[tokio::test]
async fn a_renamed_account_leaves_no_member_of_its_old_name() {
    let mut source = Source::new();
    let row = json!({ "account_sequence": "TOP", "referrer_account_sequence": null });
    let insert = source.insert(REFERRALS, json!({ "id": 7 }), row.clone());
    source.write(&insert);
    let update = source
        .insert(REFERRALS, json!({ "id": 7 }), row.clone())
        .with("account_sequence", json!("NEW"))
        .updating(row);
    source.write(&update);
    let orders = [source.order(11, "TOP", 2), source.order(12, "NEW", 2)];
    for order in orders {
        source.write(&order);
    }
    let ledger = in_any_order(&source).await;
    assert_posted(&ledger, &[(12, "45234.0000000000")]);
    assert_held(&ledger, &[(11, "NO_REFERRAL")]);
}

#[tokio::test]
async fn two_rows_of_one_key_in_two_tables_are_two_rows() {
    const OTHER_REFERRALS: &str = "cdc.referral.public.referral_relationships";
    const OTHER_ORDERS: &str = "dbserver1.rwa_planting.adoptions";
    let mut source = Source::new();
    let root = |account: &str| json!({ "account_sequence": account, "referrer_account_sequence": null });
    for (topic, row) in [
        (REFERRALS, root("ONE")),
        (OTHER_REFERRALS, root("TWO")),
        (ORDERS, paid(11, "ONE", 1)),
        (OTHER_ORDERS, paid(11, "TWO", 2)),
        (OTHER_ORDERS, paid(12, "TWO", 2)),
    ] {
        let order = row["order_id"].as_i64().unwrap_or(1);
        let change = source.insert(topic, json!({ "id": order }), row);
        source.write(&change);
    }
    let ledger = in_any_order(&source).await;
    // Of two rows of order 11 with one primary key the one in the last table counts.
    assert_posted(&ledger, &[(11, "22617.0000000000"), (12, "45234.0000000000")]);
}

#[tokio::test]
async fn of_two_rows_of_one_order_the_greatest_key_counts_and_the_other_comes_into_force_when_it_goes() {
    let mut source = two_accounts();
    let one = source.insert(ORDERS, json!({ "id": 9 }), paid(11, "BELOW", 9));
    let other = source.insert(ORDERS, json!({ "id": 10 }), paid(11, "BELOW", 1));
    source.write(&one);
    source.write(&other);
    assert_posted(&in_any_order(&source).await, &[(11, "22617.0000000000")]);
    let harness = Harness::new(Options::default());
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    let client = end_to_end::Client::operator(&harness, "contribution:read");
    let shadowed = client.get("/v1/adoptions/11").await.good()["shadowed"].clone();
    assert_eq!(shadowed.as_array().map(Vec::len), Some(1), "{shadowed:#}");
    let delete = source.insert(ORDERS, json!({ "id": 10 }), paid(11, "BELOW", 1)).deleting();
    source.write(&delete);
    assert_posted(&in_any_order(&source).await, &[(11, "203553.0000000000")]);
}

#[tokio::test]
async fn a_tombstone_alone_is_the_delete_of_its_row() {
    let (mut source, order) = with_order();
    source.tombstone(ORDERS, 0, &order.key);
    let ledger = in_any_order(&source).await;
    assert_posted(&ledger, &[]);
    assert_held(&ledger, &[]);
}

#[tokio::test]
async fn a_tombstone_after_its_own_delete_means_nothing_to_a_row_that_was_inserted_again() {
    let (mut source, order) = with_order();
    let delete = source.order(11, "BELOW", 2).deleting();
    source.write(&delete);
    source.tombstone(ORDERS, 0, &order.key);
    let again = source.order(11, "BELOW", 5);
    source.write(&again);
    assert_posted(&in_any_order(&source).await, &[(11, "113085.0000000000")]);
}

#[tokio::test]
async fn a_paid_order_that_gets_another_tree_is_posted_again_in_one_batch_and_in_two() {
    let (mut source, order) = with_order();
    let update = source.order(11, "BELOW", 3).updating(order.after);
    source.write(&update);
    let expected = in_order(&source).await;
    assert_posted(&expected, &[(11, "67851.0000000000")]);
    let harness = Harness::new(Options { records_per_event: 1, ..Options::default() });
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    assert_eq!(ledger(harness.engine()).await, expected);
}

#[tokio::test]
async fn an_order_that_is_cancelled_changed_and_paid_again_counts_as_it_is_then() {
    let (mut source, order) = with_order();
    let cancelled = source.order(11, "BELOW", 2).with("status", json!("CANCELLED")).updating(order.after);
    source.write(&cancelled);
    let changed = source.order(11, "TOP", 1).with("status", json!("CANCELLED")).updating(cancelled.after);
    source.write(&changed);
    let paid_again = source.order(11, "TOP", 1).updating(changed.after);
    source.write(&paid_again);
    let ledger = in_any_order(&source).await;
    assert_posted(&ledger, &[(11, "22617.0000000000")]);
    assert_eq!(ledger["distributions"]["11"]["account"], "TOP");
}

#[tokio::test]
async fn whatever_else_a_cancellation_writes_nothing_of_the_order_stays() {
    let oddities = [
        ("tree_count", json!(0)),
        ("tree_count", json!(-2)),
        ("tree_count", Value::Null),
        ("contribution_per_tree", json!("-1000.0000000000")),
        ("selected_province", json!("x".repeat(65))),
    ];
    for (column, value) in oddities {
        let (mut source, order) = with_order();
        let cancelled = source.order(11, "BELOW", 2).with("status", json!("CANCELLED"));
        source.write(&cancelled.with(column, value.clone()).updating(order.after));
        let ledger = in_any_order(&source).await;
        assert_posted(&ledger, &[]);
        assert_held(&ledger, &[(11, "STATUS")]);
        assert_eq!(ledger["system"], json!({}), "{column} {value}");
    }
}

#[tokio::test]
async fn a_paid_order_whose_terms_can_no_longer_be_read_is_held_and_its_terms_before_do_not_stay() {
    for trees in [json!(0), json!(-2), Value::Null, json!("many")] {
        let (mut source, order) = with_order();
        let update = source.order(11, "BELOW", 2).with("tree_count", trees).updating(order.after);
        source.write(&update);
        let ledger = in_any_order(&source).await;
        assert_posted(&ledger, &[]);
        assert_held(&ledger, &[(11, "INVALID_TERMS")]);
    }
}

#[tokio::test]
async fn what_looks_older_although_it_was_delivered_later_is_counted() {
    let (mut source, order) = with_order();
    let update = source.order(11, "BELOW", 3).updating(order.after.clone());
    source.write(&update);
    let strange = order.with("tree_count", json!(9)).at_ms(update.ts_ms - 500);
    let record = source.write(&strange);
    let harness = Harness::new(Options::default());
    harness.feed(&source.records[..source.records.len() - 1], Shuffle::AsCaptured).await;
    let ingest = harness.ingest(kafka_event(&[record]));
    let (answer, metrics) = runtime::telemetry::keeping_metrics(ingest).await;
    assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
    assert_eq!(metrics.len(), 1);
    assert_eq!(metrics[0]["RecordsOlderDeliveredLater"], 1.0, "{:#}", metrics[0]);
    assert_eq!(metrics[0]["RecordsOlderByEarlierCommit"], 1.0, "{:#}", metrics[0]);
}

#[tokio::test]
async fn what_nothing_on_the_wire_tells_apart_is_listed_to_be_reconciled() {
    let mut source = two_accounts();
    for (trees, partition) in [(2, 0), (3, 1)] {
        let mut order = source.order(11, "BELOW", trees).at_ms(1_796_040_010_000).in_partition(partition);
        (order.lsn, order.sequence) = (None, [None, None]);
        source.write(&order);
        let record = source.records.last_mut().expect("it was just written");
        record.timestamp_ms = Some(1_796_040_010_005);
    }
    for shuffle in [Shuffle::AsCaptured, Shuffle::Scrambled { seed: 3 }] {
        let harness = Harness::new(Options::default());
        harness.feed(&source.records, shuffle).await;
        let (listed, _) = store::quarantine::read(harness.engine(), None, 10).await.expect("readable");
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!((listed[0].code.as_str(), listed[0].order.as_deref()), ("AMBIGUOUS_VERSION", Some("11")));
    }
}

#[tokio::test]
async fn a_column_that_is_left_out_has_the_value_of_the_newest_older_version_that_names_it() {
    let mut source = two_accounts();
    let order = source.order(11, "BELOW", 2).with("contribution_per_tree", json!("20000.0000000000"));
    source.write(&order);
    let update = source.order(11, "BELOW", 3).without("contribution_per_tree").updating(order.after);
    source.write(&update);
    assert_posted(&in_any_order(&source).await, &[(11, "60000.0000000000")]);
}
