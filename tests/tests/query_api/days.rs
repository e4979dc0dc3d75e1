//! Closed dates: snapshots, statements, balances and proofs.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::log::PageHash;
use domain::proof::RowProof;
use end_to_end::{Client, Harness};
use serde_json::{Value, json};
use store::BoxFuture;
use tokio::sync::OnceCell;
use webhook_delivery::{Post, Transport};

use crate::ledger::{all, of, operator, units};

const LAST: &str = "2026-02-10";
const INVALID: &str = "urn:problem-type:contribution:invalid-parameter";

/// Returns the ledger of the incident with every date up to 2026-02-10 closed, which no test may change.
pub(crate) async fn closed() -> &'static Harness {
    static LEDGER: OnceCell<Harness> = OnceCell::const_new();
    LEDGER
        .get_or_init(async || {
            let harness = of(include_str!("../../../events/captures/ordering-incident.jsonl")).await;
            let close = json!({ "type": "close", "until": LAST, "source_is_complete": true });
            let body = json!({ "reason": "a test", "command": close });
            let sent = operator(&harness).post("/v1/commands", "close-the-dates", &body).await;
            assert_eq!(sent.status, 202, "{}", sent.text);
            harness.settle().await;
            harness.publish().await;
            subscribe(&harness).await;
            harness
        })
        .await
}

/// Has a subscriber, who cannot be reached, be sent the closed dates.
async fn subscribe(harness: &Harness) {
    let command = json!({
        "type": "set_webhook", "webhook": "mining", "url": "https://hooks.example.com/in",
        "types": ["DailySnapshotCreated"], "after": "0"
    });
    let body = json!({ "reason": "a test", "command": command });
    let sent = operator(harness).post("/v1/commands", "subscribe-mining", &body).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    harness.settle().await;
    let delivery = webhook_delivery::build_with(harness.settings(), Arc::new(Unreachable));
    harness.invoke(&delivery.expect("good settings"), json!({})).await.expect("what fails is listed");
}

struct Unreachable;

impl Transport for Unreachable {
    fn post(&self, _post: Post) -> BoxFuture<'_, Result<u16, String>> {
        Box::pin(async { Err("no connection".to_owned()) })
    }
}

#[tokio::test]
async fn closed_dates_are_listed_once_each_by_cursors_alone() {
    let client = operator(closed().await);
    let dates = all(&client, "snapshots", "/v1/snapshots?limit=7").await;
    let whole = client.get("/v1/snapshots?limit=200").await.good();
    assert_eq!(json!(dates), whole["snapshots"]);
    assert_eq!(dates[0]["snapshot_date"], LAST);
    let days = all(&client, "days", "/v1/network?from=2026-01-05&to=2026-01-20&limit=3").await;
    assert_eq!(days.len(), 16);
    let latest = client.get("/v1/snapshots/latest").await.good();
    assert_eq!(latest["snapshot_date"], LAST);
    for path in ["", "/manifest"] {
        let one = client.get(&format!("/v1/snapshots/{LAST}{path}")).await.good();
        assert_eq!(one["merkle_root"], latest["merkle_root"]);
    }
    let later = client.get("/v1/snapshots/2026-02-11").await;
    assert_eq!((later.status, &later.json()["last_closed_date"]), (404, &Value::from(LAST)));
}

#[tokio::test]
async fn the_rows_of_a_date_are_ranked_and_sum_to_the_network() {
    let client = operator(closed().await);
    let manifest = client.get("/v1/snapshots/latest").await.good();
    let rows = all(&client, "rows", &format!("/v1/snapshots/{LAST}/rows?limit=9")).await;
    assert_eq!(rows.len() as u64, manifest["rows"].as_u64().expect("a count"));
    let sum: i128 = rows.iter().map(|row| units(&row["effective_contribution"])).sum();
    assert_eq!(sum, units(&manifest["network_total_contribution"]));
    let ratios: i128 = rows.iter().map(|row| units(&row["contribution_ratio"])).sum();
    assert_eq!(ratios, 10_i128.pow(18));
    assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(units(&row["effective_contribution"]))));
    let csv = client.get(&format!("/v1/snapshots/{LAST}/export")).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines.len(), rows.len() + 1);
    let expected = |row: &Value| {
        let names = [
            "snapshot_date",
            "account",
            "effective_contribution",
            "network_total_contribution",
            "contribution_ratio",
        ];
        names.map(|name| row[name].as_str().expect("a text").to_owned()).join(",")
    };
    assert_eq!(lines[1..], rows.iter().map(expected).collect::<Vec<_>>());
}

