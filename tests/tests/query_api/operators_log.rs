//! Whatever an operator changes, or is refused to change, leaves exactly one entry in the operators' log.

use std::collections::BTreeSet;

use end_to_end::{Client, Harness};
use query_api::OPENAPI;
use serde_json::{Value, json};

use crate::ledger::{operator, small};

/// Returns the operators' log, the latest first.
async fn log(harness: &Harness) -> Vec<Value> {
    harness.settle().await;
    let log = operator(harness).get("/v1/operations?limit=200").await.good();
    log["operations"].as_array().expect("operations").clone()
}

/// Asserts that one more entry stands in the log, and returns it.
async fn one_more(harness: &Harness, before: &mut usize) -> Value {
    let entries = log(harness).await;
    assert_eq!(entries.len(), *before + 1, "{entries:#?}");
    *before = entries.len();
    entries[0].clone()
}

fn pause() -> Value {
    json!({ "reason": "inspection", "command": { "type": "pause", "what": "posting" } })
}

/// Returns a good body of each command that the contract describes.
fn example(kind: &str) -> Value {
    let mut command = match kind {
        "close" => json!({ "until": "2026-01-20", "source_is_complete": true }),
        "repair" => json!({ "order_id": null }),
        "adjust" => json!({
            "giver": "HEADQUARTERS", "receiver": "D2", "amount": "1.5",
            "effective_date": "2026-03-01", "expire_date": null, "reference": "ticket 3"
        }),
        "introduce" => json!({ "number": 2, "from": "2030-01-01", "policy": {} }),
        "pause" | "resume" => json!({ "what": "corrections" }),
        "let_go_brake" => json!({}),
        "let_go_close" => json!({ "date": "2026-01-20" }),
        "let_go_truncate" => json!({ "key": "nothing waits under it" }),
        "retire_source" => json!({ "source": "kafka" }),
        "take_over_places" => json!({ "places": [{ "order_id": "77", "trees_before": 5 }] }),
        "note" => json!({ "text": "a word" }),
        "purge_quarantined" => json!({ "source": "kafka", "topic": "t", "partition": 0, "offset": 1 }),
        "set_webhook" => {
            json!({ "webhook": "mining", "url": "https://hooks.example.com/in", "types": [], "after": "0" })
        }
        "remove_webhook" | "rotate_webhook_secret" => json!({ "webhook": "not-there" }),
        "resume_webhook" => json!({ "webhook": "not-there", "after": null }),
        "redeliver_webhook" => json!({ "delivery": "not-there_1_2-0" }),
        other => panic!("this walk does not know the command {other}: add an example of it"),
    };
    command["type"] = json!(kind);
    json!({ "reason": "a walk over the contract", "command": command })
}

/// Returns what all tables hold.
async fn everything(harness: &Harness) -> Vec<store::Item> {
    let mut items = Vec::new();
    for table in store::Table::ALL {
        items.extend(end_to_end::everything_in(harness.engine(), table).await);
    }
    items
}

