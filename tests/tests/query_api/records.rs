//! Lists of records, and the cursors that lead through them.

use serde_json::Value;

use crate::ledger::{all, incident, operator, units};

#[tokio::test]
async fn pages_of_any_size_in_either_direction_are_the_same_records() {
    let harness = incident().await;
    let client = operator(harness);
    for account in ["HEADQUARTERS", "OPERATION", "D25122700018", "D25122700001"] {
        let path = format!("/v1/accounts/{account}/records");
        let whole = all(&client, "records", &format!("{path}?limit=200")).await;
        let total = client.get(&format!("/v1/accounts/{account}")).await.good();
        let sum: i128 = whole.iter().map(|record| units(&record["amount"])).sum();
        assert_eq!(sum, units(&total["total"]), "{account}");
        for limit in [1, 3, 7, 50] {
            assert_eq!(
                all(&client, "records", &format!("{path}?limit={limit}")).await,
                whole,
                "{account} {limit}"
            );
            let mut reversed =
                all(&client, "records", &format!("{path}?limit={limit}&direction=descending")).await;
            reversed.reverse();
            assert_eq!(reversed, whole, "{account} {limit} descending");
        }
    }
}

#[tokio::test]
async fn a_cursor_carries_the_filters_it_was_asked_with() {
    let harness = incident().await;
    let client = operator(harness);
    let path = "/v1/accounts/HEADQUARTERS/records";
    let whole = all(&client, "records", &format!("{path}?limit=200")).await;
    let overflow = all(&client, "records", &format!("{path}?type=LEVEL_OVERFLOW&limit=3")).await;
    let expected: Vec<&Value> = whole.iter().filter(|record| record["type"] == "LEVEL_OVERFLOW").collect();
    assert_eq!(overflow.iter().collect::<Vec<_>>(), expected);
    let order = all(&client, "records", &format!("{path}?order_id=57&limit=2")).await;
    assert!(!order.is_empty() && order.iter().all(|record| record["order_id"] == "57"));
    let first = client.get(&format!("{path}?order_id=57&limit=2")).await.good();
    let cursor = first["next_cursor"].as_str().expect("more");
    let other = client.get(&format!("{path}?order_id=58&cursor={cursor}")).await;
    assert_eq!(other.status, 400, "{}", other.text);
    let elsewhere = client.get(&format!("/v1/accounts/OPERATION/records?cursor={cursor}")).await;
    assert_eq!(elsewhere.json()["type"], "urn:problem-type:contribution:invalid-cursor");
}

#[tokio::test]
async fn what_never_expires_is_active_by_its_owner() {
    let harness = incident().await;
    let client = operator(harness);
    let path = "/v1/accounts/HEADQUARTERS/records";
    let whole = all(&client, "records", &format!("{path}?limit=200")).await;
    assert!(whole.iter().all(|record| record["expire_date"].is_null()));
    let later = all(&client, "records", &format!("{path}?active_on=2035-01-01")).await;
    assert_eq!(later.len(), whole.len());
    let user = all(&client, "records", "/v1/accounts/D25122700019/records?active_on=2035-01-01").await;
    assert!(user.is_empty());
}

#[tokio::test]
async fn forged_cursors_are_refused_and_nothing_breaks() {
    let harness = incident().await;
    let client = operator(harness);
    let lists = [
        "/v1/accounts/D25122700018/records",
        "/v1/accounts/D25122700018/unallocated",
        "/v1/accounts/D25122700018/adoptions",
        "/v1/accounts/D25122700018/referrals",
        "/v1/accounts/D25122700018/upline",
        "/v1/held",
        "/v1/quarantine",
        "/v1/operations",
        "/v1/log",
        "/v1/log/1",
        "/v1/waiting",
        "/v1/webhooks/mining/deliveries",
    ];
    let forged = |path: &str, place: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("2\n{path}\n\n{place}"))
    };
    for path in lists {
        for cursor in ["", "x", "AAAA", "%F0%9F%98%80"] {
            let reply = client.get(&format!("{path}?cursor={cursor}")).await;
            assert_eq!(reply.status, 400, "{path} {cursor} {}", reply.text);
        }
        for place in
            ["", "0", "-1", "4294967295.4294967295.4294967295", "9.9.9@9", "18446744073709551615", "a#b\nc"]
        {
            let reply = client.get(&format!("{path}?cursor={}", forged(path, place))).await;
            assert!(
                [200, 400, 404].contains(&reply.status),
                "{path} {place} {} {}",
                reply.status,
                reply.text
            );
        }
    }
}