#[tokio::test]
async fn effective_amounts_are_those_that_the_oracle_expects() {
    let client = operator(closed().await);
    let expected = include_str!("../../../events/captures/ordering-incident.expected.json");
    let expected: Value = serde_json::from_str(expected).expect("JSON");
    for (account, expected) in expected["accounts"].as_object().expect("accounts") {
        let reply = client.get(&format!("/v1/accounts/{account}")).await;
        if reply.status == 404 {
            assert_eq!(expected["effective"], "0.0000000000");
            continue;
        }
        let shown = reply.good();
        assert_eq!(shown["as_of"], LAST);
        assert_eq!(shown["effective"], expected["effective"], "{account}");
        let team = client.get(&format!("/v1/accounts/{account}/team")).await.good();
        if let Some(trees) = expected["team_trees"].as_array() {
            let shown: Vec<&Value> =
                team["levels"].as_array().expect("levels").iter().map(|level| &level["trees"]).collect();
            assert_eq!(shown, trees.iter().collect::<Vec<_>>(), "{account}");
        }
    }
}

/// Returns what an account had on closed dates, by its snapshots.
async fn balances(client: &Client<'_>, account: &str) -> BTreeMap<String, i128> {
    let path = format!("/v1/accounts/{account}/snapshots?limit=50");
    let dates = all(client, "snapshots", &path).await;
    let balance = |one: &Value| {
        let date = one["snapshot_date"].as_str().expect("a date").to_owned();
        (date, units(&one["effective_contribution"]))
    };
    dates.iter().map(balance).collect()
}

#[tokio::test]
async fn statements_add_up_to_the_balances_of_both_ends_by_the_snapshots() {
    let client = operator(closed().await);
    for account in ["D25122700018", "D25122700019", "D25122700001", "OPERATION", "HEADQUARTERS"] {
        let balances = balances(&client, account).await;
        let dates: Vec<&String> = balances.keys().collect();
        for (first, last) in [(0, dates.len() - 1), (1, 5), (7, 7), (10, 30)] {
            let (from, to) = (dates[first], dates[last]);
            let path = format!("/v1/accounts/{account}/statement?from={from}&to={to}");
            let statement = client.get(&format!("{path}&limit=20")).await.good();
            let lines = all(&client, "lines", &format!("{path}&limit=20")).await;
            let moved: i128 = lines.iter().map(|line| units(&line["amount"])).sum();
            let opening = first.checked_sub(1).map_or(0, |before| balances[dates[before]]);
            assert_eq!(units(&statement["opening_balance"]), opening, "{account} {from} {to}");
            assert_eq!(opening + moved, balances[to], "{account} {from} {to}");
            assert_eq!(units(&statement["closing_balance"]), balances[to], "{account} {from} {to}");
            assert_eq!(lines.len() as u64, statement["line_count"].as_u64().expect("a count"));
            let csv = client.get(&format!("{path}&format=csv")).await;
            assert_eq!(csv.text.lines().count(), lines.len() + 3, "columns, opening and closing");
        }
    }
}

#[tokio::test]
async fn a_period_that_ends_before_it_begins_is_said_to_be_one_whether_its_dates_are_closed_or_not() {
    let client = operator(closed().await);
    let path = "/v1/accounts/D25122700018/statement";
    for (from, to) in [("2026-02-09", "2026-02-08"), ("2031-01-02", "2031-01-01"), (LAST, "2020-01-01")] {
        let reply = client.get(&format!("{path}?from={from}&to={to}")).await;
        assert_eq!(reply.status, 400, "{from} to {to}: {}", reply.text);
        let problem = reply.json();
        assert_eq!((&problem["parameter"], problem["type"].as_str()), (&json!("from"), Some(INVALID)));
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(to)), "{problem}");
    }
    assert_eq!(client.get(&format!("{path}?from=2031-01-01&to=2031-01-01")).await.status, 404);
}

#[tokio::test]
async fn a_balance_can_be_asked_for_as_of_any_date_and_as_known_at_any_time() {
    let client = operator(closed().await);
    let path = "/v1/accounts/D25122700018/balance";
    let now = client.get(&format!("{path}?date={LAST}")).await.good();
    let account = client.get("/v1/accounts/D25122700018").await.good();
    assert_eq!(now["effective"], account["effective"], "nothing came after the cut");
    let records = client.get("/v1/accounts/D25122700018/records?limit=200").await.good();
    let records = records["records"].as_array().expect("records");
    let first = &records[0]["page"];
    let then = client.get(&format!("{path}?known_at={first}")).await.good();
    let sum: i128 = records.iter().filter(|one| one["page"] == *first).map(|one| units(&one["amount"])).sum();
    assert_eq!(units(&then["total"]), sum);
    let before = client.get(&format!("{path}?known_at=2020-01-01T00:00:00Z")).await.good();
    assert_eq!(before["total"], "0.0000000000");
    assert_eq!(client.get(&format!("{path}?known_at=yesterday")).await.status, 400);
}

