//! Golden captures and cases from the field, through the functions.

use cdc::CapturedRecord;
use end_to_end::{Harness, Options, Shuffle, ledger};
use serde_json::Value;

fn records(text: &str) -> Vec<CapturedRecord> {
    text.lines().filter_map(|line| CapturedRecord::from_line(line).expect("a record")).collect()
}

async fn ledger_of(records: &[CapturedRecord], shuffle: Shuffle) -> Value {
    let harness = Harness::new(Options::default());
    harness.feed(records, shuffle).await;
    ledger(harness.engine()).await
}

/// Compares what both have, but for what only an account without any leg or order has.
fn assert_same(actual: &Value, expected: &Value, what: &str) {
    for part in ["orders", "held", "distributed_total", "system", "distributions"] {
        assert_eq!(actual[part], expected[part], "{what}: {part}");
    }
    let expected = expected["accounts"].as_object().expect("accounts");
    for (account, expected) in expected {
        let actual = &actual["accounts"][account];
        let is_unknown = actual.is_null();
        for (name, value) in expected.as_object().expect("an account") {
            if ["effective", "team_trees"].contains(&name.as_str()) {
                continue;
            }
            let is_nothing =
                [Value::from(false), Value::from(0), Value::from("0.0000000000")].contains(value);
            assert!(
                (is_unknown && is_nothing) || actual[name] == *value,
                "{what}: {account} {name}: {actual} {value}"
            );
        }
    }
}

const GOLDEN: [(&str, &str, &str); 4] = [
    (
        "ordering-incident",
        include_str!("../../../events/captures/ordering-incident.jsonl"),
        include_str!("../../../events/captures/ordering-incident.expected.json"),
    ),
    (
        "ordering-incident.snapshot",
        include_str!("../../../events/captures/ordering-incident.snapshot.jsonl"),
        include_str!("../../../events/captures/ordering-incident.snapshot.expected.json"),
    ),
    (
        "flattened-regions",
        include_str!("../../../events/captures/flattened-regions.jsonl"),
        include_str!("../../../events/captures/flattened-regions.expected.json"),
    ),
    (
        "flattened-regions.snapshot",
        include_str!("../../../events/captures/flattened-regions.snapshot.jsonl"),
        include_str!("../../../events/captures/flattened-regions.snapshot.expected.json"),
    ),
];

#[tokio::test]
async fn golden_captures_give_the_expected_ledger_in_any_order_and_with_repetitions() {
    for (name, capture, expected) in GOLDEN {
        let expected: Value = serde_json::from_str(expected).expect("JSON");
        let records = records(capture);
        for shuffle in [
            Shuffle::AsCaptured,
            Shuffle::Repeated,
            Shuffle::Scrambled { seed: 1 },
            Shuffle::Scrambled { seed: 2 },
        ] {
            let actual = ledger_of(&records, shuffle).await;
            assert_same(&actual, &expected, &format!("{name} {shuffle:?}"));
        }
    }
}
