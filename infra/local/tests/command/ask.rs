//! Commands that ask a ledger, as a person uses them.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::program::{capture, contribution, expected, failure_of, success_of};
use serde_json::Value;
use tempfile::TempDir;

const LAST: &str = "2026-02-10";
const ACCOUNT: &str = "D25122700018";

/// What each command is asked with, and what its answer has.
const QUESTIONS: &[(&[&str], &str)] = &[
    (&["status"], "closed up to              2026-02-10"),
    (&["account", ACCOUNT], "60079.57263"),
    (&["account", "HEADQUARTERS"], "HEADQUARTERS"),
    (&["order", "57"], "D25122700018"),
    (&["order", "#26"], "STATUS"),
    (&["held"], "STATUS"),
    (&["held", "--reason", "NO_REFERRAL"], "by reason"),
    (&["quarantine"], "nothing was refused"),
    (&["snapshot", LAST, "--limit", "5"], "OPERATION"),
    (&["statement", ACCOUNT, "--to", LAST], "60079.57263"),
    (&["events", "--type", "DailySnapshotCreated"], LAST),
    (&["webhooks"], "no service is sent events"),
    (&["log"], "CLOSE"),
    (&["log", "1", "--limit", "3"], "ORDER_SEEN"),
];

/// A ledger of the incident with its dates closed. A data directory has one process at a time, so that a test holds it
/// while it asks.
struct Ledger(TempDir);

fn ledger() -> MutexGuard<'static, Ledger> {
    static LEDGER: OnceLock<Mutex<Ledger>> = OnceLock::new();
    let ledger = LEDGER.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let mut replay = contribution();
        replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", LAST, "--data"]);
        success_of(replay.arg(directory.path()));
        Mutex::new(Ledger(directory))
    });
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ask(&self, arguments: &[&str]) -> Command {
        let mut command = contribution();
        command.args(arguments).arg("--data").arg(self.path()).env("LC_ALL", "C");
        command
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = success_of(self.ask(arguments).arg("--json"));
        serde_json::from_str(&text).expect("JSON")
    }
}

#[test]
fn every_question_is_answered_for_people_and_for_programs() {
    let ledger = ledger();
    for (question, expected) in QUESTIONS {
        let answer = success_of(&mut ledger.ask(question));
        assert!(answer.contains(expected), "{question:?}: {answer}");
        assert!(!answer.contains('\x1b'), "colour is for terminals: {question:?}");
        assert!(ledger.json(question).is_object(), "{question:?}");
    }
}

#[test]
fn answers_show_what_the_oracle_expects() {
    let ledger = ledger();
    let expected = expected("ordering-incident");
    for (account, expected) in expected["accounts"].as_object().unwrap().iter().take(10) {
        let mut ask = ledger.ask(&["account", account, "--json"]);
        let output = ask.output().unwrap();
        if !output.status.success() {
            assert_eq!(expected["total"], "0.0000000000", "{account}");
            continue;
        }
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        for name in ["personal", "team_level", "team_bonus", "total", "effective"] {
            assert_eq!(shown[name], expected[name], "{account} {name}");
        }
    }
    let legs = ledger.json(&["order", "57"])["distribution"]["legs"].as_array().unwrap().len();
    assert_eq!(Some(legs), expected["distributions"]["57"]["legs"].as_array().map(Vec::len));
}

#[test]
fn lists_are_read_to_the_limit_that_is_asked_for() {
    let ledger = ledger();
    let pages = ledger.json(&["log", "--limit", "1000"]);
    let pages = pages["pages"].as_array().unwrap();
    let numbers: Vec<u64> = pages.iter().map(|page| page["page"].as_u64().unwrap()).collect();
    let last = numbers[0];
    assert_eq!(numbers, (1..=last).rev().collect::<Vec<_>>(), "every page, the last one first");
    for pair in pages.windows(2) {
        assert_eq!(pair[0]["previous_hash"], pair[1]["hash"], "the pages are a chain");
    }
    let few = ledger.json(&["log", "--limit", "3"]);
    assert_eq!(few["pages"].as_array().map(Vec::len), Some(3));
    let whole = ledger.json(&["log", "1", "--limit", "100000"]);
    assert_eq!(whole["entries"].as_array().map(|all| all.len() as u64), whole["entry_count"].as_u64());
}

