//! The decoder as a whole: on real captures, on every combination of formats, on garbage.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::*;
use domain::{AccountSequence, Amount, BusinessDate, OrderId, TreeCount};

const USERS: &str = "dbserver1.rwa_identity.users";
const ORDERS: &str = "dbserver1.rwa_planting.planting_orders";
const REFERRALS: &str = "dbserver1.rwa_referral.referral_relations";
const DEPLOYMENT_ORDERS: &str = "cdc.planting.public.planting_orders";

// The captures.

/// One line of a capture: a Kafka record as it arrived.
#[derive(Debug, Clone, Deserialize)]
struct Record {
    topic: String,
    key: Option<String>,
    value: Option<String>,
}

impl Record {
    fn decode(&self, profile: &Profile) -> Result<Decoded, Refusal> {
        let bytes = |text: &Option<String>| text.clone().map(String::into_bytes);
        decode(profile, &self.topic, bytes(&self.key).as_deref(), bytes(&self.value).as_deref())
    }

    fn change(&self) -> Option<Change> {
        match self.decode(&Profile::built_in()).expect("a decodable record") {
            Decoded::Change(change) => Some(change),
            Decoded::Control(_) => None,
        }
    }
}

fn records(capture: &str) -> Vec<Record> {
    capture.lines().map(|line| serde_json::from_str(line).expect("a captured record")).collect()
}

const INCIDENT: &str = include_str!("../../../events/captures/ordering-incident.jsonl");
const INCIDENT_SNAPSHOT: &str = include_str!("../../../events/captures/ordering-incident.snapshot.jsonl");
const REGIONS: &str = include_str!("../../../events/captures/flattened-regions.jsonl");
const REGIONS_SNAPSHOT: &str = include_str!("../../../events/captures/flattened-regions.snapshot.jsonl");

fn captured() -> Vec<Record> {
    [INCIDENT, INCIDENT_SNAPSHOT, REGIONS, REGIONS_SNAPSHOT].into_iter().flat_map(records).collect()
}

#[test]
fn every_captured_record_decodes() {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for record in captured() {
        let kind = match record.decode(&Profile::built_in()).expect("a decodable record") {
            Decoded::Control(Control::Heartbeat { .. }) => "heartbeat",
            Decoded::Control(Control::Tombstone) => "tombstone",
            Decoded::Control(_) => "other",
            Decoded::Change(Change { row, .. }) => match row {
                Row::User(UserChange::Upsert(_)) => "user",
                Row::Referral(ReferralChange::Upsert { .. }) => "referral",
                Row::Adoption(AdoptionChange::Upsert(_)) => "adoption",
                Row::Adoption(AdoptionChange::Delete { .. }) => "deleted adoption",
                Row::User(UserChange::Delete { .. }) | Row::Referral(ReferralChange::Delete { .. }) => {
                    "deleted account"
                }
            },
        };
        *counts.entry(kind).or_default() += 1;
    }
    let expected = [
        ("adoption", 540),
        ("deleted adoption", 2),
        ("heartbeat", 12),
        ("referral", 216),
        ("tombstone", 1),
        ("user", 216),
    ];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), expected);
}

/// What an independent implementation of the rules computed from the same source.
#[derive(Deserialize)]
struct Expected {
    distributions: BTreeMap<u64, Distribution>,
    held: Vec<(u64, String)>,
}

#[derive(Deserialize)]
struct Distribution {
    account: String,
    total: String,
    effective_date: String,
}

#[test]
fn the_last_state_of_every_captured_adoption_is_what_the_source_held() {
    for (capture, expected) in [
        (INCIDENT, include_str!("../../../events/captures/ordering-incident.expected.json")),
        (
            INCIDENT_SNAPSHOT,
            include_str!("../../../events/captures/ordering-incident.snapshot.expected.json"),
        ),
        (REGIONS, include_str!("../../../events/captures/flattened-regions.expected.json")),
        (REGIONS_SNAPSHOT, include_str!("../../../events/captures/flattened-regions.snapshot.expected.json")),
    ] {
        let expected: Expected = serde_json::from_str(expected).expect("an expected state");
        let mut adoptions: BTreeMap<u64, AdoptionRow> = BTreeMap::new();
        for change in records(capture).iter().filter_map(Record::change) {
            match change.row {
                Row::Adoption(AdoptionChange::Upsert(row)) => {
                    adoptions.insert(row.order.get(), row);
                }
                Row::Adoption(AdoptionChange::Delete { order }) => {
                    assert!(adoptions.remove(&order.get()).is_some(), "order {order} was there");
                }
                _ => {}
            }
        }
        let mut known: Vec<u64> = expected.distributions.keys().copied().collect();
        known.extend(expected.held.iter().map(|(order, _)| order));
        known.sort_unstable();
        assert_eq!(adoptions.keys().copied().collect::<Vec<_>>(), known);
        for (order, distribution) in expected.distributions {
            let row = &adoptions[&order];
            let price = row.contribution_per_tree.expect("a captured price");
            let total = price.times(row.tree_count.get()).expect("a captured total");
            assert_eq!(row.account.as_str(), distribution.account, "order {order}");
            assert_eq!(total.to_string(), distribution.total, "order {order}");
            assert_eq!(row.adoption_date.next().to_string(), distribution.effective_date, "order {order}");
        }
    }
}

