//! The function through the events of its trigger.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use runtime::{Context, FixedClock, MemoryQueues, Settings};
use serde_json::{Value, json};
use store::MemoryEngine;
use store::inbox::Announcement;
use store::rows::RowTable;
use store::talent::{MarkKind, TalentShards, raised};

use super::build;

const ORDERS: &str = "dbserver1.rwa_planting.planting_orders";

fn context(sent: &Arc<MemoryQueues>) -> Context {
    let now = "2026-12-01T00:00:00Z".parse().expect("a time");
    Context {
        clock: Arc::new(FixedClock(now)),
        deadline: now + TimeDelta::seconds(60),
        engine: Arc::new(MemoryEngine::default()),
        queues: Arc::clone(sent) as _,
        request_id: "request".to_owned(),
    }
}

async fn handle(event: Value, context: &Context) -> Value {
    let function = build(&Settings::default()).expect("valid settings");
    function.handle(event, context).await.expect("an answer")
}

fn record(topic: &str, offset: i64, value: &str) -> Value {
    json!({
        "topic": topic,
        "partition": 0,
        "offset": offset,
        "timestamp": 1_795_167_685_522_i64,
        "key": STANDARD.encode(format!("{{\"order_id\":{offset}}}")),
        "value": STANDARD.encode(value),
        "headers": [],
    })
}

fn event(topic: &str, records: Vec<Value>) -> Value {
    let mut partitions = serde_json::Map::new();
    partitions.insert(format!("{topic}-0"), Value::Array(records));
    json!({ "eventSource": "aws:kafka", "records": partitions })
}

#[tokio::test]
async fn a_real_event_is_stored_announced_in_one_item_and_wakes_the_decider_once() {
    let sent = Arc::new(MemoryQueues::default());
    let context = context(&sent);
    let adoptions = include_str!("../../../events/kafka-adoptions.json");
    let event: Value = serde_json::from_str(adoptions).expect("an event");
    assert_eq!(handle(event.clone(), &context).await, json!({ "batchItemFailures": [] }));
    let (announced, is_all) = store::inbox::read(&*context.engine, 10).await.expect("readable");
    assert!(is_all);
    assert_eq!(announced.len(), 1);
    let Announcement::Rows(rows) = &announced[0].announcement else { panic!("{announced:?}") };
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|(table, _)| *table == RowTable::Adoptions), "{rows:?}");
    let progress = store::progress::read(&*context.engine).await.expect("readable");
    assert!(progress.iter().all(|progress| progress.name.source == "changes"), "{progress:?}");
    let messages = sent.count();
    assert_eq!(messages, 1);
}

#[tokio::test]
async fn a_batch_that_comes_again_is_announced_again() {
    let sent = Arc::new(MemoryQueues::default());
    let mut context = context(&sent);
    let event: Value =
        serde_json::from_str(include_str!("../../../events/kafka-referrals.json")).expect("an event");
    handle(event.clone(), &context).await;
    let (first, _) = store::inbox::read(&*context.engine, 10).await.expect("readable");
    let keys = first.into_iter().map(|announced| announced.key).collect();
    store::inbox::remove(&*context.engine, keys).await.expect("memory answers");
    // It may have been stored and never announced.
    context.request_id = "another".to_owned();
    handle(event, &context).await;
    let (again, _) = store::inbox::read(&*context.engine, 10).await.expect("readable");
    assert_eq!(again.len(), 1);
}

#[tokio::test]
async fn users_and_heartbeats_wake_no_decider() {
    let sent = Arc::new(MemoryQueues::default());
    let context = context(&sent);
    for event in [
        include_str!("../../../events/kafka-users.json"),
        include_str!("../../../events/kafka-heartbeat.json"),
    ] {
        let event = serde_json::from_str(event).expect("an event");
        assert_eq!(handle(event, &context).await, json!({ "batchItemFailures": [] }));
    }
    assert_eq!(sent.count(), 0);
}

