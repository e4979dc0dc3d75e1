//! What an account may ask.

use std::sync::Arc;

use end_to_end::source::Source;
use end_to_end::{Client, CountedEngine, Harness, Options, Shuffle};
use serde_json::{Value, json};

use crate::days::closed;
use crate::ledger::{all, incident, operator, regions, units};

#[tokio::test]
async fn an_account_shows_what_it_has_and_what_is_missing_for_more() {
    let harness = incident().await;
    let account = operator(harness).get("/v1/accounts/D25122700018").await.good();
    assert_eq!(account["unlock"]["unlocked_level_depth"], 5);
    assert_eq!(account["unlock"]["first_order_id"], "55");
    assert_eq!(account["link"]["state"], "UNDER");
    assert_eq!(account["link"]["referrer"], "D25122700015");
    let parts = ["personal", "team_level", "team_bonus", "adjusted"].map(|part| units(&account[part]));
    assert_eq!(parts.iter().sum::<i128>(), units(&account["total"]));
    let next = account["unlock"]["next"].as_array().expect("what comes next");
    assert!(next.iter().any(|next| next["type"] == "TEAM_BONUS" && next["first_index"] == 2), "{next:?}");
    assert!(account["position"].as_u64().expect("a position") > 0);
}

#[tokio::test]
async fn a_hundred_accounts_come_in_one_answer() {
    let harness = incident().await;
    let client = operator(harness);
    let ids = "D25122700018,D25122700019,HEADQUARTERS,D99999999999";
    let batch = client.get(&format!("/v1/accounts?ids={ids}")).await.good();
    let names: Vec<&str> = batch["accounts"]
        .as_array()
        .expect("accounts")
        .iter()
        .filter_map(|one| one["account"].as_str())
        .collect();
    assert_eq!(names, ["D25122700018", "D25122700019", "HEADQUARTERS"]);
    assert_eq!(batch["unknown"], json!(["D99999999999"]));
    let single = client.get("/v1/accounts/D25122700018").await.good();
    assert_eq!(batch["accounts"][0]["total"], single["total"]);
    let too_many = vec!["D1"; 101].join(",");
    assert_eq!(client.get(&format!("/v1/accounts?ids={too_many}")).await.status, 400);
}

