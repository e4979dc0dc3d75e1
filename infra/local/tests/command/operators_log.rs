//! Every command that changes a kept ledger leaves exactly one entry in its operators' log.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::program::{capture, contribution, failure_of, success_of};
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

/// Returns the command that only looks at a kept ledger, if it is one that does.
fn look(name: &str) -> Option<Vec<&str>> {
    Some(match name {
        "export" => vec![name, "/dev/null"],
        "status" | "held" | "quarantine" | "log" | "operations" | "events" | "webhooks" | "audit"
        | "digest" => {
            vec![name]
        }
        "account" => vec![name, "D25122700018"],
        "order" | "explain" => vec![name, "57"],
        "snapshot" => vec![name, "2026-01-10"],
        "statement" => vec![name, "D25122700018", "--from", "2026-01-01", "--to", "2026-01-10"],
        _ => return None,
    })
}

/// Runs a command that `--help` names on a kept ledger. Returns how many entries it leaves in the operators'
/// log, and why.
fn walk(name: &str, directory: &Path) -> (usize, &'static str) {
    if let Some(arguments) = look(name) {
        run(&arguments, directory);
        return (0, "");
    }
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
        "pause" | "resume" => {
            run(&[name, "--what", "posting", "--reason", "the walk"], directory);
            (1, "Posting")
        }
        "let-go" => {
            run(&["let-go", "brake", "--reason", "the walk"], directory);
            (1, "Brake")
        }
        "webhook" => {
            run(&["webhook", "set", "mining", "http://127.0.0.1:9/in", "--reason", "the walk"], directory);
            (1, "Webhook")
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
            assert!(!entry.reason.is_empty() && entry.outcome.is_done(), "{name}: {entry:?}");
            // What is known of subscriptions follows from the log, and is not known to the decider.
            let has_no_state = matches!(
                entry.command,
                domain::log::Command::Note { .. } | domain::log::Command::Webhook { .. }
            );
            assert_eq!(entry.outcome.change().is_none(), has_no_state, "{name}: {entry:?}");
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

/// Returns what `status` says is stopped by hand.
fn stopped(directory: &Path) -> Vec<String> {
    let status: serde_json::Value =
        serde_json::from_str(&run(&["status", "--json"], directory)).expect("JSON");
    let problems = status["problems"].as_array().expect("problems").iter();
    let paused = problems.filter(|problem| problem["code"] == "PAUSED");
    paused.map(|problem| problem["what"].as_str().expect("in words").to_owned()).collect()
}

#[test]
fn what_is_stopped_stays_stopped_after_restarts_until_it_is_taken_up_again() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("ledger");
    run(&["replay", capture("ordering-incident").to_str().expect("a path")], &data);
    for what in ["posting", "closing", "corrections"] {
        let said = run(&["pause", "--what", what, "--reason", "ticket 4711", "--key", "pause-0001"], &data);
        assert!(said.contains(&format!("{what} goes on")), "{said}");
        assert!(said.contains(&format!("{what} is stopped since")), "{said}");
        // A restart, and the same command once more.
        let shown = stopped(&data);
        assert!(matches!(&shown[..], [one] if one.ends_with("is stopped by hand")), "{what}: {shown:?}");
        run(&["pause", "--what", what, "--reason", "ticket 4711", "--key", "pause-0001"], &data);
        let mut child = started(&data);
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        assert_eq!(stopped(&data).len(), 1, "{what}");
        let said = run(&["resume", "--what", what, "--reason", "ticket 4711 is solved"], &data);
        assert!(said.contains(&format!("{what} goes on")), "{said}");
        assert_eq!(stopped(&data), Vec::<String>::new());
        let entries = log(&data);
        // The replay, the pause, the start and the resume: each once.
        assert_eq!(entries.len(), 4, "{entries:#?}");
        assert_eq!(entries[0].reason, "ticket 4711 is solved");
        std::fs::remove_dir_all(&data).expect("it is there");
        run(&["replay", capture("ordering-incident").to_str().expect("a path")], &data);
    }
    let refused = failure_of(contribution().args(["pause", "--what", "posting", "--data"]).arg(&data));
    assert!(refused.contains("--reason"), "{refused}");
}

#[test]
fn a_command_that_is_refused_fails_and_stands_in_the_operators_log() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("ledger");
    run(&["replay", capture("ordering-incident").to_str().expect("a path")], &data);
    let arguments = ["let-go", "truncate", "no such key", "--reason", "the source is right", "--data"];
    let refused = failure_of(contribution().args(arguments).arg(&data));
    assert!(refused.contains("no table that was truncated waits under no such key"), "{refused}");
    let entries = log(&data);
    assert_eq!((entries.len(), entries[0].outcome.is_done()), (2, false), "{entries:#?}");
    let csv = run(&["operations", "--csv", "-"], &data);
    assert!(csv.starts_with("at,page,entry,by,reason,"), "{csv}");
    assert!(csv.contains("the source is right"), "{csv}");
}
