use std::path::{Path, PathBuf};

use super::*;
use crate::capture;

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/captures").join(file)
}

fn golden_capture(name: &str) -> Vec<CaptureRecord> {
    capture::read(golden(&format!("{name}.jsonl"))).expect("a golden capture")
}

/// Compares part by part, so that a failure shows the row that differs and not two whole ledgers.
fn assert_same(actual: &Value, wanted: &Value, path: &str) {
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => {
            let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(actual), keys(wanted), "what is in {path}");
            for (key, wanted) in wanted {
                assert_same(&actual[key], wanted, &format!("{path}.{key}"));
            }
        }
        _ => assert_eq!(actual, wanted, "{path}"),
    }
}

fn assert_golden(name: &str) {
    let wanted = std::fs::read_to_string(golden(&format!("{name}.expected.json"))).expect("readable");
    let wanted: Value = serde_json::from_str(&wanted).expect("JSON");
    let actual = expected(&golden_capture(name), &Options::default());
    assert_same(&actual, &wanted, name);
    assert_eq!(actual, wanted);
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
        let records = golden_capture(name);
        let wanted = expected(&records, &Options::default());
        let mut reversed = capture::repeated(&records, 3);
        reversed.reverse();
        assert_eq!(expected(&reversed, &Options::default()), wanted, "{name}, backwards");
        let shuffled = capture::shuffled(&records, 1);
        assert_eq!(expected(&shuffled, &Options::default()), wanted, "{name}, shuffled");
    }
}

fn as_of(date: &str) -> Options {
    Options { as_of: date.parse().expect("a date"), ..Options::default() }
}

#[test]
fn once_everything_has_expired_headquarters_alone_is_left() {
    let ledger = expected(&golden_capture("flattened-regions"), &as_of("2030-01-01"));
    let headquarters = &ledger["system"][HEADQUARTERS];
    assert_eq!(
        ledger["snapshot"],
        json!({
            "date": "2030-01-01",
            "network_total": headquarters,
            "rows": { HEADQUARTERS: { "effective": headquarters, "ratio": "1.000000000000000000" } },
        })
    );
    let accounts = ledger["accounts"].as_object().expect("an object");
    assert!(accounts.values().all(|account| account["effective"] == "0.0000000000"));
    assert!(accounts.values().any(|account| account["total"] != "0.0000000000"));
}

#[test]
fn before_anything_is_effective_the_snapshot_is_empty() {
    let ledger = expected(&golden_capture("ordering-incident"), &as_of("2026-01-01"));
    let nothing = json!({ "date": "2026-01-01", "network_total": "0.0000000000", "rows": {} });
    assert_eq!(ledger["snapshot"], nothing);
    assert_eq!(ledger["orders"], 104);
}

#[test]
fn an_adoption_counts_from_its_effective_date_until_the_day_before_it_expires() {
    // Adopted on 1 January 2026, effective for two years from the day after.
    let effective = |date| {
        let ledger = expected(&invented(&[order(1, "A", 1, "MINING_ENABLED")]), &as_of(date));
        ledger["accounts"]["A"]["effective"].clone()
    };
    assert_eq!(effective("2026-01-01"), "0.0000000000");
    assert_eq!(effective("2026-01-02"), "15831.9000000000");
    assert_eq!(effective("2028-01-01"), "15831.9000000000");
    assert_eq!(effective("2028-01-02"), "0.0000000000");
}

/// Changes of a small source: A is a root, B is A's referral, and C is the referral of somebody unknown.
fn invented(orders: &[(u64, Value)]) -> Vec<CaptureRecord> {
    let record = |topic: &str, key: String, lsn: u64, row: &Value| CaptureRecord {
        topic: format!("dbserver1.schema.{topic}"),
        partition: 0,
        offset: i64::try_from(lsn).expect("small"),
        timestamp: 0,
        key: Some(key),
        value: Some(json!({ "op": "c", "source": { "lsn": lsn }, "after": row }).to_string()),
    };
    let referral = |account: &str, referrer: Option<&str>| {
        let row = json!({ "account_sequence": account, "referrer_account_sequence": referrer });
        record("referral_relations", account.to_owned(), 1, &row)
    };
    let mut records = vec![referral("A", None), referral("B", Some("A")), referral("C", Some("Z"))];
    records.extend(
        orders.iter().zip(2..).map(|((order, row), lsn)| {
            record("planting_orders", format!("{{\"order_id\":{order}}}"), lsn, row)
        }),
    );
    records
}

/// An order of 1 January 2026 without a price.
fn order(order: u64, account: &str, trees: u64, status: &str) -> (u64, Value) {
    let row = json!({
        "order_id": order,
        "account_sequence": account,
        "tree_count": trees,
        "adoption_date": 20_454,
        "status": status,
    });
    (order, row)
}

#[test]
fn a_missing_price_follows_the_ladder_over_all_trees_of_a_status_that_counts() {
    let orders = [
        order(1, "A", 600, "PAID"),
        order(2, "A", 5_000, "CREATED"),
        order(3, "C", 399, "PAID"),
        order(4, "A", 1, "PAID"),
        order(5, "A", 100, "PAID"),
        order(6, "A", 1, "PAID"),
    ];
    let ledger = expected(&invented(&orders), &Options::default());
    assert_eq!(ledger["held"], json!([[2, "STATUS"], [3, "NO_REFERRAL"]]));
    let total = |order: &str| ledger["distributions"][order]["total"].clone();
    assert_eq!(total("4"), "22617.0000000000", "999 trees before");
    assert_eq!(total("5"), "2268485.1000000000", "1,000 trees before");
    assert_eq!(total("6"), "22752.7020000000", "1,100 trees before");
}

