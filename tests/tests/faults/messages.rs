//! What a message says (faults 9 to 15, 22, 23 and 32).

use end_to_end::source::{ORDERS, REFERRALS, Source, USERS, paid};
use end_to_end::{Harness, Options, Shuffle, kafka_event, ledger};
use serde_json::{Value, json};

use crate::{assert_held, assert_posted, fed, in_any_order, in_order, two_accounts};

#[tokio::test]
async fn what_is_no_number_is_refused_as_a_price_and_never_read_as_bytes() {
    for price in ["Infinity", "NULL", "None", "TRUE", "CNY22617", "NaN", "free"] {
        let mut source = two_accounts();
        let order = source.order(11, "BELOW", 2).with("contribution_per_tree", json!(price));
        source.write(&order);
        let ledger = in_order(&source).await;
        assert_posted(&ledger, &[]);
        assert_held(&ledger, &[(11, "INVALID_TERMS")]);
    }
}

#[tokio::test]
async fn what_is_no_date_of_the_calendar_holds_its_order_alone() {
    // Infinity in days and in microseconds, seconds, and a date written as a number.
    for date in
        [json!(2_147_483_647), json!(9_223_372_036_854_775_807_i64), json!("infinity"), json!(20_260_103)]
    {
        let mut source = two_accounts();
        let orders =
            [source.order(11, "BELOW", 2).with("adoption_date", date.clone()), source.order(12, "BELOW", 1)];
        for order in orders {
            source.write(&order);
        }
        let ledger = in_order(&source).await;
        assert_posted(&ledger, &[(12, "22617.0000000000")]);
        assert_held(&ledger, &[(11, "INVALID_TERMS")]);
    }
}

#[tokio::test]
async fn rows_and_deletes_of_another_table_change_nothing_and_are_quarantined() {
    let mut source = two_accounts();
    let user =
        source.insert(USERS, json!({ "id": 11 }), json!({ "account_sequence": "TOP", "status": "ACTIVE" }));
    source.write(&user);
    let order = source.order(11, "BELOW", 2);
    let of_the_orders = source.write(&order);
    source.records.pop();
    let deleted = source.insert(ORDERS, json!({ "id": 11 }), paid(11, "BELOW", 2)).deleting();
    let delete = source.write(&deleted);
    source.records.pop();
    for record in [of_the_orders, delete] {
        source.append(USERS, 0, record.key, record.value);
    }
    let (harness, ledger) = fed(&source, Options::default()).await;
    assert_posted(&ledger, &[]);
    let (quarantined, _) = store::quarantine::read(harness.engine(), None, 10).await.expect("readable");
    let codes: Vec<&str> = quarantined.iter().map(|record| record.code.as_str()).collect();
    assert_eq!(codes, ["OTHER_TABLE", "OTHER_TABLE"]);
    let top = "TOP".parse().expect("an account");
    let users = store::users::read(harness.engine(), vec![top]).await.expect("readable");
    assert!(users.values().all(|rows| rows.user().is_some()), "{users:?}");
}

#[tokio::test]
async fn columns_that_decide_nothing_hold_nothing() {
    let mut source = Source::new();
    let root = source.referral("TOP       ", Some("          "));
    source.write(&root);
    let below = source.referral("BELOW     ", Some("TOP       "));
    source.write(&below);
    let user = source.insert(
        USERS,
        json!({ "id": 1 }),
        json!({ "account_sequence": "TOP", "status": "ACTIVE", "created_at": 9_223_372_036_825_200_000_i64 }),
    );
    source.write(&user);
    let orders = [
        source.order(11, "BELOW     ", 1).with("status", json!("PAID                ")),
        source.order(12, "BELOW", 1).with("selected_province", json!("CN-HN")),
        source.order(13, "BELOW", 1).with("selected_province", json!("湖南省")),
        source.order(14, "BELOW", 1).with("selected_province", json!("x".repeat(65))),
        source.order(15, "BELOW", 1).with("contribution_per_tree", json!("22617.00000000009")),
    ];
    for order in orders {
        source.write(&order);
    }
    let ledger = in_any_order(&source).await;
    let (harness, _) = fed(&source, Options::default()).await;
    let (listed, _) = store::quarantine::read(harness.engine(), None, 10).await.expect("readable");
    let listed: Vec<(&str, Option<&str>)> =
        listed.iter().map(|record| (record.code.as_str(), record.order.as_deref())).collect();
    assert_eq!(listed, [("REGION_DROPPED", Some("14"))]);
    let total = "22617.0000000000";
    assert_posted(&ledger, &[(11, total), (12, total), (13, total), (14, total), (15, total)]);
    assert_eq!(ledger["system"]["PROVINCE:CN-HN"], "226.1700000000");
    assert_eq!(ledger["system"]["PROVINCE:湖南省"], "226.1700000000");
    // Without a code: 11, 14 and 15.
    assert_eq!(ledger["system"]["PROVINCE"], "678.5100000000");
    assert_eq!(ledger["accounts"]["BELOW"]["has_adopted"], true);
}

