//! When the source has been read, and when a date closes (faults 17 to 20).

use std::sync::Arc;

use chrono::TimeDelta;
use end_to_end::source::{Change, FIRST_CHANGE_MS, Source, USERS};
use end_to_end::{Client, Harness, Options, Shuffle, kafka_event, ledger};
use serde_json::{Value, json};
use store::MemoryEngine;

use crate::{assert_held, assert_posted, fed, in_any_order, two_accounts};

/// The first date on which something of these sources is effective.
const FIRST_DATE: &str = "2026-01-04";

/// Sends a command by its route, and has it carried out.
async fn ask(harness: &Harness, key: &str, command: Value) {
    let client = Client::operator(harness, "contribution:operate");
    let body = json!({ "reason": "a test", "command": command });
    let key = format!("the-{key}");
    let sent = client.post("/v1/commands", &key, &body).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    harness.settle().await;
    let answered = client.get(&format!("/v1/commands/{key}")).await.good();
    assert_eq!(answered["outcome"], "DONE", "{answered:#}");
}

fn close(until: &str, source_is_complete: bool) -> Value {
    json!({ "type": "close", "until": until, "source_is_complete": source_is_complete })
}

/// Returns the last date that is closed, and what the next one waits for.
async fn closed(harness: &Harness) -> (Option<String>, Vec<String>) {
    let network = store::network::read(harness.engine()).await.expect("readable").expect("a checkpoint");
    let closed = network.closed.map(|closed| closed.terms.date.to_string());
    (closed, network.close_waits.map(|(_, reasons)| reasons).unwrap_or_default())
}

async fn read(harness: &Harness, source: &mut Source) {
    let records = std::mem::take(&mut source.records);
    let answer = harness.ingest(kafka_event(&records)).await;
    assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
    harness.settle().await;
}

#[tokio::test]
async fn rows_of_a_snapshot_close_no_date_and_a_change_after_midnight_does() {
    let harness = Harness::new(Options::default());
    let mut source = two_accounts();
    let orders = [
        source.order(11, "BELOW", 2).read_by_snapshot("true"),
        source.order(12, "BELOW", 2).read_by_snapshot("true"),
    ];
    for order in orders {
        source.write(&order);
    }
    read(&harness, &mut source).await;
    ask(&harness, "close", close("2026-01-10", false)).await;
    let (date, waits) = closed(&harness).await;
    assert_eq!(date, None);
    assert!(waits.iter().any(|reason| reason.starts_with("SOURCE")), "{waits:?}");
    // Reading that goes on, or nothing at all, proves nothing either.
    let last = source.order(13, "BELOW", 2).read_by_snapshot("last");
    source.write(&last);
    read(&harness, &mut source).await;
    harness.pass(TimeDelta::hours(5));
    harness.settle().await;
    assert_eq!(closed(&harness).await.0, None);
    let streamed = source.order(14, "BELOW", 1);
    source.write(&streamed);
    read(&harness, &mut source).await;
    assert_eq!(closed(&harness).await, (Some("2026-01-10".to_owned()), vec![]));
}