#[tokio::test]
async fn a_member_gets_the_proof_of_the_own_row_and_it_leads_to_the_root() {
    let harness = closed().await;
    let manifest = operator(harness).get("/v1/snapshots/latest").await.good();
    let root = PageHash::from_hex(manifest["merkle_root"].as_str().expect("a root")).expect("a hash");
    let member = Client::member(harness, "D25122700018");
    let reply = member.get(&format!("/v1/snapshots/{LAST}/proof/D25122700018")).await.good();
    let text = reply["proof"].to_string();
    assert!(text.len() <= 2_048, "{} bytes", text.len());
    let proof: RowProof = serde_json::from_str(&text).expect("a proof");
    proof.verify(root).expect("it is in the snapshot");
    let other = member.get(&format!("/v1/snapshots/{LAST}/proof/D25122700019")).await;
    assert_eq!(other.status, 403);
    let shown = member.get(&format!("/v1/snapshots/{LAST}/manifest")).await.good();
    assert_eq!(shown["merkle_root"], manifest["merkle_root"]);
    assert_eq!(member.get(&format!("/v1/snapshots/{LAST}/rows")).await.status, 403);
}

#[tokio::test]
async fn texts_of_accounts_are_no_formulas_in_a_spreadsheet() {
    let harness = &of(include_str!("../../../events/cases/ledger/24-spreadsheet.jsonl")).await;
    let client = operator(harness);
    let close = json!({ "type": "close", "until": "2026-06-30", "source_is_complete": true });
    let body = json!({ "reason": "a test", "command": close });
    client.post("/v1/commands", "close-the-dates", &body).await;
    harness.settle().await;
    harness.publish().await;
    let date =
        client.get("/v1/snapshots/latest").await.good()["snapshot_date"].as_str().expect("a date").to_owned();
    let csv = client.get(&format!("/v1/snapshots/{date}/export")).await;
    let mut marked = 0;
    for line in csv.text.lines().skip(1) {
        let account = line.split(',').nth(1).expect("a cell").trim_start_matches('"');
        assert!(!account.starts_with(['=', '+', '-', '@']), "{line}");
        marked += u32::from(account.starts_with('\''));
    }
    assert!(marked > 0, "{}", csv.text);
}

#[tokio::test]
async fn a_date_that_cannot_be_published_is_a_problem_until_an_adjustment_puts_it_right() {
    let harness = &of(include_str!("../../../events/captures/ordering-incident.jsonl")).await;
    let client = operator(harness);
    let send = async |key: &str, command: Value| {
        let body = json!({ "reason": "a test", "command": command });
        client.post("/v1/commands", key, &body).await;
        harness.settle().await;
        let sent = client.get(&format!("/v1/commands/{key}")).await.good();
        assert_eq!(sent["outcome"], "DONE", "{sent:#}");
    };
    let moved = |giver: &str, receiver: &str| {
        json!({
            "type": "adjust", "giver": giver, "receiver": receiver, "amount": "1000",
            "effective_date": "2025-01-01", "reference": "a mistake"
        })
    };
    // More than HEADQUARTERS has on the first date, and less than it has in the end.
    send("adjust-0001", moved("HEADQUARTERS", "OPERATION")).await;
    send("close-0001", json!({ "type": "close", "until": LAST, "source_is_complete": true })).await;
    harness.publish().await;
    let status = client.get("/v1/status").await.good();
    let codes = status["problems"].as_array().expect("problems").iter().map(|problem| &problem["code"]);
    assert!(codes.into_iter().any(|code| code == "CLOSE_NEGATIVE"), "{status:#}");
    let close = client.get("/v1/sync-status").await.good()["close"].clone();
    let reason = close["waiting_for"][0].as_str().expect("a reason");
    assert!(reason.starts_with("NEGATIVE: the row of HEADQUARTERS would be -"), "{close:#}");
    assert!(close["waiting_date"].as_str() < Some(LAST), "{close:#}");

    send("adjust-0002", moved("OPERATION", "HEADQUARTERS")).await;
    harness.publish().await;
    let status = client.get("/v1/status").await.good();
    assert!(!status["problems"].to_string().contains("CLOSE_NEGATIVE"), "{status:#}");
    assert_eq!(status["last_close"]["snapshot_date"], LAST);
    assert_eq!(client.get("/v1/sync-status").await.good()["close"]["waiting_for"], json!([]));
}
