//! The contract and the routes say the same.

use std::collections::BTreeSet;

use query_api::{OPENAPI, RouteName, route_names};
use serde_json::Value;

fn contract() -> Value {
    serde_json::from_str(OPENAPI).expect("the contract is JSON")
}

#[test]
fn every_route_is_in_the_contract_and_nothing_else_is() {
    let contract = contract();
    let mut described = BTreeSet::new();
    for (path, operations) in contract["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let routes: BTreeSet<(String, String)> =
        route_names().map(|RouteName { method, path }| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(described, routes);
}
