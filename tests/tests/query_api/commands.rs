//! What operators ask for.

use end_to_end::Client;
use serde_json::{Value, json};

use crate::ledger::{operator, small};

async fn carried_out(harness: &end_to_end::Harness, key: &str, body: &Value) -> Value {
    let client = operator(harness);
    let sent = client.post("/v1/commands", key, body).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    harness.settle().await;
    client.get(&format!("/v1/commands/{key}")).await.good()
}

#[tokio::test]
async fn a_command_leaves_one_entry_however_often_it_is_sent() {
    let harness = &small().await;
    let client = operator(harness);
    let body = json!({ "reason": "inspection", "command": { "type": "pause", "what": "posting" } });
    let done = carried_out(harness, "pause-0001", &body).await;
    assert_eq!(done["outcome"], "DONE");
    let again = client.post("/v1/commands", "pause-0001", &body).await;
    assert_eq!((again.status, again.headers["idempotency-hit"].as_str()), (200, Some("true")));
    let other = json!({ "reason": "inspection", "command": { "type": "pause", "what": "closing" } });
    assert_eq!(client.post("/v1/commands", "pause-0001", &other).await.status, 409);
    harness.settle().await;
    let log = client.get("/v1/operations").await.good();
    let entries = log["operations"].as_array().expect("operations");
    // The one that was carried out, and the one that was refused because its key was used.
    let done: Vec<&Value> = entries.iter().filter(|entry| entry["outcome"] == "DONE").collect();
    assert_eq!((entries.len(), done.len()), (2, 1), "{entries:?}");
    assert_eq!((done[0]["by"].as_str(), done[0]["reason"].as_str()), (Some("anna"), Some("inspection")));
    let status = client.get("/v1/status").await.good();
    let problems = status["problems"].as_array().expect("problems");
    assert!(problems.iter().any(|problem| problem["code"] == "PAUSED"), "{problems:?}");
}

#[tokio::test]
async fn a_refused_command_stands_in_the_log_with_its_reason() {
    let harness = &small().await;
    let body = json!({
        "reason": "a mistake",
        "command": {
            "type": "adjust", "giver": "D1", "receiver": "D2", "amount": "999999999",
            "effective_date": "2026-03-01", "reference": "ticket 1"
        }
    });
    let refused = carried_out(harness, "adjust-0001", &body).await;
    assert_eq!(refused["outcome"], "REFUSED");
    assert!(refused["refusal"].as_str().expect("a reason").contains("less than"));
    let log = operator(harness).get("/v1/operations").await.good();
    assert_eq!(log["operations"][0]["outcome"], "REFUSED");
}

#[tokio::test]
async fn an_adjustment_moves_an_amount_and_shows_in_a_column_of_its_own() {
    let harness = &small().await;
    let client = operator(harness);
    let before = client.get("/v1/accounts/D2").await.good();
    let body = json!({
        "reason": "agreed", "command": {
            "type": "adjust", "giver": "OPERATION", "receiver": "D2", "amount": "10.5",
            "effective_date": "2026-03-01", "expire_date": "2028-03-01", "reference": "ticket 2"
        }
    });
    let done = carried_out(harness, "adjust-0002", &body).await;
    assert_eq!(done["outcome"], "DONE", "{done}");
    let after = client.get("/v1/accounts/D2").await.good();
    assert_eq!(before["adjusted"], "0.0000000000");
    assert_eq!(after["adjusted"], "10.5000000000");
    let records = client.get("/v1/accounts/D2/records?type=PERSONAL").await.good();
    assert!(
        records["records"].as_array().expect("records").iter().all(|record| record["kind"] != "ADJUSTED")
    );
}

#[tokio::test]
async fn a_version_with_more_levels_than_ancestors_are_kept_is_refused_by_name() {
    let harness = &small().await;
    let body = json!({
        "reason": "more levels",
        "command": { "type": "introduce", "number": 2, "from": "2030-01-01", "policy": { "level_count": 50 } }
    });
    let refused = carried_out(harness, "fifty-levels", &body).await;
    assert_eq!(refused["outcome"], "REFUSED");
    let why = refused["refusal"].as_str().expect("a reason");
    assert!(why.contains("level_count") && why.contains("20"), "{why}");
}

#[tokio::test]
async fn who_may_send_what() {
    let harness = &small().await;
    let pause = json!({ "reason": "r", "command": { "type": "pause", "what": "posting" } });
    let introduce = json!({ "reason": "r", "command": { "type": "introduce", "number": 2, "from": "2030-01-01", "policy": {} } });
    let cases = [
        ("contribution:read", &pause, 403),
        ("contribution:read", &introduce, 403),
        ("contribution:operate", &pause, 202),
        ("contribution:operate", &introduce, 403),
        ("contribution:approve", &pause, 403),
        ("contribution:approve", &introduce, 202),
    ];
    for (index, (scope, body, expected)) in cases.into_iter().enumerate() {
        let client = Client::operator(harness, scope);
        let reply = client.post("/v1/commands", &format!("matrix-{index}-key"), body).await;
        assert_eq!(reply.status, expected, "{scope} {body}: {}", reply.text);
    }
    let member = Client::member(harness, "D2");
    assert_eq!(member.post("/v1/commands", "matrix-member", &pause).await.status, 403);
}

#[tokio::test]
async fn a_command_that_cannot_be_read_says_what_is_wrong() {
    let harness = &small().await;
    let client = operator(harness);
    let good = json!({ "reason": "r", "command": { "type": "pause", "what": "posting" } });
    assert_eq!(client.post("/v1/commands", "short", &good).await.json()["parameter"], "Idempotency-Key");
    for body in [
        json!({}),
        json!({ "reason": "", "command": { "type": "pause", "what": "posting" } }),
        json!({ "reason": "r", "command": { "type": "pause", "what": "everything" } }),
        json!({ "reason": "r", "command": { "type": "dance" } }),
        json!({ "reason": "r", "command": { "type": "repair", "order_id": "0" } }),
        json!({ "reason": "r", "command": { "type": "pause", "what": "posting" }, "extra": 1 }),
    ] {
        let reply = client.post("/v1/commands", "unreadable-1", &body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(!reply.json()["detail"].as_str().expect("a detail").is_empty());
    }
    assert_eq!(client.get("/v1/commands/unreadable-1").await.status, 404, "nothing was stored");
}
