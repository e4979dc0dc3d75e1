//! Two stacks with the same inputs have the same state.

use std::collections::{BTreeMap, VecDeque};
use std::io::Cursor;

use cdc::CapturedRecord;
use domain::digest::{Section, diff};
use end_to_end::{Shuffle, captured};
use oracle::generate::{Plan, Prices, Shape, history};
use serde_json::Value;

use crate::stack::{Random, Stack};

/// Returns the records over six partitions for each topic, mixed, each partition in its own order; three of
/// ten records come again.
fn over_six_partitions(records: &[CapturedRecord], seed: u64) -> Vec<CapturedRecord> {
    let mut random = Random(seed);
    let mut partitions: BTreeMap<(String, i32), VecDeque<CapturedRecord>> = BTreeMap::new();
    for record in records {
        let key = record.key.as_deref().unwrap_or_default();
        let hash = key.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let partition = i32::try_from(hash % 6).expect("below six");
        let queue = partitions.entry((record.topic.clone(), partition)).or_default();
        let offset = i64::try_from(queue.len()).expect("few records");
        queue.push_back(CapturedRecord { partition, offset, ..record.clone() });
    }
    let mut mixed: Vec<CapturedRecord> = Vec::new();
    while !partitions.is_empty() {
        let names: Vec<_> = partitions.keys().cloned().collect();
        let name = &names[random.below(names.len())];
        let queue = partitions.get_mut(name).expect("a name of one");
        mixed.extend(queue.pop_front());
        if queue.is_empty() {
            partitions.remove(name);
        }
        if random.below(10) < 3 {
            mixed.push(mixed[random.below(mixed.len())].clone());
        }
    }
    mixed
}

/// Returns what a connector that begins after the last change reads of the tables.
fn snapshot_of(records: &[CapturedRecord]) -> Vec<CapturedRecord> {
    let mut rows: BTreeMap<(String, String), CapturedRecord> = BTreeMap::new();
    for record in records {
        let name = (record.topic.clone(), record.key.clone().expect("every record has a key"));
        match record.value.as_deref().map(|value| serde_json::from_str::<Value>(value).expect("JSON")) {
            Some(mut value) if value["op"] != "d" => {
                value["op"] = "r".into();
                value["before"] = Value::Null;
                value["source"]["snapshot"] = "true".into();
                value["source"]["lsn"] = (1_i64 << 40).into();
                rows.insert(name, CapturedRecord { value: Some(value.to_string()), ..record.clone() });
            }
            _ => drop(rows.remove(&name)),
        }
    }
    let mut offsets: BTreeMap<String, i64> = BTreeMap::new();
    let number = |record: CapturedRecord| {
        let offset = offsets.entry(record.topic.clone()).or_default();
        *offset += 1;
        CapturedRecord { offset: *offset, ..record }
    };
    rows.into_values().map(number).collect()
}

#[tokio::test]
async fn order_of_arrival_repetitions_and_partitions_make_no_difference_and_neither_does_a_snapshot() {
    let shape = Shape::Recent { of_last: 4 };
    let plans = [
        Plan { prices: Prices::Some, ..Plan::large(1, 60, 300, shape) },
        Plan { prices: Prices::None, ..Plan::large(2, 60, 300, shape) },
        Plan { prices: Prices::All, oddities: false, ..Plan::small(3) },
        Plan { prices: Prices::All, oddities: false, ..Plan::deep(4) },
    ];
    for plan in plans {
        let records = captured(&history(&plan));
        let in_order = Stack::new();
        in_order.feed(&records, Shuffle::AsCaptured).await;
        let digest = in_order.digest().await;
        assert!(
            digest.sections.iter().all(|part| part.lines > 0
                || part.section == Section::Adjustments
                || part.section == Section::Held
                || part.section == Section::PriceBook),
            "{digest}"
        );

        let scrambled = Stack::expecting(6);
        scrambled.feed(&over_six_partitions(&records, plan.seed), Shuffle::AsCaptured).await;
        let found = diff(Cursor::new(in_order.dump().await), Cursor::new(scrambled.dump().await), 10);
        assert_eq!(found.expect("two dumps"), [], "{plan:?}");
        assert_eq!(scrambled.digest().await, digest);

        let afterwards = Stack::new();
        afterwards.take_over(&in_order.price_book().await).await;
        afterwards.feed(&snapshot_of(&records), Shuffle::AsCaptured).await;
        let found = diff(Cursor::new(in_order.dump().await), Cursor::new(afterwards.dump().await), 10);
        assert_eq!(found.expect("two dumps"), [], "{plan:?}");
        assert_eq!(afterwards.digest().await, digest);
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
    stack.harness.feed(&captured(&history(&Plan::small(3))), Shuffle::AsCaptured).await;
    let date = "2026-12-01".parse().expect("a date");
    let versions = stack.versions();
    let read = ledger_audit::read_state(&*stack.engine, &versions, stack.settings.account_shards, date).await;
    assert!(read.expect_err("talent is behind").to_string().contains("talent has not caught up"));
    stack.carry_up().await;
    stack.state().await;
}
