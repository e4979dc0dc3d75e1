//! Every command that changes a kept ledger leaves exactly one entry in its operators' log.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::program::{capture, contribution, failure_of, success_of, tables_of};
use clap::CommandFactory as _;
use contribution::arguments::Arguments;
use contribution::close;
use contribution::operators_log::{self, Deed, ON_THE_COMMAND_LINE};
use contribution::stack::{Options, Stack};
use store::lists::{self, Operation};
use store::{Condition, Engine as _, Write, Written};

/// Returns what commands of this program did to the ledger in this directory, as its operators' log has it, the latest
/// first. What schedules ask for is there, too, under the names of their functions.
fn log(directory: &Path) -> Vec<Operation> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let engine = tables_of(directory);
    let operations = runtime.block_on(lists::operations(&engine, None, 100)).expect("readable");
    operations.into_iter().filter(|operation| operation.by == operators_log::operator()).collect()
}

fn run(arguments: &[&str], directory: &Path) -> String {
    success_of(contribution().args(arguments).arg("--data").arg(directory))
}

/// Starts `contribution run`, and waits until it is up.
fn started(directory: &Path, options: &[&str]) -> Child {
    let mut run = contribution();
    run.args(["run", "--port", "0", "--data"])
        .arg(directory)
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = run.spawn().expect("it starts");
    let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut said = Vec::new();
    let mut is_up = |line: String| {
        said.push(line);
        said.last().is_some_and(|line| line.contains("press Ctrl-C"))
    };
    assert!(lines.map_while(Result::ok).any(&mut is_up), "it ended: {}", said.join("\n"));
    child
}

/// Options that change nothing by themselves: which ledger, how it runs, what is named, how it is shown.
const CHANGE_NOTHING: [&str; 42] = [
    "account",
    "after",
    "brake",
    "capture",
    "csv",
    "data",
    "date",
    "diff",
    "exit-code",
    "export",
    "from",
    "full-speed",
    "guard",
    "head",
    "json",
    "key",
    "limit",
    "log",
    "operate",
    "order",
    "orders",
    "out",
    "page-rows",
    "parameter",
    "partitions",
    "patience",
    "pause",
    "policy",
    "port",
    "postgres",
    "profile",
    "reason",
    "schema",
    "settle",
    "table",
    "to",
    "token",
    "topic",
    "type",
    "until",
    "url",
    "what",
];

/// Returns every command that `--help` names, those below others included, and once more with each option that may
/// change something.
fn commands() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    collect(&Arguments::command(), "", &mut all);
    all
}

fn collect(command: &clap::Command, path: &str, all: &mut BTreeSet<String>) {
    for below in command.get_subcommands() {
        let path = format!("{path} {}", below.get_name());
        let path = path.trim_start();
        if below.has_subcommands() {
            collect(below, path, all);
            continue;
        }
        all.insert(path.to_owned());
        let options = below.get_opts().filter_map(clap::Arg::get_long);
        let changing = options.filter(|option| !CHANGE_NOTHING.contains(option));
        all.extend(changing.map(|option| format!("{path} --{option}")));
    }
}

