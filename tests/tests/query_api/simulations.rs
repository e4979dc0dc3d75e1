//! What would happen, and what happens then.

use end_to_end::{Client, Harness, Options, Shuffle};
use serde_json::{Value, json};

use crate::ledger::{incident, operator, records};

const CAPTURE: &str = include_str!("../../../events/captures/ordering-incident.jsonl");

/// Returns what a supposed adoption and a real one have in common.
fn comparable(legs: &Value) -> Vec<(String, String, String, String)> {
    let text = |leg: &Value, name: &str| leg[name].to_string();
    let legs = legs.as_array().expect("legs").iter();
    legs.map(|leg| (text(leg, "type"), text(leg, "index"), text(leg, "owner"), text(leg, "amount"))).collect()
}

/// Returns the ledger of the incident without this order, and with it.
async fn without_and_with(order: &str) -> (Harness, &'static Harness) {
    let names_it = |record: &cdc::CapturedRecord| {
        record.topic.contains("orders")
            && record.value.as_ref().is_some_and(|value| {
                let value: Value = serde_json::from_str(value).unwrap_or_default();
                let after =
                    value.pointer("/payload/after").or_else(|| value.pointer("/after")).unwrap_or(&value);
                [&after["id"], &after["order_id"]].into_iter().any(|id| format!("{id}") == order)
            })
    };
    let all = records(CAPTURE);
    let (of_order, others): (Vec<_>, Vec<_>) = all.into_iter().partition(names_it);
    assert!(!of_order.is_empty(), "the capture has order {order}");
    let without = Harness::new(Options::default());
    without.feed(&others, Shuffle::AsCaptured).await;
    (without, incident().await)
}

#[tokio::test]
async fn a_supposed_adoption_has_the_legs_that_the_real_one_gets() {
    for order in ["55", "57", "59", "60"] {
        let (without, with) = without_and_with(order).await;
        let (without, with) = (&without, with);
        let real = operator(with).get(&format!("/v1/adoptions/{order}")).await.good();
        let source = &real["source"];
        let body = json!({ "adoptions": [{
            "order_id": order,
            "account": source["account"],
            "tree_count": source["tree_count"],
            "contribution_per_tree": source["contribution_per_tree"],
            "adoption_date": source["adoption_date"],
            "status": source["status"],
        }]});
        let client = operator(without);
        let before = client.get("/v1/sync-status").await.good();
        let supposed = client.post("/v1/simulate", "", &body).await.good();
        assert_eq!(supposed["complete"], true);
        let supposed_legs = comparable(&supposed["adoptions"][0]["legs"]);
        assert_eq!(supposed_legs, comparable(&real["distribution"]["legs"]), "order {order}");
        // What each account would get is what it has more with the order.
        for difference in supposed["accounts"].as_array().expect("accounts") {
            let account = difference["account"].as_str().expect("an account");
            let total = async |harness: &Harness| {
                let reply = operator(harness).get(&format!("/v1/accounts/{account}")).await;
                if reply.status == 200 { crate::ledger::units(&reply.json()["total"]) } else { 0 }
            };
            let gained = total(with).await - total(without).await;
            assert_eq!(gained, crate::ledger::units(&difference["difference"]), "order {order}: {account}");
        }
        let after = client.get("/v1/sync-status").await.good();
        assert_eq!(before["log"]["end"], after["log"]["end"], "nothing was written");
    }
}

#[tokio::test]
async fn a_member_supposes_the_own_adoptions_only() {
    let harness = incident().await;
    let member = Client::member(harness, "D25122700019");
    let own = json!({ "adoptions": [{ "account": "D25122700019", "tree_count": 2 }] });
    let supposed = member.post("/v1/simulate", "", &own).await.good();
    let legs = supposed["adoptions"][0]["legs"].as_array().expect("legs").clone();
    let owners: Vec<&str> = legs.iter().filter_map(|leg| leg["owner"].as_str()).collect();
    assert!(owners.contains(&"D25122700019") && owners.iter().any(|owner| owner.contains('*')), "{owners:?}");
    assert!(!owners.contains(&"D25122700018"));
    for body in [
        json!({ "adoptions": [{ "account": "D25122700018", "tree_count": 2 }] }),
        json!({ "referrals": [{ "account": "D77", "referrer": "D25122700019" }] }),
    ] {
        assert_eq!(member.post("/v1/simulate", "", &body).await.status, 403);
    }
}

#[tokio::test]
async fn a_new_account_below_another_is_supposed_with_its_referral() {
    let harness = incident().await;
    let client = operator(harness);
    let alone = json!({ "adoptions": [{ "account": "D88", "tree_count": 1 }] });
    let held = client.post("/v1/simulate", "", &alone).await.good();
    assert_eq!(held["adoptions"][0]["hold"]["reason"], "NO_REFERRAL");
    let below = json!({
        "referrals": [{ "account": "D88", "referrer": "D25122700019" }],
        "adoptions": [{ "account": "D88", "tree_count": 1 }],
    });
    let posted = client.post("/v1/simulate", "", &below).await.good();
    assert_eq!(posted["adoptions"][0]["state"], "POSTED");
    let legs = posted["adoptions"][0]["legs"].as_array().expect("legs").clone();
    let first = legs.iter().find(|leg| leg["index"] == 1 && leg["type"] == "TEAM_LEVEL").expect("level 1");
    assert_eq!(first["owner"], "D25122700019", "the adoption unlocks the level it pays");
    assert_eq!(client.get("/v1/accounts/D88").await.status, 404, "nothing was written");
}