#[test]
fn a_statement_and_a_snapshot_are_files_for_a_spreadsheet() {
    let ledger = ledger();
    let statement = success_of(&mut ledger.ask(&["statement", ACCOUNT, "--csv", "-"]));
    assert!(statement.starts_with("date,movement,") && statement.contains("CLOSING_BALANCE"), "{statement}");
    let file = ledger.path().join("rows.csv");
    let path = file.to_str().unwrap();
    success_of(&mut ledger.ask(&["snapshot", LAST, "--csv", path]));
    let rows = std::fs::read_to_string(&file).unwrap();
    let expected = ledger.json(&["snapshot", LAST])["rows"].as_u64().unwrap();
    assert_eq!(rows.lines().count() as u64, expected + 1, "a line of names, and the rows");
    let refused = failure_of(&mut ledger.ask(&["snapshot", LAST, "--csv", "/no/such/directory/rows.csv"]));
    assert!(refused.contains("cannot write to /no/such/directory/rows.csv"), "{refused}");
}

#[test]
fn the_exit_code_says_whether_all_is_well_and_whether_that_can_be_told() {
    let ledger = ledger();
    let verdict = ledger.json(&["status"]);
    let code = |command: &mut Command| command.output().unwrap().status.code();
    assert_eq!(code(&mut ledger.ask(&["status"])), Some(0), "only where it is asked for");
    let expected = verdict["exit_code"].as_i64().and_then(|code| i32::try_from(code).ok());
    assert_eq!(code(&mut ledger.ask(&["status", "--exit-code"])), expected);
    assert_eq!(expected, Some(2), "dates after {LAST} have begun and are not closed: {verdict}");
    let mut nothing = contribution();
    assert_eq!(code(nothing.args(["status", "--exit-code", "--data", "/no/such/directory"])), Some(3));
}

#[test]
fn what_is_there_and_cannot_be_read_is_not_said_to_be_missing() {
    let directory = tempfile::tempdir().expect("it works");
    let ring = directory.path().join("ring");
    std::os::unix::fs::symlink(&ring, &ring).expect("it is made");
    let ledger = failure_of(contribution().args(["held", "--data"]).arg(&ring));
    assert!(ledger.contains("ring cannot be read: ") && !ledger.contains("holds no ledger"), "{ledger}");
    let capture = failure_of(contribution().arg("replay").arg(&ring));
    assert!(capture.contains("cannot open the capture") && !capture.contains("did you mean"), "{capture}");
}

#[test]
fn mistakes_are_answered_with_what_was_meant_and_the_next_step() {
    let ledger = ledger();
    let lower = ledger.ask(&["account", "d25122700018"]).output().expect("it starts");
    assert!(
        lower.status.success() && String::from_utf8_lossy(&lower.stderr).contains("this is D25122700018")
    );
    let backwards = ["statement", ACCOUNT, "--from", "2026-02-01", "--to", "2026-01-05"];
    let backwards = failure_of(&mut ledger.ask(&backwards));
    assert!(backwards.contains("--from 2026-02-01 is after --to 2026-01-05"), "{backwards}");
    let unknown = failure_of(&mut ledger.ask(&["order", "999999"]));
    assert!(unknown.contains("999999 is not known"), "{unknown}");
    let open = failure_of(&mut ledger.ask(&["snapshot", "2031-01-01"]));
    assert!(open.contains("is not closed") && open.contains(LAST), "{open}");
    let reason = failure_of(&mut ledger.ask(&["held", "--reason", "NO_REFERAL"]));
    assert!(reason.contains("NO_REFERRAL"), "{reason}");
    let nothing = failure_of(&mut ledger.ask(&["account", " "]));
    assert!(nothing.contains("which account?"), "{nothing}");
    let none = failure_of(&mut ledger.ask(&["held", "--limit", "0"]));
    assert!(none.contains("expected a whole number from 1"), "{none}");
    let mistyped = failure_of(contribution().args(["acount", ACCOUNT]));
    assert!(mistyped.contains("account"), "{mistyped}");
    let nowhere = failure_of(contribution().args(["held"]));
    assert!(nowhere.contains("--data") && nowhere.contains("--url"), "{nowhere}");
    let empty = failure_of(contribution().args(["held", "--data", "/no/such/directory"]));
    assert!(empty.contains("/no/such/directory holds no ledger"), "{empty}");
}