#[tokio::test]
async fn a_source_that_was_replaced_is_not_waited_for_once_it_is_retired() {
    let engine = Arc::new(MemoryEngine::default());
    let named = |name: &str| {
        let mut options = Options::default();
        options.settings.source_name = Some(name.to_owned());
        Harness::over(Arc::clone(&engine) as _, options)
    };
    let (old, new) = (named("old"), named("new"));
    let mut source = two_accounts();
    let next = |source: &mut Source, order: u64, at_ms: i64| {
        let change = source.order(order, "BELOW", 1).at_ms(at_ms);
        source.write(&change);
    };
    // The old source stops before the midnight in Shanghai (16:00 UTC), the new one goes on after it.
    next(&mut source, 11, FIRST_CHANGE_MS);
    read(&old, &mut source).await;
    next(&mut source, 12, FIRST_CHANGE_MS + 9 * 3_600_000);
    read(&new, &mut source).await;
    ask(&new, "close", close("2026-12-01", false)).await;
    let (date, waits) = closed(&new).await;
    assert_eq!(date.as_deref(), Some("2026-11-30"));
    assert!(waits.iter().any(|reason| reason.contains("old ")), "{waits:?}");
    ask(&new, "retire", json!({ "type": "retire_source", "source": "old" })).await;
    let status = Client::operator(&new, "contribution:read").get("/v1/sync-status").await.good();
    assert_eq!(status["retired_sources"], json!(["old"]));
    let partitions = status["partitions"].as_array().expect("partitions");
    let retired: Vec<&Value> =
        partitions.iter().filter(|partition| partition["is_retired"] == true).collect();
    assert!(!retired.is_empty() && retired.iter().all(|partition| partition["source"] == "old"));
    // A name that is misspelt retires nothing, and says so.
    let misspelt = json!({ "reason": "a test", "command": { "type": "retire_source", "source": "odl" } });
    let client = Client::operator(&new, "contribution:operate");
    assert_eq!(client.post("/v1/commands", "misspelt-source", &misspelt).await.status, 400);
    assert_eq!(closed(&new).await, (Some("2026-12-01".to_owned()), vec![]));
}

#[tokio::test]
async fn a_source_is_the_same_one_in_whatever_order_its_brokers_are_listed() {
    let harness = Harness::new(Options::default());
    let mut source = two_accounts();
    let order = source.order(11, "BELOW", 2);
    source.write(&order);
    for servers in ["b-1:9092,b-2:9092", "b-2:9092,b-1:9092"] {
        let mut event = kafka_event(&source.records);
        event["bootstrapServers"] = json!(servers);
        assert_eq!(harness.ingest(event).await, Ok(json!({ "batchItemFailures": [] })));
    }
    let progress = store::progress::read(harness.engine()).await.expect("readable");
    assert_eq!(progress.len(), 2, "{progress:?}");
}

#[tokio::test]
async fn a_date_closes_however_many_adoptions_waited_for_their_prices() {
    const ORDERS: u64 = 2_100;
    let harness = Harness::new(Options { records_per_event: 1_000, ..Options::default() });
    let mut source = two_accounts();
    for number in 1..=ORDERS {
        let order = source.order(number, "BELOW", 1).with("contribution_per_tree", Value::Null);
        source.write(&order.at_ms(FIRST_CHANGE_MS));
    }
    for batch in source.records.chunks(1_000) {
        assert_eq!(harness.ingest(kafka_event(batch)).await, Ok(json!({ "batchItemFailures": [] })));
    }
    harness.settle().await;
    ask(&harness, "close", close(FIRST_DATE, false)).await;
    assert_eq!(closed(&harness).await.0, None);
    harness.reach_ends(&source.records).await;
    harness.settle().await;
    assert_eq!(closed(&harness).await, (Some(FIRST_DATE.to_owned()), vec![]));
    assert_eq!(ledger(harness.engine()).await["orders"], ORDERS);
}

#[tokio::test]
async fn a_date_closes_within_minutes_although_many_adoptions_wait_and_new_ones_keep_coming() {
    const STAGED: u64 = 50_000;
    let harness = Harness::new(Options { records_per_event: 1_000, ..Options::default() });
    let mut source = two_accounts();
    for number in 1..=STAGED {
        let order = source.order(number, "BELOW", 1).with("contribution_per_tree", Value::Null);
        source.write(&order.at_ms(FIRST_CHANGE_MS));
    }
    for batch in source.records.chunks(1_000) {
        assert_eq!(harness.ingest(kafka_event(batch)).await, Ok(json!({ "batchItemFailures": [] })));
    }
    ask(&harness, "close", close(FIRST_DATE, false)).await;
    assert_eq!(closed(&harness).await.0, None);
    let began_ms = harness.now_ms();
    let mut next = STAGED + 1;
    // A hundred new ones a second, each a streamed change that proves that what is before it was read.
    while closed(&harness).await.0.as_deref() != Some(FIRST_DATE) {
        assert!(harness.now_ms() - began_ms < 600_000, "it waits for {:?}", closed(&harness).await.1);
        harness.pass(TimeDelta::seconds(1));
        source.records.clear();
        for _ in 0..100 {
            let order = source.order(next, "BELOW", 1).at_ms(harness.now_ms());
            source.write(&order);
            next += 1;
        }
        let answer = harness.ingest(kafka_event(&source.records)).await;
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
        harness.settle().await;
    }
}

