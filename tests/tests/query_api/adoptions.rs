//! What became of adoptions, and why.

use serde_json::Value;

use crate::ledger::{incident, of, operator, units};

#[tokio::test]
async fn an_adoption_shows_all_its_legs_and_why_each_is_where_it_is() {
    let harness = incident().await;
    let client = operator(harness);
    let adoption = client.get("/v1/adoptions/57").await.good();
    assert_eq!((&adoption["order_id"], &adoption["state"]), (&Value::from("57"), &Value::from("POSTED")));
    let distribution = &adoption["distribution"];
    let legs = distribution["legs"].as_array().expect("legs");
    let sum: i128 = legs.iter().map(|leg| units(&leg["amount"])).sum();
    assert_eq!(sum, units(&distribution["total"]));
    assert_eq!(distribution["chain"][0], "D25122700018");
    let explained = client.get("/v1/adoptions/57/explain").await.good();
    let legs = explained["explanation"]["legs"].as_array().expect("legs").clone();
    let level = |index: u64| {
        legs.iter().find(|leg| leg["index"] == index && leg["type"] != "TEAM_BONUS").expect("a leg")
    };
    assert_eq!(level(1)["because"]["code"], "UNLOCKED");
    assert_eq!(level(3)["because"]["code"], "LOCKED");
    assert!(legs.iter().all(|leg| leg["outdated"] == false));
    let text = explained["text"].as_str().expect("a text");
    assert!(text.contains("LOCKED: D25122700014"), "{text}");
}

#[tokio::test]
async fn the_incident_is_explained_for_the_account_that_it_is_about() {
    let harness = incident().await;
    let client = operator(harness);
    let mut total = 0;
    for order in [57, 58, 59] {
        let reply = client.get(&format!("/v1/adoptions/{order}/explain?account=D25122700018")).await.good();
        let explanation = &reply["explanation"];
        assert_eq!(explanation["relation"], "ANCESTOR");
        assert_eq!(explanation["level"], 1);
        assert_eq!(explanation["ancestor"]["first_order_id"], "55");
        total += units(&explanation["total"]);
    }
    assert_eq!(total, 115_346_700_000_000, "11,534.67 together");
    let stranger = client.get("/v1/adoptions/57/explain?account=D25122700042").await.good();
    assert_eq!(stranger["explanation"]["relation"], "NOT_AN_ANCESTOR");
    let mistyped = client.get("/v1/adoptions/57/explain?account=D25122700999").await;
    assert_eq!(mistyped.status, 404, "no account has this name: {}", mistyped.text);
}

#[tokio::test]
async fn an_account_lists_its_adoptions_with_their_states() {
    let harness = incident().await;
    let client = operator(harness);
    let list = client.get("/v1/accounts/D25122700019/adoptions").await.good();
    let orders: Vec<&str> = list["adoptions"]
        .as_array()
        .expect("adoptions")
        .iter()
        .filter_map(|adoption| adoption["order_id"].as_str())
        .collect();
    assert!(["57", "58", "59"].iter().all(|order| orders.contains(order)), "{orders:?}");
    let first = client.get("/v1/accounts/D25122700019/adoptions?limit=1").await.good();
    let cursor = first["next_cursor"].as_str().expect("more");
    let second = client.get(&format!("/v1/accounts/D25122700019/adoptions?cursor={cursor}")).await.good();
    assert_eq!(second["adoptions"].as_array().expect("adoptions").len(), 1, "the cursor keeps the limit");
}

#[tokio::test]
async fn order_numbers_beyond_what_a_double_holds_can_be_asked_for_as_given() {
    let harness = &of(include_str!("../../../events/cases/ledger/05-order-ids-beyond-2-53.jsonl")).await;
    let client = operator(harness);
    let records = client.get("/v1/accounts/OPERATION/records").await.good();
    let mut orders: Vec<String> = records["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| record["order_id"].as_str().expect("text").to_owned())
        .collect();
    orders.dedup();
    assert!(orders.len() >= 2, "{orders:?}");
    for order in orders {
        let adoption = client.get(&format!("/v1/adoptions/{order}")).await.good();
        assert_eq!(adoption["order_id"], order.as_str());
    }
}

#[tokio::test]
async fn a_cancelled_order_is_held_and_says_what_would_help() {
    let harness = &of(include_str!("../../../events/cases/ledger/26-zero-trees-cancelled.jsonl")).await;
    let client = operator(harness);
    let held = client.get("/v1/held").await.good();
    let first = &held["held"][0];
    assert_eq!(first["reason"], "STATUS");
    assert!(first["help"].as_str().expect("help").contains("status"));
    assert_eq!(held["counts"]["STATUS"], held["held"].as_array().expect("held").len());
    let order = first["order_id"].as_str().expect("an order");
    let adoption = client.get(&format!("/v1/adoptions/{order}")).await.good();
    assert_eq!(adoption["state"], "HELD");
    assert_eq!(adoption["hold"]["reason"], "STATUS");
    let account = adoption["source"]["account"].as_str().expect("an account");
    let own = client.get(&format!("/v1/accounts/{account}/adoptions")).await.good();
    assert!(
        own["adoptions"].as_array().expect("adoptions").iter().any(|one| one["hold"]["reason"] == "STATUS")
    );
    let filtered = client.get("/v1/held?reason=NO_REFERRAL").await.good();
    assert_eq!(filtered["held"], serde_json::json!([]));
    assert_eq!(client.get("/v1/held?reason=WEATHER").await.status, 400);
}

#[tokio::test]
async fn an_order_without_a_column_is_listed_with_it_and_with_the_profile_that_looked_for_it() {
    let mut source = end_to_end::source::Source::new();
    let top = source.referral("TOP", None);
    source.write(&top);
    let renamed =
        source.order(12, "TOP", 1).without("tree_count").with("trees_planted", serde_json::json!(1));
    source.write(&renamed);
    let harness = end_to_end::Harness::new(end_to_end::Options::default());
    harness.feed(&source.records, end_to_end::Shuffle::AsCaptured).await;
    let held = operator(&harness).get("/v1/held?reason=INVALID_TERMS").await.good()["held"][0].clone();
    assert_eq!((held["order_id"].as_str(), held["column"].as_str()), (Some("12"), Some("trees")), "{held:#}");
    let advice = held["help"].as_str().expect("help");
    assert!(advice.contains("profile built-in") && advice.contains("tree_count"), "{advice}");
}

#[tokio::test]
async fn a_held_adoption_names_its_row_and_what_it_would_be_posted_with() {
    let held = operator(incident().await).get("/v1/held?limit=1").await.good()["held"][0].clone();
    assert_eq!(held["order_id"], "26");
    assert_eq!(held["amount"], "22617.0000000001");
    assert!(held["row_key"].as_str().expect("a key").starts_with("26"), "{held}");
}