#[tokio::test]
async fn the_upline_and_the_referrals_lead_from_account_to_account() {
    let harness = incident().await;
    let client = operator(harness);
    let upline = client.get("/v1/accounts/D25122700019/upline").await.good();
    assert_eq!(upline["ancestors"][0]["account"], "D25122700018");
    assert_eq!(upline["ancestors"][1]["account"], "D25122700015");
    assert_eq!(upline["end"], "ROOT");
    let mut walked = Vec::new();
    let mut next = "/v1/accounts/D25122700019/upline?limit=2".to_owned();
    loop {
        let page = client.get(&next).await.good();
        walked.extend(page["ancestors"].as_array().expect("ancestors").clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("/v1/accounts/D25122700019/upline?cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(json!(walked), upline["ancestors"]);
    let referrals = client.get("/v1/accounts/D25122700018/referrals").await.good();
    let children = referrals["referrals"].as_array().expect("referrals");
    assert!(children.iter().any(|child| child["account"] == "D25122700019" && child["has_adopted"] == true));
}

#[tokio::test]
async fn a_member_walks_the_own_tree_without_seeing_who_is_in_it() {
    let harness = incident().await;
    let member = Client::member(harness, "D25122700015");
    let first = member.get("/v1/accounts/D25122700015/referrals").await.good();
    let number = |page: &Value| {
        let children = page["referrals"].as_array().expect("referrals").clone();
        let with_more = children.iter().find(|child| child["has_referrals"] == true).expect("one with more");
        with_more["number"].as_u64().expect("a number")
    };
    let path = format!("/v1/accounts/D25122700015/referrals?below={}", number(&first));
    let second = member.get(&path).await.good();
    for page in [&first, &second] {
        for child in page["referrals"].as_array().expect("referrals") {
            assert!(child["account"].as_str().expect("an account").contains('*'), "{child}");
            assert_eq!(child["total"], json!(null));
        }
    }
    assert!(second["account"].as_str().expect("an account").contains('*'));
    let beyond = member.get("/v1/accounts/D25122700015/referrals?below=999").await;
    assert_eq!(beyond.status, 404);
}

#[tokio::test]
async fn each_leg_that_was_missed_says_what_the_account_lacked() {
    let harness = incident().await;
    let missed = all(&operator(harness), "records", "/v1/accounts/D25122700014/unallocated?limit=4").await;
    assert!(!missed.is_empty());
    assert!(missed.iter().all(|record| !record["missing"].as_array().expect("what was missing").is_empty()));
}

#[tokio::test]
async fn system_accounts_sum_to_what_their_records_say() {
    let harness = regions().await;
    let client = operator(harness);
    let listed = client.get("/v1/system-accounts").await.good();
    let accounts = listed["system_accounts"].as_array().expect("system accounts");
    assert!(accounts.iter().any(|account| account["kind"] == "PROVINCE" && !account["region"].is_null()));
    for account in accounts {
        let id = account["id"].as_str().expect("an id");
        let own = client.get(&format!("/v1/accounts/{id}")).await.good();
        assert_eq!(own["total"], account["total"], "{id}");
        let records = all(&client, "records", &format!("/v1/system-accounts/{id}/records?limit=200")).await;
        let sum: i128 = records.iter().map(|record| units(&record["amount"])).sum();
        assert_eq!(sum, units(&account["total"]), "{id}");
    }
}

#[tokio::test]
async fn hundreds_of_regions_are_a_few_figures_that_add_up_and_cost_a_few_calls() {
    let (provinces, cities) = (34, 300);
    let mut source = Source::new();
    let referral = source.referral("D1", None);
    source.write(&referral);
    for number in 0..cities {
        let mut order = source.order(number + 1, "D1", 1);
        let province = 110_000 + number % provinces * 10_000;
        order.after["selected_province"] = json!(province.to_string());
        order.after["selected_city"] = json!((110_100 + number).to_string());
        source.write(&order);
    }
    let engine = Arc::new(CountedEngine::default());
    let harness = Harness::over(Arc::clone(&engine) as _, Options::default());
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    let client = operator(&harness);
    drop(client.get("/v1/system-accounts").await.good());
    engine.take();
    let listed = client.get("/v1/system-accounts").await.good();
    let cost = engine.take();
    assert!(cost.calls <= 6, "{cost:?}");
    let kinds = listed["kinds"].as_array().expect("kinds");
    let accounts = |kind: &str| {
        let found = kinds.iter().find(|one| one["kind"] == kind);
        found.and_then(|one| one["accounts"].as_u64()).unwrap_or_default()
    };
    assert_eq!((accounts("PROVINCE"), accounts("CITY"), accounts("OPERATION")), (provinces, cities, 1));
    let sum: i128 = kinds.iter().map(|kind| units(&kind["total"])).sum();
    assert_eq!(sum, units(&listed["total"]));
    for kind in kinds {
        let of_kind = listed["system_accounts"].as_array().expect("accounts").iter();
        let of_kind = of_kind.filter(|account| account["kind"] == kind["kind"]);
        let sum: i128 = of_kind.map(|account| units(&account["total"])).sum();
        assert_eq!(sum, units(&kind["total"]), "{kind}");
    }
}

#[tokio::test]
async fn an_unknown_account_is_named_with_a_next_step() {
    let harness = incident().await;
    let reply = operator(harness).get("/v1/accounts/D404").await;
    assert_eq!(reply.status, 404);
    let problem = reply.json();
    assert_eq!(problem["title"], "The account D404 is not known");
    assert!(!problem["next"].as_str().expect("a next step").is_empty());
    let chinese = operator(harness).in_chinese().get("/v1/accounts/D404").await.json();
    assert_eq!(chinese["title"], "没有账户 D404 的记录");
}

#[tokio::test]
async fn an_account_that_no_input_names_is_unknown_on_every_route() {
    let contract: Value = serde_json::from_str(query_api::OPENAPI).expect("the contract is JSON");
    let patterns = contract["paths"].as_object().expect("paths").keys();
    let patterns: Vec<&String> = patterns.filter(|path| path.starts_with("/v1/accounts/{account}")).collect();
    assert!(patterns.len() > 9, "{patterns:?}");
    let client = operator(closed().await);
    for pattern in patterns {
        for account in ["D404", "PROVINCE:999", "CITY:999"] {
            let reply = client.get(&pattern.replace("{account}", account)).await;
            // Some routes are about the referral forest, where a system account is no account at all.
            let is_refused = account != "D404" && reply.status == 400;
            assert!(reply.status == 404 || is_refused, "{pattern} of {account}: {}", reply.text);
        }
    }
    assert_eq!(client.get("/v1/system-accounts/PROVINCE:999/records").await.status, 404);
    for account in ["HEADQUARTERS", "OPERATION"] {
        for route in ["", "/records", "/balance", "/statement", "/snapshots"] {
            let reply = client.get(&format!("/v1/accounts/{account}{route}")).await;
            assert_eq!(reply.status, 200, "{account}{route}: {}", reply.text);
        }
    }
    let client = operator(regions().await);
    for account in ["PROVINCE:440000", "HEADQUARTERS"] {
        for route in ["", "/records", "/balance"] {
            let reply = client.get(&format!("/v1/accounts/{account}{route}")).await;
            assert_eq!(reply.status, 200, "{account}{route}: {}", reply.text);
        }
    }
}

#[tokio::test]
async fn a_step_in_the_tree_has_stored_sums_and_begins_where_it_is_asked_to() {
    let harness = closed().await;
    let client = operator(harness);
    let page = client.get("/v1/accounts/D25122700018/referrals").await.good();
    let child = &page["referrals"][0];
    let team = client.get("/v1/accounts/D25122700019/team").await.good();
    let talent = client.get("/v1/accounts/D25122700019/talent").await.good();
    assert_eq!(child["team_trees"], team["total_team_trees"]);
    assert_eq!(child["own_trees"], team["own_trees"]);
    assert_eq!(page["trees_on"], team["date"]);
    assert_eq!(child["descendants"], talent["promotion_count"]);
    assert_eq!(child["talent_level"], talent["talent_level"]);
    assert_eq!(child["team_contribution"], team["total_team_contribution"]);
    let below: Vec<Value> = all(&client, "referrals", "/v1/accounts/D25122700019/referrals").await;
    let mut expected = 0;
    for account in below.iter().map(|child| child["account"].as_str().expect("an account")) {
        let team = client.get(&format!("/v1/accounts/{account}/team")).await.good();
        expected += units(&team["own_contribution"]) + units(&team["total_team_contribution"]);
    }
    assert_eq!(units(&child["team_contribution"]), expected, "no team is deeper than fifteen levels here");
    assert!(child["team_trees"].as_u64() > Some(0) && expected > 0);

    let path = "/v1/accounts/D25122700001/referrals";
    let second = client.get(path).await.good()["referrals"][1].clone();
    let account = second["account"].as_str().expect("an account");
    let from = client.get(&format!("{path}?from={account}")).await.good();
    assert_eq!(from["referrals"][0], second);
    let member = Client::member(harness, "D25122700001");
    assert_eq!(member.get(&format!("{path}?from={account}")).await.status, 403);
    let own = member.get(path).await.good();
    assert_eq!((&own["trees_on"], &own["referrals"][0]["team_trees"]), (&json!(null), &json!(null)));
    assert_eq!(own["referrals"][0]["team_contribution"], json!(null));
    let own = member.get("/v1/accounts/D25122700001/team").await.good();
    assert_eq!(own["total_team_contribution"], json!(null));
}
