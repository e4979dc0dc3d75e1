//! Runs every script of the service against the model.

use model::conformance::{Suite, run_script};

#[test]
fn every_script_of_the_service_holds() {
    let suite = Suite::parse(include_str!("../../conformance/service.json")).expect("the file is a suite");
    assert_eq!(suite.scripts.len(), 76);
    let failures: Vec<String> =
        suite.scripts.iter().flat_map(run_script).map(|failure| failure.to_string()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_script_of_our_own_holds() {
    let suite = Suite::parse(include_str!("../../conformance/own.json")).expect("the file is a suite");
    let failures: Vec<String> =
        suite.scripts.iter().flat_map(run_script).map(|failure| failure.to_string()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_script_of_the_neighbours_holds() {
    let suite = Suite::parse(include_str!("../../conformance/neighbours.json")).expect("the file is a suite");
    let failures: Vec<String> =
        suite.scripts.iter().flat_map(run_script).map(|failure| failure.to_string()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_script_of_the_documentation_holds() {
    let suite = Suite::parse(include_str!("../../conformance/documented.json")).expect("the file is a suite");
    let failures: Vec<String> =
        suite.scripts.iter().flat_map(run_script).map(|failure| failure.to_string()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_script_that_expects_something_else_fails() {
    let text = include_str!("../../conformance/service.json").replace("\"takes_ms\": 8", "\"takes_ms\": 7");
    let suite = Suite::parse(&text).expect("the file is a suite");
    let failing = suite.scripts.iter().filter(|script| !run_script(script).is_empty());
    assert!(failing.count() >= 5);
}
