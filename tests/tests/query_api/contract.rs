//! What the routes answer is what the contract describes. `functions/query-api/tests` checks that both name the same
//! paths.

use std::collections::BTreeSet;

use end_to_end::Client;
use query_api::{OPENAPI, route_names};
use serde_json::{Value, json};

use crate::days::closed;
use crate::ledger::{operator, regions};
use crate::schema::faults;

fn contract() -> Value {
    serde_json::from_str(OPENAPI).expect("the contract is JSON")
}

/// Returns the pattern of the contract that a path matches.
fn pattern_of(contract: &Value, path: &str) -> String {
    let segments: Vec<&str> = path.split('?').next().expect("a path").split('/').collect();
    let patterns = contract["paths"].as_object().expect("paths").keys();
    let matches = |pattern: &&String| {
        let expected: Vec<&str> = pattern.split('/').collect();
        expected.len() == segments.len()
            && expected.iter().zip(&segments).all(|(one, other)| one.starts_with('{') || one == other)
    };
    let mut found: Vec<&String> = patterns.filter(matches).collect();
    found.sort_by_key(|pattern| pattern.matches('{').count());
    (*found.first().unwrap_or_else(|| panic!("{path} is not in the contract"))).clone()
}

/// Checks that an answer is what the contract says of its path and status.
fn assert_described(contract: &Value, method: &str, path: &str, reply: &end_to_end::Reply) {
    let pattern = pattern_of(contract, path);
    let responses = &contract["paths"][&pattern][method]["responses"];
    let mut response = &responses[reply.status.to_string()];
    assert!(!response.is_null(), "{method} {path} answers {}: {}", reply.status, reply.text);
    if let Some(name) = response["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        response = &contract["components"]["responses"][name];
    }
    let content_type =
        reply.headers["content-type"].as_str().expect("a type").split(';').next().expect("one");
    let content = &response["content"][content_type];
    assert!(!content.is_null(), "{method} {path} answers {content_type}");
    if content_type.ends_with("json") {
        let errors = faults(contract, &content["schema"], &reply.json());
        assert!(errors.is_empty(), "{method} {path}: {errors:#?}\n{}", reply.text);
    }
}

async fn assert_all_described(client: &Client<'_>, paths: &[&str]) -> BTreeSet<String> {
    let contract = contract();
    let mut seen = BTreeSet::new();
    for path in paths {
        let reply = client.get(path).await;
        assert_described(&contract, "get", path, &reply);
        if reply.status == 200 {
            seen.insert(pattern_of(&contract, path));
        }
    }
    seen
}

const PATHS: &[&str] = &[
    "/",
    "/console/app.js",
    "/console/style.css",
    "/openapi.json",
    "/health",
    "/v1/status",
    "/v1/accounts?ids=D25122700018,HEADQUARTERS,D404",
    "/v1/accounts/D25122700018",
    "/v1/accounts/OPERATION",
    "/v1/accounts/D25122700018/records",
    "/v1/accounts/D25122700018/records?limit=0",
    "/v1/accounts/D25122700014/unallocated",
    "/v1/accounts/D25122700018/statement",
    "/v1/accounts/HEADQUARTERS/statement?from=2026-01-12&to=2026-02-10",
    "/v1/accounts/D25122700018/statement?format=csv",
    "/v1/accounts/D25122700018/balance",
    "/v1/accounts/D25122700018/snapshots",
    "/v1/accounts/D25122700018/team",
    "/v1/accounts/D25122700018/talent",
    "/v1/accounts/D25122700019/adoptions",
    "/v1/accounts/D25122700019/upline",
    "/v1/accounts/D25122700018/referrals",
    "/v1/accounts/D404",
    "/v1/accounts/D25122700018?at_least=999999",
    "/v1/adoptions/57",
    "/v1/adoptions/26",
    "/v1/adoptions/999999",
    "/v1/adoptions/57/explain",
    "/v1/adoptions/26/explain",
    "/v1/adoptions/57/explain?account=D25122700018",
    "/v1/adoptions/57/explain?account=D25122700099",
    "/v1/network",
    "/v1/snapshots",
    "/v1/snapshots/latest",
    "/v1/snapshots/2026-02-10",
    "/v1/snapshots/2031-01-01",
    "/v1/snapshots/2026-02-10/manifest",
    "/v1/snapshots/2026-02-10/rows",
    "/v1/snapshots/2026-02-10/export",
    "/v1/snapshots/2026-02-10/restated",
    "/v1/snapshots/2026-02-10/proof/D25122700018",
    "/v1/snapshots/2026-02-10/proof/D404",
    "/v1/system-accounts",
    "/v1/system-accounts/HEADQUARTERS/records",
    "/v1/sync-status",
    "/v1/quarantine",
    "/v1/held",
    "/v1/waiting",
    "/v1/operations",
    "/v1/log",
    "/v1/log?limit=3",
    "/v1/log/1",
    "/v1/log/2?limit=3",
    "/v1/log/999999",
    "/v1/log/first",
    "/v1/events",
    "/v1/events?after=2&until=40&type=ContributionCorrected,AdoptionHeld&limit=3",
    "/v1/events?after=first",
    "/v1/webhooks",
    "/v1/webhooks/mining/secrets",
    "/v1/webhooks/nothing/secrets",
    "/v1/webhooks/mining/deliveries",
    "/v1/webhooks/Mining/deliveries",
    "/v1/commands/close-the-dates",
    "/v1/commands/no-such-command",
];

#[tokio::test]
async fn every_answer_is_as_the_contract_describes_it() {
    let seen = assert_all_described(&operator(closed().await), PATHS).await;
    let routes: BTreeSet<String> =
        route_names().filter(|route| route.method == "GET").map(|route| route.path.to_owned()).collect();
    assert_eq!(seen, routes, "every route was asked and answered well");
    let regions =
        assert_all_described(&operator(regions().await), &["/v1/system-accounts", "/v1/held"]).await;
    assert_eq!(regions.len(), 2);
}

#[tokio::test]
async fn members_and_simulations_are_answered_as_described() {
    let contract = contract();
    let member = Client::member(closed().await, "D25122700018");
    for path in PATHS.iter().filter(|path| path.contains("D25122700018")) {
        assert_described(&contract, "get", path, &member.get(path).await);
    }
    let client = operator(closed().await);
    for body in [
        json!({ "adoptions": [{ "account": "D25122700019", "tree_count": 2 }] }),
        json!({ "adoptions": [{ "account": "D404", "tree_count": 2 }] }),
        json!({ "adoptions": [{ "account": "D25122700019" }] }),
    ] {
        let reply = client.post("/v1/simulate", "", &body).await;
        assert_described(&contract, "post", "/v1/simulate", &reply);
    }
    let refused = client.post("/v1/commands", "x", &json!({})).await;
    assert_described(&contract, "post", "/v1/commands", &refused);
}
