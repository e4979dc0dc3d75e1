//! Events of real replays: what is told, by which schemas, and to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use end_to_end::{Client, Harness};
use serde_json::{Value, json};
use store::BoxFuture;
use webhook_delivery::{Post, Transport};

use crate::days::closed;
use crate::ledger::{operator, regions, small, units};
use crate::pattern;
use crate::schema::faults;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events")
}

fn read(path: &str) -> Value {
    let text =
        std::fs::read_to_string(directory().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("JSON")
}

/// Returns the schemas of events, by the type of event.
fn schemas() -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(directory().join("schemas")).expect("schemas");
    files
        .map(|file| {
            let name = file.expect("a file").file_name().to_string_lossy().into_owned();
            (name.trim_end_matches(".json").to_owned(), read(&format!("schemas/{name}")))
        })
        .collect()
}

/// Returns every event, read some at a time.
async fn every_event(client: &Client<'_>, limit: usize) -> Vec<Value> {
    let mut events = Vec::new();
    let mut after = "0".to_owned();
    loop {
        let page = client.get(&format!("/v1/events?after={after}&limit={limit}")).await.good();
        events.extend(page["events"].as_array().expect("events").clone());
        page["next"].as_str().expect("a place").clone_into(&mut after);
        if page["is_last"] == true {
            return events;
        }
    }
}

#[tokio::test]
async fn every_event_of_a_replay_is_as_its_schema_says() {
    let schemas = schemas();
    let mut seen = BTreeSet::new();
    for harness in [closed().await, regions().await] {
        for event in every_event(&operator(harness), 200).await {
            let kind = event["type"].as_str().expect("a type").to_owned();
            let schema = schemas.get(&kind).unwrap_or_else(|| panic!("{kind} has no schema"));
            let found = faults(schema, schema, &event);
            assert!(found.is_empty(), "{found:#?}\n{event:#}");
            seen.insert(kind);
        }
    }
    for kind in ["ContributionCalculated", "ContributionCorrected", "AdoptionHeld", "DailySnapshotCreated"] {
        assert!(seen.contains(kind), "{seen:?}");
    }
}

#[test]
fn the_asyncapi_document_names_every_schema_and_every_reference_leads_somewhere() {
    let document = read("asyncapi.json");
    assert_eq!(document["asyncapi"], "3.0.0");
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    let mut files = BTreeSet::new();
    for reference in &references {
        match reference.strip_prefix('#') {
            Some(pointer) => assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere"),
            None => drop(files.insert(reference.trim_start_matches("schemas/").trim_end_matches(".json"))),
        }
    }
    let schemas = schemas();
    assert_eq!(files, schemas.keys().map(String::as_str).collect());
    for (kind, schema) in &schemas {
        assert_eq!((&schema["title"], &schema["properties"]["type"]["const"]), (&json!(kind), &json!(kind)));
    }
    let contract: Value = serde_json::from_str(query_api::OPENAPI).expect("the contract is JSON");
    let kinds = contract["components"]["schemas"]["EventType"]["enum"].as_array().expect("kinds").clone();
    assert_eq!(kinds.iter().filter_map(Value::as_str).collect::<BTreeSet<_>>(), files);
    let asked_for = &contract["components"]["parameters"]["events_type"]["schema"]["pattern"];
    let asked_for = asked_for.as_str().expect("a pattern");
    let all = files.into_iter().collect::<Vec<_>>().join(",");
    assert!(pattern::matches(asked_for, &all) && !pattern::matches(asked_for, "close"), "{asked_for}");
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(reference) if name == "$ref" => drop(references.insert(reference.to_owned())),
                    _ => collect(value, references),
                }
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_shares_of_all_events_add_up_to_what_every_account_has() {
    let harness = closed().await;
    let client = operator(harness);
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for event in every_event(&client, 200).await {
        for share in event["data"]["shares"].as_array().into_iter().flatten() {
            let account = share["account"].as_str().expect("an account").to_owned();
            *sums.entry(account).or_default() += units(&share["amount"]);
        }
    }
    assert!(sums.len() > 10, "{sums:?}");
    for (account, sum) in sums {
        let view = client.get(&format!("/v1/accounts/{account}")).await.good();
        assert_eq!(units(&view["total"]), sum, "{account}");
    }
}

