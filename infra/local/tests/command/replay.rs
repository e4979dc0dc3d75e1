//! The command `contribution replay`, as a person uses it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{capture, contribution, expected, failure_of, success_of};
use local_tables::SqliteEngine;
use serde_json::Value;

const GOLDEN: [&str; 4] =
    ["flattened-regions", "flattened-regions.snapshot", "ordering-incident", "ordering-incident.snapshot"];

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn the_golden_captures_give_exactly_what_is_expected() {
    let directory = tempfile::tempdir().unwrap();
    for name in GOLDEN {
        let export = directory.path().join(format!("{name}.json"));
        let mut replay = contribution();
        replay.arg("replay").arg(capture(name)).args(["--as-of", "2026-02-10", "--export"]).arg(&export);
        let summary = success_of(&mut replay);
        assert!(summary.contains("closed                 40   up to 2026-02-10"), "{summary}");
        assert_eq!(read(&export), expected(name), "{name}");
    }
}

#[test]
fn a_replay_that_was_killed_again_and_again_goes_on_to_the_same_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let name = "ordering-incident";
    for _ in 0..3 {
        let mut replay = contribution();
        replay.arg("replay").arg(capture(name)).arg("--data").arg(directory.path());
        let mut child = replay.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(40));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let export = directory.path().join("export.json");
    let mut replay = contribution();
    replay.arg("replay").arg(capture(name)).arg("--data").arg(directory.path());
    replay.args(["--as-of", "2026-02-10", "--export"]).arg(&export);
    success_of(&mut replay);
    assert_eq!(read(&export), expected(name));
}

#[test]
fn records_that_were_read_are_not_read_again_and_a_closed_date_stays_closed() {
    let directory = tempfile::tempdir().unwrap();
    let replay_as_of = |date: &str| {
        let mut replay = contribution();
        replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", date, "--data"]);
        replay.arg(directory.path());
        replay
    };
    let first = success_of(&mut replay_as_of("2026-01-10"));
    let second = success_of(&mut replay_as_of("2026-01-12"));
    let received = |summary: &str| summary.lines().find(|line| line.contains("received")).map(str::to_owned);
    assert_eq!(received(&first), received(&second), "{second}");
    assert!(second.contains("closed                  2   up to 2026-01-12"), "{second}");
    let refused = failure_of(&mut replay_as_of("2026-01-11"));
    assert!(refused.contains("dates up to 2026-01-12 are closed"), "{refused}");
    let mut status = contribution();
    let status = success_of(status.args(["status", "--json", "--data"]).arg(directory.path()));
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["last_closed_date"], "2026-01-12");
}

#[test]
fn a_data_directory_has_one_process_at_a_time_and_a_sentence_for_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let _owner = SqliteEngine::open(directory.path()).unwrap();
    let capture = capture("ordering-incident");
    let capture = capture.to_str().unwrap();
    let commands: [&[&str]; 5] =
        [&["replay", capture], &["run", "--port", "0"], &["close"], &["status"], &["export", "/dev/null"]];
    for arguments in commands {
        let refused = failure_of(contribution().args(arguments).arg("--data").arg(directory.path()));
        let id = std::process::id().to_string();
        assert!(
            refused.contains("is in use by process") && refused.contains(&id),
            "{arguments:?}: {refused}"
        );
    }
}

#[test]
fn what_shows_or_changes_a_ledger_never_takes_the_built_in_one_instead() {
    let capture = capture("ordering-incident");
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().to_str().unwrap();
    for arguments in [&["status"][..], &["export", "/dev/null"], &["close", "2026-01-10"]] {
        let refused = failure_of(contribution().args(arguments));
        assert!(refused.contains("--data"), "{arguments:?}: {refused}");
        let refused = failure_of(contribution().args(arguments).args(["--data", empty]));
        assert!(refused.contains("holds no ledger"), "{arguments:?}: {refused}");
    }
    let nothing = success_of(contribution().arg("replay").arg(&capture).args(["--as-of", "2025-12-01"]));
    assert!(nothing.contains("becomes effective on"), "what is posted is only not due yet: {nothing}");
}

