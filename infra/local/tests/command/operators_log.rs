//! Every command that changes a kept ledger leaves exactly one entry in its operators' log.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::program::{capture, contribution, success_of};
use clap::CommandFactory as _;
use contribution::arguments::Arguments;
use contribution::asked;
use local_tables::SqliteEngine;
use store::lists::{self, Operation};

/// Returns what commands of this program did to the ledger in this directory, as its operators' log has it, the latest
/// first. What schedules ask for is there, too, under the names of their functions.
fn log(directory: &Path) -> Vec<Operation> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let engine = SqliteEngine::open(directory).expect("no other process uses it");
    let operations = runtime.block_on(lists::operations(&engine, None, 100)).expect("readable");
    operations.into_iter().filter(|operation| operation.by == asked::operator()).collect()
}

fn run(arguments: &[&str], directory: &Path) -> String {
    success_of(contribution().args(arguments).arg("--data").arg(directory))
}

/// Starts `contribution run`, and waits until it is up.
fn started(directory: &Path) -> Child {
    let mut run = contribution();
    run.args(["run", "--port", "0", "--data"]).arg(directory).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = run.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let is_up = |line: std::io::Result<String>| line.is_ok_and(|line| line.contains("press Ctrl-C"));
    assert!(lines.any(is_up), "it comes up");
    child
}

/// Runs a command that `--help` names on a kept ledger. Returns how many entries it leaves in the operators'
/// log, and why.
fn walk(name: &str, directory: &Path) -> (usize, &'static str) {
    match name {
        "replay" => {
            run(&["replay", capture("ordering-incident").to_str().expect("a path")], directory);
            (1, "replayed ordering-incident")
        }
        "close" => {
            run(&["close", "2026-01-10", "--reason", "the walk"], directory);
            (1, "")
        }
        "token" => {
            run(&["token", "--operate", "--reason", "the walk"], directory);
            // It does not own the ledger; the process that owns it takes it in.
            run(&["export", "/dev/null"], directory);
            (1, "issued an operator's token")
        }
        "run" => {
            let mut child = started(directory);
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            (1, "went on, and issued an operator's token")
        }
        "export" => {
            run(&["export", "/dev/null"], directory);
            (0, "")
        }
        "status" | "held" | "quarantine" | "log" | "audit" | "digest" => {
            run(&[name], directory);
            (0, "")
        }
        "verify" => {
            let export = directory.with_extension("jsonl");
            run(&["export", export.to_str().expect("a path"), "--log"], directory);
            let verified = contribution().arg("verify").arg(&export).output().expect("it starts");
            assert!(verified.status.success(), "{verified:?}");
            (0, "")
        }
        "price-book" => {
            let book = directory.with_extension("csv");
            run(&["price-book", "export", book.to_str().expect("a path")], directory);
            (0, "")
        }
        "account" => {
            run(&["account", "D25122700018"], directory);
            (0, "")
        }
        "order" | "explain" => {
            run(&[name, "57"], directory);
            (0, "")
        }
        "snapshot" => {
            run(&["snapshot", "2026-01-10"], directory);
            (0, "")
        }
        "statement" => {
            run(&["statement", "D25122700018", "--from", "2026-01-01", "--to", "2026-01-10"], directory);
            (0, "")
        }
        // The one knows no ledger; the other reads another service's database as well, and changes nothing.
        "completions" | "compare" => (0, ""),
        "reconcile" => {
            let capture = capture("ordering-incident.snapshot");
            run(&["reconcile", "--capture", capture.to_str().expect("a path")], directory);
            (0, "")
        }
        other => {
            panic!("this walk does not know the command {other}: say what it leaves in the operators' log")
        }
    }
}

#[test]
fn every_command_of_the_command_line_leaves_one_entry_if_it_changes_something() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("ledger");
    let command = Arguments::command();
    let mut names: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    assert!(names.remove("replay"), "it comes first: the others need a ledger");
    let mut before = 0;
    for name in ["replay"].into_iter().chain(names) {
        let (left, text) = walk(name, &data);
        let entries = log(&data);
        assert_eq!(entries.len(), before + left, "{name}: {entries:#?}");
        before = entries.len();
        if left > 0 {
            let entry = &entries[0];
            assert!(!entry.reason.is_empty(), "{name}: {entry:?}");
            assert!(format!("{:?}", entry.command).contains(text), "{name}: {entry:?}");
        }
    }
}

#[test]
fn a_running_ledger_takes_in_that_a_token_was_issued() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("ledger");
    let mut child = started(&data);
    run(&["token", "--account", "D25122700018", "--reason", "a question of the member"], &data);
    let asked = data.join("asked");
    let is_taken_in = || std::fs::read_dir(&asked).is_ok_and(|mut files| files.next().is_none());
    let started = Instant::now();
    while !is_taken_in() && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(is_taken_in(), "the file is still there");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    run(&["export", "/dev/null"], &data);
    let entries = log(&data);
    assert_eq!(entries.len(), 2, "{entries:#?}");
    assert_eq!(entries[0].reason, "a question of the member");
}