#[test]
fn held_adoptions_unlock_nothing() {
    let orders = [order(1, "A", 1, "CREATED"), order(2, "B", 1, "PAID"), order(3, "C", 1, "PAID")];
    let ledger = expected(&invented(&orders), &Options::default());
    let account = |name: &str, field: &str| ledger["accounts"][name][field].clone();
    assert_eq!(account("A", "has_adopted"), false);
    assert_eq!(account("A", "direct_referral_adopted_count"), 1);
    assert_eq!(account("A", "unlocked_level_depth"), 0);
    assert_eq!(account("C", "has_adopted"), false);
}

#[test]
fn an_adoption_waits_for_fifteen_ancestors_rows_and_not_for_a_sixteenth() {
    // A01 was referred by nobody knows whom, A02 by A01, and so on.
    let name = |number: usize| format!("A{number:02}");
    let row = |number: usize| {
        json!({
            "account_sequence": name(number),
            "referrer_account_sequence": name(number - 1),
        })
    };
    let mut records = invented(&[order(1, "A15", 1, "PAID"), order(2, "A16", 1, "PAID")]);
    for number in 1..=16 {
        records.push(CaptureRecord {
            key: Some(name(number)),
            value: Some(json!({ "op": "r", "source": { "lsn": 1 }, "after": row(number) }).to_string()),
            ..records[0].clone()
        });
    }
    let ledger = expected(&records, &Options::default());
    assert_eq!(ledger["held"], json!([[1, "NO_REFERRAL"]]));
    assert_eq!(ledger["distributions"]["2"]["legs"][18]["would_be"], "A01");
    assert_eq!(ledger["accounts"]["A01"]["team_trees"][14], 1);
}

#[test]
fn the_backfill_moves_a_leg_to_whoever_unlocks_it_later() {
    let orders = [order(1, "B", 1, "PAID"), order(2, "A", 1, "PAID")];
    let first_level = |backfill| {
        let options = Options { backfill, ..Options::default() };
        expected(&invented(&orders), &options)["distributions"]["1"]["legs"][4].clone()
    };
    let leg = json!({ "index": 1, "amount": "113.0850000000" });
    let with = |kind: &str, owner: &str, would_be: Value| {
        let mut leg = leg.clone();
        leg["type"] = kind.into();
        leg["owner"] = owner.into();
        leg["would_be"] = would_be;
        leg
    };
    assert_eq!(first_level(Backfill::None), with("LEVEL_OVERFLOW", HEADQUARTERS, "A".into()));
    assert_eq!(first_level(Backfill::OnUnlock), with("TEAM_LEVEL", "A", Value::Null));
}

#[test]
fn a_row_that_was_deleted_stays_deleted_when_an_older_version_arrives_again() {
    let mut records = invented(&[order(1, "A", 1, "PAID"), order(2, "A", 1, "PAID")]);
    let again = CaptureRecord { offset: 99, ..records[3].clone() };
    let delete = json!({ "op": "d", "source": { "lsn": 50 }, "before": { "order_id": 1 }, "after": null });
    records.push(CaptureRecord { offset: 50, value: Some(delete.to_string()), ..again.clone() });
    records.push(CaptureRecord { offset: 51, value: None, ..again.clone() });
    records.push(again);
    let ledger = expected(&records, &Options::default());
    assert_eq!(ledger["orders"], 1);
    assert_eq!(ledger["held"], json!([]));
}

#[test]
fn the_largest_amounts_are_exact_and_larger_ones_are_held() {
    let priced = |number, price: &str| {
        let (order, mut row) = order(number, "A", 1, "PAID");
        row["contribution_per_tree"] = price.into();
        (order, row)
    };
    // All nines, and one unit more.
    let orders = [priced(1, "IE/OXj4lAmEP////"), priced(2, "IE/OXj4lAmEQAAAA")];
    let ledger = expected(&invented(&orders), &Options::default());
    assert_eq!(ledger["held"], json!([[2, "AMOUNT_OVERFLOW"]]));
    assert_eq!(ledger["distributed_total"], "999999999999999999.9999999999");
    let rows = ledger["snapshot"]["rows"].as_object().expect("an object");
    let ratios = rows.values().map(|row| row["ratio"].as_str().expect("text"));
    let sum: i128 = ratios.map(|text| text.replace('.', "").parse::<i128>().expect("digits")).sum();
    assert_eq!(sum, RATIO_ONE);
}

#[test]
fn ratios_are_rounded_down_and_need_no_more_room_than_amounts() {
    assert_eq!(ratio(1, 3), 333_333_333_333_333_333);
    assert_eq!(ratio(2, 3), 666_666_666_666_666_666);
    assert_eq!(ratio(AMOUNT_LIMIT - 1, AMOUNT_LIMIT), RATIO_ONE - 1);
    assert_eq!(ratio(AMOUNT_LIMIT, AMOUNT_LIMIT), RATIO_ONE);
}
