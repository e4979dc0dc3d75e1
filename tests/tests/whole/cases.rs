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