#[test]
fn the_business_date_of_created_at_is_the_adoption_date_the_source_had() {
    for record in captured().iter().filter(|record| record.topic == ORDERS) {
        let Some(Row::Adoption(AdoptionChange::Upsert(row))) = record.change().map(|change| change.row)
        else {
            continue;
        };
        let value = record.value.as_deref().expect("a row").replace("\"adoption_date\"", "\"not_the_date\"");
        let derived = Record { value: Some(value), ..record.clone() };
        assert_eq!(
            derived.change().map(|change| change.row),
            Some(Row::Adoption(AdoptionChange::Upsert(row)))
        );
    }
}

#[test]
fn a_capture_says_when_its_snapshot_ends() {
    for capture in [INCIDENT, REGIONS] {
        let phases: Vec<SnapshotPhase> =
            records(capture).iter().filter_map(Record::change).map(|change| change.snapshot).collect();
        let count = |wanted| phases.iter().filter(|&&phase| phase == wanted).count();
        assert_eq!(count(SnapshotPhase::Last), 1);
        assert_eq!(count(SnapshotPhase::LastOfCollection), 2);
        assert_eq!(count(SnapshotPhase::Unknown), 0);
        let end = phases.iter().position(|&phase| phase == SnapshotPhase::Last).expect("an end");
        assert!(phases[..end].iter().all(|&phase| phase != SnapshotPhase::Streaming));
        assert!(phases[end + 1..].iter().all(|&phase| phase == SnapshotPhase::Streaming));
        assert!(phases.len() > end + 1);
    }
}

#[test]
fn log_positions_and_times_are_those_of_the_source() {
    let changes: Vec<Change> = records(INCIDENT).iter().filter_map(Record::change).collect();
    assert_eq!(changes[0].version, SourceVersion { lsn: Some(44_232_848) });
    assert_eq!(changes[0].source_ts_ms, Some(1_795_167_685_063));
    assert!(changes.is_sorted_by_key(|change| change.version));
}

#[test]
fn captured_messages_decode_the_same_with_the_schema_wrapper() {
    for record in captured() {
        let wrapped = Record {
            topic: record.topic.clone(),
            key: record.key.as_deref().map(|key| wrap(&parse(key)).to_string()),
            value: record.value.as_deref().map(|value| wrap(&parse(value)).to_string()),
        };
        assert_eq!(wrapped.decode(&Profile::built_in()), record.decode(&Profile::built_in()));
    }
}

#[test]
fn no_outcome_repeats_a_phone_number() {
    for record in captured().iter().filter(|record| record.topic == USERS) {
        let value = record.value.as_deref().expect("a user");
        assert!(value.contains("\"1390000"));
        // As it is, and broken in each column the ledger reads.
        for broken in ["", "\"account_sequence\"", "\"status\"", "\"created_at\""] {
            let value = if broken.is_empty() {
                value.to_owned()
            } else {
                value.replace(&format!("{broken}:"), &format!("{broken}:[],\"shifted\":"))
            };
            let outcome = Record { value: Some(value), ..record.clone() }.decode(&Profile::built_in());
            assert_eq!(outcome.is_err(), !broken.is_empty(), "{broken}");
            let text = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
            assert!(!format!("{outcome:?} {text}").contains("1390000"));
        }
    }
}

// Messages made by hand.

fn parse(json: &str) -> Value {
    serde_json::from_str(json).expect("JSON")
}

/// An object with these fields, or these fields replaced.
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
        "adoption_id": "eba6dc04-ae38-4886-b6b7-5033900d7c74",
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

fn decode_value(topic: &str, value: &Value) -> Result<Decoded, Refusal> {
    decode(&Profile::built_in(), topic, None, Some(value.to_string().as_bytes()))
}

fn decode_delete(topic: &str, key: &str, value: &Value) -> Result<Row, Refusal> {
    let decoded =
        decode(&Profile::built_in(), topic, Some(key.as_bytes()), Some(value.to_string().as_bytes()));
    decoded.map(|decoded| match decoded {
        Decoded::Change(change) => change.row,
        Decoded::Control(control) => panic!("{control:?} is no change"),
    })
}

fn change(topic: &str, value: &Value) -> Change {
    match decode_value(topic, value) {
        Ok(Decoded::Change(change)) => change,
        other => panic!("{other:?} is no change, from {value}"),
    }
}

fn adoption(value: &Value) -> AdoptionRow {
    match change(ORDERS, value).row {
        Row::Adoption(AdoptionChange::Upsert(row)) => row,
        other => panic!("{other:?} is no adoption"),
    }
}

fn code(topic: &str, value: &Value) -> &'static str {
    decode_value(topic, value).expect_err("a refusal").code()
}

fn account(text: &str) -> AccountSequence {
    text.parse().expect("an account")
}

