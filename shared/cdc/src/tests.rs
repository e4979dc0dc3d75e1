//! The decoder as a whole: messages made by hand, every combination of formats, garbage.

mod captures;
mod formats;
mod garbage;
mod messages;
mod versions;

use domain::RowKey;
use serde_json::{Value, json};

use super::*;

const USERS: &str = "dbserver1.rwa_identity.users";
const ORDERS: &str = "dbserver1.rwa_planting.planting_orders";
const REFERRALS: &str = "dbserver1.rwa_referral.referral_relations";
const DEPLOYMENT_ORDERS: &str = "cdc.planting.public.planting_orders";

fn record<'a>(topic: &'a str, key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> KafkaRecord<'a> {
    KafkaRecord { topic, partition: 0, offset: 0, timestamp_ms: Some(0), key, value }
}

/// Returns an object with these fields, or these fields replaced.
fn with(mut object: Value, fields: &Value) -> Value {
    let into = object.as_object_mut().expect("an object");
    into.extend(fields.as_object().expect("an object").clone());
    object
}

fn without(mut object: Value, field: &str) -> Value {
    object.as_object_mut().expect("an object").remove(field).expect("a field to remove");
    object
}

fn order_row() -> Value {
    json!({
        "order_id": 55,
        "account_sequence": "D25122700018",
        "tree_count": 2,
        "contribution_per_tree": "22617.0000000000",
        "adoption_date": 20454,
        "status": "MINING_ENABLED",
        "selected_province": "110000",
        "selected_city": null,
        "created_at": "2025-12-31T18:22:00.000000Z",
    })
}

fn referral_row() -> Value {
    json!({
        "id": "df4dde3e-decc-422f-9f43-7a3f8b2d0ba7",
        "account_sequence": "D25122700007",
        "referrer_account_sequence": "D25122700006",
        "depth": 4,
    })
}

fn user_row() -> Value {
    json!({
        "id": "a6d1abaf-6a09-452b-bf36-0e60942efa3f",
        "account_sequence": "D25122700001",
        "phone": "13900000001",
        "status": "ACTIVE",
        "created_at": "2026-11-20T09:41:21.795564Z",
    })
}

fn envelope(operation: &str, before: &Value, after: &Value) -> Value {
    json!({
        "before": before,
        "after": after,
        "source": {"connector": "postgresql", "ts_ms": 1_795_167_685_063_i64, "snapshot": "false", "lsn": 7},
        "transaction": null,
        "op": operation,
        "ts_ms": 1_795_167_685_369_i64,
    })
}

fn decode_keyed(topic: &str, key: &str, value: &Value) -> Result<Decoded, Refusal> {
    decode(&Profile::built_in(), record(topic, Some(key.as_bytes()), Some(value.to_string().as_bytes())))
}

fn decode_value(topic: &str, value: &Value) -> Result<Decoded, Refusal> {
    decode(&Profile::built_in(), record(topic, None, Some(value.to_string().as_bytes())))
}

fn changed(decoded: Result<Decoded, Refusal>) -> Change {
    match decoded {
        Ok(Decoded::Change(change)) => change,
        other => panic!("{other:?} is no change"),
    }
}

fn image(change: &Change) -> RowImage {
    fold(None, change).state.image().expect("a row that stands")
}

fn adoption(value: &Value) -> AdoptionImage {
    match image(&changed(decode_value(ORDERS, value))) {
        RowImage::Adoption(adoption) => adoption,
        other => panic!("{other:?} is no adoption"),
    }
}

fn code(topic: &str, value: &Value) -> &'static str {
    decode_value(topic, value).expect_err("a refusal").code()
}

/// Returns a schema of the shape that `JsonConverter` gives it, around its payload.
fn wrap(payload: &Value) -> Value {
    json!({"schema": struct_schema(payload), "payload": payload})
}

fn struct_schema(value: &Value) -> Value {
    let fields: Vec<Value> = value
        .as_object()
        .expect("an object")
        .iter()
        .map(|(name, value)| with(field_schema(value, name), &json!({"field": name})))
        .collect();
    json!({"type": "struct", "fields": fields, "optional": true, "name": "dbserver1.table.Value"})
}

fn field_schema(value: &Value, name: &str) -> Value {
    // A null says nothing of its type; columns take theirs from their name.
    match (name, value) {
        ("contribution_per_tree", Value::String(text)) if text.ends_with('=') => json!({
            "type": "bytes", "optional": true, "name": "org.apache.kafka.connect.data.Decimal", "version": 1,
            "parameters": {"scale": "10", "connect.decimal.precision": "20"},
        }),
        ("adoption_date", Value::Number(_)) => {
            json!({"type": "int32", "optional": false, "name": "io.debezium.time.Date", "version": 1})
        }
        ("created_at", Value::String(_)) => json!({
            "type": "string", "optional": false, "name": "io.debezium.time.ZonedTimestamp", "version": 1,
        }),
        (_, Value::Object(_)) => struct_schema(value),
        (_, Value::Number(_)) => json!({"type": "int64", "optional": false}),
        (_, Value::Bool(_)) => json!({"type": "boolean", "optional": true}),
        _ => json!({"type": "string", "optional": true}),
    }
}
