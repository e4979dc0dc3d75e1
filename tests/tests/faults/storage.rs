//! Items that cannot be read, and work that went wrong in memory (faults 26 and 29).

use std::sync::Arc;

use end_to_end::{FaultyEngine, Harness, Options, Shuffle, kafka_event, ledger};
use serde_json::json;
use store::MemoryEngine;

use crate::{assert_held, assert_posted, in_any_order, two_accounts};

#[tokio::test]
async fn a_referrer_with_more_direct_adopters_than_are_kept_is_judged_by_all_of_them() {
    let mut source = two_accounts();
    let boss = source.order(5, "BELOW", 1);
    source.write(&boss);
    for number in 1..=9_u64 {
        let account = format!("DIRECT{number}");
        let referral = source.referral(&account, Some("BELOW"));
        source.write(&referral);
        let order = source.order(number * 10, &account, 1);
        source.write(&order);
    }
    for number in [2_u64, 3, 4] {
        let account = format!("DIRECT{number}");
        let row = end_to_end::source::paid(number * 10, &account, 1);
        let cancelled =
            source.order(number * 10, &account, 1).with("status", json!("CANCELLED")).updating(row);
        source.write(&cancelled);
    }
    let late = source.order(75, "DIRECT8", 1);
    source.write(&late);
    let ledger = in_any_order(&source).await;
    assert_eq!(ledger["accounts"]["BELOW"]["direct_referral_adopted_count"], 6);
    assert_eq!(ledger["accounts"]["BELOW"]["unlocked_level_depth"], 15);
    assert_eq!(ledger["orders"], 8);
    // Of the orders of those it referred: level 1 of all, tier 1 of all, tier 2 from the second direct adopter on
    // (orders 50 and later), tier 3 from the fourth on (orders 70 and later).
    assert_eq!(ledger["accounts"]["BELOW"]["team_level"], "791.5950000000");
    let tiers = 7 + 6 + 4;
    assert_eq!(ledger["accounts"]["BELOW"]["team_bonus"], format!("{:.10}", 565.425 * f64::from(tiers)));
}

#[tokio::test]
async fn an_account_that_cannot_be_read_stops_what_concerns_it_and_nothing_else() {
    let engine = Arc::new(FaultyEngine::new(Arc::new(MemoryEngine::default())));
    let mut harness = Harness::over(Arc::clone(&engine) as _, Options::default());
    let mut source = two_accounts();
    let other = source.referral("OTHER", None);
    source.write(&other);
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    let below = domain::Owner::User("BELOW".parse().expect("an account"));
    let key = store::heads::account_key(&below);
    engine.set_unreadable(key.clone(), true);
    harness.restart();
    let changes = [
        source.order(11, "BELOW", 2),
        source.order(12, "OTHER", 1),
        source.referral("BELOW", Some("OTHER")).updating(json!({})),
    ];
    let records: Vec<_> = changes.iter().map(|change| source.write(change)).collect();
    assert_eq!(harness.ingest(kafka_event(&records)).await, Ok(json!({ "batchItemFailures": [] })));
    let decided = harness.decide(json!({ "Records": [] })).await;
    assert_eq!(decided, Ok(json!({ "batchItemFailures": [] })));
    let (announced, _) = store::inbox::read(harness.engine(), 10).await.expect("readable");
    assert_eq!(announced.len(), 1, "the referral waits: {announced:?}");
    // The process ends, and what waits is not lost.
    harness.restart();
    engine.set_unreadable(key, false);
    harness.reach_ends(&source.records).await;
    harness.settle().await;
    let ledger = ledger(harness.engine()).await;
    assert_posted(&ledger, &[(11, "45234.0000000000"), (12, "22617.0000000000")]);
    assert_held(&ledger, &[]);
    let legs = ledger["distributions"]["11"]["legs"].to_string();
    assert!(legs.contains("\"would_be\":\"OTHER\""), "the referral that waited has been taken in: {legs}");
}

#[tokio::test]
async fn a_list_of_held_adoptions_never_goes_back_to_an_older_state() {
    let engine = MemoryEngine::default();
    let order = domain::OrderId::new(11).expect("positive");
    let held = store::lists::HeldAdoption { order, reason: domain::log::HoldReason::Status, since_ms: 1 };
    let put = |held: Option<&store::lists::HeldAdoption>, position| {
        store::Engine::write(&engine, store::lists::put_held(order, held, position, 1, 16))
    };
    assert_eq!(put(None, 9).await, Ok(store::Written::Done));
    assert!(matches!(put(Some(&held), 8).await, Ok(store::Written::ConditionFailed(_))));
    assert_eq!(store::lists::held(&engine, 16, None, 10).await, Ok(vec![]));
}