/// What a command leaves in the operators' log.
enum Leaves {
    Nothing,
    /// One entry with this text.
    Entry(&'static str),
    /// One entry, which says that it was refused.
    Refusal(&'static str),
}

/// Returns the command that only looks at a kept ledger, if it is one that does.
fn look(name: &str) -> Option<Vec<&str>> {
    Some(match name {
        "export" => vec![name, "/dev/null"],
        "status" | "held" | "quarantine" | "log" | "operations" | "events" | "webhooks" | "audit"
        | "digest" => vec![name],
        "account" => vec![name, "D25122700018"],
        "order" | "explain" => vec![name, "57"],
        "snapshot" => vec![name, "2026-01-10"],
        "statement" => vec![name, "D25122700018", "--from", "2026-01-01", "--to", "2026-01-10"],
        _ => return None,
    })
}

/// Returns the arguments of a command that changes a kept ledger by itself, and what its entry says.
fn change(name: &str) -> Option<(Vec<String>, &'static str)> {
    let capture = capture("ordering-incident").to_str().expect("a path").to_owned();
    let owned = |arguments: &[&str]| arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let because = |arguments: &[&str]| owned(&[arguments, &["--reason", "the walk"]].concat());
    Some(match name {
        "replay" => (owned(&["replay", &capture]), "replayed ordering-incident"),
        "replay --as-of" => (owned(&["replay", &capture, "--as-of", "2026-01-12"]), "Close"),
        "close" => (because(&["close", "2026-01-10"]), "Close"),
        "pause" | "resume" => (because(&[name, "--what", "corrections"]), "Corrections"),
        "let-go brake" => (because(&["let-go", "brake"]), "Brake"),
        "webhook set" => (because(&["webhook", "set", "mining", "http://127.0.0.1:9/in"]), "Webhook"),
        "let-go close" => (because(&["let-go", "close", "2026-01-20"]), "SuspiciousClose"),
        _ => return None,
    })
}

/// Returns the arguments of a command that is refused because there is no subscription: it comes before the one that
/// makes it.
fn without_subscription(name: &str) -> Option<(Vec<&str>, Leaves)> {
    let (_, what) = name.split_once("webhook ")?;
    Some(match what {
        "redeliver" => {
            (vec!["webhook", what, "mining_1_2", "--reason", "the walk"], Leaves::Refusal("Rejected"))
        }
        "remove" | "resume" | "rotate" => {
            (vec!["webhook", what, "mining", "--reason", "the walk"], Leaves::Refusal("Rejected"))
        }
        "secrets" => (vec!["webhook", what, "mining"], Leaves::Nothing),
        _ => return None,
    })
}

/// Runs a command of [`commands`] on a kept ledger.
fn walk(name: &str, directory: &Path) -> Leaves {
    let beside = |extension: &str| directory.with_extension(extension).to_str().expect("a path").to_owned();
    if let Some(arguments) = look(name) {
        run(&arguments, directory);
        return Leaves::Nothing;
    }
    if let Some((arguments, text)) = change(name) {
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), directory);
        return Leaves::Entry(text);
    }
    if let Some((arguments, left)) = without_subscription(name) {
        failure_of(contribution().args(arguments).arg("--data").arg(directory));
        return left;
    }
    match name {
        "token" => {
            run(&["token", "--operate", "--reason", "the walk"], directory);
            // It does not own the ledger; the process that owns it takes it in.
            run(&["export", "/dev/null"], directory);
            Leaves::Entry("issued an operator's token")
        }
        "run" => {
            stop(started(directory, &[]));
            Leaves::Entry("went on, and issued an operator's token")
        }
        "run --as-of" => {
            stop(started(directory, &["--as-of", "2026-01-14"]));
            Leaves::Entry("Close")
        }
        "let-go truncate" => {
            let arguments = ["let-go", "truncate", "no such key", "--reason", "the walk", "--data"];
            failure_of(contribution().args(arguments).arg(directory));
            Leaves::Refusal("Truncate")
        }
        "audit --repair" => {
            damage(directory);
            run(&["audit", "--repair"], directory);
            Leaves::Entry("ADOPTION_HEAD of order 57")
        }
        "verify" => {
            run(&["export", &beside("jsonl"), "--log"], directory);
            success_of(contribution().args(["verify", &beside("jsonl")]));
            Leaves::Nothing
        }
        "price-book export" => {
            run(&["price-book", "export", &beside("csv")], directory);
            Leaves::Nothing
        }
        "price-book import" => {
            std::fs::write(beside("csv"), "order_id,trees_before\n999999,1\n").expect("a place for it");
            run(&["price-book", "import", &beside("csv"), "--reason", "the walk"], directory);
            Leaves::Entry("TakeOverPlaces")
        }
        "reconcile" => {
            let capture = capture("ordering-incident.snapshot");
            run(&["reconcile", "--capture", capture.to_str().expect("a path")], directory);
            Leaves::Nothing
        }
        // The one knows no ledger; the other reads another service's database as well, and changes nothing. What the
        // third takes in needs a server: `tests/postgres/reconcile` looks at the entry it leaves.
        "completions" | "compare" | "reconcile --repair" => Leaves::Nothing,
        other => {
            panic!(
                "the walk does not know `{other}`: say what it leaves in the log, or that it changes nothing"
            )
        }
    }
}

/// Takes the head of an adoption away.
fn damage(directory: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let engine = tables_of(directory);
    let key = store::heads::adoption_key(domain::OrderId::new(57).expect("an order"));
    let written = runtime.block_on(engine.write(Write::delete(key, Condition::None)));
    assert_eq!(written, Ok(Written::Done));
}