/// Runs a replay whose files may have so many blocks of 512 bytes each. It must fail.
fn refused_by_the_disk(data: &Path, blocks: u32) -> String {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let mut replay = Command::new("sh");
    replay.args(["-c", &script, "sh"]).arg(env!("CARGO_BIN_EXE_contribution")).arg("replay");
    replay.arg(capture("flattened-regions")).arg("--data").arg(data);
    let started = Instant::now();
    let refused = failure_of(&mut replay);
    assert!(started.elapsed() < Duration::from_secs(5), "{blocks} blocks: {:?}", started.elapsed());
    refused
}

#[test]
fn a_disk_that_takes_no_writes_ends_the_replay_within_seconds_and_names_the_directory() {
    // From the first byte to where the tables have several hundred pages.
    for blocks in [0, 1, 4, 12, 24, 64, 100, 160, 240, 360] {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("ledger");
        let refused = refused_by_the_disk(&data, blocks);
        assert!(refused.contains(&data.display().to_string()), "{blocks} blocks: {refused}");
        assert!(refused.contains("space") || refused.contains("too large"), "{blocks} blocks: {refused}");
        assert!(refused.lines().count() < 20, "{blocks} blocks: {refused}");
        let mut again = contribution();
        success_of(again.arg("replay").arg(capture("flattened-regions")).arg("--data").arg(&data));
    }
}

#[test]
fn what_cannot_be_done_is_said_before_any_work() {
    let capture = capture("ordering-incident");
    let directory = tempfile::tempdir().unwrap();
    let many_levels = directory.path().join("policy.json");
    fs::write(&many_levels, r#"{ "level_count": 50 }"#).unwrap();
    let many_levels = many_levels.to_str().unwrap();
    let refusals: [(&[&str], &str); 8] = [
        (&["--policy", many_levels], "level_count: 50 is more than 20"),
        (
            &["--export", "/no/such/directory/ledger.json"],
            "cannot write the export to /no/such/directory/ledger.json",
        ),
        (&["--data", many_levels], "policy.json is a file: name a directory"),
        (&["--as-of", "2999-01-01"], "it has not begun"),
        (&["--profile", "buit-in"], "did you mean built-in?"),
        (&["--policy", "/no/such/policy.json"], "cannot read the policy /no/such/policy.json"),
        (&["--parameter", "SetleSeconds=5"], "did you mean SettleSeconds?"),
        (&["--brake", "0"], "'--brake <COUNT|off>': expected a whole number from 1, or off"),
    ];
    for (options, complaint) in refusals {
        let refused = failure_of(contribution().arg("replay").arg(&capture).args(options));
        assert!(refused.contains(complaint), "{options:?}: {refused}");
        assert!(!refused.contains("records read"), "{options:?}: {refused}");
    }
}

#[test]
fn a_ledger_does_not_change_the_policy_that_it_began_with() {
    let directory = tempfile::tempdir().unwrap();
    let policy = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (five, same, two) = (
        policy("five.json", r#"{ "term_years": 5 }"#),
        policy("same.json", r#"{"term_years":5}"#),
        policy("two.json", "{}"),
    );
    let replay = |policy: Option<&Path>| {
        let mut replay = contribution();
        replay.arg("replay").arg(capture("ordering-incident"));
        replay.arg("--data").arg(directory.path().join("ledger"));
        replay.args(policy.into_iter().flat_map(|policy| [Path::new("--policy"), policy]));
        replay
    };
    success_of(&mut replay(Some(&five)));
    let refused = failure_of(&mut replay(Some(&two)));
    assert!(refused.contains("began with another policy"), "{refused}");
    success_of(&mut replay(Some(&same)));
    success_of(&mut replay(None));
}

#[test]
fn a_capture_may_be_what_kcat_writes_and_have_a_byte_order_mark_and_carriage_returns() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/cases/cdc");
    let directory = tempfile::tempdir().unwrap();
    let export = directory.path().join("export.json");
    let exports = ["29-kcat-json-envelope", "29c-bom-crlf"].map(|name| {
        let mut replay = contribution();
        replay.arg("replay").arg(cases.join(format!("{name}.jsonl"))).arg("--export").arg(&export);
        success_of(&mut replay);
        read(&export)
    });
    assert!(exports[0]["orders"].as_u64().is_some_and(|orders| orders > 2), "{:#}", exports[0]);
    assert_eq!(exports[0], exports[1]);
}

#[test]
fn a_capture_that_cannot_be_read_is_named_with_its_line_and_what_was_meant() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("capture.jsonl");
    fs::write(&file, "{\"topic\":\"t\",\"partition\":0,\"offset\":0}\n").unwrap();
    let refused = failure_of(contribution().arg("replay").arg(&file));
    assert!(refused.contains("line 1") && refused.contains("`value`"), "{refused}");
    let mistyped = directory.path().join("captur.jsonl");
    let refused = failure_of(contribution().arg("replay").arg(mistyped));
    assert!(refused.contains("did you mean capture.jsonl?"), "{refused}");
}

#[test]
fn a_capture_with_nothing_in_it_is_no_success_and_leaves_no_export() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.jsonl");
    let export = directory.path().join("export.json");
    fs::write(&empty, "\n\n").unwrap();
    let mut replay = contribution();
    let refused =
        failure_of(replay.arg("replay").arg(&empty).arg("--export").arg(&export).env("LC_ALL", "C"));
    assert!(refused.contains("nothing was read") && refused.contains("empty.jsonl"), "{refused}");
    assert!(!export.exists(), "no empty file is left behind");
    let mut replay = contribution();
    let output =
        replay.arg("replay").arg(&empty).arg(capture("ordering-incident")).env("LC_ALL", "C").output();
    let output = output.unwrap();
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nothing is in") && said.contains("empty.jsonl"), "{said}");
}