#[tokio::test]
async fn a_row_that_nothing_can_be_known_by_stands_and_is_listed_with_its_column_and_profile() {
    let mut source = two_accounts();
    let order = source.insert(ORDERS, json!({ "id": 7 }), paid(11, "BELOW", 2));
    source.write(&order);
    for number in [json!(-11), json!(null), json!("eleven")] {
        let renumbered = source.insert(ORDERS, json!({ "id": 7 }), paid(11, "BELOW", 2));
        let renumbered = renumbered.with("order_id", number).updating(order.after.clone());
        source.write(&renumbered);
    }
    let nowhere = source.referral("LOST", Some("no one here"));
    source.write(&nowhere);
    let of_nowhere = source.order(12, "LOST", 1);
    source.write(&of_nowhere);
    let ledger = in_any_order(&source).await;
    assert_posted(&ledger, &[]);
    assert_held(&ledger, &[(12, "NO_REFERRAL")]);
    let (harness, _) = fed(&source, Options::default()).await;
    let (listed, _) = store::quarantine::read(harness.engine(), None, 10).await.expect("readable");
    assert_eq!(listed.len(), 4, "{listed:?}");
    for record in listed {
        assert_eq!(record.code, "UNUSABLE_ROW");
        assert!(record.message.contains("built-in"), "{}", record.message);
        assert!(!record.message.contains("eleven") && !record.message.contains("no one here"));
    }
}

#[tokio::test]
async fn no_record_fails_for_its_timestamp_or_its_headers() {
    let mut source = two_accounts();
    let order = source.order(11, "BELOW", 2);
    source.write(&order);
    let metadata = [
        ("timestamp", json!(-1)),
        ("timestamp", json!(9_223_372_036_854_775_807_i64)),
        ("timestamp", json!(-9_223_372_036_854_775_808_i64)),
        ("timestamp", json!(1_796_040_000_000.5)),
        ("timestamp", json!("soon")),
        ("timestamp", Value::Null),
        ("headers", Value::Null),
        ("headers", json!([{ "source": Value::Null }])),
        ("headers", json!([{ "source": [200, 255, -56] }])),
    ];
    for (member, value) in metadata {
        let harness = Harness::new(Options::default());
        let mut event = kafka_event(&source.records);
        for record in records_of(&mut event) {
            record[member] = value.clone();
        }
        let answer = harness.ingest(event.clone()).await;
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })), "{member} {value}");
        for record in records_of(&mut event) {
            record.as_object_mut().expect("a record").remove(member);
        }
        assert_eq!(harness.ingest(event).await, Ok(json!({ "batchItemFailures": [] })), "without {member}");
        harness.settle().await;
        assert_posted(&ledger(harness.engine()).await, &[(11, "45234.0000000000")]);
    }
}

fn records_of(event: &mut Value) -> impl Iterator<Item = &mut Value> {
    let partitions = event["records"].as_object_mut().expect("partitions");
    partitions.values_mut().flat_map(|records| records.as_array_mut().expect("records"))
}