#[test]
fn an_adoption_has_every_column_the_rules_need() {
    let expected = AdoptionRow {
        order: OrderId::new(55).expect("an order"),
        account: account("D25122700018"),
        tree_count: TreeCount::new(2).expect("trees"),
        contribution_per_tree: Some("22617".parse().expect("an amount")),
        adoption_date: BusinessDate::new(2026, 1, 1).expect("a date"),
        status: "MINING_ENABLED".parse().expect("a status"),
        province: Some("110000".parse().expect("a region")),
        city: None,
    };
    assert_eq!(adoption(&order_row()), expected);
    assert_eq!(adoption(&envelope("c", &Value::Null, &order_row())), expected);
    assert_eq!(adoption(&envelope("u", &order_row(), &order_row())), expected);
}

#[test]
fn a_user_has_an_account_a_status_and_times() {
    let json = r#"{"tables": {"users": {"holds": "users", "columns": {"last_activity": ["seen_at"]}}}}"#;
    let profile = Profile::from_json(json).expect("a profile");
    let value = with(user_row(), &json!({"seen_at": 1_795_167_685_063_i64})).to_string();
    let time = |text: &str| text.parse::<DateTime<Utc>>().ok();
    let Ok(Decoded::Change(change)) = decode(&profile, "users", None, Some(value.as_bytes())) else {
        panic!("a user is a change")
    };
    let row = UserRow {
        account: account("D25122700001"),
        status: Some("ACTIVE".to_owned()),
        created_at: time("2026-11-20T09:41:21.795564Z"),
        last_activity: time("2026-11-20T09:41:25.063Z"),
    };
    assert_eq!(change.row, Row::User(UserChange::Upsert(row)));
}

#[test]
fn a_referrer_that_is_null_or_empty_makes_a_root_and_a_missing_column_does_not() {
    for (referrer, expected) in
        [(json!("D25122700006"), Some(account("D25122700006"))), (json!(null), None), (json!(""), None)]
    {
        let value = with(referral_row(), &json!({"referrer_account_sequence": referrer}));
        let expected = ReferralChange::Upsert { account: account("D25122700007"), referrer: expected };
        assert_eq!(change(REFERRALS, &value).row, Row::Referral(expected));
    }
    assert_eq!(code(REFERRALS, &without(referral_row(), "referrer_account_sequence")), "MISSING_FIELD");
}

#[test]
fn nobody_refers_themselves() {
    let value = with(referral_row(), &json!({"referrer_account_sequence": "D25122700007"}));
    assert_eq!(code(REFERRALS, &value), "SELF_REFERRAL");
}

#[test]
fn orders_trees_and_prices_outside_their_limits_are_refused() {
    for (field, values) in [
        ("order_id", vec![json!(0), json!(-1), json!(1.5), json!("x"), json!(u64::MAX), json!(true)]),
        ("tree_count", vec![json!(0), json!(-2), json!(4_294_967_296_u64), json!("2.5"), json!([])]),
        ("contribution_per_tree", vec![json!(-1), json!("1e18"), json!("0.00000000001"), json!("NaN")]),
        ("account_sequence", vec![json!("a b"), json!("CITY"), json!(7)]),
        ("status", vec![json!("x".repeat(41)), json!("a\nb"), json!(1)]),
        ("selected_city", vec![json!("长沙"), json!("4".repeat(21)), json!({})]),
        ("adoption_date", vec![json!(-1), json!("soon"), json!(false)]),
    ] {
        for value in values {
            let refusal = decode_value(ORDERS, &with(order_row(), &json!({field: value})))
                .expect_err("a value outside its limits");
            assert!(
                matches!(&refusal, Refusal::InvalidField { field: named, .. } if named == field),
                "{field} = {value}: {refusal}"
            );
        }
    }
}

#[test]
fn a_needed_column_that_is_absent_null_or_empty_is_named() {
    for field in ["order_id", "account_sequence", "tree_count", "status"] {
        for value in [without(order_row(), field), with(order_row(), &json!({field: null}))] {
            let refusal = decode_value(ORDERS, &value).expect_err("a missing column");
            assert_eq!(refusal.code(), "MISSING_FIELD");
            assert!(refusal.to_string().contains(field), "{refusal}");
        }
    }
    assert_eq!(code(ORDERS, &with(order_row(), &json!({"account_sequence": ""}))), "MISSING_FIELD");
    // A date that is null is not replaced by another column's.
    assert_eq!(code(ORDERS, &with(order_row(), &json!({"adoption_date": null}))), "MISSING_FIELD");
}

#[test]
fn numbers_may_come_as_text() {
    let value = with(order_row(), &json!({"order_id": "55", "tree_count": "2"}));
    assert_eq!(adoption(&value), adoption(&order_row()));
}

#[test]
fn a_price_that_the_source_does_not_have_is_left_to_the_rules() {
    for value in [
        without(order_row(), "contribution_per_tree"),
        with(order_row(), &json!({"contribution_per_tree": null})),
    ] {
        assert_eq!(adoption(&value).contribution_per_tree, None);
    }
}

