//! Cases from the field: each gives the ledger that its plain rows give, in order, repeated and scrambled.

use std::fs;
use std::path::{Path, PathBuf};

use cdc::{CapturedRecord, Profile};
use end_to_end::{Harness, Options, Shuffle, ledger};
use serde_json::Value;

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/cases").join(name)
}

fn records(path: &Path) -> Vec<CapturedRecord> {
    let text = fs::read_to_string(path).expect("a case");
    text.lines().filter_map(|line| CapturedRecord::from_line(line).expect("a record")).collect()
}

fn options(path: &Path) -> Options {
    let mut options = Options::default();
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    let number = name.split('-').next().unwrap_or(name);
    if let Ok(profile) = fs::read_to_string(path.with_file_name(format!("{number}-profile.json"))) {
        options.settings.profile = Profile::from_json(&profile).expect("a profile");
    }
    options
}

async fn ledger_of(path: &Path, shuffle: Shuffle) -> Value {
    let harness = Harness::new(options(path));
    harness.feed(&records(path), shuffle).await;
    ledger(harness.engine()).await
}

fn cases(folder: &str) -> Vec<(PathBuf, PathBuf)> {
    let mut cases: Vec<(PathBuf, PathBuf)> = fs::read_dir(directory(folder))
        .expect("cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".plain.jsonl"))
        .map(|plain| (PathBuf::from(plain.to_string_lossy().replace(".plain.jsonl", ".jsonl")), plain))
        .collect();
    cases.sort();
    cases
}

async fn assert_as_plain(folder: &str) {
    let mut wrong = Vec::new();
    let cases = cases(folder);
    assert!(!cases.is_empty());
    for (case, plain) in cases {
        let expected = ledger_of(&plain, Shuffle::AsCaptured).await;
        for shuffle in [
            Shuffle::AsCaptured,
            Shuffle::Repeated,
            Shuffle::Scrambled { seed: 1 },
            Shuffle::Scrambled { seed: 2 },
            Shuffle::Scrambled { seed: 3 },
            Shuffle::Spread { seed: 1 },
            Shuffle::Spread { seed: 2 },
        ] {
            let actual = ledger_of(&case, shuffle).await;
            for part in ["orders", "distributed_total", "accounts", "system", "distributions"] {
                if actual[part] != expected[part] {
                    let name = case.file_name().expect("a name").to_string_lossy().into_owned();
                    wrong.push(format!(
                        "{name} {shuffle:?} {part}: {} instead of {}",
                        actual[part], expected[part]
                    ));
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn what_connectors_write_gives_the_ledger_of_the_rows_as_they_finally_are() {
    assert_as_plain("cdc").await;
}

#[tokio::test]
async fn what_people_write_gives_the_ledger_of_the_rows_as_they_finally_are() {
    assert_as_plain("ledger").await;
}

/// Returns the cases whose numbers were worked out by hand, with what must stand after each phase.
fn worked() -> Vec<(PathBuf, Value)> {
    let entries = fs::read_dir(directory("ledger")).expect("cases");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(".worked.json"));
    paths.sort();
    let case = |path: &PathBuf| PathBuf::from(path.to_string_lossy().replace(".worked.json", ".jsonl"));
    let read = |path: &PathBuf| {
        serde_json::from_slice(&fs::read(path).expect("a case")).expect("what was worked out is JSON")
    };
    paths.iter().map(|path| (case(path), read(path))).collect()
}

fn phases(worked: &Value) -> impl Iterator<Item = (usize, &Value)> {
    worked["phases"].as_array().expect("phases").iter().map(|phase| {
        let records = phase["records"].as_u64().expect("how many records");
        (usize::try_from(records).expect("a few"), phase)
    })
}

/// Asserts that the ledger is as it was worked out.
async fn assert_worked(harness: &Harness, phase: &Value, what: &str) {
    let ledger = ledger(harness.engine()).await;
    assert_eq!(ledger["held"], phase["held"], "{what}");
    let accounts = ledger["accounts"].as_object().expect("accounts").iter();
    let users = accounts.map(|(account, state)| (account.clone(), state["total"].clone()));
    let system = ledger["system"].as_object().expect("system accounts").clone();
    let zero = Value::from("0.0000000000");
    let totals: serde_json::Map<String, Value> =
        users.chain(system).filter(|(_, total)| *total != zero).collect();
    assert_eq!(Value::Object(totals), phase["totals"], "{what}");
}

#[tokio::test]
async fn cases_worked_out_by_hand_give_their_numbers_after_each_phase_and_in_any_order() {
    let cases = worked();
    assert_eq!(cases.len(), 8);
    for (case, worked) in cases {
        let (records, harness) = (records(&case), Harness::new(options(&case)));
        let mut fed = 0;
        for (until, phase) in phases(&worked) {
            harness.feed(&records[fed..until], Shuffle::AsCaptured).await;
            assert_worked(&harness, phase, &format!("{}: {}", case.display(), phase["what"])).await;
            fed = until;
        }
        assert_eq!(fed, records.len(), "{}", case.display());
        let last = phases(&worked).last().expect("a phase").1;
        for shuffle in [Shuffle::Repeated, Shuffle::Scrambled { seed: 1 }, Shuffle::Spread { seed: 1 }] {
            let harness = Harness::new(options(&case));
            harness.feed(&records, shuffle).await;
            assert_worked(&harness, last, &format!("{} {shuffle:?}", case.display())).await;
        }
    }
}

#[tokio::test]
async fn two_accounts_that_swap_in_one_transaction_cause_the_entries_of_the_final_state_only() {
    use domain::log::Entry::{Corrected, Held, Withdrawn};

    let (case, worked) = worked()
        .into_iter()
        .find(|(case, _)| case.ends_with("34-swap-in-one-transaction.jsonl"))
        .expect("it is there");
    let mut options = options(&case);
    options.settings.decisions.settle = std::time::Duration::from_mins(1);
    // Each row comes alone, so that the state between them is seen.
    options.records_per_event = 1;
    let harness = Harness::new(options);
    let records = records(&case);
    harness.feed(&records, Shuffle::AsCaptured).await;
    for _ in 0..3 {
        harness.pass(chrono::TimeDelta::minutes(1));
        harness.settle().await;
    }
    assert_worked(&harness, phases(&worked).last().expect("a phase").1, "after the swap").await;
    let pages = store::log::read_after(harness.engine(), 0, 1_000).await.expect("readable");
    let entries: Vec<_> = pages.into_iter().flat_map(|page| page.entries).collect();
    let of_between = entries.iter().filter(|entry| matches!(entry, Held(_) | Withdrawn { .. }));
    assert_eq!(of_between.count(), 0, "{entries:#?}");
    // Orders 2, 3 and 4 are corrected, order 1 stays as it is.
    let corrected = entries.iter().filter_map(|entry| match entry {
        Corrected(correction) => Some(correction.order.get()),
        _ => None,
    });
    assert_eq!(corrected.collect::<std::collections::BTreeSet<u64>>(), [2, 3, 4].into());
}
