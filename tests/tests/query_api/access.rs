//! Who reaches what: every route with every kind of token.

use end_to_end::Client;
use query_api::route_names;
use serde_json::{Value, json};

use crate::days::closed;
use crate::ledger::{ALL_SCOPES, incident};

const OWN: &str = "D25122700018";
const OTHER: &str = "D25122700019";

fn path(pattern: &str, account: &str) -> String {
    let path = pattern
        .replace("{account}", account)
        .replace("{order_id}", "57")
        .replace("{date}", "2026-02-01")
        .replace("{id}", "HEADQUARTERS")
        .replace("{key}", "some-command")
        .replace("{page}", "1")
        .replace("{webhook}", "mining")
        .replace("{file}", "app.js");
    match pattern {
        "/v1/accounts" => format!("{path}?ids={account}"),
        "/v1/accounts/{account}/statement" => format!("{path}?from=2026-01-10&to=2026-01-20"),
        _ => path,
    }
}

fn body(pattern: &str, account: &str) -> Option<String> {
    let body = match pattern {
        "/v1/simulate" => json!({ "adoptions": [{ "account": account, "tree_count": 1 }] }),
        "/v1/commands" => json!({ "reason": "r", "command": { "type": "note", "text": "t" } }),
        _ => return None,
    };
    Some(body.to_string())
}

async fn status(client: &Client<'_>, method: &str, pattern: &str, account: &str) -> u64 {
    let key = format!("matrix-{}", pattern.len());
    let headers = json!({ "idempotency-key": key });
    client.send(method, &path(pattern, account), &headers, body(pattern, account)).await.status
}

#[tokio::test]
async fn every_route_refuses_whom_it_must() {
    let harness = incident().await;
    let reader = Client::operator(harness, "contribution:read");
    let operator = Client::operator(harness, ALL_SCOPES);
    let member = Client::member(harness, OWN);
    let strangers = [
        json!({ "sub": "x", "scope": "openid" }),
        json!({ "account_sequence": null }),
        json!({ "account_sequence": "null" }),
        json!({ "account_sequence": "HEADQUARTERS" }),
        json!({ "scope": ["openid", "contribution:operated"] }),
    ];
    for route in route_names() {
        let name = format!("{} {}", route.method, route.path);
        let is_public = !route.path.starts_with("/v1/");
        let of_account = route.path.contains("{account}");
        let ask = async |client: &Client<'_>, account: &str| {
            status(client, route.method, route.path, account).await
        };
        if is_public {
            assert_eq!(ask(&Client::without_token(harness), OWN).await, 200, "{name}");
            continue;
        }
        assert_eq!(ask(&Client::without_token(harness), OWN).await, 401, "{name}");
        for claims in &strangers {
            let stranger = Client::with_claims(harness, claims.clone());
            assert_eq!(ask(&stranger, OWN).await, 403, "{name} {claims}");
        }
        assert_ne!(ask(&operator, OWN).await, 403, "{name}");
        let is_command = route.method == "POST" && route.path == "/v1/commands";
        let shows_secrets = route.path == "/v1/webhooks/{webhook}/secrets";
        assert_eq!(ask(&reader, OWN).await == 403, is_command || shows_secrets, "{name}");
        let is_for_all_members = ["/v1/simulate", "/v1/snapshots/{date}/manifest"].contains(&route.path);
        assert_eq!(ask(&member, OWN).await != 403, of_account || is_for_all_members, "{name}");
        let names_an_account = of_account || route.path == "/v1/simulate";
        assert!(!names_an_account || ask(&member, OTHER).await == 403, "{name}: of another account");
    }
}

#[tokio::test]
async fn nothing_that_a_member_reads_names_another_account() {
    let harness = closed().await;
    let member = Client::member(harness, OWN);
    let is_account = |text: &str| text.len() == 12 && text.starts_with("D25122700") && text != OWN;
    for route in route_names().filter(|route| route.path.contains("{account}")) {
        let reply = member.send(route.method, &path(route.path, OWN), &json!({}), None).await;
        let mut texts = Vec::new();
        if let Ok(body) = serde_json::from_str::<Value>(&reply.text) {
            collect(&body, &mut texts);
        }
        let named: Vec<&String> = texts.iter().filter(|text| is_account(text)).collect();
        assert!(named.is_empty(), "{} names {named:?}", route.path);
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(members) => members.values().for_each(|value| collect(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test]
async fn methods_that_a_path_does_not_answer_are_refused_by_name() {
    let harness = incident().await;
    let client = Client::operator(harness, ALL_SCOPES);
    let reply = client.send("DELETE", "/v1/accounts/D1", &json!({}), None).await;
    assert_eq!((reply.status, reply.headers["allow"].as_str()), (405, Some("GET")));
    assert_eq!(client.get("/v1/nothing").await.status, 404);
}

#[tokio::test]
async fn an_answer_waits_for_the_position_that_is_asked_for_or_says_where_it_is() {
    let harness = incident().await;
    let client = Client::operator(harness, ALL_SCOPES);
    let here = client.get("/v1/accounts/D25122700018").await.good()["position"].as_u64().expect("a position");
    let there = client.get(&format!("/v1/accounts/D25122700018?at_least={here}")).await;
    assert_eq!(there.status, 200);
    let beyond = client.get(&format!("/v1/accounts/D25122700018?at_least={}", here + 1)).await;
    assert_eq!(beyond.status, 409);
    assert_eq!(beyond.json()["position"], here);
    for path in ["/v1/held", "/v1/system-accounts", "/v1/status", "/v1/adoptions/57"] {
        let reply = client.get(path).await;
        assert!(reply.json()["position"].as_u64().is_some(), "{path}");
        assert!(reply.headers["ledger-position"].as_str().is_some(), "{path}");
    }
}