#[tokio::test]
async fn readers_keep_their_own_places_and_read_any_period_again() {
    let client = operator(closed().await);
    let all = every_event(&client, 200).await;
    assert_eq!(every_event(&client, 7).await, all, "whatever the size of the pieces");
    let ids: Vec<&str> = all.iter().map(|event| event["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no id comes twice");
    let (from, to) = (ids[10], ids[20]);
    let period = client.get(&format!("/v1/events?after={from}&until={to}")).await.good();
    assert_eq!(period["events"].as_array().expect("events"), &all[11..=20]);
    assert_eq!((&period["next"], &period["is_last"]), (&json!(to), &json!(true)));
    let snapshots = client.get("/v1/events?type=DailySnapshotCreated&limit=200").await.good();
    let dates: Vec<&Value> = snapshots["events"].as_array().expect("events").iter().collect();
    assert_eq!(dates.last().expect("one")["data"]["date"], "2026-02-10");
    for query in ["after=x", "until=1-", "type=Nothing", "type=", "limit=0", "after=1&after=2"] {
        assert_eq!(client.get(&format!("/v1/events?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn an_event_says_from_which_position_on_it_can_be_asked_about() {
    let client = operator(closed().await);
    let events = every_event(&client, 200).await;
    let event = events.iter().rfind(|event| event["type"] == "ContributionCalculated").expect("one");
    let (order, position) = (event["data"]["order_id"].as_str().expect("an order"), &event["position"]);
    let adoption = client.get(&format!("/v1/adoptions/{order}?at_least={position}")).await.good();
    assert_eq!(adoption["state"], "POSTED");
}

#[tokio::test]
async fn a_subscription_is_listed_with_what_came_of_it_and_its_secret_is_for_operators() {
    let client = operator(closed().await);
    let listed = client.get("/v1/webhooks").await.good()["webhooks"][0].clone();
    assert_eq!((&listed["webhook"], &listed["state"]), (&json!("mining"), &json!("FAILING")));
    assert_eq!(listed["failing"]["attempts"], 1);
    let deliveries = client.get("/v1/webhooks/mining/deliveries").await.good();
    let first = &deliveries["deliveries"][0];
    assert_eq!((&first["is_delivered"], &first["failure"]), (&json!(false), &json!("no connection")));
    let secrets = client.get("/v1/webhooks/mining/secrets").await.good();
    assert_eq!(secrets["secrets"].as_array().expect("secrets").len(), 1);
    let reader = Client::operator(closed().await, "contribution:read");
    assert_eq!(reader.get("/v1/webhooks/mining/secrets").await.status, 403);
    assert_eq!(reader.get("/v1/webhooks").await.status, 200);
}

#[tokio::test]
async fn a_subscription_is_known_before_anything_was_delivered_and_forgotten_when_it_is_removed() {
    let harness = small().await;
    let client = operator(&harness);
    let send = async |key: &str, command: Value| {
        let body = json!({ "reason": "a test", "command": command });
        let sent = client.post("/v1/commands", key, &body).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        harness.settle().await;
    };
    let url = "https://hooks.example.com/in";
    send("subscribe-mining", json!({ "type": "set_webhook", "webhook": "mining", "url": url })).await;
    let listed = client.get("/v1/webhooks").await.good();
    assert_eq!(listed["webhooks"][0]["url"], url);
    let secret = client.get("/v1/webhooks/mining/secrets").await.good()["secrets"][0]["secret"].clone();
    send("rotate-its-secret", json!({ "type": "rotate_webhook_secret", "webhook": "mining" })).await;
    let secrets = client.get("/v1/webhooks/mining/secrets").await.good();
    assert_eq!(secrets["secrets"].as_array().expect("secrets").len(), 2);
    assert_eq!(secrets["secrets"][1]["secret"], secret, "the one before still signs");
    send("remove-mining", json!({ "type": "remove_webhook", "webhook": "mining" })).await;
    assert_eq!(client.get("/v1/webhooks").await.good()["webhooks"], json!([]));
    assert_eq!(client.get("/v1/webhooks/mining/secrets").await.status, 404);
}

/// A subscriber whose address is gone for good.
struct Gone;

impl Transport for Gone {
    fn post(&self, _post: Post) -> BoxFuture<'_, Result<u16, String>> {
        Box::pin(async { Ok(410) })
    }
}

#[tokio::test]
async fn the_verdict_names_a_subscription_that_was_stopped_until_it_is_removed() {
    let harness = small().await;
    let client = operator(&harness);
    let send = async |key: &str, command: Value| {
        let body = json!({ "reason": "a test", "command": command });
        let sent = client.post("/v1/commands", key, &body).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        harness.settle().await;
    };
    let stopped = async || {
        let status = client.get("/v1/status").await.good();
        let problems = status["problems"].as_array().expect("problems").clone();
        problems.into_iter().find(|problem| problem["code"] == "WEBHOOK_STOPPED")
    };
    let url = "https://hooks.example.com/in";
    let command = json!({ "type": "set_webhook", "webhook": "mining", "url": url, "after": "0" });
    send("subscribe-mining", command).await;
    assert_eq!(stopped().await, None);
    let delivery = webhook_delivery::build_with(harness.settings(), Arc::new(Gone)).expect("good settings");
    harness.invoke(&delivery, json!({})).await.expect("what fails is listed");
    assert_eq!(client.get("/v1/webhooks").await.good()["webhooks"][0]["state"], "STOPPED");
    let problem = stopped().await.expect("it is named");
    assert_eq!(problem["severity"], "ATTENTION");
    assert!(problem["what"].as_str().is_some_and(|what| what.contains("mining")), "{problem}");
    assert!(!problem["since"].is_null(), "{problem}");
    send("remove-mining", json!({ "type": "remove_webhook", "webhook": "mining" })).await;
    assert_eq!(stopped().await, None, "nothing is to be done about what was removed");
}

#[tokio::test]
async fn addresses_of_private_networks_are_refused_when_they_are_asked_for() {
    let harness: &Harness = closed().await;
    let everything = operator(harness);
    let daily = Client::operator(harness, "contribution:operate");
    let body = |url: &str| {
        let command = json!({ "type": "set_webhook", "webhook": "inside", "url": url });
        json!({ "reason": "a test", "command": command })
    };
    for url in ["https://10.0.0.1/", "https://localhost/", "http://hooks.example.com/", "https://[::1]/"] {
        let refused = everything.post("/v1/commands", "set-a-webhook", &body(url)).await;
        assert_eq!(refused.status, 400, "{url}: {}", refused.text);
    }
    let refused = daily.post("/v1/commands", "set-a-webhook", &body("https://hooks.example.com/")).await;
    assert_eq!(refused.status, 403, "who is told of amounts is for those who approve");
    let names: Vec<Value> =
        everything.get("/v1/webhooks").await.good()["webhooks"].as_array().expect("a list").clone();
    assert_eq!(names.len(), 1);
}