#[test]
fn an_adoption_too_late_for_the_dates_that_follow_from_it_is_refused() {
    let dated = |date: &str| with(order_row(), &json!({ "adoption_date": date }));
    assert_eq!(adoption(&dated("9880-12-31")).adoption_date, BusinessDate::LAST_ADOPTION);
    assert_eq!(code(ORDERS, &dated("9881-01-01")), "INVALID_FIELD");
}

#[test]
fn the_flattened_deployment_needs_neither_price_nor_date_nor_position() {
    let value = json!({
        "order_id": 55,
        "account_sequence": "D25122700018",
        "tree_count": 2,
        "status": "PAID",
        "selected_province": "110000",
        "selected_city": "110100",
        "created_at": 1_767_205_320_000_i64,
        "__op": "u",
        "__table": "planting_orders",
        "__source_ts_ms": 1_795_167_733_961_i64,
        "__deleted": "false",
    });
    let change = change(DEPLOYMENT_ORDERS, &value);
    assert_eq!(change.version, SourceVersion { lsn: None });
    assert_eq!(change.source_ts_ms, Some(1_795_167_733_961));
    assert_eq!(change.snapshot, SnapshotPhase::Streaming);
    let Row::Adoption(AdoptionChange::Upsert(row)) = change.row else { panic!("an adoption") };
    assert_eq!(row.adoption_date.to_string(), "2026-01-01");
    assert_eq!(row.contribution_per_tree, None);
}

#[test]
fn the_snapshot_marker_may_be_text_boolean_or_absent() {
    use SnapshotPhase::{Last, LastOfCollection, Reading, Streaming, Unknown};

    for (operation, marker, phase) in [
        ("r", json!("true"), Reading),
        ("r", json!(true), Reading),
        ("r", json!("first"), Reading),
        ("r", json!("first_in_data_collection"), Reading),
        ("r", json!("last_in_data_collection"), LastOfCollection),
        ("r", json!("last"), Last),
        ("r", json!("incremental"), Streaming),
        ("r", json!(null), Reading),
        ("c", json!("false"), Streaming),
        ("c", json!(false), Streaming),
        ("u", json!(null), Streaming),
    ] {
        let mut enveloped = envelope(operation, &Value::Null, &order_row());
        enveloped["source"]["snapshot"] = marker.clone();
        assert_eq!(change(ORDERS, &enveloped).snapshot, phase, "{operation} {marker}");
        let flattened = with(order_row(), &json!({"__op": operation, "__source_snapshot": marker}));
        assert_eq!(change(ORDERS, &flattened).snapshot, phase, "{operation} {marker}");
    }
    assert_eq!(change(ORDERS, &order_row()).snapshot, Unknown);
    assert_eq!(change(ORDERS, &with(order_row(), &json!({"__op": "r"}))).snapshot, Reading);
    assert_eq!(code(ORDERS, &with(order_row(), &json!({"__source_snapshot": "soon"}))), "INVALID_FIELD");
}

#[test]
fn any_subset_of_the_added_fields_will_do() {
    let added = [
        ("__op", json!("c")),
        ("__table", json!("planting_orders")),
        ("__lsn", json!(7)),
        ("__source_ts_ms", json!(8)),
        ("__source_snapshot", json!("false")),
        ("__deleted", json!("false")),
    ];
    for subset in 0..1 << added.len() {
        let chosen = added.iter().enumerate().filter(|(index, _)| subset & (1 << index) != 0);
        let fields: Map<String, Value> =
            chosen.map(|(_, (name, value))| ((*name).to_owned(), value.clone())).collect();
        let change = change(ORDERS, &with(order_row(), &Value::Object(fields.clone())));
        assert_eq!(change.row, Row::Adoption(AdoptionChange::Upsert(adoption(&order_row()))));
        assert_eq!(change.version.lsn, fields.contains_key("__lsn").then_some(7));
        assert_eq!(change.source_ts_ms, fields.contains_key("__source_ts_ms").then_some(8));
    }
}