#[test]
fn what_was_set_is_named_where_it_cannot_be_and_not_a_variable_that_comes_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let capture = capture("ordering-incident");
    let refusals: [(&[&str], &str); 3] = [
        (&["--settle", "999999999"], "--settle (the parameter SettleSeconds)"),
        (&["--parameter", "AccountShards=0"], "--parameter AccountShards is \"0\""),
        (&["--parameter", "BusinessTimeZone=Mars"], "BusinessTimeZone"),
    ];
    for (options, complaint) in refusals {
        let refused = failure_of(contribution().arg("replay").arg(&capture).args(options));
        assert!(refused.contains(complaint) && !refused.contains("environment"), "{options:?}: {refused}");
    }
    let far = directory.path().join("far.jsonl");
    let topic = "dbserver1.rwa_planting.planting_orders";
    let line =
        format!(r#"{{"topic":"{topic}","partition":100000,"offset":0,"key":{{"order_id":1}},"value":null}}"#);
    fs::write(&far, line).unwrap();
    let export = directory.path().join("export.json");
    let refused = failure_of(contribution().arg("replay").arg(&far).arg("--export").arg(&export));
    assert!(refused.contains("partition 100000"), "{refused}");
    assert!(!export.exists());
}

#[test]
fn an_export_may_go_to_standard_output_and_the_summary_be_json() {
    let mut replay = contribution();
    replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", "2026-02-10"]);
    let export: Value =
        serde_json::from_str(&success_of(replay.args(["--export", "-"]))).expect("the export alone");
    assert_eq!(export, expected("ordering-incident"));
    let mut replay = contribution();
    replay.arg("replay").arg(capture("ordering-incident")).args(["--as-of", "2026-02-10", "--json"]);
    let summary: Value = serde_json::from_str(&success_of(&mut replay)).expect("JSON");
    assert_eq!(summary["summary"]["adoptions"]["posted"], export["orders"]);
    assert_eq!(summary["business_dates"]["last"], "2026-02-10");
    assert_eq!(summary["incident"]["received"], "11534.6700000000");
}

#[test]
fn a_reader_of_standard_error_that_goes_stops_no_replay() {
    let directory = tempfile::tempdir().unwrap();
    let mut replay = contribution();
    replay
        .arg("replay")
        .arg(capture("ordering-incident"))
        .arg("--export")
        .arg(directory.path().join("ledger.json"));
    let mut child = replay.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
}

