//! Runs every script of the service against the model.

use model::conformance::{Suite, run_script};

#[test]
fn every_script_of_the_service_holds() {
    let suite = Suite::parse(include_str!("../conformance/service.json")).expect("the file is a suite");
    assert_eq!(suite.scripts.len(), 76);
    let failures: Vec<String> =
        suite.scripts.iter().flat_map(run_script).map(|failure| failure.to_string()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
