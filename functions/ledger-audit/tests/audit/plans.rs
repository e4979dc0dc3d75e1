//! A plan says what introducing a version then gives, to the last digit.

use std::collections::BTreeMap;

use domain::log::Command;
use domain::recalculate::{Extent, Recalculation, Rules};
use domain::{Amount, Owner, VersionTerms, Versions};
use oracle::generate::Plan;

use crate::stack::Stack;

async fn told(stack: &Stack) -> Recalculation {
    let mut recalculation = Recalculation::new();
    for page in store::log::read_after(&*stack.engine, 0, 100_000).await.expect("memory answers") {
        recalculation.add_page(&page);
    }
    recalculation
}

async fn totals(stack: &Stack) -> BTreeMap<Owner, Amount> {
    let totals = stack.state().await.totals.into_iter();
    totals.map(|(owner, totals)| (owner, totals.total().expect("a sum"))).collect()
}

fn terms(policy: &str) -> VersionTerms {
    VersionTerms {
        number: 2,
        from: Some("2026-01-01".parse().expect("a date")),
        until: None,
        reason: "a test".to_owned(),
        introduced_by: "a test".to_owned(),
        policy: policy.to_owned(),
    }
}

#[tokio::test]
async fn introducing_a_version_gives_exactly_what_its_plan_said() {
    let policies = [
        r#"{ "rates": { "personal": "0.69", "operation": "0.13" } }"#,
        r#"{ "bonus_tier_steps": [1, 2], "backfill": "on_unlock" }"#,
        r#"{ "level_count": 5, "depth_steps": [{ "direct_adopters": 1, "depth": 5 }],
             "rates": { "personal": "0.75" } }"#,
        r#"{ "distributable_statuses": ["PAID"], "price_ladder": { "base": "100" } }"#,
    ];
    for (seed, policy) in (6..).zip(policies) {
        let stack = Stack::fed(&Plan::deep(seed)).await;
        let mut versions: Versions = stack.versions();
        versions.introduce(terms(policy)).expect("a version");
        let rules = Rules { versions: &versions, today: "2026-12-01".parse().expect("a date") };
        let plan = told(&stack).await.plan(&rules, 2);
        let before = totals(&stack).await;

        stack.command("introduce", Command::Introduce(Box::new(terms(policy)))).await;
        let after = totals(&stack).await;
        let mut gained: BTreeMap<Owner, Amount> = BTreeMap::new();
        for owner in before.keys().chain(after.keys()) {
            let of = |totals: &BTreeMap<Owner, Amount>| totals.get(owner).copied().unwrap_or_default();
            let gain = of(&after).checked_sub(of(&before)).expect("a difference");
            if !gain.is_zero() {
                gained.insert(owner.clone(), gain);
            }
        }
        let planned = plan.gains.into_iter().map(|gain| (gain.owner, gain.amount)).collect();
        assert_eq!(gained, planned, "seed {seed}");
        assert!(plan.adoptions > 0, "seed {seed}: the plan changes something");
    }
}

#[tokio::test]
async fn the_plan_of_the_versions_in_force_is_empty() {
    let stack = Stack::fed(&Plan::deep(9)).await;
    let versions = stack.versions();
    let rules = Rules { versions: &versions, today: "2026-12-01".parse().expect("a date") };
    let mut recalculation = told(&stack).await;
    let plan = recalculation.plan(&rules, 2);
    assert_eq!((plan.adoptions, plan.gains, plan.network_gain), (0, vec![], Amount::ZERO));
    let one = recalculation.compare(&rules, Extent { threads: 1, details_max: 10 });
    assert_eq!(
        one,
        recalculation.compare(&rules, Extent { threads: 3, details_max: 10 }),
        "threads make no difference"
    );
}
