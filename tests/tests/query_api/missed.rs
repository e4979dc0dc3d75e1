//! What accounts missed, by every page that says it, is what HEADQUARTERS has for them.

use std::collections::{BTreeMap, BTreeSet};

use end_to_end::{Client, Harness, Options, Shuffle, captured};
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
