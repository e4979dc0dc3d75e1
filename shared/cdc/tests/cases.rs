//! Captures of shapes that broke other consumers, below `events/cases`.

mod common;

use std::collections::BTreeMap;

use cdc::{AdoptionImage, CapturedRecord, Profile, Reading, Region, RowImage};

use common::{Dice, Rows, events, records};

/// What must come of a case.
enum Outcome {
    /// The rows of the plain capture beside it.
    AsPlain,
    /// The same, rows that are held included: the plain capture is the table, read from the database.
    AsTable,
    /// As plain, and records are refused by these names.
    AsPlainRefusing(&'static [&'static str]),
    /// The same, but order 11 stands with a column that cannot be read, and so is held.
    AsPlainHolding11,
    /// Read without a fault; the capture has no plain one beside it.
    Read,
}

const CASES: &[(&str, Outcome)] = &[
    ("cdc/01-tombstone-is-the-delete", Outcome::AsPlain),
    ("cdc/01b-compacted-topic-keeps-only-the-tombstone", Outcome::AsPlain),
    ("cdc/01d-schema-wrapped-tombstone", Outcome::AsPlain),
    ("cdc/02-business-key-changes", Outcome::AsPlain),
    ("cdc/02b-user-key-changes", Outcome::AsPlain),
    ("cdc/02d-order-number-changes-keyed-by-uuid", Outcome::AsPlain),
    ("cdc/03-primary-key-changes-two-partitions", Outcome::AsPlain),
    ("cdc/03d-surrogate-key-of-an-order-changes", Outcome::AsPlain),
    ("cdc/04-numeric-infinity", Outcome::AsPlainHolding11),
    ("cdc/04-numeric-word", Outcome::AsPlainHolding11),
    ("cdc/05-date-days-fixed", Outcome::AsPlainHolding11),
    ("cdc/05-timestamp-micros", Outcome::AsPlainHolding11),
    ("cdc/06-isostring-wall-clock", Outcome::AsPlain),
    ("cdc/07-char-n-status", Outcome::AsPlain),
    ("cdc/07b-char-n-account", Outcome::AsPlain),
    ("cdc/08-snapshot-marker-null", Outcome::AsPlain),
    ("cdc/11-mixed-wrappings", Outcome::AsPlain),
    ("cdc/13-orders-in-the-users-topic", Outcome::AsPlainRefusing(&["OTHER_TABLE"])),
    ("cdc/13b-an-orders-delete-in-the-users-topic", Outcome::AsPlainRefusing(&["OTHER_TABLE"])),
    ("cdc/14-unchanged-columns-left-out", Outcome::AsPlain),
    ("cdc/20-prefix-empty-or-columns-called-op", Outcome::AsPlain),
    ("cdc/22-avro-json-unions", Outcome::AsPlainRefusing(&["AVRO_JSON"])),
    ("cdc/23-numbers-beyond-2-53", Outcome::AsPlain),
    ("cdc/24-recorded-null-becomes-default", Outcome::Read),
    ("cdc/25-recorded-primary-key-changes", Outcome::AsPlain),
    ("cdc/27-soft-deleted-row-purged-after-reregistration", Outcome::AsPlain),
    ("cdc/29-kcat-json-envelope", Outcome::Read),
    ("cdc/29c-bom-crlf", Outcome::Read),
    ("cdc/o1-decimals-in-bytes-as-every-number", Outcome::AsPlain),
    ("cdc/o10-accounts-that-become-numbers", Outcome::AsPlain),
    ("cdc/o11-a-column-that-is-renamed", Outcome::AsPlain),
    ("cdc/o12-types-that-are-widened", Outcome::AsPlain),
    ("cdc/o13-a-primary-key-that-changes-there-and-back", Outcome::AsPlain),
    (
        "cdc/o14-messages-that-say-nothing",
        Outcome::AsPlainRefusing(&[
            "AVRO_JSON",
            "CLOUD_EVENT",
            "INVALID_FIELD",
            "INVALID_MESSAGE",
            "MALFORMED_JSON",
            "MISSING_FIELD",
            "NO_COLUMN",
            "OTHER_TABLE",
        ]),
    ),
    ("cdc/o15-flattened-with-nothing-added", Outcome::AsPlain),
    // What is out of bounds is for the rules to say; `tests/tests/whole/cases.rs` has the ledger.
    ("cdc/o16-paid-orders-that-become-something-else", Outcome::Read),
    ("cdc/o17-envelopes-that-say-little-of-their-source", Outcome::AsPlain),
    ("cdc/o18-null-is-null-and-left-out-is-as-before", Outcome::AsPlain),
    ("cdc/o19-flattened-snapshot-old-changes-and-a-restart", Outcome::AsPlain),
    ("cdc/o2-decimals-that-bring-their-scale", Outcome::AsPlain),
    ("cdc/o20-a-restart-sends-a-delete-again", Outcome::AsPlain),
    ("cdc/o21-keys-that-are-padded-or-of-several-columns", Outcome::AsPlain),
    ("cdc/o22-referrals-of-every-kind", Outcome::Read),
    ("cdc/o23-snapshot-markers-of-every-kind", Outcome::AsPlain),
    ("cdc/o24-decimals-as-accounts-regions-and-keys", Outcome::AsPlain),
    ("cdc/o25-keys-of-a-string-converter", Outcome::AsPlain),
    ("cdc/o26-deletes-that-do-not-say-their-row", Outcome::AsPlainRefusing(&["MALFORMED_JSON", "NO_KEY"])),
    ("cdc/o27-a-key-that-changes-in-a-table-without-one", Outcome::AsPlain),
    ("cdc/o28-commits-between-the-slot-and-its-snapshot", Outcome::AsPlain),
    ("cdc/o29-rows-that-are-flattened-from-some-day-on", Outcome::AsPlain),
    ("cdc/o3-every-precision-of-time", Outcome::AsPlain),
    ("cdc/o30-an-orders-row-and-delete-in-the-referrals-topic", Outcome::AsPlainRefusing(&["OTHER_KEY"])),
    ("cdc/o4-flattened-deletes-that-are-rewritten", Outcome::AsPlain),
    ("cdc/o5-a-tombstone-and-then-a-row-again", Outcome::AsPlain),
    ("cdc/o6-deletes-that-say-only-the-key", Outcome::AsPlain),
    ("cdc/o7-values-that-the-log-left-out", Outcome::AsPlain),
    (
        "cdc/o8-heartbeats-transactions-messages-and-empty-values",
        Outcome::AsPlainRefusing(&["UNKNOWN_TOPIC"]),
    ),
    ("cdc/o9-one-key-in-many-forms", Outcome::AsPlain),
    ("ledger/03-refund-after-expiry-a", Outcome::Read),
    ("ledger/03-refund-after-expiry-b", Outcome::Read),
    ("ledger/05-order-ids-beyond-2-53", Outcome::Read),
    ("ledger/07-char-n-status", Outcome::Read),
    ("ledger/08-region-iso", Outcome::Read),
    ("ledger/08-region-name", Outcome::Read),
    ("ledger/23-days", Outcome::Read),
    ("ledger/24-spreadsheet", Outcome::Read),
    ("ledger/26-null-trees-cancelled", Outcome::AsPlain),
    ("ledger/26-region-cancelled", Outcome::AsPlain),
    ("ledger/26-zero-trees-cancelled", Outcome::AsPlain),
    ("ledger/27-referrer-blanks", Outcome::Read),
    ("ledger/29-event-ids", Outcome::Read),
    ("ledger/32-snowflake-shards", Outcome::Read),
    ("recorded/enveloped", Outcome::AsTable),
    ("recorded/flattened", Outcome::AsTable),
];

