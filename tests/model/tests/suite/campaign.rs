//! Histories of a source through the deployed functions on the model.

use std::process::Command;

use model::campaign::{HistoryOptions, HistoryOutcome, Script, run_history};

fn whole(seed: u64, with_faults: bool) -> HistoryOutcome {
    let options = HistoryOptions { trace_lines: true, ..HistoryOptions::usual(with_faults) };
    run_history(&Script::of(seed), &options)
}

#[test]
fn a_history_without_faults_ends_as_the_oracle_says() {
    let outcome = whole(1, false);
    assert_eq!(outcome.findings, Vec::<String>::new());
    assert!(outcome.records >= 60 && outcome.invocations > 50);
    assert!(outcome.closes >= 2, "{} closes", outcome.closes);
}

#[test]
fn a_history_with_the_faults_that_happened_is_the_same_history() {
    let by_chance = whole(2, true);
    let options = HistoryOptions { trace_lines: true, ..HistoryOptions::usual(true) };
    let again = run_history(&by_chance.script, &options);
    assert!(!by_chance.faults.is_empty());
    assert_eq!(again.faults, by_chance.faults);
    assert_eq!(again.trace_hash, by_chance.trace_hash);
}

#[test]
fn the_same_seed_gives_the_same_trace_in_two_processes() {
    let run = |name: &str| {
        let file = std::env::temp_dir().join(format!("model-trace-{}-{name}", std::process::id()));
        let status = Command::new(env!("CARGO_BIN_EXE_model"))
            .args(["again", "3", "--trace"])
            .arg(&file)
            .output()
            .expect("the model runs")
            .status;
        let trace = std::fs::read_to_string(&file).expect("a trace was written");
        std::fs::remove_file(&file).expect("the trace can be removed");
        (status.success(), trace)
    };
    let ((_, first), (_, second)) = (run("first"), run("second"));
    assert!(first.lines().count() > 1_000);
    for (number, (first, second)) in first.lines().zip(second.lines()).enumerate() {
        assert_eq!(first, second, "line {number}");
    }
    assert_eq!(first.len(), second.len());
}