fn stop(mut child: Child) {
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn every_command_of_the_command_line_leaves_one_entry_if_it_changes_something() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("ledger");
    let mut names = commands();
    assert!(names.remove("replay"), "it comes first: the others need a ledger");
    assert!(names.remove("run"), "it comes last: a ledger that is served closes dates that others show");
    let first = std::iter::once("replay".to_owned());
    let last = std::iter::once("run".to_owned());
    let mut before = 0;
    for name in first.chain(names).chain(last) {
        let left = walk(&name, &data);
        let entries = log(&data);
        let (count, text, is_refusal) = match left {
            Leaves::Nothing => (0, "", false),
            Leaves::Entry(text) => (1, text, false),
            Leaves::Refusal(text) => (1, text, true),
        };
        assert_eq!(entries.len(), before + count, "{name}: {entries:#?}");
        before = entries.len();
        if count > 0 {
            let entry = &entries[0];
            assert!(!entry.reason.is_empty(), "{name}: {entry:?}");
            assert_eq!(entry.outcome.refusal().is_some(), is_refusal, "{name}: {entry:?}");
            assert_eq!(entry.outcome.change().is_some(), !is_refusal, "{name}: {entry:?}");
            assert!(format!("{:?}", entry.command).contains(text), "{name}: {entry:?}");
        }
    }
}

#[test]
fn a_replay_that_is_killed_before_its_close_leaves_one_entry() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("ledger");
    let mut replay = contribution();
    replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", "2026-01-12", "--data"]);
    let mut child = replay.arg(&data).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let asked = data.join("asked");
    let is_begun = || std::fs::read_dir(&asked).is_ok_and(|mut files| files.next().is_some());
    while !is_begun() && child.try_wait().expect("it was started").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    stop(child);
    run(&["export", "/dev/null"], &data);
    let entries = log(&data);
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert!(entries[0].outcome.change().is_some(), "{entries:#?}");
    // Once more, now to its end.
    run(&["replay", capture("ordering-incident").to_str().expect("a path"), "--as-of", "2026-01-13"], &data);
    assert_eq!(log(&data).len(), 2);
}

#[tokio::test]
async fn a_close_takes_the_place_of_what_its_command_left_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_owned();
    let stack = Stack::start(&Options { data: Some(data.clone()), ..Options::default() }).expect("it starts");
    let leave = async || {
        let deed = Deed::of_reading(&stack, "replayed a capture (3 records)".to_owned()).await;
        operators_log::leave(&data, ON_THE_COMMAND_LINE, deed.expect("readable")).expect("writable")
    };
    let entries = async || {
        operators_log::take_in(&stack, &data).await.expect("readable");
        stack.settle().await.expect("it settles");
        let entries = lists::operations(stack.engine(), None, 100).await.expect("readable");
        entries.into_iter().map(|entry| format!("{:?}", entry.command)).collect::<Vec<_>>()
    };
    // What is left by a command that was interrupted is its entry.
    leave().await;
    let after_interruption = entries().await;
    assert!(matches!(&after_interruption[..], [note] if note.starts_with("Note")), "{after_interruption:?}");
    // What is left by one that came to its close is not.
    let left = leave().await;
    let file = data.join("asked").join(format!("{}.json", left.key().trim_start_matches("asked-")));
    let bytes = std::fs::read(&file).expect("it is there");
    let until = "2026-01-12".parse().expect("a date");
    close::close_until(&stack, until, "a test", Some(left)).await.expect("nothing is in the way");
    assert!(!file.exists());
    let after_close = entries().await;
    assert!(after_close.len() == 2 && after_close[0].starts_with("Close"), "{after_close:?}");
    // Nor is it where the command was killed before it removed the file.
    std::fs::write(&file, bytes).expect("writable");
    assert_eq!(entries().await, after_close);
    assert!(!file.exists());
}

#[test]
fn a_running_ledger_takes_in_that_a_token_was_issued() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("ledger");
    let child = started(&data, &[]);
    run(&["token", "--account", "D25122700018", "--reason", "a question of the member"], &data);
    let asked = data.join("asked");
    let is_taken_in = || std::fs::read_dir(&asked).is_ok_and(|mut files| files.next().is_none());
    let started = Instant::now();
    while !is_taken_in() && started.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(is_taken_in(), "the file is still there");
    stop(child);
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
        stop(started(&data, &[]));
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