fn profile(case: &str) -> Profile {
    if case.contains("/06-") {
        let json = std::fs::read_to_string(events("cases/cdc/06-profile.json")).expect("the case's profile");
        Profile::from_json(&json).expect("a profile")
    } else {
        Profile::built_in()
    }
}

fn capture(case: &str) -> Vec<CapturedRecord> {
    records(&format!("cases/{case}.jsonl"))
}

/// Returns what the ledger takes in of rows, as text. Rows differ where nothing of the ledger depends on it:
/// a user's
/// status and times, an order that is not distributable anyway.
fn business(rows: &Rows, held: bool) -> Vec<String> {
    let mut lines: Vec<String> = rows
        .images()
        .iter()
        .filter_map(|image| match image {
            RowImage::User(user) => Some(format!("user {:?}", user.account)),
            RowImage::Referral(referral) => Some(format!("{referral:?}")),
            RowImage::Adoption(adoption) if held || is_eligible(adoption) => Some(format!("{adoption:?}")),
            RowImage::Adoption(_) => None,
        })
        .collect();
    lines.sort();
    lines
}

fn is_eligible(adoption: &AdoptionImage) -> bool {
    let distributable = ["MINING_ENABLED", "CONFIRMED", "PAID", "ACTIVE"];
    adoption.status.value().is_some_and(|status| distributable.contains(&status.as_str()))
        && adoption.account.value().is_some()
        && adoption.tree_count.value().is_some_and(|trees| *trees > 0)
        && !adoption.contribution_per_tree.is_unreadable()
        && adoption.adoption_date.value().is_some()
}