#[tokio::test]
async fn absurd_terms_hold_their_order_and_walk_no_dates_and_raise_no_prices() {
    let mut source = two_accounts();
    let absurd = |change: Change, column: &str, value: Value| change.with(column, value);
    let orders = [
        absurd(source.order(11, "BELOW", 1), "adoption_date", json!(0)),
        absurd(source.order(12, "BELOW", 1), "tree_count", json!(4_294_967_295_u32)),
        absurd(source.order(13, "BELOW", 1), "contribution_per_tree", json!("999999999999999999.0000000000")),
        absurd(source.order(14, "BELOW", 1), "contribution_per_tree", json!("0.0000000000")),
        absurd(source.order(15, "BELOW", 1), "tree_count", json!(9_223_372_036_854_775_807_i64)),
        absurd(source.order(20, "BELOW", 1), "contribution_per_tree", Value::Null),
    ];
    for order in orders {
        source.write(&order);
    }
    let (harness, ledger) = fed(&source, Options::default()).await;
    assert_posted(&ledger, &[(20, "22617.0000000000")]);
    let reason = "INVALID_TERMS";
    assert_held(&ledger, &[(11, reason), (12, reason), (13, reason), (14, reason), (15, reason)]);
    ask(&harness, "close", close(FIRST_DATE, true)).await;
    assert_eq!(closed(&harness).await.0.as_deref(), Some(FIRST_DATE));
    let pages = store::log::read_after(harness.engine(), 0, 100).await.expect("readable");
    let closes = pages.iter().flat_map(|page| &page.entries);
    let closes = closes.filter(|entry| matches!(entry, domain::log::Entry::Close(_))).count();
    assert_eq!(closes, 1, "the first date is the first on which something is effective");
}

#[tokio::test]
async fn dates_in_which_nothing_happens_close_at_once_and_one_that_has_not_begun_does_not() {
    let mut source = two_accounts();
    let order = source.order(11, "BELOW", 2);
    source.write(&order);
    let (harness, _) = fed(&source, Options::default()).await;
    ask(&harness, "close", close("2027-06-30", true)).await;
    // It is 08:00 on that date in Shanghai.
    assert_eq!(closed(&harness).await.0.as_deref(), Some("2026-12-01"));
    harness.pass(TimeDelta::days(2));
    harness.settle().await;
    assert_eq!(closed(&harness).await.0.as_deref(), Some("2026-12-03"));
}

#[tokio::test]
async fn an_adoption_of_a_later_date_is_held_until_its_date_comes() {
    let mut source = two_accounts();
    // 2026-12-05, four days ahead.
    let order = source.order(11, "BELOW", 2).with("adoption_date", json!(20_792));
    source.write(&order);
    assert_held(&in_any_order(&source).await, &[(11, "NOT_YET")]);
    let (harness, before) = fed(&source, Options::default()).await;
    assert_posted(&before, &[]);
    harness.pass(TimeDelta::days(3));
    harness.settle().await;
    let after = ledger(harness.engine()).await;
    assert_posted(&after, &[(11, "45234.0000000000")]);
    assert_held(&after, &[]);
}

