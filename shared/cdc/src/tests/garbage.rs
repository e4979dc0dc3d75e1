//! Whatever the bytes of a record are, the decoder does not panic.

use proptest::prelude::*;

use super::captures::captured;
use super::*;

const TOPICS: [&str; 6] = [
    USERS,
    ORDERS,
    REFERRALS,
    "__debezium-heartbeat.dbserver1",
    "dbserver1.transaction",
    "dbserver1.message",
];

fn never_panics(topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) {
    match decode(&Profile::built_in(), record(topic, key, value)) {
        Err(refusal) => assert!(!refusal.to_string().is_empty() && !refusal.code().is_empty()),
        Ok(Decoded::Change(change)) => {
            let state = fold(None, &change).state;
            let stored = serde_json::to_string(&state).expect("JSON");
            assert_eq!(serde_json::from_str::<RowState>(&stored).expect("a stored row"), state);
            assert!(!change.row_key.primary_key().is_empty());
            let _ = (state.image(), state.business_keys_ever());
        }
        Ok(_) => {}
    }
}

/// Names of fields that lead deep into the decoder.
const NAMES: [&str; 34] = [
    "schema",
    "payload",
    "op",
    "before",
    "after",
    "source",
    "lsn",
    "snapshot",
    "ts_ms",
    "__op",
    "__deleted",
    "__lsn",
    "__source_snapshot",
    "__source_ts_ms",
    "__source_sequence",
    "sequence",
    "string",
    "order_id",
    "id",
    "account_sequence",
    "referrer_account_sequence",
    "tree_count",
    "contribution_per_tree",
    "adoption_date",
    "created_at",
    "status",
    "selected_province",
    "type",
    "name",
    "field",
    "fields",
    "parameters",
    "scale",
    "value",
];

/// Texts that the decoder knows.
const TEXTS: [&str; 19] = [
    "r",
    "c",
    "u",
    "d",
    "t",
    "m",
    "true",
    "false",
    "last",
    "D25122700018",
    "AM2zToJEAA==",
    "1E5",
    "2026-01-01",
    "2025-12-31T18:22:00Z",
    "io.debezium.time.Date",
    "io.debezium.time.Timestamp",
    "adoption_date",
    "bytes",
    "string",
];

/// Returns JSON made of these names and texts, and of others.
fn plausible_json() -> impl Strategy<Value = Value> {
    let names = || prop_oneof![proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), any::<String>()];
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2..70_i64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        proptest::sample::select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaves.prop_recursive(5, 60, 12, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(names(), inner, 0..12)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Replaces one value somewhere in a message, counting depth first, by another.
fn replace_nth(value: &mut Value, nth: &mut usize, replacement: &Value) {
    if *nth == 0 {
        *value = replacement.clone();
        *nth = usize::MAX;
        return;
    }
    *nth -= 1;
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| replace_nth(value, nth, replacement)),
        Value::Array(values) => values.iter_mut().for_each(|value| replace_nth(value, nth, replacement)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn arbitrary_bytes_never_panic(
        topic in proptest::sample::select(&TOPICS[..]),
        key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..32)),
        value in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        never_panics(topic, key.as_deref(), Some(&value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_json_never_panics(
        topic in proptest::sample::select(&TOPICS[..]),
        key in plausible_json(),
        value in plausible_json(),
    ) {
        never_panics(topic, Some(key.to_string().as_bytes()), Some(value.to_string().as_bytes()));
        never_panics(topic, None, Some(wrap(&json!({"after": value, "op": "c"})).to_string().as_bytes()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn damaged_real_messages_never_panic(
        index in any::<proptest::sample::Index>(),
        damages in proptest::collection::vec((any::<proptest::sample::Index>(), 0..3_u8, any::<u8>()), 1..6),
    ) {
        thread_local!(static CAPTURED: Vec<CapturedRecord> = captured());
        CAPTURED.with(|captured| {
            let record = index.get(captured);
            let mut value = record.value.clone().unwrap_or_default().into_bytes();
            for (position, kind, byte) in damages {
                match kind {
                    0 if !value.is_empty() => *position.get_mut(&mut value) = byte,
                    1 => value.truncate(position.index(value.len() + 1)),
                    _ => value.insert(position.index(value.len() + 1), byte),
                }
            }
            never_panics(&record.topic, record.key.as_deref().map(str::as_bytes), Some(&value));
        });
    }

    #[test]
    fn real_messages_with_one_value_replaced_never_panic(
        index in any::<proptest::sample::Index>(),
        place in 0..45_usize,
        replacement in prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(json!([])),
            Just(json!({})),
            Just(Value::Null),
        ],
        wrapped in any::<bool>(),
    ) {
        thread_local!(static CAPTURED: Vec<CapturedRecord> = captured());
        CAPTURED.with(|captured| {
            let record = index.get(captured);
            let mut value = record.value.as_deref().map_or(Value::Null, |json| serde_json::from_str(json).expect("JSON"));
            if wrapped && value.is_object() {
                value = wrap(&value);
            }
            replace_nth(&mut value, &mut place.clone(), &replacement);
            let key = record.key.as_deref().map(str::as_bytes);
            never_panics(&record.topic, key, Some(value.to_string().as_bytes()));
        });
    }
}