#[tokio::test]
async fn a_commit_of_another_unit_or_age_neither_fails_a_batch_nor_opens_the_price_book() {
    for ts_ms in [i64::MIN, -1, 0, 1_796_040_000_000_000, i64::MAX] {
        let mut source = two_accounts();
        let orders = [
            source.order(11, "BELOW", 2).with("contribution_per_tree", Value::Null),
            source.order(12, "BELOW", 1).at_ms(ts_ms),
        ];
        for order in orders {
            source.write(&order);
        }
        let harness = Harness::new(Options::default());
        let answer = harness.ingest(kafka_event(&source.records)).await;
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })), "{ts_ms}");
        harness.settle().await;
        assert_posted(&ledger(harness.engine()).await, &[(12, "22617.0000000000")]);
        harness.reach_ends(&source.records).await;
        harness.settle().await;
        let both = [(11, "45234.0000000000"), (12, "22617.0000000000")];
        assert_posted(&ledger(harness.engine()).await, &both);
    }
}

#[tokio::test]
async fn an_order_without_a_price_whose_commit_lies_in_the_far_future_does_not_block_the_price_book() {
    let mut source = two_accounts();
    let far = source.order(11, "BELOW", 1).with("contribution_per_tree", Value::Null).at_ms(i64::MAX - 9);
    source.write(&far);
    let next = source.order(12, "BELOW", 1).with("contribution_per_tree", Value::Null);
    source.write(&next);
    let harness = Harness::new(Options::default());
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    harness.pass(chrono::TimeDelta::minutes(1));
    harness.reach_ends(&source.records).await;
    harness.settle().await;
    let both = [(11, "22617.0000000000"), (12, "22617.0000000000")];
    assert_posted(&ledger(harness.engine()).await, &both);
}

#[tokio::test]
async fn a_schema_that_drifts_holds_what_it_leaves_out_and_nothing_else() {
    let mut source = two_accounts();
    let orders = [
        source.order(11, "BELOW", 1).with("a_new_column", json!({ "of": "any shape" })),
        // Renamed to what the profile does not know.
        source.order(12, "BELOW", 1).without("tree_count").with("trees_planted", json!(1)),
        // `bigint` as text, as `bigint.handling.mode` may write it; scale 12; `text` instead of `varchar`.
        source.order(13, "BELOW", 1).with("tree_count", json!("1")),
        source.order(14, "BELOW", 1).with("contribution_per_tree", json!("22617.000000000000")),
        source.order(15, "BELOW", 1).with("status", Value::Null),
    ];
    for order in orders {
        source.write(&order);
    }
    let ledger = in_any_order(&source).await;
    let total = "22617.0000000000";
    assert_posted(&ledger, &[(11, total), (13, total), (14, total)]);
    assert_held(&ledger, &[(12, "INVALID_TERMS"), (15, "STATUS")]);
}

#[tokio::test]
async fn a_line_of_a_capture_without_a_value_names_the_member_and_what_kcat_writes_is_read() {
    let error = cdc::CapturedRecord::from_line(r#"{"topic":"t","partition":0,"offset":1,"key":"k"}"#)
        .expect_err("there is no value");
    assert!(error.to_string().contains("`value`"), "{error}");
    let mut source = two_accounts();
    let order = source.order(11, "BELOW", 2);
    source.write(&order);
    let lines = source.records.iter().map(|record| {
        json!({
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "tstype": "create",
            "ts": record.timestamp_ms,
            "broker": 0,
            "key": record.key,
            "payload": record.value,
        })
    });
    let lines: Vec<String> = lines.map(|line| format!("{line}\r")).collect();
    let read = lines.iter().map(|line| cdc::CapturedRecord::from_line(line).expect("a record"));
    let harness = Harness::new(Options::default());
    harness.feed(&read.flatten().collect::<Vec<_>>(), Shuffle::AsCaptured).await;
    assert_posted(&ledger(harness.engine()).await, &[(11, "45234.0000000000")]);
}

#[test]
fn connectors_keep_nulls_write_every_operation_and_key_rows_by_their_primary_key() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/debezium");
    let mut connectors = 0;
    for entry in std::fs::read_dir(directory).expect("connectors") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        connectors += 1;
        let text = std::fs::read_to_string(&path).expect("a connector");
        let connector: Value = serde_json::from_str(&text).expect("JSON");
        let config = &connector["config"];
        let name = path.display();
        assert_eq!(config["value.converter.replace.null.with.default"], "false", "{name}");
        assert_eq!(config["skipped.operations"], "none", "{name}");
        assert!(config.get("message.key.columns").is_none(), "{name}");
        if let Some(fields) = config["transforms.unwrap.add.fields"].as_str() {
            for field in ["op", "table", "lsn", "source.ts_ms", "source.snapshot", "source.sequence"] {
                assert!(fields.split(',').any(|other| other == field), "{name}: {field}");
            }
        }
    }
    assert_eq!(connectors, 4);
}

