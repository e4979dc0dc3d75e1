//! The contract and the routes name the same paths. `tests/tests/query_api` checks that answers are as it describes.

use std::collections::BTreeSet;

use query_api::{OPENAPI, RouteName, route_names};
use serde_json::Value;

fn contract() -> Value {
    serde_json::from_str(OPENAPI).expect("the contract is JSON")
}

#[test]
fn every_route_is_in_the_contract_with_its_callers_and_nothing_else_is() {
    let contract = contract();
    let mut described = BTreeSet::new();
    for (path, operations) in contract["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let callers = operation["x-callers"].as_array().expect("callers").iter();
            let callers: Vec<String> =
                callers.map(|caller| caller.as_str().expect("text").to_owned()).collect();
            described.insert((method.to_uppercase(), path.clone(), callers));
        }
    }
    let owned = |RouteName { method, path, callers }: RouteName| {
        (method.to_owned(), path.to_owned(), callers.iter().map(|caller| (*caller).to_owned()).collect())
    };
    let routes: BTreeSet<(String, String, Vec<String>)> = route_names().map(owned).collect();
    assert_eq!(described, routes);
}

#[test]
fn every_operation_is_described_with_an_example() {
    for (path, operations) in contract()["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let name = format!("{method} {path}");
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{name}");
            assert!(!operation["description"].as_str().unwrap_or_default().is_empty(), "{name}");
            if path.starts_with("/v1/") {
                let content = operation["responses"]["200"]["content"].as_object().expect("content");
                let has_example = content.values().any(|content| !content["example"].is_null());
                assert!(has_example, "{name} has no example");
            }
        }
    }
}
