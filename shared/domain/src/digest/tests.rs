//! Tests of the digest and of differences between two dumps.

use std::io::Cursor;

use super::*;
use crate::{AccountSequence, TalentLevel, UnlockedLegs};

fn account(text: &str) -> AccountSequence {
    text.parse().expect("an account")
}

fn date(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

fn order(number: u64) -> OrderId {
    OrderId::new(number).expect("an order number")
}

/// Returns the state after one adoption under a referrer, and one that is held.
fn state() -> State {
    let posting = Posting {
        account: account("D25122700019"),
        trees: 2,
        total: "45234".parse().expect("an amount"),
        adoption_date: date("2026-01-09"),
        version: 1,
        province: "44".parse().ok(),
        city: None,
        chain: vec![account("D25122700018")],
        unlocked: UnlockedLegs::default(),
    };
    let totals = |text: &str| Totals { personal: text.parse().expect("an amount"), ..Totals::default() };
    let owner = |text: &str| text.parse::<Owner>().expect("an owner");
    let adoption = |trees_before, outcome| StateAdoption { trees_before, outcome };
    let referrer = StateAccount {
        direct_adopters: 1,
        talent: StateTalent { level: TalentLevel::NONE, direct_count: 1, promotion_count: 1 },
        ..StateAccount::default()
    };
    let adopter = StateAccount {
        referrer: Some(account("D25122700018")),
        first_order: Some(order(57)),
        ..StateAccount::default()
    };
    State {
        date: date("2026-02-10"),
        waiting: 0,
        versions: Versions::starting("{}").expect("a policy"),
        adoptions: BTreeMap::from([
            (order(57), adoption(Some(12), StateOutcome::Posted(Box::new(posting)))),
            (order(58), adoption(None, StateOutcome::Held(HoldReason::NoReferral(account("D1"))))),
            (order(60), adoption(None, StateOutcome::Absent)),
        ]),
        accounts: BTreeMap::from([(account("D25122700018"), referrer), (account("D25122700019"), adopter)]),
        totals: BTreeMap::from([
            (owner("D25122700019"), totals("31663.8")),
            (owner("OPERATION"), totals("5428.08")),
            (owner("PROVINCE:44"), totals("452.34")),
            (owner("CITY"), totals("904.68")),
            (owner("HEADQUARTERS"), totals("6785.1")),
        ]),
        adjustments: Vec::new(),
    }
}

fn dumped(state: &State) -> String {
    let mut bytes = Vec::new();
    write_dump(state, &mut bytes).expect("memory takes it");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn the_digest_of_a_small_state_stays_what_it_is() {
    let digest = StateDigest::of(&state());
    assert_eq!(digest.hash, include_str!("small_state.sha256").trim());
    let lines: Vec<(&str, u64)> =
        digest.sections.iter().map(|section| (section.section.name(), section.lines)).collect();
    let expected = [
        ("legs", 22),
        ("totals", 1),
        ("unlock_facts", 2),
        ("talent", 1),
        ("system_accounts", 4),
        ("held", 1),
        ("team_trees", 1),
        ("price_book", 1),
        ("versions", 1),
        ("adjustments", 0),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_dump_shows_the_lines_that_the_digest_is_of() {
    let text = dumped(&state());
    let shown = [
        "contribution state 1\n[legs]\n0000000000000000057 B1\tHEADQUARTERS BONUS_TIER_1 1 1130.8500000000 2026-01-10 - 1\n",
        "\n0000000000000000057 PERSONAL\tD25122700019 PERSONAL - 31663.8000000000 2026-01-10 2028-01-10 1\n",
        "[unlock_facts]\nD25122700018\t- 1\nD25122700019\t57 0\n[talent]\nD25122700018\t0 1 1\n",
        "[held]\n0000000000000000058\tNO_REFERRAL: D1\n[team_trees]\nD25122700018\t2 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        "[price_book]\n0000000000000000057\t12\n[versions]\n0000000001\t- - {}\n[adjustments]\n",
    ];
    for part in shown {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn the_digest_covers_the_state_on_a_date_and_names_waiting_changes_beside_it() {
    let before = StateDigest::of(&state());
    let next_day = StateDigest::of(&State { date: date("2026-02-11"), ..state() });
    assert_ne!(before.hash, next_day.hash);
    assert_eq!(before.sections, next_day.sections);
    let waiting = StateDigest::of(&State { waiting: 3, ..state() });
    assert_eq!(before.hash, waiting.hash);
    assert!(waiting.to_string().contains("WAITING: 3 changes"));
    assert!(!before.to_string().contains("WAITING"));
}

#[test]
fn accounts_with_nothing_make_no_difference() {
    let mut with_more = state();
    with_more.accounts.insert(account("D2"), StateAccount::default());
    with_more.totals.insert(Owner::User(account("D2")), Totals::default());
    assert_eq!(StateDigest::of(&with_more), StateDigest::of(&state()));
}

#[test]
fn a_difference_is_named_by_section_and_key() {
    let mut other = state();
    other.totals.remove(&"CITY".parse::<Owner>().expect("an owner"));
    other.adoptions.get_mut(&order(57)).expect("it is there").trees_before = Some(13);
    other.accounts.get_mut(&account("D25122700018")).expect("it is there").talent.level = TalentLevel::new(1);
    let (first, second) = (dumped(&state()), dumped(&other));
    let found = diff(Cursor::new(&first), Cursor::new(&second), 100).expect("two dumps");
    let difference = |section, key: &str, first: Option<&str>, second: Option<&str>| KeyDifference {
        section,
        key: key.to_owned(),
        first: first.map(str::to_owned),
        second: second.map(str::to_owned),
    };
    let expected = [
        difference(Section::Talent, "D25122700018", Some("0 1 1"), Some("1 1 1")),
        difference(Section::SystemAccounts, "CITY", Some("904.6800000000 0.0000000000"), None),
        difference(Section::PriceBook, "0000000000000000057", Some("12"), Some("13")),
    ];
    assert_eq!(found, expected);
    assert_eq!(diff(Cursor::new(&first), Cursor::new(&second), 1).expect("two dumps").len(), 1);
    assert_eq!(diff(Cursor::new(&first), Cursor::new(&first), 100).expect("two dumps"), []);
    assert!(diff(Cursor::new(b"{}"), Cursor::new(&first), 100).is_err());
}