#[test]
fn more_levels_than_ancestors_are_kept_are_refused_by_name() {
    let error = serde_json::from_str::<domain::Policy>(r#"{ "level_count": 50 }"#).expect_err("too many");
    assert!(error.to_string().contains("level_count"), "{error}");
    assert!(error.to_string().contains("20"), "{error}");
}

#[tokio::test]
async fn refused_bytes_expire_and_can_be_purged_and_their_listing_stays() {
    let mut source = Source::new();
    source.append(REFERRALS, 0, Some("{}".to_owned()), Some("{ phone: 139".to_owned()));
    let (harness, _) = fed(&source, Options::default()).await;
    let engine = harness.engine();
    let (listed, _) = store::quarantine::read(engine, None, 10).await.expect("readable");
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].hash.len(), listed[0].bytes), (64, 14));
    assert!(!listed[0].message.contains("139"), "{}", listed[0].message);
    let items = end_to_end::everything_in(engine, store::Table::Source).await;
    let bytes: Vec<_> = items.iter().filter(|item| item.key.partition == "QUARANTINE_BYTES").collect();
    assert_eq!(bytes.len(), 1);
    let kept_for_s = bytes[0].expires_at_s.expect("they expire") - harness.now_ms() / 1_000;
    assert!((80 * 86_400..100 * 86_400).contains(&kept_for_s), "{kept_for_s}");
    let purge = store::quarantine::purge(&listed[0]);
    assert_eq!(engine.write(purge).await, Ok(store::Written::Done));
    let bytes = store::quarantine::bytes(engine, &listed[0]).await.expect("readable");
    assert_eq!(bytes, None);
    let (still_listed, _) = store::quarantine::read(engine, None, 10).await.expect("readable");
    assert_eq!(still_listed, listed);
}

#[tokio::test]
async fn what_was_refused_before_a_topic_was_made_anew_stays_listed_with_its_bytes() {
    let refused = |text: &str| {
        let mut source = Source::new();
        source.append(REFERRALS, 0, Some("{}".to_owned()), Some(text.to_owned()));
        source
    };
    let (before, after) = (refused("{ before"), refused("{ afterwards"));
    assert_eq!(before.records[0].offset, after.records[0].offset, "the same place");
    let (harness, _) = fed(&before, Options::default()).await;
    for _ in 0..2 {
        harness.feed(&after.records, Shuffle::AsCaptured).await;
        let engine = harness.engine();
        let (listed, _) = store::quarantine::read(engine, None, 10).await.expect("readable");
        assert_eq!(listed.len(), 2, "{listed:#?}");
        let mut values = Vec::new();
        for record in &listed {
            let bytes = store::quarantine::bytes(engine, record).await.expect("readable").expect("kept");
            values.push(String::from_utf8(bytes.value.expect("a value")).expect("a text"));
        }
        values.sort();
        assert_eq!(values, ["{ afterwards", "{ before"]);
        let at = store::quarantine::at(engine, &listed[0].name, listed[0].offset).await.expect("readable");
        assert_eq!(at, listed);
    }
}

#[tokio::test]
async fn an_event_without_records_or_of_another_source_is_an_error() {
    let harness = Harness::new(Options::default());
    for event in [
        json!({}),
        json!({ "records": {} }),
        json!({ "eventSource": "aws:kafka" }),
        json!({ "eventSource": "aws:kafka", "records": null }),
        json!({ "eventSource": "aws:kafka", "records": { "t-0": 5 } }),
        json!({ "eventSource": "aws:sqs", "Records": [] }),
        json!({ "eventSource": "aws:sqs", "records": {} }),
    ] {
        assert!(harness.ingest(event.clone()).await.is_err(), "{event}");
    }
}
