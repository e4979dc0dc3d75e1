//! Whatever way rows arrive, the levels are the same.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use end_to_end::capture::{self, CaptureRecord, repeated, shuffled};
use end_to_end::{generate, oracle};
use serde_json::Value;

use crate::faults::{Crashes, with_interceptor};
use crate::support::{Ledger, feed, sweep};

fn captures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events/captures")
}

fn golden(name: &str) -> (Vec<CaptureRecord>, Value) {
    let records = capture::read(captures().join(format!("{name}.jsonl"))).expect("a capture");
    let expected = std::fs::read(captures().join(format!("{name}.expected.json"))).expect("an expectation");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    // Orders do not matter here.
    let records = records.into_iter().filter(|record| !record.topic.contains("planting")).collect();
    (records, expected["talent"].clone())
}

const NAMES: [&str; 4] =
    ["ordering-incident", "ordering-incident.snapshot", "flattened-regions", "flattened-regions.snapshot"];

async fn talent_after(records: &[CaptureRecord], batch_size: usize) -> Value {
    let ledger = Ledger::start().await;
    ledger.feed(records, batch_size).await;
    ledger.sweep().await;
    ledger.export().await
}

#[tokio::test]
async fn golden_captures_give_exactly_their_levels_in_any_order_and_repeated() {
    for (name, seed) in NAMES.into_iter().zip(1..) {
        let (records, expected) = golden(name);
        assert_eq!(talent_after(&records, 1000).await, expected, "{name}");
        let repeated = repeated(&shuffled(&records, seed), 2);
        assert_eq!(talent_after(&repeated, 40).await, expected, "{name}, shuffled and repeated");
    }
    let (records, expected) = golden(NAMES[0]);
    let backwards: Vec<CaptureRecord> = records.iter().rev().cloned().collect();
    assert_eq!(talent_after(&backwards, 10).await, expected, "referrals before their referrers");
}

#[tokio::test]
async fn crashes_between_any_two_calls_and_lost_answers_change_nothing() {
    for (name, seed) in NAMES.into_iter().zip(1..) {
        let (records, expected) = golden(name);
        let ledger = Ledger::start().await;
        let crashes = Crashes::new(12, seed);
        let count = crashes.count.clone();
        let functions = ledger.functions_with(with_interceptor(&ledger.clients.dynamodb, crashes));
        feed(&functions, &shuffled(&records, seed), 12).await;
        sweep(&functions, &ledger.store).await;
        assert!(count.load(Ordering::Relaxed) > 10, "{name}: there were crashes");
        assert_eq!(ledger.export().await, expected, "{name}");
    }
}

#[tokio::test]
async fn histories_whose_referrals_come_late_or_never_give_what_the_last_rows_say() {
    for seed in 1..=2 {
        let records = generate::history_of(
            seed,
            40,
            &[generate::Change::Registration, generate::Change::LateReferral, generate::Change::Resend],
        );
        let expected = oracle::expected(&records, &oracle::Options::default())["talent"].clone();
        let rows: Vec<CaptureRecord> = shuffled(&records, seed)
            .into_iter()
            .filter(|record| !record.topic.contains("planting"))
            .collect();
        assert_eq!(talent_after(&rows, 10).await, expected, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn invocations_beside_each_other_lose_nothing() {
    let (records, expected) = golden("ordering-incident");
    let ledger = Ledger::start().await;
    let batches: Vec<Vec<CaptureRecord>> = records.chunks(8).map(<[CaptureRecord]>::to_vec).collect();
    let feeding = batches.into_iter().map(|batch| {
        let functions = ledger.functions.clone();
        tokio::spawn(async move {
            feed(&functions, &batch, 8).await;
            let _ = functions.propagator.invoke(serde_json::json!({})).await;
        })
    });
    for fed in futures::future::join_all(feeding).await {
        fed.expect("no panic");
    }
    ledger.sweep().await;
    assert_eq!(ledger.export().await, expected);
}
