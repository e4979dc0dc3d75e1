//! Who reaches what: every route with every kind of token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use end_to_end::{Client, Harness, Reply};
use query_api::route_names;
use serde_json::{Value, json};

use crate::days::closed;
use crate::ledger::{ALL_SCOPES, incident};

const OWN: &str = "D25122700018";
const OTHER: &str = "D25122700019";
/// The path of commands, where one is sent that needs approval.
const COMMANDS_TO_APPROVE: &str = "/v1/commands?";
/// Pages of one list that are read at most.
const PAGES_MAX: usize = 300;

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
        COMMANDS_TO_APPROVE => {
            // Its address is refused, but only where the caller may send it.
            let command = json!({ "type": "set_webhook", "webhook": "w", "url": "https://10.0.0.1/" });
            json!({ "reason": "r", "command": command })
        }
        _ => return None,
    };
    Some(body.to_string())
}

async fn status(client: &Client<'_>, method: &str, pattern: &str, account: &str) -> u64 {
    let key = format!("matrix-{}", pattern.len());
    let headers = json!({ "idempotency-key": key });
    client.send(method, &path(pattern, account), &headers, body(pattern, account)).await.status
}

/// Returns the callers that the contract may name, besides everyone and the account's member.
fn operators(harness: &Harness) -> [(&'static str, Client<'_>); 3] {
    ["read", "operate", "approve"]
        .map(|scope| (scope, Client::operator(harness, &format!("contribution:{scope}"))))
}

#[tokio::test]
async fn every_route_answers_the_callers_that_the_contract_names_and_refuses_all_others() {
    let harness = incident().await;
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
        let named = |caller: &str| route.callers.contains(&caller);
        let ask = async |client: &Client<'_>, account: &str| {
            status(client, route.method, route.path, account).await
        };
        let without_token = ask(&Client::without_token(harness), OWN).await;
        assert_eq!(without_token, if named("everyone") { 200 } else { 401 }, "{name}");
        if named("everyone") {
            assert!(!route.path.starts_with("/v1/"), "{name}: nothing of the ledger is public");
            continue;
        }
        for claims in &strangers {
            let stranger = Client::with_claims(harness, claims.clone());
            assert_eq!(ask(&stranger, OWN).await, 403, "{name} {claims}");
        }
        for (scope, operator) in operators(harness) {
            let is_approval = scope == "approve" && route.method == "POST" && route.path == "/v1/commands";
            let path = if is_approval { COMMANDS_TO_APPROVE } else { route.path };
            let answered = status(&operator, route.method, path, OWN).await;
            assert_eq!(answered != 403, named(scope), "{name} with {scope}");
        }
        assert_eq!(ask(&member, OWN).await != 403, named("own") || named("member"), "{name}");
        // Whether another account exists is nothing that a member learns.
        let names_an_account = named("own") || route.path == "/v1/simulate";
        for account in [OTHER, "D404", "HEADQUARTERS"] {
            // A system account adopts nothing, so that the question is refused before it is asked whose it is.
            let refused = if route.path == "/v1/simulate" && account == "HEADQUARTERS" { 400 } else { 403 };
            assert!(!names_an_account || ask(&member, account).await == refused, "{name}: of {account}");
        }
        assert_eq!(named("own"), route.path.contains("{account}"), "{name}");
    }
}

/// Returns what a member is answered by a route: every page of a list, by cursors alone.
async fn answers(member: &Client<'_>, method: &str, pattern: &str) -> Vec<Reply> {
    let first = path(pattern, OWN);
    let mut replies = vec![member.send(method, &first, &json!({}), body(pattern, OWN)).await];
    let is_list = serde_json::from_str::<Value>(&replies[0].text)
        .is_ok_and(|document| document.get("next_cursor").is_some());
    let bare = first.split('?').next().expect("a path").to_owned();
    let mut next = is_list.then(|| format!("{first}{}limit=1", if first.contains('?') { "&" } else { "?" }));
    while let Some(path) = next.take().filter(|_| replies.len() < PAGES_MAX) {
        let reply = member.get(&path).await;
        next = reply.good()["next_cursor"].as_str().map(|cursor| format!("{bare}?cursor={cursor}"));
        replies.push(reply);
    }
    replies
}

/// Returns everything that a reply says, its cursors as what they hold.
fn said(reply: &Reply) -> Vec<String> {
    let mut texts = vec![reply.headers.to_string()];
    match serde_json::from_str::<Value>(&reply.text) {
        Ok(document) => {
            collect(&document, &mut texts);
            let cursor = document["next_cursor"].as_str().map(|cursor| {
                String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).expect("base64")).expect("text")
            });
            texts.extend(cursor);
        }
        Err(_) => texts.push(reply.text.clone()),
    }
    texts
}

#[tokio::test]
async fn nothing_that_a_member_reads_on_any_page_names_another_account() {
    let harness = closed().await;
    let heads = end_to_end::everything(harness.engine()).await;
    let heads = heads.iter().filter_map(|item| store::heads::account_of(item).expect("a head"));
    let others: Vec<String> = heads.map(|(owner, _)| owner.to_string()).collect();
    let others: Vec<&String> =
        others.iter().filter(|other| *other != OWN && other.starts_with("D25122700")).collect();
    assert!(others.len() > 20);
    let member = Client::member(harness, OWN);
    let mut pages = 0;
    let for_members = |callers: &[&str]| callers.contains(&"own") || callers.contains(&"member");
    for route in route_names().filter(|route| for_members(route.callers)) {
        let mut paths = vec![route.path.to_owned()];
        if route.path.ends_with("/statement") {
            paths.push(format!("{}?format=csv", route.path));
        }
        for pattern in paths {
            for reply in answers(&member, route.method, &pattern).await {
                assert_eq!(reply.status, 200, "{pattern}: {}", reply.text);
                let texts = said(&reply);
                let named =
                    others.iter().filter(|other| texts.iter().any(|text| text.contains(other.as_str())));
                let named: Vec<_> = named.collect();
                assert!(named.is_empty(), "{pattern} names {named:?}");
                pages += 1;
            }
        }
    }
    assert!(pages > 50, "lists are read to their ends: {pages} pages");
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
