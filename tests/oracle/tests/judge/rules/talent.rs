//! Section 9: talent levels.

use oracle::{DirectAtLevel, Policy, TalentRow, TalentTable, Version, Versions};

use super::source::{Source, date};

/// Returns an account with so many direct referrals, the first of which have so many each.
fn network(directs: usize, grandchildren: usize) -> Source {
    let mut source = Source::chain(&["A"]);
    for direct in 1..=directs {
        source = source.account(&format!("D{direct:02}"), Some("A"));
    }
    for grandchild in 1..=grandchildren {
        source =
            source.account(&format!("G{grandchild:02}"), Some(&format!("D{:02}", grandchild % directs + 1)));
    }
    source
}

fn talent(source: &Source, account: &str) -> (usize, usize, usize) {
    let talent = source.judged().talents()[account];
    (talent.direct_count, talent.promotion_count, talent.level)
}

fn with_table(source: Source, rows: Vec<TalentRow>) -> Source {
    source.policy(Policy { talent: TalentTable { rows }, ..Policy::default() })
}

fn at_level(direct_count: usize, level: usize, count: usize) -> TalentRow {
    TalentRow { direct_count, promotion_count: 0, direct_at_level: Some(DirectAtLevel { level, count }) }
}

#[test]
fn every_condition_of_a_row_is_needed() {
    assert_eq!(talent(&network(3, 6), "A"), (3, 9, 0));
    assert_eq!(talent(&network(3, 7), "A"), (3, 10, 1));
    assert_eq!(talent(&network(2, 20), "A"), (2, 22, 0));
    assert_eq!(talent(&network(8, 21), "A"), (8, 29, 1));
    assert_eq!(talent(&network(8, 22), "A"), (8, 30, 2));
}

#[test]
fn the_highest_row_that_holds_wins_even_if_one_below_it_does_not() {
    let rows = vec![
        TalentRow { direct_count: 9, ..TalentRow::default() },
        TalentRow { direct_count: 1, ..TalentRow::default() },
    ];
    assert_eq!(talent(&with_table(network(1, 0), rows), "A"), (1, 1, 2));
}

#[test]
fn descendants_count_down_to_the_twentieth_level() {
    let names: Vec<String> = (0..=25).map(|number| format!("A{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let source = Source::chain(&names);
    assert_eq!(talent(&source, "A00"), (1, 20, 0));
    assert_eq!(talent(&source, "A05"), (1, 20, 0));
    assert_eq!(talent(&source, "A06"), (1, 19, 0));
    assert_eq!(talent(&source, "A25"), (0, 0, 0));
}

#[test]
fn a_promotion_below_can_promote_above() {
    // Level 1: one direct referral. Level 2: one direct referral of level 1 or more.
    let rows = vec![TalentRow { direct_count: 1, ..TalentRow::default() }, at_level(1, 1, 1)];
    let source = with_table(Source::chain(&["A", "B", "C", "D"]), rows);
    assert_eq!(talent(&source, "D").2, 0);
    assert_eq!(talent(&source, "C").2, 1);
    assert_eq!(talent(&source, "B").2, 2);
    assert_eq!(talent(&source, "A").2, 2, "level 2 is level 1 or more");
}

#[test]
fn so_many_direct_referrals_at_a_level_are_needed() {
    let rows = vec![TalentRow { direct_count: 1, ..TalentRow::default() }, at_level(0, 1, 2)];
    // D01 and D02 have a direct referral each.
    assert_eq!(talent(&with_table(network(3, 2), rows.clone()), "A").2, 2);
    assert_eq!(talent(&with_table(network(3, 1), rows), "A").2, 1);
}

#[test]
fn an_account_is_never_its_own_descendant_and_each_counts_once() {
    let own = Source::new().account("A", Some("A")).account("B", Some("A"));
    assert_eq!(talent(&own, "A"), (1, 1, 0));
    let two = Source::new().account("A", Some("B")).account("B", Some("A")).account("C", Some("A"));
    assert_eq!(talent(&two, "A"), (2, 2, 0));
    assert_eq!(talent(&two, "B"), (1, 2, 0));
    let names: Vec<String> = (0..=24).map(|number| format!("A{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ring = Source::chain(&names).moved("A00", Some("A24"));
    assert!(
        ring.judged()
            .talents()
            .values()
            .all(|talent| (talent.direct_count, talent.promotion_count) == (1, 20))
    );
}

#[test]
fn where_a_cycle_leaves_several_solutions_the_least_holds() {
    // Level 1 asks for a direct referral of level 1. On a ring all could have it, or none.
    let rows = vec![at_level(1, 1, 1)];
    let ring = Source::chain(&["A", "B", "C"]).moved("A", Some("C"));
    let none = with_table(ring.clone(), rows);
    for account in ["A", "B", "C"] {
        assert_eq!(talent(&none, account).2, 0, "{account}");
    }
    // With one account on it that has level 1 for another reason, all have it.
    let rows = vec![at_level(1, 1, 1), TalentRow { direct_count: 2, ..TalentRow::default() }];
    let all = with_table(ring.account("D", Some("B")), rows);
    assert_eq!(talent(&all, "B").2, 2);
    assert_eq!(talent(&all, "A").2, 1);
    assert_eq!(talent(&all, "C").2, 1);
    assert_eq!(talent(&all, "D").2, 0);
}

#[test]
fn it_is_published_for_accounts_with_a_user() {
    let source = Source::chain(&["A", "B"]).referral("C", Some("B")).referral("D", Some("E"));
    let talents = source.judged().talents();
    assert_eq!(talents["C"].promotion_count, 0);
    assert!(!talents["C"].is_published);
    assert_eq!((talents["E"].direct_count, talents["E"].is_published), (1, false));
    let golden = source.judged().golden(date("2026-02-10"));
    let published: Vec<&String> = golden["talent"].as_object().expect("an object").keys().collect();
    assert_eq!(published, ["A", "B"]);
    assert_eq!(golden["talent"]["A"]["promotion_count"], 2, "C counts, user or not");
}

#[test]
fn a_missing_referral_row_ends_the_walk_up() {
    let source = Source::chain(&["A", "B", "C"]).without_referral("B");
    assert_eq!(talent(&source, "B"), (1, 1, 0));
    assert_eq!(talent(&source, "A"), (0, 0, 0));
}

#[test]
fn the_table_of_today_applies_to_everything_at_once() {
    let easy = TalentTable { rows: vec![TalentRow { direct_count: 1, ..TalentRow::default() }] };
    let policy = Policy { talent: easy, ..Policy::default() };
    let first = Version { number: 1, from: None, until: None, policy: Policy::default() };
    let second = Version { number: 2, from: Some(date("2026-02-11")), until: None, policy };
    let mut source = Source::chain(&["A", "B"]);
    source.inputs.versions = Versions::new(vec![first, second]);
    assert_eq!(talent(&source, "A").2, 0);
    source.inputs.today = date("2026-02-11");
    assert_eq!(talent(&source, "A").2, 1);
}
