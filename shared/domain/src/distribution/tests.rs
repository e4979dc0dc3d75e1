//! Tests of the distribution of one adoption.

use super::*;

fn adoption(order: u64, account: &str, tree_count: u32, contribution_per_tree: &str) -> Adoption {
    Adoption {
        order: OrderId::new(order).expect("an order number"),
        account: account.parse().expect("an account"),
        tree_count: TreeCount::new(tree_count).expect("at least one"),
        contribution_per_tree: contribution_per_tree
            .parse::<Amount>()
            .expect("an amount")
            .try_into()
            .expect("not negative"),
        adoption_date: "2026-01-09".parse().expect("a date"),
        province: None,
        city: None,
    }
}

/// Returns ancestors, referrer first, from account, own adoption and number of direct adopters.
fn ancestors(chain: &[(&str, bool, u32)]) -> Vec<Ancestor> {
    let ancestor = |(account, has_adopted, direct_adopters): &(&str, bool, u32)| Ancestor {
        account: account.parse().expect("an account"),
        unlock: UnlockState::new(*has_adopted, *direct_adopters, &Policy::default()),
    };
    chain.iter().map(ancestor).collect()
}

/// Returns a line per leg: type, index, owner, amount and would-be account.
fn lines(distribution: &Distribution) -> Vec<String> {
    let line = |leg: &Leg| {
        let index = leg.index().map(|index| format!(" {index}")).unwrap_or_default();
        let would_be = leg.recipient.would_be().map(|account| format!(" ({account})")).unwrap_or_default();
        format!("{}{index} {} {}{would_be}", leg.type_name(), leg.recipient.owner(), leg.amount)
    };
    distribution.legs.iter().map(line).collect()
}

#[test]
fn the_adoption_that_unlocks_its_own_upline_is_shared_out_as_captured() {
    // Order 57 of the ordering incident: the referrer adopted with order 55, two before, and this
    // adoption is the first below it.
    let chain = ancestors(&[
        ("D25122700018", true, 1),
        ("D25122700015", true, 3),
        ("D25122700014", false, 3),
        ("D25122700013", false, 0),
        ("D25122700007", false, 1),
        ("D25122700006", false, 0),
        ("D25122700005", true, 1),
        ("D25122700004", true, 3),
        ("D25122700001", true, 2),
    ]);
    let distribution = distribute(&adoption(57, "D25122700019", 2, "22617"), &chain, &Policy::default())
        .expect("within the limit");

    assert_eq!(distribution.total.to_string(), "45234.0000000000");
    assert_eq!(distribution.term.effective_date.to_string(), "2026-01-10");
    assert_eq!(distribution.term.expire_date.to_string(), "2028-01-10");
    assert_eq!(
        lines(&distribution),
        [
            "PERSONAL D25122700019 31663.8000000000",
            "OPERATION OPERATION 5428.0800000000",
            "PROVINCE PROVINCE 452.3400000000",
            "CITY CITY 904.6800000000",
            "TEAM_LEVEL 1 D25122700018 226.1700000000",
            "TEAM_LEVEL 2 D25122700015 226.1700000000",
            "LEVEL_OVERFLOW 3 HEADQUARTERS 226.1700000000 (D25122700014)",
            "LEVEL_OVERFLOW 4 HEADQUARTERS 226.1700000000 (D25122700013)",
            "LEVEL_OVERFLOW 5 HEADQUARTERS 226.1700000000 (D25122700007)",
            "LEVEL_OVERFLOW 6 HEADQUARTERS 226.1700000000 (D25122700006)",
            "LEVEL_OVERFLOW 7 HEADQUARTERS 226.1700000000 (D25122700005)",
            "TEAM_LEVEL 8 D25122700004 226.1700000000",
            "LEVEL_OVERFLOW 9 HEADQUARTERS 226.1700000000 (D25122700001)",
            "LEVEL_OVERFLOW 10 HEADQUARTERS 226.1700000000",
            "LEVEL_OVERFLOW 11 HEADQUARTERS 226.1700000000",
            "LEVEL_OVERFLOW 12 HEADQUARTERS 226.1700000000",
            "LEVEL_OVERFLOW 13 HEADQUARTERS 226.1700000000",
            "LEVEL_OVERFLOW 14 HEADQUARTERS 226.1700000000",
            "LEVEL_OVERFLOW 15 HEADQUARTERS 226.1700000000",
            "TEAM_BONUS 1 D25122700018 1130.8500000000",
            "BONUS_TIER_2 2 HEADQUARTERS 1130.8500000000 (D25122700018)",
            "BONUS_TIER_3 3 HEADQUARTERS 1130.8500000000 (D25122700018)",
        ]
    );
}