/// Returns the records with all of them again at the end, as a connector sends them that restarts.
fn sent_again(records: &[CapturedRecord]) -> Vec<CapturedRecord> {
    let mut next: BTreeMap<(String, i32), i64> = BTreeMap::new();
    for record in records {
        let end = next.entry((record.topic.clone(), record.partition)).or_default();
        *end = (*end).max(record.offset + 1);
    }
    let again = records.iter().map(|record| {
        let end = next.get_mut(&(record.topic.clone(), record.partition)).expect("a partition's end");
        *end += 1;
        CapturedRecord { offset: *end - 1, ..record.clone() }
    });
    records.iter().cloned().chain(again).collect()
}

#[test]
fn every_case_gives_its_outcome_in_order_shuffled_and_repeated() {
    for (case, outcome) in CASES {
        let profile = profile(case);
        let records = capture(case);
        let in_order = Rows::of(&profile, &records);
        match outcome {
            Outcome::AsPlain => check_as_plain(case, &in_order, false),
            Outcome::AsPlainHolding11 => check_as_plain(case, &in_order, true),
            Outcome::AsPlainRefusing(codes) => {
                check_as_plain(case, &in_order, false);
                assert_eq!(in_order.codes(), *codes, "{case}");
            }
            Outcome::AsTable => {
                let table = Rows::of(&profile, &capture(&format!("{case}.plain")));
                assert_eq!(business(&in_order, true), business(&table, true), "{case}");
            }
            Outcome::Read => {}
        }
        if !matches!(outcome, Outcome::AsPlainRefusing(_)) {
            assert_eq!(in_order.codes(), [""; 0], "{case}");
        }
        let is_ambiguous = in_order.states.values().any(cdc::RowState::is_ambiguous);
        assert!(!is_ambiguous, "{case}");

        let reversed: Vec<_> = records.iter().rev().collect();
        assert_eq!(Rows::of(&profile, reversed), in_order, "{case} reversed");
        let mut dice = Dice::new(7);
        for _ in 0..20 {
            let mut shuffled: Vec<_> = records.iter().chain(&records).collect();
            dice.shuffle(&mut shuffled);
            assert_eq!(Rows::of(&profile, shuffled), in_order, "{case} delivered twice and shuffled");
        }
        let again = sent_again(&records);
        assert_eq!(Rows::of(&profile, &again).images(), in_order.images(), "{case} sent again");
        let mut shuffled: Vec<_> = again.iter().collect();
        dice.shuffle(&mut shuffled);
        assert_eq!(
            Rows::of(&profile, shuffled).images(),
            in_order.images(),
            "{case} sent again and shuffled"
        );
    }
}

fn check_as_plain(case: &str, rows: &Rows, holds_11: bool) {
    let plain = Rows::of(&Profile::built_in(), &capture(&format!("{case}.plain")));
    assert_eq!(plain.codes(), [""; 0], "{case}");
    assert_eq!(business(rows, false), business(&plain, false), "{case}");
    if holds_11 {
        let held: Vec<_> = adoptions(rows).into_iter().filter(|adoption| !is_eligible(adoption)).collect();
        let orders: Vec<_> =
            held.iter().filter_map(|adoption| adoption.order.value()).map(|order| order.get()).collect();
        assert_eq!(orders, [11], "{case}");
    }
}

