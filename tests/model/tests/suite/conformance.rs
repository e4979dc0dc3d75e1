//! Runs every script of the service against the model.

use model::conformance::{Suite, run_script};

#[test]
fn every_script_of_the_service_holds() {
    let suite = all_hold(include_str!("../../conformance/service.json"));
    assert_eq!(suite.scripts.len(), 76);
}

#[test]
fn every_script_of_our_own_holds() {
    all_hold(include_str!("../../conformance/own.json"));
}

#[test]
fn every_script_of_the_neighbours_holds() {
    all_hold(include_str!("../../conformance/neighbours.json"));
}

#[test]
fn every_script_of_the_documentation_holds() {
    all_hold(include_str!("../../conformance/documented.json"));
}

#[test]
fn every_script_of_refusals_and_rarer_calls_holds() {
    all_hold(include_str!("../../conformance/described.json"));
}

#[test]
fn a_script_that_expects_something_else_fails() {
    let text = include_str!("../../conformance/service.json").replace("\"takes_ms\": 8", "\"takes_ms\": 7");
    let suite = Suite::parse(&text).expect("the file is a suite");
    let failing = suite.scripts.iter().filter(|script| !run_script(script).is_empty());
    assert!(failing.count() >= 5);
}

/// Asserts that every script of a file holds, and returns them.
fn all_hold(text: &str) -> Suite {
    let suite = Suite::parse(text).expect("the file is a suite");
    let failures: Vec<String> =
        suite.scripts.iter().flat_map(run_script).map(|failure| failure.to_string()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    suite
}