#[test]
fn codes_name_the_regions_accounts_and_rounding_goes_to_headquarters() {
    // Order 109 of the flattened capture, whose price has a last digit that does not divide.
    let mut adoption = adoption(109, "D25122700012", 2, "22617.0000000001");
    adoption.province = Some("110000".parse().expect("a code"));
    adoption.city = Some("110100".parse().expect("a code"));
    adoption.adoption_date = "2026-01-20".parse().expect("a date");
    let chain = ancestors(&[
        ("D25122700010", true, 4),
        ("D25122700007", true, 3),
        ("D25122700006", false, 1),
        ("D25122700005", true, 1),
        ("D25122700002", true, 1),
        ("D25122700001", true, 4),
    ]);
    let distribution = distribute(&adoption, &chain, &Policy::default()).expect("within the limit");

    assert_eq!(distribution.total.to_string(), "45234.0000000002");
    assert_eq!(distribution.term.expire_date.to_string(), "2028-01-21");
    let lines = lines(&distribution);
    assert_eq!(
        lines[..11],
        [
            "PERSONAL D25122700012 31663.8000000001",
            "OPERATION OPERATION 5428.0800000000",
            "PROVINCE PROVINCE:110000 452.3400000000",
            "CITY CITY:110100 904.6800000000",
            "TEAM_LEVEL 1 D25122700010 226.1700000000",
            "TEAM_LEVEL 2 D25122700007 226.1700000000",
            "LEVEL_OVERFLOW 3 HEADQUARTERS 226.1700000000 (D25122700006)",
            "TEAM_LEVEL 4 D25122700005 226.1700000000",
            "TEAM_LEVEL 5 D25122700002 226.1700000000",
            "TEAM_LEVEL 6 D25122700001 226.1700000000",
            "LEVEL_OVERFLOW 7 HEADQUARTERS 226.1700000000",
        ]
    );
    assert_eq!(
        lines[19..],
        [
            "TEAM_BONUS 1 D25122700010 1130.8500000000",
            "TEAM_BONUS 2 D25122700010 1130.8500000000",
            "TEAM_BONUS 3 D25122700010 1130.8500000000",
            "ROUNDING HEADQUARTERS 0.0000000001",
        ]
    );
}

#[test]
fn a_total_beyond_every_amount_is_an_overflow() {
    let largest = "999999999999999999.9999999999";
    let policy = Policy::default();
    assert!(distribute(&adoption(1, "A", 1, largest), &[], &policy).is_ok());
    assert_eq!(distribute(&adoption(1, "A", 2, largest), &[], &policy), Err(AmountOverflow));
    assert_eq!(distribute(&adoption(1, "A", u32::MAX, largest), &[], &policy), Err(AmountOverflow));
}

#[test]
fn an_ancestor_past_the_last_level_gets_nothing() {
    let names: Vec<String> = (1..=16).map(|level| format!("A{level}")).collect();
    let chain: Vec<(&str, bool, u32)> = names.iter().map(|name| (name.as_str(), true, 5)).collect();
    let distribution = distribute(&adoption(1, "A0", 1, "1"), &ancestors(&chain), &Policy::default())
        .expect("within the limit");
    let owners: Vec<String> = distribution.legs.iter().map(|leg| leg.recipient.owner().to_string()).collect();
    assert_eq!(owners[4..19], names[..15]);
    assert!(!owners.contains(&names[15]));
}

#[test]
fn legs_are_stored_short_and_readable() {
    let chain = ancestors(&[("D25122700018", true, 1), ("D25122700015", false, 0)]);
    let distribution =
        distribute(&adoption(57, "D25122700019", 2, "22617.0000000001"), &chain, &Policy::default())
            .expect("within the limit");

    let stored: Vec<String> =
        distribution.legs.iter().map(|leg| format!("{} {}", leg.slot, leg.recipient)).collect();
    assert_eq!(stored[0], "PERSONAL D25122700019");
    assert_eq!(stored[4], "L1 D25122700018");
    assert_eq!(stored[5], "L2 !LOCKED:D25122700015");
    assert_eq!(stored[6], "L3 !NO_ANCESTOR");
    assert_eq!(stored[20], "B2 !LOCKED:D25122700018");
    assert_eq!(stored[22], "ROUNDING HEADQUARTERS");
    assert!(stored.concat().len() < 512, "what is left of a kilobyte is for the amounts");

    let json = serde_json::to_string(&distribution.legs).expect("serialises");
    assert_eq!(serde_json::from_str::<Vec<Leg>>(&json).expect("reads"), distribution.legs);
}

#[test]
fn text_that_is_no_part_of_a_leg_is_refused() {
    for text in ["", "L", "L0", "L01", "L+1", "L256", "B0", "l1", "LEVEL", "é1"] {
        assert!(text.parse::<Slot>().is_err(), "{text:?}");
    }
    for text in ["", "!", "!LOCKED", "!LOCKED:", "!LOCKED:CITY", "!NO_ANCESTOR:A", "LOCKED:A", "CITY:"] {
        assert!(text.parse::<Recipient>().is_err(), "{text:?}");
    }
    // Without its mark it is an account like any other.
    let account = "NO_ANCESTOR".parse::<Recipient>().expect("an owner");
    assert!(matches!(account, Recipient::Allocated(Owner::User(_))));
}

#[test]
fn every_type_reads_back_as_written() {
    let chain = ancestors(&[("A1", true, 1), ("A2", false, 0)]);
    let distribution = distribute(&adoption(1, "A0", 1, "0.0000000001"), &chain, &Policy::default())
        .expect("within the limit");
    for leg in &distribution.legs {
        assert_eq!(leg.type_name().parse(), Ok(leg.leg_type()));
    }
    for text in ["", "BONUS_TIER_", "BONUS_TIER_0", "BONUS_TIER_01", "team_level"] {
        assert!(text.parse::<LegType>().is_err(), "{text:?}");
    }
}

#[test]
fn slots_are_ordered_as_legs_are_written() {
    let chain = ancestors(&[("A1", true, 5)]);
    let distribution = distribute(&adoption(1, "A0", 1, "0.0000000001"), &chain, &Policy::default())
        .expect("within the limit");
    assert!(distribution.legs.is_sorted_by(|one, next| one.slot < next.slot));
    assert_eq!(distribution.legs.last().map(|leg| leg.slot), Some(Slot::Rounding));
}
