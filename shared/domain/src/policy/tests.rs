//! Tests of policies: what is read, and what is refused.

use serde_json::{Value, json};

use super::*;

fn policy(settings: Value) -> Result<Policy, String> {
    serde_json::from_value(settings).map_err(|error| error.to_string())
}

#[test]
fn an_empty_policy_is_that_of_the_rules() {
    let policy = policy(json!({})).expect("a valid policy");
    assert_eq!(policy, Policy::default());
    assert_eq!(policy.level_count(), 15);
    assert_eq!(policy.bonus_count(), 3);
    assert_eq!(policy.largest_threshold(), 5);
    assert_eq!(policy.price_ladder().base.to_string(), "22617.0000000000");
    assert_eq!(policy.business_time_zone().name(), "Asia/Shanghai");
    assert!(policy.team_requires_own_adoption());
    assert!(policy.is_distributable("MINING_ENABLED") && !policy.is_distributable("mining_enabled"));
    let forever = SystemAccountKind::ALL.map(|kind| policy.never_expires(kind));
    assert_eq!(forever, [false, false, false, true]);
}

#[test]
fn a_written_number_replaces_its_own_default_alone() {
    let changed = policy(json!({
        "rates": { "personal": "0.69", "operation": "0.13" },
        "price_ladder": { "base": "100.5" },
        "business_time_zone": "UTC",
        "never_expires": [],
        "backfill": "on_unlock",
    }))
    .expect("a valid policy");
    assert_eq!(changed.rates().team_level, Rates::default().team_level);
    assert_eq!(changed.price_ladder().increment, PriceLadder::default().increment);
    assert!(!changed.never_expires(SystemAccountKind::Headquarters));
    assert_eq!(changed.backfill(), Backfill::OnUnlock);
    assert_eq!(
        policy(json!({ "business_time_zone": "UTC", "backfill": "on_unlock" })),
        Ok(Policy::default().with_business_time_zone(Tz::UTC).with_backfill(Backfill::OnUnlock)),
    );
}

#[test]
fn fewer_levels_and_tiers_are_a_policy_too() {
    let small = policy(json!({
        "rates": { "personal": "0.8", "team_level": "0.0125", "team_bonus": "0" },
        "level_count": 4,
        "bonus_count": 1,
        "depth_steps": [{ "direct_adopters": 8, "depth": 4 }],
        "bonus_tier_steps": [],
    }))
    .expect("a valid policy");
    assert_eq!(small.largest_threshold(), 8);
}

#[test]
fn a_contradiction_is_refused_with_what_to_fix() {
    let steps = |steps: &[(u32, u8)]| {
        let step = |(adopters, depth): &(u32, u8)| json!({ "direct_adopters": adopters, "depth": depth });
        json!({ "depth_steps": steps.iter().map(step).collect::<Vec<_>>() })
    };
    let refused = [
        (json!({ "rates": { "personal": "0.700001" } }), "sum to 1.000001"),
        (json!({ "level_count": 14 }), "sum to 0.995000"),
        (json!({ "rates": { "personal": "0.675" }, "level_count": 20 }), "must open all 20"),
        (json!({ "level_count": 21 }), "more than 20"),
        (steps(&[(1, 5), (1, 15)]), "more direct adopters"),
        (steps(&[(1, 15), (2, 15)]), "open more levels"),
        (steps(&[(1, 5), (3, 10)]), "opens 10 levels, and must open all 15"),
        (steps(&[]), "opens 0 levels"),
        (steps(&[(0, 15)]), "asks for 0 direct adopters, and must ask for 1 to 8"),
        (steps(&[(9, 15)]), "asks for 9 direct adopters"),
        (json!({ "bonus_tier_steps": [4, 2] }), "more direct adopters"),
        (json!({ "bonus_tier_steps": [2, 9] }), "asks for 9 direct adopters"),
        (json!({ "bonus_tier_steps": [2] }), "bonus_count: 3 must be 2"),
        (json!({ "price_ladder": { "base": "0" } }), "more than zero"),
        (json!({ "price_ladder": { "unit_size": 0 } }), "nonzero"),
        (json!({ "term_years": 0 }), "must be 1 to 100"),
        (json!({ "distributable_statuses": [] }), "at least one status"),
        (json!({ "distributable_statuses": ["PAID", " "] }), "none may be empty"),
        (json!({ "business_time_zone": "Shanghai" }), "IANA"),
        (json!({ "rates": { "personal": 0.7 } }), "expected a string"),
        (json!({ "levels": 15 }), "unknown field `levels`"),
        (json!({ "rates": { "team": "0" } }), "unknown field `team`"),
    ];
    for (settings, reason) in refused {
        let error = policy(settings.clone()).expect_err("a refusal");
        assert!(error.contains(reason), "{settings} was refused with {error:?}");
    }
}
