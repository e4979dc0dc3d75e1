//! The captures of a real connector, with the ledger that must come of them.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use oracle::capture::{self, Record};
use oracle::rows::OrderId;
use oracle::{Amount, GOLDEN_PARTS, Inputs, Judgement, compare, reader};
use serde_json::{Value, json};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/captures").join(name)
}

fn records(name: &str) -> Vec<Record> {
    capture::read(file(&format!("{name}.jsonl"))).expect("a golden capture")
}

fn golden_date() -> NaiveDate {
    "2026-02-10".parse().expect("a date")
}

fn judged(records: &[Record]) -> Judgement {
    let tables = reader::final_tables(records).expect("a readable capture");
    Judgement::of(&Inputs::new(tables, golden_date()))
}

fn assert_same(actual: &Value, expected: &Value, what: &str) {
    let differences = compare::differences(actual, expected, &GOLDEN_PARTS, 10);
    let shown: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{what}:\n{}", shown.join("\n"));
}

fn assert_golden(name: &str) {
    let expected = std::fs::read_to_string(file(&format!("{name}.expected.json"))).expect("readable");
    let expected: Value = serde_json::from_str(&expected).expect("JSON");
    let actual = judged(&records(name)).golden(golden_date());
    assert_same(&actual, &expected, name);
    assert_eq!(actual, expected);
}

#[test]
fn the_ordering_incident_comes_out_as_expected() {
    assert_golden("ordering-incident");
}

#[test]
fn the_snapshot_of_the_ordering_incident_comes_out_as_expected() {
    assert_golden("ordering-incident.snapshot");
}

#[test]
fn flattened_orders_with_regions_come_out_as_expected() {
    assert_golden("flattened-regions");
}

#[test]
fn the_snapshot_of_flattened_orders_with_regions_comes_out_as_expected() {
    assert_golden("flattened-regions.snapshot");
}

#[test]
fn arrival_order_and_duplicates_change_nothing() {
    for name in ["ordering-incident", "flattened-regions"] {
        let records = records(name);
        let expected = judged(&records).golden(golden_date());
        let mut backwards: Vec<Record> = records.iter().chain(&records).cloned().collect();
        backwards.reverse();
        assert_same(&judged(&backwards).golden(golden_date()), &expected, name);
        let mut by_partition = records.clone();
        by_partition.sort_by(|one, other| (&one.topic, one.offset).cmp(&(&other.topic, other.offset)));
        assert_same(&judged(&by_partition).golden(golden_date()), &expected, name);
    }
}

#[test]
fn the_incident_brings_11_534_67_to_the_account_that_adopted_first() {
    let judgement = judged(&records("ordering-incident"));
    let orders = [57, 58, 59].map(|number| OrderId::new(number).expect("positive"));
    let legs = orders.iter().flat_map(|order_id| judgement.distribution(*order_id).expect("posted").legs);
    let received: Amount = legs.filter(|leg| &*leg.owner == "D25122700018").map(|leg| leg.amount).sum();
    assert_eq!(received.to_string(), "11534.6700000000");
}

#[test]
fn once_everything_has_expired_headquarters_alone_is_left() {
    let date = "2030-01-01".parse().expect("a date");
    let ledger = judged(&records("flattened-regions")).golden(date);
    let headquarters = &ledger["system"]["HEADQUARTERS"];
    assert_eq!(
        ledger["snapshot"],
        json!({
            "date": "2030-01-01",
            "network_total": headquarters,
            "rows": { "HEADQUARTERS": { "effective": headquarters, "ratio": "1.000000000000000000" } },
        })
    );
    let accounts = ledger["accounts"].as_object().expect("an object");
    assert!(accounts.values().all(|account| account["effective"] == "0.0000000000"));
    assert!(accounts.values().any(|account| account["total"] != "0.0000000000"));
}

#[test]
fn before_the_first_effective_date_headquarters_has_a_ratio_of_one_and_no_amount() {
    let date = "2026-01-01".parse().expect("a date");
    let ledger = judged(&records("ordering-incident")).golden(date);
    assert_eq!(
        ledger["snapshot"],
        json!({
            "date": "2026-01-01",
            "network_total": "0.0000000000",
            "rows": { "HEADQUARTERS": { "effective": "0.0000000000", "ratio": "1.000000000000000000" } },
        })
    );
    assert_eq!(ledger["orders"], 104);
}