/// Returns the commands that the API knows, as it says itself where it is sent another one.
async fn known_commands(client: &Client<'_>) -> BTreeSet<String> {
    let body = json!({ "reason": "a walk", "command": { "type": "dance" } });
    let reply = client.post("/v1/commands", "walk-unknown", &body).await;
    let (_, known) = reply.text.split_once("expected one of").expect("it says which there are");
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_changing_route_and_command_of_the_contract_leaves_one_entry() {
    let contract: Value = serde_json::from_str(OPENAPI).expect("the contract is JSON");
    let harness = &small().await;
    let client = operator(harness);
    // Every route that is not a `GET` either has to be walked below, or is seen to write nothing.
    let of_routes = query_api::route_names().filter(|route| route.method != "GET");
    for route in of_routes.filter(|route| route.path != "/v1/commands") {
        let operation = &contract["paths"][route.path][route.method.to_lowercase()];
        let body = &operation["requestBody"]["content"]["application/json"]["example"];
        let before = everything(harness).await;
        let reply = client.send(route.method, route.path, &json!({}), Some(body.to_string())).await;
        assert!(reply.status < 500, "{route:?}: {}", reply.text);
        assert_eq!(everything(harness).await, before, "{route:?} changes something: walk over it");
    }
    let commands = contract["components"]["schemas"]["Command"]["oneOf"].as_array().expect("commands");
    let kinds = commands.iter().map(|command| &command["properties"]["type"]["const"]);
    let kinds: BTreeSet<String> =
        kinds.map(|kind| kind.as_str().expect("each has its type").to_owned()).collect();
    assert_eq!(kinds, known_commands(&client).await, "the contract has every command");
    let mut entries = log(harness).await.len();
    for kind in &kinds {
        let reply = client.post("/v1/commands", &format!("walk-{kind}"), &example(kind)).await;
        let entry = one_more(harness, &mut entries).await;
        assert_eq!(entry["by"], "anna", "{kind}");
        assert_eq!(entry["reason"], "a walk over the contract", "{kind}");
        match reply.status {
            202 => {
                let is_done = entry["outcome"] == "DONE";
                assert!(is_done || entry["refusal"].is_string(), "{entry:#}");
                // What is refused changes nothing.
                assert_eq!((entry["before"].is_string(), entry["after"].is_string()), (is_done, is_done));
            }
            400 => {
                assert_eq!((&entry["outcome"], &entry["command"]["what"]), (&json!("REFUSED"), &json!(kind)));
            }
            other => panic!("{kind}: {other} {}", reply.text),
        }
        // Sent again, it is the same one.
        client.post("/v1/commands", &format!("walk-{kind}"), &example(kind)).await;
        assert_eq!(log(harness).await.len(), entries, "{kind}");
    }
}

#[tokio::test]
async fn what_an_operator_is_refused_leaves_one_entry_with_the_reason() {
    let harness = &small().await;
    let mut entries = log(harness).await.len();
    let reader = Client::operator(harness, "contribution:read");
    let daily = Client::operator(harness, "contribution:operate");
    let everything = operator(harness);
    everything.post("/v1/commands", "refusal-used", &pause()).await;
    one_more(harness, &mut entries).await;
    let other = json!({ "reason": "inspection", "command": { "type": "pause", "what": "closing" } });
    let introduce = json!({
        "reason": "spring", "command": { "type": "introduce", "number": 2, "from": "2030-01-01", "policy": {} }
    });
    let unknown = json!({ "reason": "why not", "command": { "type": "dance" } });
    let cases = [
        (&reader, "refusal-0001", &pause(), 403, "pause"),
        (&daily, "refusal-0002", &introduce, 403, "introduce"),
        (&everything, "refusal-0003", &unknown, 400, "dance"),
        (&everything, "short", &pause(), 400, "pause"),
        (&everything, "refusal-used", &other, 409, "pause"),
    ];
    for (client, key, body, status, what) in cases {
        let reply = client.post("/v1/commands", key, body).await;
        assert_eq!(reply.status, status, "{key}: {}", reply.text);
        let entry = one_more(harness, &mut entries).await;
        assert_eq!((&entry["outcome"], &entry["by"]), (&json!("REFUSED"), &json!("anna")), "{key}");
        assert_eq!(entry["command"], json!({ "type": "rejected", "what": what }), "{key}");
        assert_eq!(entry["reason"], body["reason"], "{key}");
        assert!(!entry["refusal"].as_str().expect("why").is_empty(), "{key}");
    }
    // A query that is not described, a body that is not JSON, no body.
    for (index, (path, body)) in [
        ("/v1/commands?dry=1", Some(pause().to_string())),
        ("/v1/commands", Some("{ not JSON".to_owned())),
        ("/v1/commands", None),
    ]
    .into_iter()
    .enumerate()
    {
        let key = json!({ "Idempotency-Key": format!("refusal-odd-{index}") });
        let reply = everything.send("POST", path, &key, body).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert_eq!(one_more(harness, &mut entries).await["outcome"], "REFUSED");
    }
    // The key of what was refused is free.
    assert_eq!(everything.post("/v1/commands", "refusal-0003", &pause()).await.status, 202);
    assert_eq!(one_more(harness, &mut entries).await["outcome"], "DONE");
}

#[tokio::test]
async fn what_others_are_refused_is_counted_and_leaves_no_entry() {
    let harness = &small().await;
    let entries = log(harness).await.len();
    let stranger = Client::with_claims(harness, json!({ "sub": "x" }));
    for (client, status) in
        [(Client::without_token(harness), 401), (Client::member(harness, "D2"), 403), (stranger, 403)]
    {
        let body = pause();
        let asked = client.post("/v1/commands", "other-people", &body);
        let (reply, metrics) = runtime::telemetry::keeping_metrics(asked).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        assert_eq!(metrics.len(), 1, "{metrics:?}");
        assert_eq!(metrics[0]["CommandsOfOthers"], 1.0, "{:#}", metrics[0]);
    }
    assert_eq!(log(harness).await.len(), entries);
}

#[tokio::test]
async fn refused_bytes_are_purged_by_a_command_and_their_listing_stays() {
    let harness = &small().await;
    let mut source = end_to_end::source::Source::new();
    let orders = end_to_end::source::ORDERS;
    source.append(orders, 2, Some("{}".to_owned()), Some("{ phone: 139".to_owned()));
    harness.feed(&source.records, end_to_end::Shuffle::AsCaptured).await;
    let client = operator(harness);
    let listed = client.get("/v1/quarantine").await.good()["quarantined"][0].clone();
    let mut command = json!({ "type": "purge_quarantined" });
    for member in ["source", "topic", "partition", "offset"] {
        command[member] = listed[member].clone();
    }
    let body = json!({ "reason": "resolved at the source", "command": command });
    let mut entries = log(harness).await.len();
    assert_eq!(client.post("/v1/commands", "purge-0001", &body).await.status, 202);
    let entry = one_more(harness, &mut entries).await;
    assert!(entry["command"]["text"].as_str().expect("a note").contains(orders), "{entry:#}");
    let hash = listed["hash"].as_str().expect("a hash");
    assert_eq!(entry["before"], format!("14 bytes with the hash {hash} are kept"), "{entry:#}");
    assert_eq!(entry["after"], "the bytes are gone, and the listing with their hash stays", "{entry:#}");
    // Sent once more under its key it is the same one, although nothing is there to purge any more.
    let again = client.post("/v1/commands", "purge-0001", &body).await;
    assert_eq!((again.status, &again.json()["outcome"]), (200, &json!("DONE")), "{}", again.text);
    assert_eq!(log(harness).await.len(), entries);
    let kept = end_to_end::everything_in(harness.engine(), store::Table::Source).await;
    assert!(kept.iter().all(|item| item.key.partition != "QUARANTINE_BYTES"), "the bytes are gone");
    assert_eq!(client.get("/v1/quarantine").await.good()["quarantined"][0], listed);
}

#[tokio::test]
async fn an_entry_says_what_was_before_and_what_is_after() {
    let harness = &small().await;
    let client = operator(harness);
    let mut entries = log(harness).await.len();
    let adjust = json!({
        "type": "adjust", "giver": "HEADQUARTERS", "receiver": "D99", "amount": "1.5",
        "effective_date": "2026-03-01", "reference": "ticket 3"
    });
    let balance = client.get("/v1/accounts/HEADQUARTERS").await.good()["total"].clone();
    let has: f64 = balance.as_str().expect("an amount").parse().expect("a number");
    let cases = [
        (json!({ "type": "pause", "what": "closing" }), "closing goes on", "closing is stopped since "),
        (json!({ "type": "resume", "what": "closing" }), "closing is stopped since ", "closing goes on"),
        (json!({ "type": "retire_source", "source": "kafka" }), "waited for", "retired"),
        (
            json!({ "type": "let_go_brake" }),
            "0 orders and 0 uplines wait, with 0 adoptions below them",
            "what waited by ",
        ),
        (
            json!({ "type": "introduce", "number": 2, "from": "2030-01-01", "policy": {} }),
            "versions 1",
            "versions 1, 2 from 2030-01-01",
        ),
        (adjust, "HEADQUARTERS has ", "HEADQUARTERS has "),
        (json!({ "type": "note", "text": "the connector was restarted" }), "not noted", "noted"),
        (
            json!({
                "type": "set_webhook", "webhook": "mining", "url": "https://hooks.example.com/in",
                "types": ["AdoptionHeld"]
            }),
            "there is no subscription mining",
            "AdoptionHeld to https://hooks.example.com/in",
        ),
    ];
    for (number, (command, before, after)) in cases.into_iter().enumerate() {
        let body = json!({ "reason": "to be seen", "command": command });
        client.post("/v1/commands", &format!("seen-{number:04}"), &body).await;
        let entry = one_more(harness, &mut entries).await;
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        assert!(text("before").starts_with(before), "{entry:#}");
        assert!(text("after").starts_with(after), "{entry:#}");
        if command["type"] == "adjust" {
            assert!(text("before").contains(&format!("HEADQUARTERS has {has:.10}; D99 has 0")), "{entry:#}");
            let left = format!("HEADQUARTERS has {:.10}; D99 has 1.5000000000", has - 1.5);
            assert_eq!(text("after"), left, "{entry:#}");
        }
    }
}

#[tokio::test]
async fn the_operators_log_is_exported_part_by_part_as_comma_separated_values() {
    let harness = &small().await;
    let client = operator(harness);
    client.post("/v1/commands", "export-0001", &pause()).await;
    let entries = log(harness).await;
    let reply = client.get("/v1/operations?format=csv").await;
    let lines: Vec<&str> = reply.text.lines().collect();
    assert_eq!(lines.len(), entries.len() + 1, "{}", reply.text);
    assert!(lines[0].starts_with("at,page,entry,by,reason,idempotency_key,command,outcome"), "{}", lines[0]);
    assert!(lines[1].contains("anna,inspection,export-0001,"), "{}", lines[1]);
    assert!(lines[1].contains(",DONE,,posting goes on,posting is stopped since "), "{}", lines[1]);
    assert_eq!(client.get("/v1/operations?format=xml").await.status, 400);
}
