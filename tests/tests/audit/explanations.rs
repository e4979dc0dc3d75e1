//! Explanations of the ordering incident, literally, and of what else may have become of an adoption.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use ledger::explain::{self, AccountExplanation, AdoptionExplanation, Standing};
use ledger::rules::{Amount, OrderId, Owner};
use serde_json::{Value, json};

use crate::ledger::{Ledger, account, order, path};

/// The ordering incident: order 55 unlocks, for 57 and after, what its adopter would have missed.
const INCIDENT: [(u64, &str); 4] = [
    (55, include_str!("explained/order-55.txt")),
    (57, include_str!("explained/order-57.txt")),
    (58, include_str!("explained/order-58.txt")),
    (59, include_str!("explained/order-59.txt")),
];

async fn adoption(ledger: &Ledger, number: u64) -> Result<AdoptionExplanation> {
    let policy = &ledger.stack().environment().policy;
    explain::adoption(ledger.store(), policy, order(number)).await?.context("the adoption arrived")
}

async fn about(ledger: &Ledger, number: u64, name: &str) -> Result<AccountExplanation> {
    let policy = &ledger.stack().environment().policy;
    let explained = explain::account(ledger.store(), policy, order(number), &account(name)).await?;
    explained.context("the adoption arrived")
}

#[tokio::test]
async fn the_ordering_incident_is_explained() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    for (number, expected) in INCIDENT {
        assert_eq!(adoption(&ledger, number).await?.to_string(), expected);
    }
    assert_eq!(
        about(&ledger, 55, "D25122700018").await?.to_string(),
        "\
order 55 and D25122700018: the adopter
received 31663.8000000000
  PERSONAL              31663.8000000000 D25122700018  the adopter's own share
"
    );
    assert_eq!(
        about(&ledger, 57, "D25122700018").await?.to_string(),
        "\
order 57 and D25122700018: ancestor 1 of the adopter
as of order 57: ancestor 1 D25122700018: 5 levels and 1 bonus tier unlocked; first adopted with order 55; \
1 direct adopter: D25122700019 with order 57
received 1357.0200000000
  TEAM_LEVEL 1            226.1700000000 D25122700018  ancestor 1 had unlocked 5 levels
  TEAM_BONUS 1           1130.8500000000 D25122700018  ancestor 1 had unlocked 1 bonus tier
did not receive
  BONUS_TIER_2           1130.8500000000 HEADQUARTERS  LOCKED: D25122700018 had unlocked 1 bonus tier; \
it needed 2 direct adopters where it had 1
  BONUS_TIER_3           1130.8500000000 HEADQUARTERS  LOCKED: D25122700018 had unlocked 1 bonus tier; \
it needed 4 direct adopters where it had 1
"
    );
    assert_eq!(
        about(&ledger, 58, "D25122700018").await?.to_string(),
        "\
order 58 and D25122700018: ancestor 1 of the adopter
as of order 58: ancestor 1 D25122700018: 5 levels and 1 bonus tier unlocked; first adopted with order 55; \
1 direct adopter: D25122700019 with order 57
received 6785.1000000000
  TEAM_LEVEL 1           1130.8500000000 D25122700018  ancestor 1 had unlocked 5 levels
  TEAM_BONUS 1           5654.2500000000 D25122700018  ancestor 1 had unlocked 1 bonus tier
did not receive
  BONUS_TIER_2           5654.2500000000 HEADQUARTERS  LOCKED: D25122700018 had unlocked 1 bonus tier; \
it needed 2 direct adopters where it had 1
  BONUS_TIER_3           5654.2500000000 HEADQUARTERS  LOCKED: D25122700018 had unlocked 1 bonus tier; \
it needed 4 direct adopters where it had 1
"
    );
    assert_eq!(
        about(&ledger, 59, "D25122700018").await?.to_string(),
        "\
order 59 and D25122700018: ancestor 1 of the adopter
as of order 59: ancestor 1 D25122700018: 5 levels and 1 bonus tier unlocked; first adopted with order 55; \
1 direct adopter: D25122700019 with order 57
received 3392.5500000000
  TEAM_LEVEL 1            565.4250000000 D25122700018  ancestor 1 had unlocked 5 levels
  TEAM_BONUS 1           2827.1250000000 D25122700018  ancestor 1 had unlocked 1 bonus tier
did not receive
  BONUS_TIER_2           2827.1250000000 HEADQUARTERS  LOCKED: D25122700018 had unlocked 1 bonus tier; \
it needed 2 direct adopters where it had 1
  BONUS_TIER_3           2827.1250000000 HEADQUARTERS  LOCKED: D25122700018 had unlocked 1 bonus tier; \
it needed 4 direct adopters where it had 1
"
    );
    Ok(())
}

