//! The query API with the stack up: what it answers, to whom, and that it keeps to its contract.

#[path = "query_api/contract.rs"]
mod contract;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::{TimeDelta, Utc};
use contribution::capture::{Capture, CaptureRecord};
use contribution::endpoints::Storage;
use contribution::stack::{Options, Stack};
use contribution::token::{AUDIENCE, DevelopmentKey, Grant, ISSUER};
use contribution::{close, replay};
use end_to_end::{capture, golden};
use ledger::environment::{Environment, Variables};
use ledger::queue::Release;
use ledger::rules::{AccountSequence, TalentLevel, TeamChange};
use ledger::store::{TalentCause, TalentLevelChange, TalentRecord};
use query_api::QueryApi;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::contract::{Answer, Contract};

/// Where the dates end that are closed, unless a test says otherwise.
const CLOSED: &str = "2026-01-04";

/// The stack on a golden capture, its API, and the contract every answer is checked against.
struct Api {
    stack: Stack,
    router: Router,
    key: DevelopmentKey,
    contract: Contract,
}

impl Api {
    /// The API over a golden capture and records that are refused, with the first dates closed.
    async fn on(name: &str) -> Self {
        Self::closed_until(name, CLOSED).await
    }

    /// The same, with every date up to this one closed.
    async fn closed_until(name: &str, date: &str) -> Self {
        Self::with(name, date, Options::new(Storage::Ephemeral)).await
    }

    /// The same, with a stack of these options.
    async fn with(name: &str, date: &str, options: Options) -> Self {
        let stack = Stack::start(&options).await.expect("the stack starts");
        let mut records: Vec<CaptureRecord> = capture::read(golden::capture_path(name))
            .expect("a capture")
            .iter()
            .map(|record| serde_json::from_value(json!(record)).expect("the same shape"))
            .collect();
        for offset in 0..3 {
            records.push(CaptureRecord {
                topic: "dbserver1.rwa_other.things".to_owned(),
                partition: 0,
                offset,
                timestamp: 0,
                key: None,
                value: Some(r#"{"phone":"13912345678"}"#.to_owned()),
            });
        }
        let captures = [Capture { source: "test".to_owned(), records }];
        replay::replay(&stack, &captures).await.expect("the replay ends");
        let date = date.parse().expect("a date");
        close::close_until(&stack, date, Release::SourceIsComplete).await.expect("the dates close");
        let key = DevelopmentKey::new(vec![7; 32]).expect("a key");
        let router = stack.http_api(&key).into_router();
        Self { stack, router, key, contract: Contract::new(query_api::OPENAPI) }
    }

    fn token(&self, grant: &Grant) -> String {
        self.key.issue(grant, Utc::now()).expect("a token")
    }

    fn operator(&self) -> String {
        self.token(&Grant::Operate)
    }

    fn user(&self, account: &str) -> String {
        self.token(&Grant::Account(account.parse().expect("an account")))
    }

    /// What a request is answered with, which is in the contract.
    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let answer = self.send("GET", path, headers).await;
        self.contract.check(path, &answer);
        answer
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().expect("text").to_owned())
        };
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().iter().map(header).collect(),
            body: {
                let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
                String::from_utf8(bytes.to_vec()).expect("UTF-8")
            },
        }
    }

    async fn ask_with(&self, token: &str, path: &str) -> Answer {
        self.ask(path, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// What an operator is answered, which must be something.
    async fn get(&self, path: &str) -> Value {
        let answer = self.ask_with(&self.operator(), path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Every entry of a list, read in pages of `limit`.
    async fn list(&self, path: &str, name: &str, limit: usize) -> Vec<Value> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}?limit={limit}{cursor}")).await;
            let entries = page[name].as_array().expect("a list");
            assert!(entries.len() <= limit, "{path}: a page has at most {limit} entries");
            found.extend(entries.iter().cloned());
            match page["next_cursor"].as_str() {
                None => return found,
                Some(next) => cursor = format!("&cursor={next}"),
            }
        }
    }
}

