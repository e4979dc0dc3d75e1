//! Whatever call fails, before or after its effect, and whatever process dies: in the end the ledger is the same.

use std::sync::Arc;

use cdc::CapturedRecord;
use end_to_end::source::{ORDERS, Source, paid};
use end_to_end::{Afterwards, Fault, FaultyEngine, Harness, Options, kafka_event, ledger};
use serde_json::{Value, json};
use store::inbox::StoredCommand;
use store::{Engine, MemoryEngine};

/// Referrals, orders with and without a price, one that comes late, one that is paid again, one that goes.
fn history() -> Vec<CapturedRecord> {
    let mut source = Source::new();
    let mut write = |change: &dyn Fn(&mut Source) -> end_to_end::source::Change| {
        let change = change(&mut source);
        source.write(&change)
    };
    let mut records = vec![
        write(&|source| source.referral("TOP", None)),
        write(&|source| source.referral("MIDDLE", Some("TOP"))),
        write(&|source| source.referral("BELOW", Some("MIDDLE"))),
        write(&|source| source.order(57, "BELOW", 2)),
        write(&|source| source.order(58, "BELOW", 10).with("contribution_per_tree", Value::Null)),
        write(&|source| source.order(55, "MIDDLE", 1)),
        write(&|source| source.order(50, "TOP", 3)),
        write(&|source| source.order(60, "NOBODY", 1)),
        write(&|source| source.order(57, "BELOW", 3).updating(paid(57, "BELOW", 2))),
        write(&|source| source.order(50, "TOP", 3).deleting()),
    ];
    records.push(source.append(ORDERS, 0, Some("{}".to_owned()), Some("{".to_owned())));
    records
}

/// Feeds the history in small events, each again until nothing of it fails, then a command, and then whatever wakes
/// the functions, until nothing is left to do. A process that died is started again.
///
/// Returns the functions, and how many calls they had made when the last of them was made that may fail.
async fn run(engine: &Arc<FaultyEngine>, records: &[CapturedRecord]) -> (Harness, u64) {
    let mut harness = Harness::over(Arc::clone(engine) as _, Options::default());
    for batch in records.chunks(4) {
        let mut pending = batch.to_vec();
        while !pending.is_empty() {
            if let Ok(answer) = harness.ingest(kafka_event(&pending)).await {
                pending.retain(|record| is_named(&answer, record));
            }
            if engine.revive() {
                harness.restart();
            }
        }
        for _ in 0..2 {
            let _ = harness.decide(json!({ "Records": [] })).await;
            let _ = harness.project(json!({ "Records": [] })).await;
            if engine.revive() {
                harness.restart();
            }
        }
    }
    let note = domain::log::Command::Note { text: "a word".to_owned() };
    let command = StoredCommand::new("o", "r", note);
    while store::inbox::ask(harness.engine(), "k", &command).await.is_err() {
        engine.revive();
    }
    // The call that is to fail may still come.
    for _ in 0..2 {
        let _ = harness.decide(json!({ "Records": [] })).await;
        let _ = harness.project(json!({ "Records": [] })).await;
        if engine.revive() {
            harness.restart();
        }
    }
    let calls = engine.calls();
    engine.heal();
    harness.settle().await;
    harness.reach_ends(records).await;
    harness.settle().await;
    (harness, calls)
}

fn is_named(answer: &Value, record: &CapturedRecord) -> bool {
    let name = json!({
        "partition": format!("{}-{}", record.topic, record.partition),
        "offset": record.offset,
    });
    let failures = answer["batchItemFailures"].as_array().expect("a list");
    failures.iter().any(|failure| failure["itemIdentifier"] == name)
}

/// Returns what stands in the end, without what says how it came about.
async fn outcome(harness: &Harness) -> Value {
    let engine = harness.engine();
    let (quarantined, _) = store::quarantine::read(engine, None, 100).await.expect("readable");
    let command = store::inbox::command(engine, "k").await.expect("readable").expect("it was asked");
    let (announced, _) = store::inbox::read(engine, 100).await.expect("readable");
    assert_eq!(announced, [], "everything announced was taken in");
    json!({
        "ledger": ledger(engine).await,
        "held": store::lists::held(engine, 16, None, 100).await.expect("readable")
            .into_iter().map(|held| (held.order, held.reason.to_string())).collect::<Vec<_>>(),
        "quarantined": quarantined.into_iter().map(|record| record.offset).collect::<Vec<_>>(),
        "command": command.answer.map(|(outcome, _)| format!("{outcome:?}")),
    })
}

async fn undisturbed(records: &[CapturedRecord]) -> (Value, u64) {
    let engine = Arc::new(FaultyEngine::new(Arc::new(MemoryEngine::default())));
    let (harness, calls) = run(&engine, records).await;
    (outcome(&harness).await, calls)
}

async fn assert_same_whatever_call_fails(afterwards: Afterwards, faults: &[Fault]) {
    let records = history();
    let (expected, calls) = undisturbed(&records).await;
    assert_eq!(expected["ledger"]["orders"], 3, "{expected:#}");
    assert!(calls > 100, "{calls} calls");
    for number in 1..=calls {
        for fault in faults {
            let engine = Arc::new(FaultyEngine::new(Arc::new(MemoryEngine::default())));
            engine.fail_call(number, *fault, afterwards);
            let (harness, _) = run(&engine, &records).await;
            assert_eq!(
                outcome(&harness).await,
                expected,
                "call {number} of {calls}, {fault:?}, {afterwards:?}"
            );
            assert_heads_follow_from_the_log(harness.engine()).await;
        }
    }
}

/// Projects the log once more, into tables of its own, and compares every item.
async fn assert_heads_follow_from_the_log(engine: &dyn Engine) {
    let anew = MemoryEngine::default();
    let versions = domain::Versions::starting("{}").expect("the default policy");
    let projector = ledger_stream::Projector::new(16, versions);
    let pages = store::log::read_after(engine, 0, 1_000).await.expect("readable");
    projector.project(&anew, &store::Shard::all(16).collect(), &pages).await.expect("memory answers");
    let heads = |items: Vec<store::Item>| {
        let is_head = |item: &store::Item| {
            ["ACCOUNT#", "ADOPTION#", "CHILDREN#", "SUM#", "LINES#", "BOOK#"]
                .iter()
                .any(|kind| item.key.partition.starts_with(kind))
        };
        items.into_iter().filter(is_head).collect::<Vec<_>>()
    };
    let (expected, actual) = (end_to_end::everything(&anew).await, end_to_end::everything(engine).await);
    assert_eq!(heads(actual), heads(expected));
}

#[tokio::test]
async fn the_ledger_is_the_same_whatever_call_fails_before_or_after_its_effect() {
    let faults = [Fault::BeforeEffect, Fault::AfterEffect, Fault::HalfWay];
    assert_same_whatever_call_fails(Afterwards::Works, &faults).await;
}

#[tokio::test]
async fn the_ledger_is_the_same_whichever_call_a_process_dies_at() {
    let faults = [Fault::BeforeEffect, Fault::AfterEffect, Fault::HalfWay];
    assert_same_whatever_call_fails(Afterwards::IsDead, &faults).await;
}