#[test]
fn a_deleted_order_is_named_by_what_it_was_or_by_the_key() {
    let deleted = Row::Adoption(AdoptionChange::Delete { order: OrderId::new(27).expect("an order") });
    let placeholder = json!({"order_id": 27, "account_sequence": "", "tree_count": 0, "status": ""});
    let key = r#"{"order_id":27}"#;
    for (key, before) in [
        ("null", placeholder),
        (key, json!(null)),
        (key, json!({})),
        (key, json!({"order_id": 0})),
        (key, json!({"order_id": null})),
        (r#"{"schema":null,"payload":{"order_id":27}}"#, json!(null)),
        ("27", json!(null)),
        (r#""27""#, json!(null)),
        ("Struct{order_id=27}", json!({"order_id": 27})),
    ] {
        let value = envelope("d", &before, &Value::Null);
        assert_eq!(decode_delete(ORDERS, key, &value), Ok(deleted.clone()), "{key} {before}");
        assert_eq!(decode_delete(ORDERS, key, &without(value, "after")), Ok(deleted.clone()));
    }
    for flags in [
        json!({"__deleted": "true"}),
        json!({"__deleted": true}),
        json!({"__op": "d"}),
        json!({"__op": "d", "__deleted": "true"}),
    ] {
        let value = with(json!({"order_id": 27, "account_sequence": "", "tree_count": 0}), &flags);
        assert_eq!(decode_delete(ORDERS, "null", &value), Ok(deleted.clone()), "{flags}");
    }
}

#[test]
fn a_deleted_order_that_nothing_names_is_refused() {
    let value = envelope("d", &Value::Null, &Value::Null);
    for key in ["null", "{}", "0", "x", r#"{"id":"df4dde3e-decc-422f-9f43-7a3f8b2d0ba7"}"#, "[27]", ""] {
        assert_eq!(decode_delete(ORDERS, key, &value), Err(Refusal::DeleteWithoutKey), "{key}");
    }
    assert_eq!(code(ORDERS, &value), "DELETE_WITHOUT_KEY");
}

#[test]
fn a_deleted_account_is_named_by_what_it_was_or_the_table_needs_a_replica_identity() {
    let key = r#"{"id":"df4dde3e-decc-422f-9f43-7a3f8b2d0ba7"}"#;
    let before = envelope("d", &referral_row(), &Value::Null);
    let placeholder = with(referral_row(), &json!({"account_sequence": ""}));
    let deleted = Row::Referral(ReferralChange::Delete { account: account("D25122700007") });
    assert_eq!(decode_delete(REFERRALS, key, &before), Ok(deleted.clone()));
    let by_account = r#"{"account_sequence":"D25122700007"}"#;
    assert_eq!(decode_delete(REFERRALS, by_account, &envelope("d", &Value::Null, &Value::Null)), Ok(deleted));
    // A bare UUID is written like an account, and is none.
    for key in [key, r#""df4dde3e-decc-422f-9f43-7a3f8b2d0ba7""#] {
        for before in [&placeholder, &Value::Null] {
            let value = envelope("d", before, &Value::Null);
            for topic in [USERS, REFERRALS] {
                let refusal = decode_delete(topic, key, &value).expect_err("no account");
                assert_eq!(refusal.code(), "REPLICA_IDENTITY_FULL_NEEDED");
                assert!(refusal.to_string().contains("REPLICA IDENTITY FULL"));
            }
        }
    }
}

#[test]
fn records_without_a_row_change_nothing() {
    let heartbeat = json!({"ts_ms": 1_795_167_685_552_i64});
    let at = Control::Heartbeat { source_ts_ms: 1_795_167_685_552 };
    let transaction = json!({"status": "BEGIN", "id": "571", "event_count": null, "ts_ms": 1});
    let message = json!({
        "op": "m", "ts_ms": 1, "source": {"snapshot": "false"}, "message": {"prefix": "p", "content": "AA=="},
    });
    let null = json!({"schema": null, "payload": null});
    for (topic, value, control) in [
        ("__debezium-heartbeat.dbserver1", heartbeat.clone(), at),
        ("__debezium-heartbeat.dbserver1", wrap(&heartbeat), at),
        ("dbserver1.transaction", transaction, Control::TransactionBoundary),
        ("dbserver1.message", message.clone(), Control::LogicalMessage),
        (ORDERS, message, Control::LogicalMessage),
        (ORDERS, json!(null), Control::Tombstone),
        (ORDERS, null, Control::Tombstone),
    ] {
        assert_eq!(decode_value(topic, &value), Ok(Decoded::Control(control)), "{topic} {value}");
    }
    for value in [None, Some(&b""[..])] {
        let tombstone = decode(&Profile::built_in(), ORDERS, Some(b"{\"order_id\":27}"), value);
        assert_eq!(tombstone, Ok(Decoded::Control(Control::Tombstone)));
    }
}

#[test]
fn a_truncated_table_is_refused() {
    assert_eq!(code(ORDERS, &envelope("t", &Value::Null, &Value::Null)), "TRUNCATE");
    assert_eq!(code(ORDERS, &json!({"__op": "t", "__deleted": "false"})), "TRUNCATE");
}

#[test]
fn messages_that_are_none_are_refused_by_what_is_wrong_with_them() {
    let built_in = Profile::built_in();
    let refused = |topic: &str, value: &[u8]| {
        decode(&built_in, topic, None, Some(value)).expect_err("a refusal").code()
    };
    assert_eq!(refused("dbserver1.other", b"{}"), "UNKNOWN_TOPIC");
    assert_eq!(decode(&built_in, "other", None, None).expect_err("a refusal").code(), "UNKNOWN_TOPIC");
    for value in [&b"{"[..], b"\xff", b"Struct{order_id=1}", b"{\"order_id\":1}x", b"{\"a\":\"\xff\"}", b"01"]
    {
        assert_eq!(refused(ORDERS, value), "MALFORMED_JSON", "{value:?}");
    }
    for value in [&b"[]"[..], b"1", b"\"text\"", b"true", b"{\"\\ud800\":1}"] {
        assert_eq!(refused(ORDERS, value), "INVALID_MESSAGE", "{value:?}");
    }
    assert_eq!(refused(ORDERS, b"{\"schema\":7,\"payload\":{}}"), "INVALID_FIELD");
    assert_eq!(refused("__debezium-heartbeat.x", b"{}"), "MISSING_FIELD");
    assert_eq!(code(ORDERS, &envelope("x", &Value::Null, &order_row())), "INVALID_FIELD");
    assert_eq!(code(ORDERS, &without(envelope("c", &Value::Null, &order_row()), "op")), "MISSING_FIELD");
    assert_eq!(code(ORDERS, &envelope("c", &order_row(), &Value::Null)), "MISSING_FIELD");
    assert_eq!(code(ORDERS, &envelope("c", &Value::Null, &json!(7))), "INVALID_FIELD");
}

#[test]
fn a_deeply_nested_message_is_read_without_recursion() {
    let nested = format!("{{\"before\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let refusal = decode(&Profile::built_in(), ORDERS, None, Some(nested.as_bytes()));
    assert_eq!(refusal.expect_err("no operation").code(), "MISSING_FIELD");
    let schema = format!("{}{}", "{\"fields\":[".repeat(100_000), "]}".repeat(100_000));
    let wrapped = format!("{{\"schema\":{schema},\"payload\":{{}}}}");
    let refusal = decode(&Profile::built_in(), ORDERS, None, Some(wrapped.as_bytes()));
    assert_eq!(refusal.expect_err("too deep a schema").code(), "INVALID_FIELD");
}

#[test]
fn an_update_that_leaves_out_a_long_value_does_not_invent_one() {
    let unavailable = "__debezium_unavailable_value";
    for field in ["account_sequence", "status", "contribution_per_tree", "adoption_date"] {
        let value = with(order_row(), &json!({field: unavailable}));
        assert_eq!(code(ORDERS, &value), "INVALID_FIELD", "{field}");
    }
}

// Schemas, of the shape JsonConverter gives them.

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
    // A null says nothing of its type; columns take theirs from their name below.
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

// Every combination of formats.

#[derive(Debug, Clone, Copy)]
enum Shape {
    Envelope,
    Flattened,
    FlattenedWithoutFields,
}

#[derive(Debug, Clone, Copy)]
enum Decimals {
    Base64,
    VariableScale,
    Text,
    Number,
    Exponent,
}

#[derive(Debug, Clone, Copy)]
enum Dates {
    Days,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    Text,
    Zoned,
}

#[derive(Debug, Clone, Copy)]
struct Format {
    wrapped: bool,
    shape: Shape,
    decimals: Decimals,
    dates: Dates,
    boolean_snapshot: bool,
}

fn formats() -> impl Strategy<Value = Format> {
    let shapes =
        prop_oneof![Just(Shape::Envelope), Just(Shape::Flattened), Just(Shape::FlattenedWithoutFields)];
    let decimals = prop_oneof![
        Just(Decimals::Base64),
        Just(Decimals::VariableScale),
        Just(Decimals::Text),
        Just(Decimals::Number),
        Just(Decimals::Exponent),
    ];
    let dates = prop_oneof![
        Just(Dates::Days),
        Just(Dates::Milliseconds),
        Just(Dates::Microseconds),
        Just(Dates::Nanoseconds),
        Just(Dates::Text),
        Just(Dates::Zoned),
    ];
    (any::<bool>(), shapes, decimals, dates, any::<bool>()).prop_map(
        |(wrapped, shape, decimals, dates, boolean_snapshot)| Format {
            wrapped,
            shape,
            decimals,
            dates,
            boolean_snapshot,
        },
    )
}

fn accounts() -> impl Strategy<Value = AccountSequence> {
    "D[0-9]{11}".prop_map(|text| account(&text))
}

fn adoptions() -> impl Strategy<Value = AdoptionRow> {
    let regions = || proptest::option::of("[0-9]{6}".prop_map(|text| text.parse().expect("a region")));
    let prices = proptest::option::of(
        (0..10_i128.pow(28)).prop_map(|units| Amount::from_units(units).expect("an amount")),
    );
    // 1974 to 2261, where every unit of every format holds.
    let dates =
        (1461..106_000_i64).prop_map(|days| BusinessDate::from_days_since_epoch(days).expect("a date"));
    let orders = (1..=OrderId::MAX.get()).prop_map(|number| OrderId::new(number).expect("an order"));
    let trees = (1..=u32::MAX).prop_map(|count| TreeCount::new(count).expect("trees"));
    let statuses = "[A-Z_]{1,20}".prop_map(|text| text.parse().expect("a status"));
    (orders, accounts(), trees, prices, dates, statuses, regions(), regions()).prop_map(
        |(order, account, tree_count, contribution_per_tree, adoption_date, status, province, city)| {
            AdoptionRow {
                order,
                account,
                tree_count,
                contribution_per_tree,
                adoption_date,
                status,
                province,
                city,
            }
        },
    )
}

/// A row and the schema of its fields, as text, because numbers of more digits than a double's are
/// not for a tree of values.
fn encode_adoption(row: &AdoptionRow, format: Format, seconds: u32) -> Vec<(&'static str, String, Value)> {
    let text = |text: &str| json!(text).to_string();
    let string = || json!({"type": "string", "optional": true});
    let region = |code: Option<&str>| code.map_or("null".to_owned(), text);
    let (price, price_schema) = encode_price(row.contribution_per_tree, format.decimals);
    let (date, date_schema) = encode_date(row.adoption_date, format.dates, seconds);
    vec![
        ("order_id", row.order.to_string(), json!({"type": "int64"})),
        ("account_sequence", text(row.account.as_str()), string()),
        ("tree_count", row.tree_count.to_string(), json!({"type": "int64"})),
        ("contribution_per_tree", price, price_schema),
        ("adoption_date", date, date_schema),
        ("status", text(row.status.as_str()), string()),
        ("selected_province", region(row.province.as_ref().map(domain::RegionCode::as_str)), string()),
        ("selected_city", region(row.city.as_ref().map(domain::RegionCode::as_str)), string()),
    ]
}

fn encode_price(price: Option<Amount>, decimals: Decimals) -> (String, Value) {
    let units = price.unwrap_or_default().units();
    let base64 = STANDARD.encode(units.to_be_bytes());
    let (json, schema) = match decimals {
        Decimals::Base64 => (
            format!("\"{base64}\""),
            json!({
                "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "version": 1,
                "parameters": {"scale": "10"},
            }),
        ),
        Decimals::VariableScale => (
            format!("{{\"scale\":10,\"value\":\"{base64}\"}}"),
            json!({"type": "struct", "name": "io.debezium.data.VariableScaleDecimal", "fields": []}),
        ),
        Decimals::Text => (format!("\"{}\"", price.unwrap_or_default()), json!({"type": "string"})),
        Decimals::Number => (price.unwrap_or_default().to_string(), json!({"type": "double"})),
        Decimals::Exponent => (format!("{units}E-10"), json!({"type": "double"})),
    };
    (if price.is_some() { json } else { "null".to_owned() }, schema)
}

/// Encodes a business date as it is, or as an instant on it.
fn encode_date(date: BusinessDate, dates: Dates, seconds: u32) -> (String, Value) {
    let day = NaiveDate::from(date);
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0).expect("a time of day");
    // Business time had summers until 1991: an hour that a clock skipped is read an hour later.
    let local = day.and_time(time);
    let at = |local: chrono::NaiveDateTime| local.and_local_timezone(chrono_tz::Asia::Shanghai).earliest();
    let instant =
        at(local).or_else(|| at(local + chrono::TimeDelta::hours(1))).expect("an instant of the day");
    let logical = |primitive: &str, name: &str| json!({"type": primitive, "name": name, "version": 1});
    match dates {
        Dates::Days => {
            let days = day.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days();
            (days.to_string(), logical("int32", "io.debezium.time.Date"))
        }
        Dates::Milliseconds => {
            (instant.timestamp_millis().to_string(), logical("int64", "io.debezium.time.Timestamp"))
        }
        Dates::Microseconds => {
            (instant.timestamp_micros().to_string(), logical("int64", "io.debezium.time.MicroTimestamp"))
        }
        Dates::Nanoseconds => {
            let nanoseconds = instant.timestamp_nanos_opt().expect("before 2262");
            (nanoseconds.to_string(), logical("int64", "io.debezium.time.NanoTimestamp"))
        }
        Dates::Text => (format!("\"{date}\""), logical("string", "io.debezium.time.IsoDate")),
        Dates::Zoned => {
            (format!("\"{}\"", instant.to_rfc3339()), logical("string", "io.debezium.time.ZonedTimestamp"))
        }
    }
}

/// Puts fields into a message of the shape the format asks for.
fn encode_message(mut fields: Vec<(&'static str, String, Value)>, format: Format) -> Vec<u8> {
    let string = || json!({"type": "string", "optional": true});
    let long = || json!({"type": "int64", "optional": true});
    let snapshot = if format.boolean_snapshot { "true" } else { "\"true\"" };
    let object = |fields: &[(&str, String, Value)]| {
        let fields: Vec<String> =
            fields.iter().map(|(name, value, _)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    let schema = |fields: &[(&str, String, Value)]| {
        let fields: Vec<Value> =
            fields.iter().map(|(name, _, schema)| with(schema.clone(), &json!({"field": name}))).collect();
        json!({"type": "struct", "optional": true, "fields": fields})
    };
    let fields = match format.shape {
        Shape::FlattenedWithoutFields => fields,
        Shape::Flattened => {
            fields.push(("__op", "\"r\"".to_owned(), string()));
            fields.push(("__lsn", "7".to_owned(), long()));
            fields.push(("__source_ts_ms", "8".to_owned(), long()));
            fields.push(("__source_snapshot", snapshot.to_owned(), string()));
            fields
        }
        Shape::Envelope => {
            let source = format!("{{\"lsn\":7,\"ts_ms\":8,\"snapshot\":{snapshot}}}");
            vec![
                ("before", "null".to_owned(), schema(&fields)),
                ("after", object(&fields), schema(&fields)),
                ("source", source, json!({"type": "struct", "fields": []})),
                ("op", "\"r\"".to_owned(), string()),
            ]
        }
    };
    if format.wrapped {
        format!("{{\"schema\":{},\"payload\":{}}}", schema(&fields), object(&fields)).into_bytes()
    } else {
        object(&fields).into_bytes()
    }
}

fn expect_decoded(topic: &str, message: &[u8], format: Format) -> Change {
    let decoded = decode(&Profile::built_in(), topic, None, Some(message));
    let Ok(Decoded::Change(change)) = decoded else {
        panic!("{decoded:?} from {}", String::from_utf8_lossy(message))
    };
    let (version, time, snapshot) = match format.shape {
        Shape::Envelope | Shape::Flattened => (Some(7), Some(8), SnapshotPhase::Reading),
        Shape::FlattenedWithoutFields => (None, None, SnapshotPhase::Unknown),
    };
    assert_eq!((change.version.lsn, change.source_ts_ms, change.snapshot), (version, time, snapshot));
    change
}

proptest! {
    #[test]
    fn an_adoption_reads_back_from_every_format(
        row in adoptions(),
        format in formats(),
        seconds in 0..86_400_u32,
    ) {
        let message = encode_message(encode_adoption(&row, format, seconds), format);
        let change = expect_decoded(ORDERS, &message, format);
        prop_assert_eq!(change.row, Row::Adoption(AdoptionChange::Upsert(row)));
    }

    #[test]
    fn a_referral_reads_back_from_every_format(
        account in accounts(),
        referrer in proptest::option::of(accounts()),
        format in formats(),
    ) {
        prop_assume!(referrer.as_ref() != Some(&account));
        let string = || json!({"type": "string"});
        let text = referrer.as_ref().map_or("null".to_owned(), |referrer| format!("\"{referrer}\""));
        let fields = vec![
            ("account_sequence", format!("\"{account}\""), string()),
            ("referrer_account_sequence", text, string()),
        ];
        let change = expect_decoded(REFERRALS, &encode_message(fields, format), format);
        prop_assert_eq!(change.row, Row::Referral(ReferralChange::Upsert { account, referrer }));
    }

    #[test]
    fn a_user_reads_back_from_every_format(
        account in accounts(),
        status in proptest::option::of("[A-Z]{1,20}"),
        milliseconds in proptest::option::of(126_230_400_000..9_000_000_000_000_i64),
        format in formats(),
    ) {
        let string = || json!({"type": "string"});
        let null = || "null".to_owned();
        let created_at = milliseconds.and_then(DateTime::from_timestamp_millis);
        let time = created_at.map_or_else(null, |time| match format.dates {
            Dates::Days | Dates::Milliseconds => time.timestamp_millis().to_string(),
            Dates::Microseconds | Dates::Nanoseconds => time.timestamp_micros().to_string(),
            Dates::Text => format!("\"{}\"", time.naive_utc()),
            Dates::Zoned => format!("\"{}\"", time.to_rfc3339()),
        });
        let fields = vec![
            ("account_sequence", format!("\"{account}\""), string()),
            ("phone", "\"13900000001\"".to_owned(), string()),
            ("status", status.as_ref().map_or_else(null, |status| format!("\"{status}\"")), string()),
            ("created_at", time, string()),
        ];
        let change = expect_decoded(USERS, &encode_message(fields, format), format);
        let row = UserRow { account, status, created_at, last_activity: None };
        prop_assert_eq!(change.row, Row::User(UserChange::Upsert(row)));
    }
}

// Garbage.

const TOPICS: [&str; 6] = [
    USERS,
    ORDERS,
    REFERRALS,
    "__debezium-heartbeat.dbserver1",
    "dbserver1.transaction",
    "dbserver1.message",
];

fn never_panics(topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) {
    if let Err(refusal) = decode(&Profile::built_in(), topic, key, value) {
        assert!(!refusal.to_string().is_empty() && !refusal.code().is_empty());
    }
}

/// JSON made of the names and values that lead deep into the decoder, and of others.
fn plausible_json() -> impl Strategy<Value = Value> {
    let names = || {
        prop_oneof![
            proptest::sample::select(vec![
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
            ])
            .prop_map(str::to_owned),
            any::<String>(),
        ]
    };
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2..70_i64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        proptest::sample::select(vec![
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
        ])
        .prop_map(Value::from),
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
        thread_local!(static CAPTURED: Vec<Record> = captured());
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
        thread_local!(static CAPTURED: Vec<Record> = captured());
        CAPTURED.with(|captured| {
            let record = index.get(captured);
            let mut value = record.value.as_deref().map_or(Value::Null, parse);
            if wrapped && value.is_object() {
                value = wrap(&value);
            }
            replace_nth(&mut value, &mut place.clone(), &replacement);
            let key = record.key.as_deref().map(str::as_bytes);
            never_panics(&record.topic, key, Some(value.to_string().as_bytes()));
        });
    }
}
