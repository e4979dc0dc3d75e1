//! What wakes the functions, and what they keep in memory while they rest.

use std::sync::Arc;
use std::time::Duration;

use end_to_end::{Harness, Options, kafka_event, ledger};
use runtime::Queue;
use serde_json::{Value, json};
use store::MemoryEngine;

use crate::{assert_posted, two_accounts};

fn options(decide_for: Duration) -> Options {
    let mut options = Options::default();
    options.settings.decisions.decide_for = decide_for;
    options.settings.decisions.page_bytes_max = 1_024;
    options
}

#[tokio::test]
async fn a_decider_whose_time_is_over_wakes_itself_until_nothing_is_left() {
    let harness = Harness::new(options(Duration::ZERO));
    let mut source = two_accounts();
    for order in 11..40 {
        let order = source.order(order, "BELOW", 1);
        source.write(&order);
    }
    assert_eq!(harness.ingest(kafka_event(&source.records)).await, Ok(json!({ "batchItemFailures": [] })));
    let mut ids = std::collections::BTreeSet::new();
    let mut invocations = 0;
    loop {
        let woken = harness.take_messages().into_iter().filter(|(queue, _)| *queue == Queue::Decisions);
        let groups: Vec<_> = woken.filter_map(|(_, message)| message.group).collect();
        if groups.is_empty() {
            break;
        }
        assert!(groups.iter().all(|(group, id)| group == "decider" && ids.insert(id.clone())), "{groups:?}");
        harness.decide(json!({ "Records": [] })).await.expect("it decides");
        invocations += 1;
        assert!(invocations < 500, "it comes to an end");
    }
    harness.project(json!({ "Records": [] })).await.expect("it projects");
    assert!(invocations > 3, "{invocations}");
    assert_eq!(ledger(harness.engine()).await["orders"], 29);
}

#[tokio::test]
async fn a_decider_that_rested_does_not_take_in_rows_as_they_were_before() {
    let engine = Arc::new(MemoryEngine::default());
    // The first one never gets to the last order; the second one does everything.
    let first = Harness::over(Arc::clone(&engine) as _, options(Duration::ZERO));
    let second = Harness::over(Arc::clone(&engine) as _, options(Duration::from_secs(4)));
    let mut source = two_accounts();
    let orders: Vec<_> = (11..40).map(|order| source.order(order, "BELOW", 1)).collect();
    for order in &orders {
        source.write(order);
    }
    assert_eq!(first.ingest(kafka_event(&source.records)).await, Ok(json!({ "batchItemFailures": [] })));
    for _ in 0..3 {
        first.decide(json!({ "Records": [] })).await.expect("it decides");
    }
    second.settle().await;
    let row = orders[28].after.clone();
    let update = source.order(39, "BELOW", 2).updating(row);
    let record = source.write(&update);
    assert_eq!(second.ingest(kafka_event(&[record])).await, Ok(json!({ "batchItemFailures": [] })));
    second.settle().await;
    for _ in 0..40 {
        first.decide(json!({ "Records": [] })).await.expect("it decides");
    }
    second.settle().await;
    let ledger = ledger(first.engine()).await;
    assert_eq!(ledger["distributions"]["39"]["total"], "45234.0000000000");
}

#[tokio::test]
async fn a_projection_whose_time_is_over_asks_for_its_records_again() {
    let mut options = options(Duration::from_secs(4));
    options.invocations_take_ms = 400;
    let harness = Harness::new(options);
    let mut source = two_accounts();
    let order = source.order(11, "BELOW", 2);
    source.write(&order);
    assert_eq!(harness.ingest(kafka_event(&source.records)).await, Ok(json!({ "batchItemFailures": [] })));
    harness.decide(json!({ "Records": [] })).await.expect("it decides");
    let event = |number: &str| {
        json!({ "Records": [{
            "eventSource": "aws:dynamodb",
            "dynamodb": { "Keys": { "pk": { "S": "LOG#000000000001" } }, "SequenceNumber": number },
        }] })
    };
    let answer = harness.project(event("111")).await.expect("an answer");
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "111" }] }));
    assert_posted(&ledger(harness.engine()).await, &[]);
}

#[tokio::test]
async fn a_wake_up_that_failed_comes_again_at_once_and_the_last_of_a_burst_is_not_lost() {
    let harness = Harness::new(options(Duration::from_secs(4)));
    let mut source = two_accounts();
    let mut ids = std::collections::BTreeSet::new();
    for number in 11..31 {
        let order = source.order(number, "BELOW", 1);
        let record = source.write(&order);
        assert_eq!(harness.ingest(kafka_event(&[record])).await, Ok(json!({ "batchItemFailures": [] })));
        for (queue, message) in harness.take_messages() {
            assert_eq!(queue, Queue::Decisions);
            let (group, id) = message.group.expect("a message of a group");
            assert_eq!(group, "decider");
            assert!(id.len() <= 128, "{id}");
            assert!(ids.insert(id), "no two wake-ups have the same id");
            assert!(serde_json::from_str::<Value>(&message.body).is_ok());
        }
    }
    assert_eq!(ids.len(), 20);
}