#[test]
fn a_directory_that_another_process_has_is_answered_with_how_to_ask_that_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let _owner = local_tables::SqliteEngine::open(directory.path()).expect("nothing uses it");
    let refused = failure_of(contribution().arg("held").arg("--data").arg(directory.path()));
    assert!(
        refused.contains("is in use by process") && refused.contains("--url http://127.0.0.1"),
        "{refused}"
    );
}

#[test]
fn a_chinese_environment_is_answered_in_chinese() {
    let ledger = ledger();
    for (question, _) in QUESTIONS {
        let answer = success_of(ledger.ask(question).env("LC_ALL", "zh_CN.UTF-8"));
        assert!(watch::language::is_chinese(&answer), "{question:?}: {answer}");
        for english in ["reason", "adoptions", "account ", "order ", "rank", "page ", "nothing"] {
            assert!(!answer.contains(english), "{question:?} still says {english:?}: {answer}");
        }
    }
}

#[test]
fn shells_learn_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = success_of(contribution().args(["completions", shell]));
        for command in ["status", "account", "order", "held", "quarantine", "snapshot", "statement", "log"] {
            assert!(script.contains(command), "{shell} {command}");
        }
    }
    let mistyped = failure_of(contribution().args(["completions", "bsh"]));
    assert!(mistyped.contains("bash"), "{mistyped}");
}

#[test]
fn the_incident_is_told_at_the_end_of_the_replay() {
    let summary = success_of(contribution().arg("replay").arg(capture("ordering-incident")));
    let told = summary.split("the ordering incident").nth(1).expect("it is told");
    assert!(told.contains("orders 57, 58, 59 read before 55:"), "{told}");
    assert!(told.contains("D25122700018 would have received nothing instead of 11,534.67"), "{told}");
}

#[cfg(not(feature = "network"))]
#[test]
fn a_build_without_the_network_says_how_to_make_one_with_it() {
    let refused =
        failure_of(contribution().args(["held", "--url", "https://api.example.com", "--token", "t"]));
    assert!(
        refused.contains("--features network") && refused.contains("https://api.example.com"),
        "{refused}"
    );
}