/// An amount as a number of its last decimals.
fn units(amount: &Value) -> i128 {
    amount.as_str().expect("an amount").replace('.', "").parse().expect("a number")
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().expect("an object").iter()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_as_the_golden_files_say() {
    for name in golden::NAMES {
        let api = Api::closed_until(name, "2026-02-10").await;
        let expected = golden::expected(name);
        accounts_are_as_expected(&api, &expected).await;
        talents_are_as_expected(&api, &expected["talent"]).await;
        network_is_as_expected(&api, &expected).await;
        adoptions_are_as_expected(&api, &expected).await;

        snapshot_is_as_expected(&api, &expected["snapshot"]).await;

        let systems = api.get("/v1/system-accounts").await;
        let systems = systems["system_accounts"].as_array().expect("a list");
        let systems: BTreeMap<&str, &Value> =
            systems.iter().map(|system| (system["id"].as_str().expect("an id"), &system["total"])).collect();
        assert_eq!(json!(systems), expected["system"], "{name}");

        let held: Vec<Value> = api
            .list("/v1/held", "held", 3)
            .await
            .iter()
            .map(|held| json!([held["order_id"], held["reason"]]))
            .collect();
        assert_eq!(json!(held), expected["held"], "{name}");
        let status = api.get("/v1/sync-status").await;
        assert_eq!(status["held"], json!({ "count": held.len(), "more": false }), "{name}");
        assert_eq!(status["staged"], json!({ "count": 0, "more": false }), "{name}");
        assert_eq!(status["records"]["quarantined"], 3, "{name}");

        let quarantined = api.list("/v1/quarantine", "quarantined", 2).await;
        let offsets: Vec<&Value> = quarantined.iter().map(|record| &record["offset"]).collect();
        assert_eq!(json!(offsets), json!([0, 1, 2]), "{name}");
        assert!(!json!(quarantined).to_string().contains("13912345678"), "a phone number stays inside");
    }
}

async fn accounts_are_as_expected(api: &Api, expected: &Value) {
    for (account, totals) in members(&expected["accounts"]) {
        let found = api.get(&format!("/v1/accounts/{account}")).await;
        for field in ["personal", "team_level", "team_bonus", "total", "effective"] {
            assert_eq!(found[field], totals[field], "{account} {field}");
        }
        assert_eq!(found["as_of"], "2026-02-10");
        let team = api.get(&format!("/v1/accounts/{account}/team?date=2026-02-10")).await;
        let trees: Vec<&Value> =
            team["levels"].as_array().expect("levels").iter().map(|level| &level["trees"]).collect();
        assert_eq!(json!(trees), totals["team_trees"], "{account}");
        assert_eq!(team["direct_adopted_referrals"], totals["direct_referral_adopted_count"], "{account}");
        let days = api.list(&format!("/v1/accounts/{account}/snapshots"), "snapshots", 9).await;
        let row = &expected["snapshot"]["rows"][account];
        let last = days.last().filter(|day| day["snapshot_date"] == "2026-02-10");
        assert_eq!(last.map(|day| &day["effective_contribution"]), row.get("effective"), "{account}");
        assert_eq!(last.map(|day| &day["contribution_ratio"]), row.get("ratio"), "{account}");
        for field in
            ["has_adopted", "direct_referral_adopted_count", "unlocked_level_depth", "unlocked_bonus_tiers"]
        {
            assert_eq!(found["unlock"][field], totals[field], "{account} {field}");
        }
    }
}

/// Levels and counts, what is missing for the next level of the rules' own table, and how levels came to be.
async fn talents_are_as_expected(api: &Api, expected: &Value) {
    let rows = [(3, 10), (8, 30), (15, 80), (30, 200), (50, 500)];
    for (account, talent) in members(expected) {
        let found = api.get(&format!("/v1/accounts/{account}/talent")).await;
        for field in ["direct_count", "promotion_count", "talent_level"] {
            assert_eq!(found[field], talent[field], "{account} {field}");
        }
        let level = talent["talent_level"].as_u64().expect("a level");
        let needed = rows[usize::try_from(level).expect("a small number")];
        let missing: Vec<Value> = [("DIRECT_COUNT", needed.0, "direct_count"), ("PROMOTION_COUNT", needed.1, "promotion_count")]
            .into_iter()
            .filter(|(_, needed, field)| talent[field].as_u64() < Some(*needed))
            .map(|(name, needed, field)| json!({ "condition": name, "level": null, "needed": needed, "found": talent[field] }))
            .collect();
        assert_eq!(found["next"], json!({ "level": level + 1, "missing": missing }), "{account}");
        assert_eq!(
            (&found["due_level"], &found["activity_ignored"]),
            (&Value::Null, &json!(false)),
            "{account}"
        );
        let changes = api.list(&format!("/v1/accounts/{account}/talent"), "changes", 1).await;
        assert_eq!(changes.first().map_or(&json!(0), |latest| &latest["new_level"]), &talent["talent_level"]);
        assert!(changes.windows(2).all(|pair| pair[0]["old_level"] == pair[1]["new_level"]), "{account}");
    }
}

/// What is posted, now: users and system accounts, and both.
async fn network_is_as_expected(api: &Api, expected: &Value) {
    let now = api.get("/v1/network").await["now"].clone();
    let users: i128 = members(&expected["accounts"]).map(|(_, account)| units(&account["total"])).sum();
    let system: i128 = members(&expected["system"]).map(|(_, total)| units(total)).sum();
    assert_eq!((units(&now["user_total"]), units(&now["system_total"])), (users, system));
    assert_eq!(now["network_total"], expected["distributed_total"]);
}

async fn snapshot_is_as_expected(api: &Api, expected: &Value) {
    let totals = api.get("/v1/snapshots/2026-02-10").await;
    assert_eq!(totals["network_total_contribution"], expected["network_total"]);
    let days = api.list("/v1/network", "days", 7).await;
    assert_eq!(days.last(), Some(&totals));
    assert_eq!(days.len(), 30, "the latest days by default");
    let rows = api.list("/v1/snapshots/2026-02-10/rows", "rows", 5).await;
    let found: BTreeMap<&str, Value> = rows
        .iter()
        .map(|row| {
            let row_of =
                json!({ "effective": row["effective_contribution"], "ratio": row["contribution_ratio"] });
            (row["account"].as_str().expect("an account"), row_of)
        })
        .collect();
    assert_eq!(found.len(), rows.len(), "every row comes once");
    assert_eq!(json!(found), expected["rows"]);
    let export = api.ask_with(&api.operator(), "/v1/snapshots/2026-02-10/export").await;
    assert_eq!(export.body.lines().count(), 1 + rows.len());
    for row in &rows {
        let line = [
            "snapshot_date",
            "account",
            "effective_contribution",
            "network_total_contribution",
            "contribution_ratio",
        ]
        .map(|column| row[column].as_str().expect("text"))
        .join(",");
        assert!(export.body.lines().any(|found| found == line), "{line}");
    }
}

/// Adoptions, and the records they leave with every account: each leg once, and the same everywhere.
async fn adoptions_are_as_expected(api: &Api, expected: &Value) {
    let leg = |leg: &Value, would_be: &str| {
        json!([leg["type"], leg["index"], leg["owner"], leg["amount"], leg[would_be]]).to_string()
    };
    let mut by_owner: HashMap<String, Vec<String>> = HashMap::new();
    let mut by_would_be: HashMap<String, Vec<String>> = HashMap::new();
    for (order, distribution) in members(&expected["distributions"]) {
        let found = api.get(&format!("/v1/adoptions/{order}")).await;
        let found = &found["distribution"];
        for field in ["account", "total", "effective_date", "expire_date"] {
            assert_eq!(found[field], distribution[field], "adoption {order} {field}");
        }
        let list = |legs: &Value, would_be: &str| -> Vec<String> {
            legs.as_array().expect("legs").iter().map(|one| leg(one, would_be)).collect()
        };
        assert_eq!(list(&found["legs"], "would_be_account"), list(&distribution["legs"], "would_be"));
        let explained = api.get(&format!("/v1/adoptions/{order}/explain")).await;
        assert_eq!(
            list(&explained["explanation"]["legs"], "would_be"),
            list(&distribution["legs"], "would_be"),
            "records and explanations agree"
        );
        for one in
            distribution["legs"].as_array().expect("legs").iter().filter(|one| units(&one["amount"]) != 0)
        {
            let record = format!("{order} {}", leg(one, "would_be"));
            by_owner
                .entry(one["owner"].as_str().expect("an owner").to_owned())
                .or_default()
                .push(record.clone());
            if let Some(would_be) = one["would_be"].as_str() {
                by_would_be.entry(would_be.to_owned()).or_default().push(record);
            }
        }
    }
    let lists = members(&expected["accounts"])
        .flat_map(|(account, _)| {
            let held = by_owner.get(account).cloned().unwrap_or_default();
            let unallocated = by_would_be.get(account).cloned().unwrap_or_default();
            [
                (format!("/v1/accounts/{account}/records"), held),
                (format!("/v1/accounts/{account}/unallocated"), unallocated),
            ]
        })
        .chain(members(&expected["system"]).map(|(id, _)| {
            (format!("/v1/system-accounts/{id}/records"), by_owner.get(id).cloned().unwrap_or_default())
        }));
    for (path, mut legs) in lists {
        let records = api.list(&path, "records", 7).await;
        let ids: BTreeSet<String> = records.iter().map(|record| record["id"].to_string()).collect();
        assert_eq!(ids.len(), records.len(), "{path}: every record comes once");
        // What was posted and taken back again is two records that cancel out.
        let mut net: BTreeMap<String, i64> = BTreeMap::new();
        for record in &records {
            let is_back = units(&record["amount"]) < 0;
            let mut one = record.clone();
            one["amount"] = record["amount"].as_str().expect("an amount").trim_start_matches('-').into();
            let key = format!("{} {}", record["order_id"], leg(&one, "would_be_account"));
            *net.entry(key).or_default() += if is_back { -1 } else { 1 };
        }
        net.retain(|_, count| *count != 0);
        assert!(net.values().all(|count| *count == 1), "{path}: {net:?}");
        legs.sort();
        assert_eq!(net.into_keys().collect::<Vec<_>>(), legs, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_can_be_filtered_by_type_adoption_and_date_in_either_direction() {
    let api = Api::on("ordering-incident").await;
    let records = "/v1/accounts/D25122700018/records";
    let all = api.list(records, "records", 200).await;
    let ids = |records: &[Value]| records.iter().map(|record| record["id"].clone()).collect::<Vec<_>>();
    let only = |test: &dyn Fn(&Value) -> bool| {
        ids(&all.iter().filter(|record| test(record)).cloned().collect::<Vec<_>>())
    };
    let answered = async |query: &str| {
        let page = api.get(&format!("{records}?limit=200&{query}")).await;
        ids(page["records"].as_array().expect("a list"))
    };
    assert_eq!(answered("type=TEAM_LEVEL").await, only(&|record| record["type"] == "TEAM_LEVEL"));
    assert_eq!(answered("order_id=57").await, only(&|record| record["order_id"] == 57));
    assert_eq!(
        answered("active_on=2026-01-15").await,
        only(&|record| record["effective_date"].as_str() <= Some("2026-01-15"))
    );
    let mut reversed = ids(&all);
    reversed.reverse();
    assert_eq!(answered("direction=descending").await, reversed);
    // A cursor goes on in its own direction only.
    let page = api.get(&format!("{records}?limit=1")).await;
    let cursor = page["next_cursor"].as_str().expect("more follow");
    let turned =
        api.ask_with(&api.operator(), &format!("{records}?direction=descending&cursor={cursor}")).await;
    assert_eq!(
        (turned.status, turned.json()["type"].clone()),
        (400, json!("urn:problem-type:contribution:invalid-cursor"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adoption_is_explained_to_whom_it_concerns_and_to_whom_it_does_not() {
    let api = Api::on("ordering-incident.snapshot").await;
    let relation = async |account: &str| {
        let explained = api.get(&format!("/v1/adoptions/57/explain?account={account}")).await;
        assert!(!explained["text"].as_str().expect("text").is_empty());
        explained["explanation"]["relation"]["relation"].clone()
    };
    assert_eq!(relation("D25122700019").await, "ADOPTER");
    assert_eq!(relation("D25122700018").await, "ANCESTOR");
    assert_eq!(relation("NOBODY-KNOWN").await, "NOT_AN_ANCESTOR");
}

/// A path of each route of the contract, about this account.
fn example_paths(api: &Api, account: &str) -> Vec<String> {
    let fill = |pattern: String| {
        pattern
            .replace("{account}", account)
            .replace("{order_id}", "57")
            .replace("{id}", "HEADQUARTERS")
            .replace("{date}", CLOSED)
    };
    api.contract.paths().into_iter().map(fill).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_gets_nothing_about_another_account_on_any_route() {
    let api = Api::on("ordering-incident.snapshot").await;
    let user = api.user("D25122700018");
    for other in ["D25122700019", "NOBODY-KNOWN", "HEADQUARTERS", "d25122700018"] {
        for path in example_paths(&api, other).into_iter().filter(|path| path.starts_with("/v1/")) {
            let refused = api.send("GET", &path, &[("authorization", &format!("Bearer {user}"))]).await;
            assert_eq!(refused.status, 403, "{path}");
            // The same for what exists and what does not, down to the byte.
            let said = json!({
                "type": "urn:problem-type:contribution:forbidden",
                "title": "The token does not allow this",
                "status": 403,
            });
            assert_eq!(refused.json(), said, "{path}");
        }
    }
    let mut shown = 0;
    for path in example_paths(&api, "D25122700018") {
        let answer = api.ask_with(&user, &path).await;
        if path.starts_with("/v1/accounts/") {
            assert_eq!(answer.status, 200, "{path}");
            let own = answer.body.replace("D25122700018", "");
            assert!(!own.contains("D2512270"), "{path} names another account: {own}");
            shown += 1;
        }
    }
    assert!(shown >= 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_expired_misdirected_and_missing_tokens_are_refused_everywhere() {
    let api = Api::on("ordering-incident.snapshot").await;
    let another_key = DevelopmentKey::new(vec![8; 32]).expect("a key");
    let long_ago = Utc::now() - TimeDelta::days(30);
    let claims = |issuer: &str, audience: &str| {
        let exp = (Utc::now() + TimeDelta::hours(1)).timestamp();
        json!({ "iss": issuer, "aud": audience, "exp": exp, "scope": "contribution:operate" })
    };
    let sign = |claims: &Value| format!("Bearer {}", api.key.sign(claims).expect("a token"));
    let issue =
        |key: &DevelopmentKey, at| format!("Bearer {}", key.issue(&Grant::Operate, at).expect("a token"));
    let refused = [
        ("forged", Some(issue(&another_key, Utc::now()))),
        ("expired", Some(issue(&api.key, long_ago))),
        ("another audience", Some(sign(&claims(ISSUER, "another")))),
        ("another issuer", Some(sign(&claims("https://another.example", AUDIENCE)))),
        ("not a token", Some("Bearer nothing".to_owned())),
        ("another scheme", Some(format!("Basic {}", api.operator()))),
        ("missing", None),
    ];
    for (what, authorization) in &refused {
        for path in example_paths(&api, "D25122700018").into_iter().filter(|path| path.starts_with("/v1/")) {
            let headers: Vec<(&str, &str)> =
                authorization.iter().map(|value| ("authorization", value.as_str())).collect();
            let answer = api.ask(&path, &headers).await;
            assert_eq!(answer.status, 401, "{what}: {path}");
        }
    }
    // A good token that is for nothing here.
    let stranger = api.key.sign(
        &json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": (Utc::now() + TimeDelta::hours(1)).timestamp() }),
    );
    let answer = api.ask_with(&stranger.expect("a token"), "/v1/network").await;
    assert_eq!(answer.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_and_every_response_of_the_contract_is_answered() {
    let api = Api::with("ordering-incident.snapshot", CLOSED, Options::new(Storage::Ephemeral)).await;
    let documented: BTreeSet<String> = api.contract.paths().into_iter().collect();
    assert_eq!(documented, query_api::paths().map(ToOwned::to_owned).collect(), "routes and contract");

    let operator = format!("Bearer {}", api.operator());
    let authorization = ("authorization", operator.as_str());
    for path in example_paths(&api, "D25122700018") {
        let found = api.ask(&path, &[authorization]).await;
        assert_eq!(found.status, 200, "{path}: {}", found.body);
        if let Some(tag) = found.header("etag") {
            let again = api.ask(&path, &[authorization, ("if-none-match", tag)]).await;
            assert_eq!(again.status, 304, "{path}");
        }
        assert_eq!(api.ask(&format!("{path}?unknown=1"), &[authorization]).await.status, 400, "{path}");
        for method in ["POST", "PUT", "DELETE"] {
            let refused = api.send(method, &path, &[authorization]).await;
            assert_eq!((refused.status, refused.header("allow")), (405, Some("GET")), "{method} {path}");
        }
        if path.starts_with("/v1/") {
            assert_eq!(api.ask(&path, &[]).await.status, 401, "{path}");
            let user = format!("Bearer {}", api.user("D25122700019"));
            assert_eq!(api.ask(&path, &[("authorization", &user)]).await.status, 403, "{path}");
        }
    }
    assert_eq!(api.ask("/v1/accounts/D25122700018/team?date=2099-01-01", &[authorization]).await.status, 404);
    for path in example_paths(&api, "NOBODY-KNOWN") {
        let answer =
            api.ask(&path.replace("/57", "/999999").replace(CLOSED, "2099-01-01"), &[authorization]).await;
        assert!([200, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    for (status, broken) in [(503, unreachable_tables()), (500, missing_tables(&api))] {
        for path in example_paths(&api, "D25122700018").into_iter().filter(|path| path.starts_with("/v1/")) {
            let answer = invoke(&broken, &path).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
            api.contract.check(&path, &answer);
        }
    }
    assert_eq!(api.contract.unseen(), BTreeSet::new(), "responses of the contract that nothing gave");
}

/// The function with tables that nobody serves.
fn unreachable_tables() -> QueryApi {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_dynamodb::config::Credentials::new("none", "none", None, None, "test"))
        .endpoint_url("http://127.0.0.1:1")
        .retry_config(RetryConfig::disabled())
        .build();
    function(aws_sdk_dynamodb::Client::from_conf(config))
}

/// The function with tables that do not exist.
fn missing_tables(api: &Api) -> QueryApi {
    function(api.stack.clients().dynamodb.clone())
}

fn function(dynamodb: aws_sdk_dynamodb::Client) -> QueryApi {
    let sqs = aws_sdk_sqs::Config::builder().behavior_version_latest().build();
    let variables =
        Variables::new(|name| name.ends_with("_TABLE").then(|| format!("missing-{}", name.to_lowercase())));
    let environment = Environment::with_clients(dynamodb, aws_sdk_sqs::Client::from_conf(sqs), variables);
    QueryApi::new(environment.expect("an environment")).expect("a function")
}

async fn invoke(api: &QueryApi, path: &str) -> Answer {
    let event = json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {},
        "requestContext": {
            "http": { "method": "GET", "path": path },
            "authorizer": { "jwt": { "claims": { "scope": "contribution:operate" }, "scopes": null } },
        },
        "isBase64Encoded": false,
    });
    let response = api.handle(serde_json::from_value(event).expect("an event"), Utc::now()).await;
    let response = serde_json::to_value(response).expect("JSON");
    Answer {
        status: response["statusCode"].as_u64().and_then(|status| status.try_into().ok()).expect("a status"),
        headers: members(&response["headers"])
            .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
            .collect(),
        body: response["body"].as_str().unwrap_or_default().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_takes_one_storage_call_and_its_talent_level_as_long_as_one() {
    let api = Api::on("ordering-incident.snapshot").await;
    let meter = &api.stack.functions.query.meter;
    for account in ["D25122700018", "NOBODY-KNOWN"] {
        let before = meter.cost();
        api.ask_with(&api.operator(), &format!("/v1/accounts/{account}")).await;
        let after = meter.cost();
        assert_eq!((after.calls - before.calls, after.round_trips - before.round_trips), (1, 1), "{account}");
    }
    a_page_of_changes_is_read_beside_the_level(&api).await;
}

async fn a_page_of_changes_is_read_beside_the_level(api: &Api) {
    let account: AccountSequence = "MANY-CHANGES".parse().expect("an account");
    let cause = TalentCause::ReferralArrived { account: account.clone() };
    let change = |number: u32| TalentLevelChange {
        account: account.clone(),
        number,
        old_level: TalentLevel::new(u8::from(number.is_multiple_of(2))),
        new_level: TalentLevel::new(u8::from(number % 2 == 1)),
        direct_count: 3,
        promotion_count: 10,
        cause: cause.clone(),
        changed_at_ms: i64::from(number),
    };
    let store = api.stack.store();
    for number in 1..=7 {
        assert!(store.apply(change(number).write().expect("an item")).await.expect("storage"));
    }
    let path = format!("/v1/accounts/{account}/talent");
    let unknown = api.ask_with(&api.operator(), &path).await;
    assert_eq!(unknown.status, 404, "changes alone make nobody known");
    let one_more = TeamChange { people: [1; 20], ..TeamChange::default() };
    assert!(store.apply(TalentRecord::add(&account, &one_more, &cause)).await.expect("storage"));
    let numbers: Vec<Value> =
        api.list(&path, "changes", 3).await.iter().map(|change| change["number"].clone()).collect();
    assert_eq!(json!(numbers), json!([7, 6, 5, 4, 3, 2, 1]));

    // Its user has not arrived, so that the level stays as it is.
    let found = api.get(&path).await;
    assert_eq!((&found["talent_level"], &found["has_user"]), (&json!(0), &json!(false)));
    assert_eq!(
        found["next"]["missing"][0],
        json!({ "condition": "DIRECT_COUNT", "level": null, "needed": 3, "found": 1 })
    );
    let meter = &api.stack.functions.query.meter;
    let before = meter.cost();
    api.get(&format!("{path}?limit=1")).await;
    // The account and its changes, asked for at once.
    assert_eq!(meter.cost().calls - before.calls, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_talent_level_says_what_the_policy_asks_for_and_what_it_could_not_judge() {
    let mut options = Options::new(Storage::Ephemeral);
    let rows = json!([
        { "direct_count": 1 },
        { "direct_count": 1, "direct_at_level": { "level": 1, "count": 1 }, "active_direct_count": 1 },
        { "direct_count": 1, "direct_at_level": { "level": 2, "count": 1000 } },
    ]);
    let policy = json!({ "talent": { "rows": rows } }).to_string();
    options.parameters.push(("ContributionPolicy".to_owned(), policy));
    let api = Api::with("ordering-incident", CLOSED, options).await;
    let expected = golden::expected("ordering-incident");
    let mut above = 0;
    for (account, talent) in members(&expected["talent"]) {
        let found = api.get(&format!("/v1/accounts/{account}/talent")).await;
        assert_eq!(
            (&found["activity_ignored"], &found["activity"]),
            (&json!(true), &Value::Null),
            "{account}"
        );
        let by_level = found["direct_by_level"].as_array().expect("the policy asks for it");
        let with_level: u64 = by_level.iter().filter_map(|level| level["count"].as_u64()).sum();
        assert!(with_level <= talent["direct_count"].as_u64().expect("a count"));
        let level = u64::from(talent["direct_count"] != 0) + u64::from(with_level > 0);
        assert_eq!(found["talent_level"], level, "{account}");
        if level == 2 {
            let at_two =
                by_level.iter().find(|one| one["level"] == 2).map_or(json!(0), |one| one["count"].clone());
            let missing =
                json!([{ "condition": "DIRECT_AT_LEVEL", "level": 2, "needed": 1000, "found": at_two }]);
            assert_eq!(found["next"], json!({ "level": 3, "missing": missing }), "{account}");
            above += 1;
            // A user is told of the own account only, whoever brought a change about.
            let own =
                api.ask_with(&api.user(account), &format!("/v1/accounts/{account}/talent")).await.json();
            for (own, operators) in own["changes"]
                .as_array()
                .into_iter()
                .flatten()
                .zip(found["changes"].as_array().into_iter().flatten())
            {
                assert!(!operators["cause"]["account"].is_null());
                assert!(own["cause"]["account"].is_null() || own["cause"]["account"] == *account);
                assert_eq!(own["cause"]["kind"], operators["cause"]["kind"]);
            }
        }
    }
    assert!(above > 0, "somebody has somebody with a level");
}
