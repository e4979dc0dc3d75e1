//! The command as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/captures").join(file)
}

/// Returns a file of its own for a test.
fn scratch(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn oracle(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_oracle")).args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn what_it_expects_of_a_golden_capture_compares_as_the_same() {
    let printed = oracle(&[Path::new("expected"), &golden("flattened-regions.jsonl")]);
    assert!(printed.status.success());
    let export = scratch("same.json", text(&printed.stdout));
    let compared = oracle(&[Path::new("compare"), &export, &golden("flattened-regions.expected.json")]);
    assert_eq!(compared.status.code(), Some(0), "{}", text(&compared.stdout));
    assert!(text(&compared.stdout).starts_with("the same in orders, held"));
}

#[test]
fn a_difference_is_named_and_fails() {
    let expected = golden("ordering-incident.expected.json");
    let mut changed: Value =
        serde_json::from_str(&std::fs::read_to_string(&expected).expect("readable")).expect("JSON");
    changed["accounts"]["D25122700001"]["total"] = "1.0000000000".into();
    let export = scratch("changed.json", &changed.to_string());
    let compared = oracle(&[Path::new("compare"), &export, &expected]);
    assert_eq!(compared.status.code(), Some(1));
    assert_eq!(
        text(&compared.stdout),
        "accounts.D25122700001.total: \"1.0000000000\" instead of \"53309.7391050000\"\n"
    );
}

#[test]
fn dates_policies_price_books_and_adjustments_are_inputs() {
    let policy = scratch("policy.json", r#"{ "distributable_statuses": ["CREATED"] }"#);
    let book = scratch("book.json", r#"{ "9999": 12 }"#);
    let adjustments = scratch(
        "adjustments.json",
        r#"[{ "from": "HEADQUARTERS", "to": "new", "amount": "2", "effective_date": "2026-01-01" }]"#,
    );
    let printed = oracle(&[
        Path::new("expected"),
        &golden("ordering-incident.jsonl"),
        Path::new("--date"),
        Path::new("2026-01-20"),
        Path::new("--policy"),
        &policy,
        Path::new("--price-book"),
        &book,
        Path::new("--adjustments"),
        &adjustments,
    ]);
    let ledger: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    assert_eq!(ledger["snapshot"], Value::Null, "headquarters has less than it gave");
    assert_eq!(ledger["price_book"]["9999"]["before"], 12);
    assert_eq!(ledger["accounts"]["new"]["effective"], "2.0000000000");
    let held = ledger["held"].as_array().expect("a list");
    assert!(held.len() > 90 && held.iter().all(|entry| entry[1] == "STATUS" || entry[1] == "NOT_YET"));
}

#[test]
fn the_command_names_the_file_or_option_that_it_cannot_read() {
    let refused = oracle(&[Path::new("expected"), Path::new("nowhere.jsonl")]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).starts_with("nowhere.jsonl: "));
    let refused = oracle(&[Path::new("expected"), Path::new("nowhere.jsonl"), Path::new("--dat")]);
    assert!(text(&refused.stderr).starts_with("--dat is no option with a value"));
    assert!(text(&oracle(&[]).stderr).starts_with("oracle expected CAPTURE"));
}