/// Writes the capture with a truncate of the orders' table at its end.
fn truncated(name: &str, file: &Path) {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/cases/cdc");
    let text = fs::read_to_string(cases.join(format!("{name}.jsonl"))).expect("the case is there");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let last = lines
        .iter()
        .rfind(|line| line["topic"].as_str().is_some_and(|topic| topic.ends_with("planting_orders")));
    let mut truncate = last.expect("an order").clone();
    let offsets = lines
        .iter()
        .filter(|line| line["topic"] == truncate["topic"])
        .filter_map(|line| line["offset"].as_i64());
    truncate["offset"] = (offsets.max().expect("an offset") + 1).into();
    let mut value: Value = serde_json::from_str(truncate["payload"].as_str().expect("text")).expect("JSON");
    (value["op"], value["before"], value["after"]) = ("t".into(), Value::Null, Value::Null);
    for (member, more) in [("ts_ms", 60_000), ("lsn", 1_000_000)] {
        let number = value["source"][member].as_i64().expect("a number") + more;
        value["source"][member] = number.into();
    }
    (truncate["key"], truncate["payload"]) = (Value::Null, value.to_string().into());
    fs::write(file, format!("{}\n{truncate}\n", text.trim_end())).expect("it is written");
}

#[test]
fn a_replay_without_brakes_lets_a_truncate_go_and_one_with_a_brake_says_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("truncated.jsonl");
    truncated("29-kcat-json-envelope", &file);
    let posted = |summary: &str| {
        let line = summary.lines().find(|line| line.starts_with("  posted")).expect("a line");
        line.split_whitespace().nth(1).expect("a number").to_owned()
    };
    let replay = |data: &Path, options: &[&str]| {
        let mut replay = contribution();
        replay.arg("replay").arg(&file).args(options).arg("--data").arg(data).env("LC_ALL", "C");
        success_of(&mut replay)
    };
    let free = replay(&directory.path().join("free"), &[]);
    assert_eq!(posted(&free), "0", "{free}");
    assert!(!free.contains("waiting"), "{free}");

    let data = directory.path().join("braked");
    let braked = replay(&data, &["--brake", "1000"]);
    assert_ne!(posted(&braked), "0", "{braked}");
    assert!(braked.contains("truncated") && braked.contains("let-go truncate KEY"), "{braked}");
    let line = braked.lines().find(|line| line.starts_with("  truncated")).expect("a line");
    let key = line.split_once('(').and_then(|(_, key)| key.strip_suffix(')')).expect("a key");
    let mut let_go = contribution();
    let_go.args(["let-go", "truncate", key, "--reason", "it was meant", "--data"]).arg(&data);
    success_of(&mut let_go);
    let mut status = contribution();
    let status = success_of(status.args(["status", "--json", "--data"]).arg(&data));
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["posted"], 0, "{status}");
}

/// Returns the orders of the capture with another value in a column, as records that come after it.
fn with_column(orders: &[u64], column: &str, changed: &Value) -> String {
    let text = fs::read_to_string(capture("ordering-incident")).expect("a capture");
    let mut last: std::collections::BTreeMap<u64, Value> = std::collections::BTreeMap::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).expect("a record");
        let value = record["value"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let order = value.as_ref().and_then(|value| value["after"]["order_id"].as_u64());
        if let Some(order) = order.filter(|order| orders.contains(order)) {
            last.insert(order, record);
        }
    }
    assert_eq!(last.len(), orders.len(), "the capture has the orders");
    let changed = last.into_values().map(|mut record| {
        let mut value: Value = serde_json::from_str(record["value"].as_str().expect("a text")).expect("JSON");
        value["op"] = "u".into();
        value["source"]["snapshot"] = "false".into();
        value["after"][column] = changed.clone();
        for time in ["/ts_ms", "/source/ts_ms"] {
            let time = value.pointer_mut(time).expect("a time");
            *time = (time.as_i64().expect("a number") + 86_400_000).into();
        }
        record["offset"] = (record["offset"].as_i64().expect("a number") + 100_000).into();
        record["value"] = value.to_string().into();
        record.to_string() + "\n"
    });
    changed.collect()
}

