//! What accounts missed, by every page that says it, is what HEADQUARTERS has for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use end_to_end::source::Source;
use end_to_end::{Client, CountedEngine, Harness, Options, Shuffle, captured};
use oracle::generate::{Plan, history};
use serde_json::Value;

use crate::ledger::{all, incident, operator, units};

/// An order, a leg's type, and its index.
type Leg = (String, String, String);

fn leg(record: &Value) -> Leg {
    (record["order_id"].to_string(), record["type"].to_string(), record["index"].to_string())
}

/// Returns what HEADQUARTERS has for each account that was to have it.
async fn held_for(client: &Client<'_>) -> BTreeMap<String, BTreeMap<Leg, i128>> {
    let mut held: BTreeMap<String, BTreeMap<Leg, i128>> = BTreeMap::new();
    for record in all(client, "records", "/v1/system-accounts/HEADQUARTERS/records?limit=200").await {
        let Some(account) = record["would_be_account"].as_str() else { continue };
        *held.entry(account.to_owned()).or_default().entry(leg(&record)).or_default() +=
            units(&record["amount"]);
    }
    for legs in held.values_mut() {
        legs.retain(|_, amount| *amount != 0);
    }
    held
}

/// Checks every account of a ledger with pages of this size, and returns how many legs were missed.
async fn check(harness: &Harness, limit: usize, name: &str) -> usize {
    let client = operator(harness);
    let mut held = held_for(&client).await;
    let heads = end_to_end::everything(harness.engine()).await;
    let heads = heads.iter().filter_map(|item| store::heads::account_of(item).expect("a head"));
    let accounts: BTreeSet<String> = heads
        .filter(|(owner, _)| matches!(owner, domain::Owner::User(_)))
        .map(|(owner, _)| owner.to_string())
        .collect();
    let mut legs = 0;
    for account in &accounts {
        let path = format!("/v1/accounts/{account}/unallocated?limit={limit}");
        let missed = all(&client, "records", &path).await;
        let found: BTreeMap<Leg, i128> =
            missed.iter().map(|record| (leg(record), units(&record["amount"]))).collect();
        assert_eq!(found.len(), missed.len(), "{name}: {account} is told nothing twice");
        assert_eq!(found, held.remove(account).unwrap_or_default(), "{name}: {account}");
        legs += found.len();
    }
    held.retain(|_, legs| !legs.is_empty());
    assert_eq!(held, BTreeMap::new(), "{name}: nothing is held for accounts without a head");
    legs
}

#[tokio::test]
async fn every_account_of_the_incident_is_told_what_headquarters_has_for_it() {
    for limit in [1, 7, 200] {
        assert!(check(incident().await, limit, &format!("limit {limit}")).await > 50);
    }
}

#[tokio::test]
async fn every_account_of_random_histories_is_told_what_headquarters_has_for_it() {
    let mut legs = 0;
    for seed in 0..12 {
        let plan = if seed % 2 == 0 { Plan::small(seed) } else { Plan::deep(seed) };
        let harness = Harness::new(Options::default());
        harness.feed(&captured(&history(&plan)), Shuffle::AsCaptured).await;
        legs += check(&harness, [3, 50][usize::from(seed % 3 == 0)], &format!("seed {seed}")).await;
    }
    assert!(legs > 500, "{legs} legs were missed");
}

/// Feeds a ledger in which the adoptions below D1, which never adopted and so missed all its legs, are 1,500: 900 of
/// one account, the others of nine.
async fn feed_busy_referrals(harness: &Harness) {
    let mut source = Source::new();
    let mut links = vec![("D1".to_owned(), None)];
    links.extend((10..20).map(|number| (format!("D{number}"), Some("D1".to_owned()))));
    for (account, referrer) in links {
        let change = source.referral(&account, referrer.as_deref());
        source.write(&change);
    }
    for order in 1..=1_500 {
        let account = if order % 5 < 3 { 10 } else { 11 + order % 9 };
        let change = source.order(order, &format!("D{account}"), 1);
        source.write(&change);
    }
    harness.feed(&source.records, Shuffle::AsCaptured).await;
}

#[tokio::test]
async fn pages_of_what_was_missed_of_very_many_adoptions_are_the_whole_list_and_each_costs_little() {
    let engine = Arc::new(CountedEngine::default());
    let harness = Harness::over(Arc::clone(&engine) as _, Options::default());
    feed_busy_referrals(&harness).await;
    let client = operator(&harness);
    let mut lists = Vec::new();
    for limit in [1, 50, 200] {
        let mut next = format!("/v1/accounts/D1/unallocated?limit={limit}");
        let mut records: Vec<Value> = Vec::new();
        // A page for each record would take long: the first ones are as good as any.
        for _ in 0..if limit == 1 { 60 } else { usize::MAX } {
            engine.take();
            let page = client.get(&next).await.good();
            let cost = engine.take();
            assert!(cost.calls <= 24 && cost.read_units <= 24 + limit + 50, "limit {limit}: {cost:?}");
            records.extend(page["records"].as_array().expect("records").clone());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("/v1/accounts/D1/unallocated?cursor={cursor}");
        }
        lists.push(records);
    }
    let whole = lists.pop().expect("three lists");
    for list in &lists {
        assert!(whole.starts_with(list), "pages of any size have the same records in the same order");
    }
    assert_eq!(lists[1].len(), whole.len());
    let orders: BTreeSet<String> = whole.iter().map(|record| record["order_id"].to_string()).collect();
    assert_eq!(orders.len(), 1_500, "a leg of each adoption is missed");
    let found: BTreeMap<Leg, i128> =
        whole.iter().map(|record| (leg(record), units(&record["amount"]))).collect();
    assert_eq!(found.len(), whole.len(), "nothing is told twice");
    assert_eq!(Some(found), held_for(&client).await.remove("D1"));
}