#[tokio::test]
async fn what_is_not_base64_is_quarantined_and_its_neighbours_are_applied() {
    let sent = Arc::new(MemoryQueues::default());
    let context = context(&sent);
    let mut spoiled = record(ORDERS, 1, "{}");
    spoiled["value"] = json!("not base64!");
    let mut number = record(ORDERS, 2, "{}");
    number["key"] = json!(5);
    let good = record(ORDERS, 3, r#"{"order_id":3,"account_sequence":"A","__op":"c","__source_ts_ms":1}"#);
    let answer = handle(event(ORDERS, vec![spoiled, number, good]), &context).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let (refused, _) = store::quarantine::read(&*context.engine, None, 10).await.expect("readable");
    let codes: Vec<(i64, &str)> =
        refused.iter().map(|refused| (refused.offset, refused.code.as_str())).collect();
    assert_eq!(codes, [(1, "MALFORMED_EVENT"), (2, "MALFORMED_EVENT")]);
    let (announced, _) = store::inbox::read(&*context.engine, 10).await.expect("readable");
    assert_eq!(announced.len(), 1);
}

#[tokio::test]
async fn a_truncated_table_is_announced_with_its_place_in_the_source() {
    let sent = Arc::new(MemoryQueues::default());
    let context = context(&sent);
    let value = |ts_ms: i64| {
        let source = json!({ "ts_ms": ts_ms, "schema": "rwa_planting", "table": "planting_orders" });
        json!({ "op": "t", "before": null, "after": null, "source": source }).to_string()
    };
    // The same record twice, and one of a topic that was made anew: it has the same offset and is another truncate.
    let records = [7, 7, 8].map(|ts_ms| record(ORDERS, 4, &value(ts_ms)));
    handle(event(ORDERS, records.into()), &context).await;
    let (announced, _) = store::inbox::read(&*context.engine, 10).await.expect("readable");
    let truncated = announced.into_iter().map(|announced| match announced.announcement {
        Announcement::Truncated { table: RowTable::Adoptions, at, committed_ms } => (at, committed_ms),
        other => panic!("{other:?}"),
    });
    let truncated: Vec<(String, i64)> = truncated.collect();
    let [(first, 7), (repeated, 7), (other, 8)] = &truncated[..] else { panic!("{truncated:?}") };
    assert!(first.starts_with(&format!("{ORDERS}-0-4-")), "{first}");
    assert_eq!(first, repeated);
    assert_ne!(first, other);
    let stored = store::truncates::read::<cdc::Truncate>(&*context.engine).await.expect("readable");
    assert_eq!(stored.len(), 2);
    let counts = store::progress::read(&*context.engine).await.expect("readable")[0].counts;
    assert_eq!((counts.applied, counts.duplicated), (2, 1));
}

#[tokio::test]
async fn a_mark_that_the_source_wrote_into_a_partition_proves_how_far_it_was_read() {
    let sent = Arc::new(MemoryQueues::default());
    let context = context(&sent);
    let committed_ms = 1_770_000_000_000_i64;
    let mark = |transaction: Value, committed_ms: i64| {
        json!({
            "op": "m", "ts_ms": committed_ms + 5, "message": {"prefix": "contribution-1", "content": ""},
            "source": {"snapshot": "false", "ts_ms": committed_ms, "txId": transaction, "schema": "", "table": ""},
        })
    };
    // Outside of a transaction, its time is not that of a commit.
    let alone = mark(Value::Null, committed_ms + 60_000).to_string();
    let committed = mark(json!(571), committed_ms).to_string();
    let records = vec![record(ORDERS, 1, &committed), record(ORDERS, 2, &alone)];
    assert_eq!(handle(event(ORDERS, records), &context).await, json!({ "batchItemFailures": [] }));
    let progress = store::progress::read(&*context.engine).await.expect("readable");
    assert_eq!(progress[0].read_through_ms(), Some(committed_ms));
}

#[tokio::test]
async fn users_are_marked_where_the_source_says_when_they_were_last_seen() {
    let profile = r#"{"tables":{"users":{"holds":"users","columns":{"last_activity":["seen_at"]}}}}"#;
    let knowing =
        Settings { profile: cdc::Profile::from_json(profile).expect("a profile"), ..Settings::default() };
    let unknowing = r#"{"tables":{"users":{"holds":"users"}}}"#;
    let unknowing =
        Settings { profile: cdc::Profile::from_json(unknowing).expect("a profile"), ..Settings::default() };
    let row = r#"{"before":null,"after":{"id":1,"account_sequence":"D1","status":"ACTIVE","seen_at":1795167685522},
        "op":"c","source":{"ts_ms":1,"lsn":1,"snapshot":"false"}}"#;
    for (settings, marked) in [(unknowing, vec![]), (knowing, vec![("D1".to_owned(), MarkKind::User)])] {
        let context = context(&Arc::new(MemoryQueues::default()));
        let function = build(&settings).expect("valid settings");
        // A batch that comes again marks again: the first time it may have ended before that.
        for _ in 0..2 {
            let answer = function.handle(event("users", vec![record("users", 1, row)]), &context).await;
            assert_eq!(answer.expect("an answer"), json!({ "batchItemFailures": [] }));
        }
        let marks = raised(&*context.engine, TalentShards::beside(settings.account_shards), 10).await;
        let marks = marks.expect("readable").into_iter().map(|mark| (mark.account.to_string(), mark.kind));
        assert_eq!(marks.collect::<Vec<_>>(), marked);
    }
}