#[tokio::test]
async fn who_received_nothing_is_told_why() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    assert_eq!(
        about(&ledger, 57, "D25122700014").await?.to_string(),
        "\
order 57 and D25122700014: ancestor 3 of the adopter
as of order 57: ancestor 3 D25122700014: no levels and 1 bonus tier unlocked; had not adopted; \
3 direct adopters: D25122700030 with order 9, D25122700015 with order 40, D25122700026 with order 42
received nothing
did not receive
  LEVEL_OVERFLOW 3        226.1700000000 HEADQUARTERS  LOCKED: D25122700014 had unlocked no levels; \
it needed an adoption of its own
"
    );
    assert_eq!(
        about(&ledger, 57, "D25122700030").await?.to_string(),
        "\
order 57 and D25122700030: not an ancestor of the adopter
received nothing
"
    );
    assert_eq!(
        about(&ledger, 26, "D25122700011").await?.to_string(),
        "\
order 26 and D25122700011: ancestor 1 of the adopter
held (STATUS): its status is not one that counts
as of order 26: ancestor 1 D25122700011: 5 levels and 1 bonus tier unlocked; first adopted with order 24; \
1 direct adopter: D25122700012 with order 18
received nothing
"
    );
    Ok(())
}

#[tokio::test]
async fn an_ancestor_beyond_the_levels_is_told_so_however_far_above_it_is() -> Result<()> {
    let ledger = Ledger::of("ordering-incident.jsonl").await?;
    ledger.add_held_adoption_below_a_chain(9_001, 50).await?;
    for (name, level) in [("CHAIN-34", 16), ("CHAIN-33", 17), ("CHAIN-29", 21), ("CHAIN-0", 50)] {
        assert_eq!(
            about(&ledger, 9_001, name).await?.to_string(),
            format!(
                "\
order 9001 and {name}: ancestor {level} of the adopter, beyond the 15 levels that take part
held (STATUS): its status is not one that counts
received nothing
"
            )
        );
    }
    let within = about(&ledger, 9_001, "CHAIN-35").await?.to_string();
    assert!(within.starts_with("order 9001 and CHAIN-35: ancestor 15 of the adopter\n"), "{within}");
    Ok(())
}

#[tokio::test]
async fn corrections_are_told_with_their_causes() -> Result<()> {
    let ledger = Ledger::corrected().await?;
    let explained = adoption(&ledger, 43).await?.to_string();
    let entries = explained.split_once("entries\n").context("entries")?.1;
    assert_eq!(
        entries,
        "  entry 0: DISTRIBUTION of 22752.7020000000
  entry 1: REASSESSMENT of 0.0000000000, because order 20 changed what D25122700002 had unlocked
    L4 113.7635100000 from HEADQUARTERS (LOCKED: D25122700002) to D25122700002
"
    );
    let about = about(&ledger, 43, "D25122700002").await?.to_string();
    assert!(about.contains("\ncorrections\n  entry 1: REASSESSMENT"), "{about}");
    assert_eq!(adoption(&ledger, 26).await?.standing, Standing::Reversed { deleted: false });
    assert_eq!(adoption(&ledger, 27).await?.standing, Standing::Reversed { deleted: true });
    Ok(())
}

#[tokio::test]
async fn every_correction_moves_only_what_the_account_it_names_decides() -> Result<()> {
    let ledger = Ledger::corrected().await?;
    let mut moved = 0;
    for record in ledger.store().adoptions_from(OrderId::MIN).await? {
        let explained = adoption(&ledger, record.order.get()).await?;
        for entry in &explained.entries {
            for leg in &entry.moves {
                moved += 1;
                let decider: ledger::rules::Slot = leg.share.parse()?;
                let decider = decider.decider(&explained.ancestors).map(|ancestor| &ancestor.account);
                assert_eq!(decider, entry.cause_account.as_ref(), "{explained}");
            }
        }
    }
    assert!(moved > 10, "{moved} moves");
    Ok(())
}

#[tokio::test]
async fn explanations_agree_with_the_golden_distributions_and_with_the_totals() -> Result<()> {
    for name in ["ordering-incident", "flattened-regions"] {
        let ledger = Ledger::of(&format!("{name}.jsonl")).await?;
        let golden = std::fs::read(path(&format!("{name}.expected.json")))?;
        let golden: Value = serde_json::from_slice(&golden)?;
        let mut totals: BTreeMap<Owner, Amount> = BTreeMap::new();
        for (number, distribution) in golden["distributions"].as_object().context("distributions")? {
            let explained = adoption(&ledger, number.parse()?).await?;
            assert_eq!(explained.total.to_string(), distribution["total"], "{name} {number}");
            let legs = explained.legs.iter().map(|leg| {
                json!({
                    "type": leg.r#type,
                    "index": leg.index,
                    "owner": leg.owner,
                    "would_be": leg.would_be,
                    "amount": leg.amount,
                })
            });
            assert_eq!(Value::Array(legs.collect()), distribution["legs"], "{name} {number}");
            assert!(explained.legs.iter().all(|leg| !leg.outdated), "{explained}");
            for leg in explained.legs {
                let total = totals.entry(leg.owner).or_default();
                *total = total.checked_add(leg.amount)?;
            }
        }
        for (owner, total) in totals {
            let expected = match &owner {
                Owner::User(account) => &golden["accounts"][account.as_str()]["total"],
                Owner::System(account) => &golden["system"][account.to_string()],
            };
            assert_eq!(total.to_string(), *expected, "{name} {owner}");
        }
    }
    Ok(())
}
