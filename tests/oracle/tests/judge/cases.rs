//! The cases from the field whose final rows are known.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use oracle::capture::{self, Record};
use oracle::rows::OrderId;
use oracle::{GOLDEN_PARTS, HoldReason, Inputs, Judgement, compare, reader};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/cases")
}

fn records(case: &str) -> Vec<Record> {
    capture::read(directory().join(format!("{case}.jsonl"))).expect("a capture")
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn judged(records: &[Record]) -> Judgement {
    let tables = reader::final_tables(records).expect("readable");
    Judgement::of(&Inputs::new(tables, date("2026-02-10")))
}

/// Per case of final rows, how many orders are posted and what they sum to, added up by hand.
const PLAIN: [(&str, usize, &str); 28] = [
    ("cdc/01-tombstone-is-the-delete", 2, "90468.0000000000"),
    ("cdc/01b-compacted-topic-keeps-only-the-tombstone", 2, "90468.0000000000"),
    ("cdc/01d-schema-wrapped-tombstone", 1, "22617.0000000000"),
    ("cdc/02-business-key-changes", 3, "90468.0000000000"),
    ("cdc/02b-user-key-changes", 1, "22617.0000000000"),
    ("cdc/02d-order-number-changes-keyed-by-uuid", 2, "67851.0000000000"),
    ("cdc/03-primary-key-changes-two-partitions", 1, "22617.0000000000"),
    ("cdc/03d-surrogate-key-of-an-order-changes", 2, "67851.0000000000"),
    ("cdc/04-numeric-infinity", 2, "45234.0000000000"),
    ("cdc/04-numeric-word", 2, "45234.0000000000"),
    ("cdc/05-date-days-fixed", 2, "45234.0000000000"),
    ("cdc/05-timestamp-micros", 2, "45234.0000000000"),
    ("cdc/06-isostring-wall-clock", 3, "90468.0000000000"),
    ("cdc/07-char-n-status", 2, "67851.0000000000"),
    ("cdc/07b-char-n-account", 2, "67851.0000000000"),
    ("cdc/08-snapshot-marker-null", 3, "90468.0000000000"),
    ("cdc/11-mixed-wrappings", 4, "113469.0000000000"),
    ("cdc/13-orders-in-the-users-topic", 1, "22617.0000000000"),
    ("cdc/13b-an-orders-delete-in-the-users-topic", 2, "90468.0000000000"),
    ("cdc/14-unchanged-columns-left-out", 2, "82617.0000000000"),
    ("cdc/20-prefix-empty-or-columns-called-op", 4, "113085.0000000000"),
    ("cdc/22-avro-json-unions", 1, "22617.0000000000"),
    ("cdc/23-numbers-beyond-2-53", 3, "90468.0000000000"),
    ("cdc/25-recorded-primary-key-changes", 3, "90468.0000000000"),
    ("cdc/27-soft-deleted-row-purged-after-reregistration", 1, "22617.0000000000"),
    ("ledger/26-null-trees-cancelled", 2, "600.0000000000"),
    ("ledger/26-region-cancelled", 2, "600.0000000000"),
    ("ledger/26-zero-trees-cancelled", 2, "600.0000000000"),
];

/// The cases whose capture keeps what the simple reader assumes.
const SIMPLE: [&str; 15] = [
    "cdc/01-tombstone-is-the-delete",
    "cdc/01d-schema-wrapped-tombstone",
    "cdc/02-business-key-changes",
    "cdc/02b-user-key-changes",
    "cdc/02d-order-number-changes-keyed-by-uuid",
    "cdc/03-primary-key-changes-two-partitions",
    "cdc/03d-surrogate-key-of-an-order-changes",
    "cdc/07-char-n-status",
    "cdc/07b-char-n-account",
    "cdc/08-snapshot-marker-null",
    "cdc/14-unchanged-columns-left-out",
    "cdc/23-numbers-beyond-2-53",
    "ledger/26-null-trees-cancelled",
    "ledger/26-region-cancelled",
    "ledger/26-zero-trees-cancelled",
];

#[test]
fn final_rows_give_as_many_orders_and_as_much_as_they_say() {
    for (case, orders, total) in PLAIN {
        let judgement = judged(&records(&format!("{case}.plain")));
        assert_eq!(judgement.posted().count(), orders, "{case}");
        assert_eq!(judgement.distributed_total().to_string(), total, "{case}");
        let reasons: BTreeSet<HoldReason> = judgement.held.values().copied().collect();
        let cancelled = BTreeSet::from([HoldReason::Status]);
        let expected = if case.starts_with("ledger/26") { cancelled } else { BTreeSet::new() };
        assert_eq!(reasons, expected, "{case}");
        assert!(judgement.shadowed.is_empty(), "{case}");
    }
}

#[test]
fn every_case_from_the_field_with_final_rows_is_among_them() {
    // Our own cases have an `o` and a number: their rows are compared with each other, not with sums made by hand.
    let is_own = |case: &str| {
        case.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut found = BTreeSet::new();
    for kind in ["cdc", "ledger"] {
        for entry in std::fs::read_dir(directory().join(kind)).expect("the cases") {
            let name = entry.expect("an entry").file_name().into_string().expect("text");
            if let Some(case) = name.strip_suffix(".plain.jsonl").filter(|case| !is_own(case)) {
                found.insert(format!("{kind}/{case}"));
            }
        }
    }
    assert_eq!(found, PLAIN.iter().map(|(case, ..)| (*case).to_owned()).collect());
}

#[test]
fn a_capture_as_the_reader_assumes_it_gives_the_ledger_of_its_final_rows() {
    let parts: Vec<&str> = GOLDEN_PARTS.into_iter().filter(|part| *part != "held").collect();
    for case in SIMPLE {
        let expected = judged(&records(&format!("{case}.plain"))).golden(date("2026-02-10"));
        let actual = judged(&records(case)).golden(date("2026-02-10"));
        let differences = compare::differences(&actual, &expected, &parts, 5);
        let shown: Vec<String> = differences.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty(), "{case}:\n{}", shown.join("\n"));
    }
}

#[test]
fn prices_and_dates_that_cannot_be_read_hold_their_order() {
    for case in [
        "cdc/04-numeric-infinity",
        "cdc/04-numeric-word",
        "cdc/05-date-days-fixed",
        "cdc/05-timestamp-micros",
    ] {
        let held = judged(&records(case)).held;
        let order_id = OrderId::new(11).expect("positive");
        assert_eq!(held.into_iter().collect::<Vec<_>>(), [(order_id, HoldReason::InvalidTerms)], "{case}");
    }
}

#[test]
fn after_a_refund_headquarters_has_324() {
    let mut both = records("ledger/03-refund-after-expiry-a");
    let headquarters = |records: &[Record]| {
        let judgement = judged(records);
        let snapshot = judgement.snapshot(date("2026-02-11")).expect("nothing is negative");
        assert_eq!(
            snapshot.rows["HEADQUARTERS"].effective,
            judgement.system_accounts()["HEADQUARTERS"].balance,
            "it never expires"
        );
        snapshot.rows["HEADQUARTERS"].effective.to_string()
    };
    // Orders 1 and 3: all 15 % each. Order 2: its referrer D1 gets 0.5 and 2.5 %. Order 4: likewise, of 200. Order 3
    // before the refund: D2 gets level 1 and tier 1, D1 level 2.
    assert_eq!(headquarters(&both), "409.0000000000");
    both.extend(records("ledger/03-refund-after-expiry-b"));
    assert_eq!(headquarters(&both), "324.0000000000");
}

#[test]
fn regions_are_booked_to_any_code() {
    for (case, province, city) in [
        ("ledger/08-region-iso", "PROVINCE:CN-HN", "CITY:CN-HN-01"),
        ("ledger/08-region-name", "PROVINCE:湖南省", "CITY:长沙市"),
    ] {
        let system = judged(&records(case)).system_accounts();
        assert_eq!(system[province].balance.to_string(), "10.0000000000");
        assert_eq!(system[city].balance.to_string(), "20.0000000000");
        assert_eq!(system["PROVINCE"].balance.to_string(), "1.0000000000", "order 1 has no region");
    }
}

#[test]
fn padded_statuses_count_and_a_referrer_of_blanks_is_none() {
    assert_eq!(judged(&records("ledger/07-char-n-status")).distributed_total().to_string(), "200.0000000000");
    let blanks = judged(&records("ledger/27-referrer-blanks"));
    assert_eq!(blanks.distributed_total().to_string(), "100.0000000000");
    assert_eq!(blanks.talents()["D1"].direct_count, 0);
}

#[test]
fn accounts_that_differ_in_case_or_look_like_numbers_stay_apart() {
    let judgement = judged(&records("ledger/24-spreadsheet"));
    let accounts = judgement.accounts();
    for account in ["-1", "1E5", "00123", "-A1", "d1", "D1", "headquarters"] {
        assert_eq!(accounts[account].personal.to_string(), "70.0000000000", "{account}");
    }
}

#[test]
fn cases_worked_out_by_hand_give_their_numbers_after_each_phase() {
    let mut cases = 0;
    for entry in std::fs::read_dir(directory().join("ledger")).expect("the cases") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(case) = name.strip_suffix(".worked.json") else { continue };
        let worked: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).expect("readable")).expect("JSON");
        let records = records(&format!("ledger/{case}"));
        for phase in worked["phases"].as_array().expect("phases") {
            let first = usize::try_from(phase["records"].as_u64().expect("a number")).expect("a few");
            let golden = judged(&records[..first]).golden(date("2026-02-10"));
            let what = format!("{case}: {}", phase["what"]);
            assert_eq!(golden["held"], phase["held"], "{what}");
            let accounts = golden["accounts"].as_object().expect("accounts").iter();
            let users = accounts.map(|(account, state)| (account.clone(), state["total"].clone()));
            let system = golden["system"].as_object().expect("system accounts").clone();
            let totals = users.chain(system).filter(|(_, total)| total != "0.0000000000");
            let totals: serde_json::Map<String, serde_json::Value> = totals.collect();
            assert_eq!(serde_json::Value::Object(totals), phase["totals"], "{what}");
        }
        cases += 1;
    }
    assert_eq!(cases, 8);
}
