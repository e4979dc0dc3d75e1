//! The table is the truth: histories of the modelled source, folded in any order.

use std::collections::BTreeMap;

use domain::RowKey;

use crate::modelled_source::{Dice, History, Row};
use crate::{CapturedRecord, Change, Decoded, Profile, RowImage, RowState, decode, fold};

/// How many histories a run has, unless `HISTORIES` says otherwise.
const HISTORIES: u64 = 1_000;

fn setting(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number of histories"))
}

type Rows = BTreeMap<RowKey, RowState>;

fn folded<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Rows {
    let mut rows = Rows::new();
    for change in changes {
        let state = fold(rows.remove(&change.row_key), change).state;
        rows.insert(change.row_key.clone(), state);
    }
    rows
}

fn images(rows: &Rows) -> BTreeMap<RowKey, RowImage> {
    rows.iter().filter_map(|(key, state)| Some((key.clone(), state.image()?))).collect()
}

fn changes(profile: &Profile, records: &[CapturedRecord]) -> Vec<Change> {
    let change =
        |record: &CapturedRecord| match decode(profile, record.as_kafka()).expect("a record of the model") {
            Decoded::Change(change) => Some(change),
            other => panic!("{other:?} is no change"),
        };
    records.iter().filter_map(change).collect()
}

/// Returns the table as it is in the end, as one insert a row.
fn truth(profile: &Profile, rows: &BTreeMap<String, Row>) -> BTreeMap<RowKey, RowImage> {
    let record = |(key, row): (&String, &Row)| CapturedRecord {
        topic: "dbserver1.rwa_planting.planting_orders".to_owned(),
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: Some(serde_json::json!({ "id": key }).to_string()),
        value: Some(serde_json::json!({ "before": null, "after": row, "op": "c" }).to_string()),
    };
    let records: Vec<CapturedRecord> = rows.iter().map(record).collect();
    images(&folded(&changes(profile, &records)))
}

#[test]
fn whatever_arrives_in_whatever_order_the_rows_are_those_of_the_table() {
    let profile = Profile::built_in();
    let first = setting("FIRST_HISTORY", 0);
    let mut records = 0;
    for seed in first..first + setting("HISTORIES", HISTORIES) {
        let history = History::of(seed);
        let truth = truth(&profile, &history.rows);
        let changes = changes(&profile, &history.records);
        records += changes.len();
        let in_order = folded(&changes);
        if let Some(key) = first_difference(&images(&in_order), &truth) {
            let (is, should) = (in_order.get(&key).map(RowState::image), truth.get(&key));
            let said = described(&history, &changes, &key);
            panic!("history {seed}: row {key} is\n{is:?}\nand should be\n{should:?}\n{said}");
        }
        for (key, state) in &in_order {
            let said = || described(&history, &changes, key);
            assert!(!state.is_ambiguous(), "history {seed}: row {key} is ambiguous\n{}", said());
        }

        let mut dice = Dice::new(seed);
        for _ in 0..3 {
            let mut shuffled: Vec<&Change> = changes.iter().collect();
            let again: Vec<&Change> = changes.iter().filter(|_| dice.once_in(3)).collect();
            shuffled.extend(again);
            dice.shuffle(&mut shuffled);
            let rows = folded(shuffled);
            for (key, state) in &in_order {
                let said = || described(&history, &changes, key);
                assert_eq!(rows.get(key), Some(state), "history {seed}, shuffled: row {key}\n{}", said());
            }
        }
    }
    println!("{records} records");
}

fn first_difference(
    these: &BTreeMap<RowKey, RowImage>,
    others: &BTreeMap<RowKey, RowImage>,
) -> Option<RowKey> {
    these.keys().chain(others.keys()).find(|key| these.get(key) != others.get(key)).cloned()
}

/// Returns the changes of one row, in the order in which they were written.
fn described(history: &History, changes: &[Change], key: &RowKey) -> String {
    let of_row = changes.iter().filter(|change| change.row_key == *key);
    let lines: Vec<String> = of_row
        .map(|change| {
            let stored = serde_json::to_string(&change.version).expect("JSON");
            format!("{:?} {:?} {stored} {:?}", change.operation, change.snapshot, change.cells.values())
        })
        .collect();
    format!("{:?}\n{}", history.variety, lines.join("\n"))
}

#[test]
fn a_stored_row_reads_back_and_folds_on() {
    let profile = Profile::built_in();
    for seed in 0..200 {
        let history = History::of(seed);
        let changes = changes(&profile, &history.records);
        let mut rows = Rows::new();
        for change in &changes {
            let stored =
                rows.remove(&change.row_key).map(|state| serde_json::to_string(&state).expect("JSON"));
            let state = stored.map(|json| serde_json::from_str(&json).expect("a stored row"));
            rows.insert(change.row_key.clone(), fold(state, change).state);
        }
        assert_eq!(rows, folded(&changes), "history {seed}");
    }
}