#[test]
fn every_capture_below_the_cases_is_in_the_table() {
    let mut files: Vec<String> = ["cdc", "ledger", "recorded"]
        .iter()
        .flat_map(|folder| {
            let entries = std::fs::read_dir(events("cases").join(folder)).expect("a folder of cases");
            entries.map(move |entry| format!("{folder}/{}", entry.expect("a file").file_name().display()))
        })
        .filter(|file| file.split_once('.').is_some_and(|(_, extension)| extension == "jsonl"))
        // Those that are worked out by hand are about the ledger, and judged where it is.
        .filter(|file| !events("cases").join(file).with_extension("worked.json").exists())
        .collect();
    files.sort();
    let mut listed: Vec<String> = CASES.iter().map(|(case, _)| format!("{case}.jsonl")).collect();
    listed.sort();
    assert_eq!(files, listed);
}

fn adoptions(rows: &Rows) -> Vec<AdoptionImage> {
    let adoption = |image| if let RowImage::Adoption(adoption) = image { Some(adoption) } else { None };
    rows.images().into_iter().filter_map(adoption).collect()
}

fn adoption(case: &str, order: u64) -> AdoptionImage {
    let rows = Rows::of(&profile(case), &capture(case));
    let is_it = |adoption: &AdoptionImage| adoption.order.value().is_some_and(|number| number.get() == order);
    adoptions(&rows).into_iter().find(is_it).unwrap_or_else(|| panic!("{case} has no order {order}"))
}

#[test]
fn prices_that_are_words_are_listed_with_the_column_and_the_profile() {
    for case in ["cdc/04-numeric-infinity", "cdc/04-numeric-word"] {
        let why = adoption(case, 11).contribution_per_tree.why_not("guide").expect("no price");
        assert!(why.contains("`contribution_per_tree`") && why.contains("profile guide"), "{why}");
        assert!(!why.contains("free") && !why.contains("Infinity"), "{why}");
    }
}

#[test]
fn wall_clocks_with_a_z_are_of_their_own_date() {
    for order in [11, 12] {
        let date = adoption("cdc/06-isostring-wall-clock", order).adoption_date;
        assert_eq!(date.value().map(|date| date.next().to_string()).as_deref(), Some("2026-01-05"));
    }
}

#[test]
fn numbers_beyond_2_to_the_53_are_exact() {
    for order in [9_007_199_254_740_993, 9_223_372_036_854_775_807] {
        adoption("cdc/23-numbers-beyond-2-53", order);
    }
}

#[test]
fn regions_are_the_text_that_the_source_has() {
    for (case, province, city) in
        [("ledger/08-region-iso", "CN-HN", "CN-HN-01"), ("ledger/08-region-name", "湖南省", "长沙市")]
    {
        let adoption = adoption(case, 2);
        assert_eq!(adoption.province, Region::Code(province.parse().expect("a region")));
        assert_eq!(adoption.city, Region::Code(city.parse().expect("a region")));
    }
}

#[test]
fn a_cancelled_order_stands_with_what_cannot_count() {
    assert_eq!(adoption("ledger/26-zero-trees-cancelled", 2).tree_count, Reading::Value(0));
    assert_eq!(
        adoption("ledger/26-null-trees-cancelled", 2).tree_count,
        Reading::Null(cdc::Column::TreeCount)
    );
    for case in
        ["ledger/26-zero-trees-cancelled", "ledger/26-null-trees-cancelled", "ledger/26-region-cancelled"]
    {
        assert_eq!(adoption(case, 2).status, Reading::Value("CANCELLED".to_owned()));
    }
}

#[test]
fn a_referrer_of_blanks_is_none() {
    let case = "ledger/27-referrer-blanks";
    let rows = Rows::of(&profile(case), &capture(case));
    let roots = rows.images().into_iter().filter(
        |image| matches!(image, RowImage::Referral(referral) if referral.referrer == cdc::Referrer::None),
    );
    assert_eq!(roots.count(), 2);
}