#[tokio::test]
async fn every_failed_record_is_named_whichever_partition_it_is_in() {
    let harness = Harness::new(Options::default());
    harness.fail_queues(true);
    let mut source = two_accounts();
    let orders = [source.order(11, "BELOW", 2), source.order(12, "BELOW", 2).in_partition(1)];
    for order in orders {
        source.write(&order);
    }
    let user = source.insert(
        end_to_end::source::USERS,
        json!({ "id": 1 }),
        json!({ "account_sequence": "TOP", "status": "ACTIVE" }),
    );
    source.write(&user);
    let answer = harness.ingest(kafka_event(&source.records)).await.expect("an answer");
    let named: Vec<Value> = answer["batchItemFailures"].as_array().expect("a list").clone();
    assert!(named.len() >= 4, "{answer:#}");
    // What may not have been announced is delivered again, and nothing counts as read before.
    let progress = store::progress::read(harness.engine()).await.expect("readable");
    let orders = progress.iter().filter(|progress| progress.table == Some(store::rows::RowTable::Adoptions));
    assert_eq!(orders.count(), 0, "{progress:?}");
    harness.fail_queues(false);
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    let total = "45234.0000000000";
    assert_posted(&ledger(harness.engine()).await, &[(11, total), (12, total)]);
}

/// Lets the truncate that waits go, and waits until everything that follows is done.
async fn let_go_truncate(harness: &Harness) {
    let network = store::network::read(harness.engine()).await.expect("readable").expect("a checkpoint");
    let key = network.truncates.keys().next().expect("a truncate waits").clone();
    ask(harness, "let-go", json!({ "type": "let_go_truncate", "key": key })).await;
    // An invocation that stores rows may have begun before; then withdrawals settle.
    for _ in 0..2 {
        harness.pass(TimeDelta::minutes(3));
        harness.settle().await;
    }
}

#[tokio::test]
async fn a_truncated_table_keeps_its_rows_until_it_is_let_go_and_then_loses_those_that_are_older() {
    let harness = Harness::new(Options::default());
    let mut source = two_accounts();
    let orders = [source.order(11, "BELOW", 2), source.order(12, "BELOW", 2), source.order(14, "BELOW", 2)];
    orders[..2].iter().for_each(|order| drop(source.write(order)));
    let truncate = source.order(0, "BELOW", 1).truncating();
    source.write(&truncate);
    let after = source.order(13, "BELOW", 1);
    source.write(&after);
    read(&harness, &mut source).await;
    let before = ledger(harness.engine()).await;
    assert_posted(&before, &[(11, "45234.0000000000"), (12, "45234.0000000000"), (13, "22617.0000000000")]);
    let_go_truncate(&harness).await;
    assert_posted(&ledger(harness.engine()).await, &[(13, "22617.0000000000")]);
    // A row from before the truncate that arrives later is deleted by it, too.
    source.write(&orders[2]);
    read(&harness, &mut source).await;
    assert_posted(&ledger(harness.engine()).await, &[(13, "22617.0000000000")]);
}

#[tokio::test]
async fn a_truncated_table_of_users_leaves_those_that_came_after_it() {
    let harness = Harness::new(Options::default());
    let mut source = two_accounts();
    let user = |source: &mut Source, account: &str| {
        let row =
            json!({ "id": format!("id of {account}"), "account_sequence": account, "status": "ACTIVE" });
        let user = source.insert(USERS, json!({ "id": row["id"] }), row.clone());
        source.write(&user);
        user
    };
    let before = user(&mut source, "ABOVE");
    let truncate = source.insert(USERS, json!(null), json!(null)).truncating();
    source.write(&truncate);
    user(&mut source, "BELOW");
    read(&harness, &mut source).await;
    let named = async || {
        let accounts = ["ABOVE", "BELOW"].map(|account| account.parse().expect("an account"));
        let users = store::users::read(harness.engine(), accounts.into()).await.expect("readable");
        let standing = users.into_iter().filter(|(_, rows)| rows.user().is_some());
        standing.map(|(account, _)| account.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(named().await, ["ABOVE", "BELOW"]);
    let_go_truncate(&harness).await;
    assert_eq!(named().await, ["BELOW"]);
    // An older row that comes again stays away.
    source.write(&before);
    read(&harness, &mut source).await;
    assert_eq!(named().await, ["BELOW"]);
}