mod served {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, Stdio};

    use super::*;

    /// A stack that serves the ledger.
    struct Running {
        child: Child,
        url: String,
        token: String,
    }

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn run(data: &Path) -> Running {
        let mut run = contribution();
        run.args(["run", "--port", "0", "--as-of", LAST, "--data"]).arg(data);
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut errors = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            assert!(errors.read_line(&mut line).expect("text") > 0, "the stack ended: {seen}");
            seen.push_str(&line);
            if line.starts_with("up;") {
                break;
            }
        }
        std::thread::spawn(move || errors.read_to_end(&mut Vec::new()));
        let link = seen.lines().find_map(|line| line.trim().split_once("/#token=")).expect("a link");
        Running { child, url: link.0.to_owned(), token: link.1.to_owned() }
    }

    #[test]
    fn a_deployment_is_stopped_and_taken_up_again_and_says_what_cannot_be_let_go() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut replay = contribution();
        replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", LAST, "--data"]);
        success_of(replay.arg(directory.path()));
        let running = run(directory.path());
        let over_http = |arguments: &[&str]| {
            let mut command = contribution();
            command.args(arguments).args(["--url", &running.url]).env("CONTRIBUTION_TOKEN", &running.token);
            command.env("LC_ALL", "C");
            command
        };
        let pause = ["pause", "--what", "posting", "--reason", "ticket 4711", "--key", "pause-4711"];
        for _ in 0..2 {
            let said = success_of(&mut over_http(&pause));
            assert!(said.contains("posting is stopped since"), "{said}");
        }
        let paused = success_of(&mut over_http(&["status"]));
        assert!(paused.contains("PAUSED"), "{paused}");
        let other = ["pause", "--what", "closing", "--reason", "ticket 4712", "--key", "pause-4711"];
        let refused = failure_of(&mut over_http(&other));
        assert!(refused.contains("used for something else"), "the key is of another command: {refused}");
        let resume = ["resume", "--what", "posting", "--reason", "solved"];
        assert!(success_of(&mut over_http(&resume)).contains("posting goes on"));
        assert!(!success_of(&mut over_http(&["status"])).contains("PAUSED"));
        let truncate = ["let-go", "truncate", "no such key", "--reason", "the source is right"];
        let refused = failure_of(&mut over_http(&truncate));
        assert!(refused.contains("no table that was truncated waits under no such key"), "{refused}");
        for let_go in [&["let-go", "brake"][..], &["let-go", "close", LAST]] {
            let let_go = [let_go, &["--reason", "the source is right"]].concat();
            let output = over_http(&let_go).output().expect("it starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() || said.contains("refused: "), "{let_go:?}: {said}");
        }
        let log = success_of(&mut over_http(&["operations"]));
        assert_eq!(log.matches("ticket 4711").count(), 1, "once for each key: {log}");
    }

    /// Checks that an explanation of a deployment is that of a directory, but for what came before the last entry.
    fn assert_explained_alike(deployed: &str, kept: &str) {
        let parts = |text: &str| {
            text.split_once("\nhistory\n").map(|(one, other)| (one.to_owned(), other.to_owned()))
        };
        let (deployed, kept) = (parts(deployed).expect("a history"), parts(kept).expect("a history"));
        assert_eq!(deployed.0, kept.0);
        assert!(deployed.0.contains("TEAM_LEVEL 1") && deployed.0.contains("terms\n"), "{}", deployed.0);
        let (page, _) = deployed.1.split_once(',').expect("a page");
        let last = kept.1.lines().last().expect("a last entry");
        assert!(last.starts_with(page), "{deployed:?} is not the end of {kept:?}");
        assert!(deployed.1.contains("(see --data)"), "{deployed:?}");
    }

    #[test]
    fn a_deployment_is_shown_as_a_directory_is() {
        let ledger = ledger();
        let running = run(ledger.path());
        let over_http = |question: &[&str]| {
            let mut command = contribution();
            command
                .args(question)
                .args(["--url", &running.url, "--token", &running.token])
                .env("LC_ALL", "C");
            success_of(&mut command)
        };
        let mut files: Vec<Vec<&str>> = QUESTIONS.iter().map(|(question, _)| question.to_vec()).collect();
        files.push(vec!["statement", ACCOUNT, "--csv", "-"]);
        files.push(vec!["snapshot", LAST, "--csv", "-"]);
        let remote: Vec<String> = files.iter().map(|question| over_http(question)).collect();
        let explained = over_http(&["explain", "57"]);
        let mut stranger = contribution();
        stranger.args(["held", "--url", &running.url, "--token", "no token"]);
        let refused = failure_of(&mut stranger);
        assert!(refused.contains("--token"), "{refused}");
        drop(running);
        for (question, remote) in files.iter().zip(remote) {
            assert_eq!(success_of(&mut ledger.ask(question)), remote, "{question:?}");
        }
        assert_explained_alike(&explained, &success_of(&mut ledger.ask(&["explain", "57"])));
        let gone = failure_of(contribution().args(["held", "--url", "http://127.0.0.1:9", "--token", "t"]));
        assert!(gone.contains("cannot be reached"), "{gone}");
    }
}