#[test]
fn a_directory_keeps_the_brake_and_the_guard_that_it_was_fed_with() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("ledger");
    let kept = |arguments: &[&str]| {
        let mut command = contribution();
        command.args(arguments).arg("--data").arg(&data);
        command
    };
    let brakes = || {
        let status = fs::read(data.join("parameters.json")).expect("the directory keeps them");
        let status: Value = serde_json::from_slice(&status).expect("JSON");
        ["SettleSeconds", "BrakeAdoptions", "GuardFactor"]
            .map(|name| status[name].as_str().map(str::to_owned))
    };
    let incident = capture("ordering-incident");
    let incident = incident.to_str().expect("a path");
    success_of(&mut kept(&["replay", incident, "--settle", "1", "--brake", "1", "--guard", "1"]));
    let given = ["1", "1", "1"].map(|value| Some(value.to_owned()));
    assert_eq!(brakes(), given);
    // A close without any option has the guard look: some date has more than any of the dates before it.
    let refused = failure_of(&mut kept(&["close", "2026-02-10"]));
    assert!(refused.contains("SUSPICIOUS"), "{refused}");
    success_of(&mut kept(&["let-go", "close", "2026-02-10", "--reason", "it is right"]));
    success_of(&mut kept(&["close", "2026-02-10"]));
    // So has a replay the brake.
    let cancelled = directory.path().join("cancelled.jsonl");
    fs::write(&cancelled, with_column(&[55, 57, 58], "status", &"CANCELLED".into())).unwrap();
    let gone_on = success_of(&mut kept(&["replay", cancelled.to_str().expect("a path")]));
    assert!(!gone_on.contains("the ordering incident"), "the rest arrived before: {gone_on}");
    assert_eq!(brakes(), given);
    let is_braking = || {
        let status: Value = serde_json::from_str(&success_of(&mut kept(&["status", "--json"]))).unwrap();
        let problems = status["problems"].as_array().expect("problems");
        problems.iter().any(|problem| problem["code"] == "BRAKE")
    };
    assert!(is_braking());
    // What is given anew is kept from then on.
    success_of(&mut kept(&["replay", incident, "--brake", "off"]));
    assert_eq!(brakes()[1].as_deref(), Some("off"));
    assert!(!is_braking());
}

#[test]
fn orders_whose_price_was_taken_away_have_their_places_once_they_are_let_go() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("ledger");
    let kept = |arguments: &[&str]| {
        let mut command = contribution();
        command.args(arguments).arg("--data").arg(&data);
        success_of(&mut command)
    };
    let incident = capture("ordering-incident");
    kept(&["replay", incident.to_str().expect("a path"), "--settle", "1", "--brake", "1"]);
    let unpriced = directory.path().join("unpriced.jsonl");
    fs::write(&unpriced, with_column(&[55, 57, 58], "contribution_per_tree", &Value::Null)).unwrap();
    kept(&["replay", unpriced.to_str().expect("a path")]);
    let order = || -> Value { serde_json::from_str(&kept(&["order", "57", "--json"])).expect("JSON") };
    assert!(order()["trees_before"].is_null(), "it waits: {}", order());
    kept(&["let-go", "brake", "--reason", "the ladder decides the price"]);
    assert!(!order()["trees_before"].is_null(), "{}", order());
    let status: Value = serde_json::from_str(&kept(&["status", "--json"])).expect("JSON");
    assert_eq!(status["sync_status"]["adoptions"]["unpriced"], 0, "{status}");
}

#[test]
fn an_order_that_a_clock_ahead_of_this_one_committed_has_its_place_at_the_end_of_the_replay() {
    let directory = tempfile::tempdir().unwrap();
    let in_ten_minutes_ms = chrono::Utc::now().timestamp_millis() + 600_000;
    let mut record: Value =
        serde_json::from_str(&with_column(&[57], "contribution_per_tree", &Value::Null)).expect("a record");
    let mut value: Value = serde_json::from_str(record["value"].as_str().expect("a text")).expect("JSON");
    value["source"]["ts_ms"] = in_ten_minutes_ms.into();
    record["value"] = value.to_string().into();
    let ahead = directory.path().join("ahead.jsonl");
    fs::write(&ahead, record.to_string()).unwrap();
    let mut replay = contribution();
    let summary =
        success_of(replay.arg("replay").arg(capture("ordering-incident")).arg(&ahead).arg("--json"));
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(summary["summary"]["waiting"]["unpriced"], 0, "{summary}");
}
