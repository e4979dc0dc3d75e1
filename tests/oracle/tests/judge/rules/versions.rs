//! Section 11: versions of the rules.

use oracle::HoldReason::{InvalidTerms, NoReferral, Status};
use oracle::rows::{AdoptionRow, Term};
use oracle::{Backfill, Policy, Rate, Rates, SystemKind, Version, Versions};

use super::source::{Source, allocated, amount, date, legs, order, order_id};

fn first() -> Version {
    Version { number: 1, from: None, until: None, policy: Policy::default() }
}

fn version(number: u32, from: &str, policy: Policy) -> Version {
    Version { number, from: Some(date(from)), until: None, policy }
}

fn on(number: u64, account: &str, day: &str) -> AdoptionRow {
    AdoptionRow { adoption_date: Term::Given(date(day)), ..order(number, account) }
}

/// Returns rates with so many millionths for the adopter and the operation account together as by default.
fn rates(personal: i128) -> Rates {
    Rates {
        personal: Rate::from_millionths(personal),
        operation: Rate::from_millionths(820_000 - personal),
        ..Rates::default()
    }
}

fn with_versions(mut source: Source, versions: Vec<Version>) -> Source {
    source.inputs.versions = Versions::new(versions);
    source
}

#[test]
fn the_version_of_the_adoption_date_decides_for_ever() {
    let source = Source::chain(&["A"]).adoption(on(1, "A", "2026-01-31")).adoption(on(2, "A", "2026-02-01"));
    let policy = Policy { rates: rates(600_000), ..Policy::default() };
    let judgement = with_versions(source, vec![first(), version(2, "2026-02-01", policy)]).judged();
    assert_eq!(legs(&judgement, 1)[..2], ["PERSONAL A 70", "OPERATION OPERATION 12"]);
    assert_eq!(legs(&judgement, 2)[..2], ["PERSONAL A 60", "OPERATION OPERATION 22"]);
    let versions = [1, 2].map(|number| judgement.distribution(order_id(number)).expect("posted").version);
    assert_eq!(versions, [1, 2]);
}

#[test]
fn the_highest_number_counts_until_its_last_date_and_a_further_version_undoes_it() {
    let policy = |personal| Policy { rates: rates(personal), ..Policy::default() };
    let until = Version { until: Some(date("2026-01-20")), ..version(2, "2026-01-10", policy(600_000)) };
    let versions = Versions::new(vec![
        version(4, "2026-01-25", Policy::default()),
        until,
        version(3, "2026-01-15", policy(500_000)),
        first(),
    ]);
    let number = |day| versions.on(date(day)).number;
    assert_eq!(number("2026-01-09"), 1);
    assert_eq!(number("2026-01-10"), 2);
    assert_eq!(number("2026-01-14"), 2);
    assert_eq!(number("2026-01-15"), 3, "a higher number than the one that is in force until the 20th");
    assert_eq!(number("2026-01-25"), 4, "the old numbers again");
    assert_eq!(versions.on(date("2026-01-25")).policy, Policy::default());

    let ends = Version { until: Some(date("2026-01-20")), ..version(2, "2026-01-10", policy(600_000)) };
    let versions = Versions::new(vec![first(), ends]);
    assert_eq!(versions.on(date("2026-01-19")).number, 2);
    assert_eq!(versions.on(date("2026-01-20")).number, 1, "`until` is the first date without it");
}

#[test]
fn thresholds_and_backfill_are_those_of_the_adoption_and_unlocked_is_by_today() {
    // From February on one direct adopter opens nothing.
    let mut policy = Policy { backfill: Backfill::OnUnlock, ..Policy::default() };
    policy.depth_steps.remove(0);
    let source = Source::chain(&["A", "B"])
        .adoption(on(1, "B", "2026-01-05"))
        .adoption(on(2, "A", "2026-01-06"))
        .adoption(on(3, "B", "2026-01-07"))
        .adoption(on(4, "B", "2026-02-02"));
    let judgement = with_versions(source, vec![first(), version(2, "2026-02-01", policy)]).judged();
    assert_eq!(allocated(&judgement, 1), [""; 0], "no backfill in January");
    assert_eq!(allocated(&judgement, 3), ["L1 A", "B1 A"]);
    assert_eq!(allocated(&judgement, 4), ["B1 A"]);
    assert_eq!(judgement.accounts()["A"].unlocked_level_depth, 0);
}

#[test]
fn statuses_bounds_levels_terms_and_ladder_are_those_of_the_adoption() {
    let mut policy = Policy { level_count: 1, term_years: 3, ..Policy::default() };
    policy.rates.team_level = Rate::from_millionths(75_000);
    policy.distributable_statuses = ["DONE".to_owned()].into();
    policy.bounds.trees_max = 2;
    policy.price_ladder.base = amount("10");
    policy.never_expires = [SystemKind::Operation].into();
    let done = |number, account, day| AdoptionRow { status: "DONE".to_owned(), ..on(number, account, day) };
    let source = Source::new()
        .account("B", Some("A"))
        .account("A", Some("Z"))
        .adoption(done(1, "B", "2026-01-31"))
        .adoption(on(2, "B", "2026-02-01"))
        .adoption(on(3, "B", "2026-01-31"))
        .adoption(AdoptionRow { trees: Term::Given(3), ..done(4, "B", "2026-02-01") })
        .adoption(AdoptionRow { price: Term::Missing, ..done(5, "B", "2026-02-01") });
    let source = with_versions(source, vec![first(), version(2, "2026-02-01", policy)]);
    // Z has no row. With one level that does not matter, with fifteen it does.
    assert_eq!(source.held(), [(1, Status), (2, Status), (3, NoReferral), (4, InvalidTerms)]);
    let distribution = source.judged().distribution(order_id(5)).expect("posted");
    assert_eq!(distribution.total, amount("10"));
    assert_eq!(distribution.expire_date, date("2029-02-02"));
    assert_eq!(distribution.legs.len(), 4 + 1 + 3);
    assert_eq!(distribution.legs[1].expire_date, None, "OPERATION");
    assert_eq!(distribution.legs[4].expire_date, Some(date("2029-02-02")), "HEADQUARTERS");
}

#[test]
fn a_version_with_a_date_in_the_past_changes_what_should_have_been() {
    let source = Source::chain(&["A"]).adoption(on(1, "A", "2025-06-01"));
    let policy = Policy { rates: rates(600_000), ..Policy::default() };
    let before = with_versions(source.clone(), vec![first()]).judged();
    let after = with_versions(source, vec![first(), version(2, "2025-01-01", policy)]).judged();
    let restated = oracle::restated(&before, &after, date("2025-06-01"), date("2026-02-09"));
    let shown: Vec<String> = restated
        .iter()
        .map(|line| format!("{} {} {} {}", line.account, line.first_date, line.last_date, line.difference))
        .collect();
    assert_eq!(
        shown,
        ["A 2025-06-02 2026-02-09 -10.0000000000", "OPERATION 2025-06-02 2026-02-09 10.0000000000"]
    );
}

#[test]
fn a_policy_file_is_whole_and_may_list_versions() {
    let text = r#"[
        { "number": 1 },
        { "number": 2, "from": "2026-02-01", "until": "2026-03-01", "policy": {
            "rates": { "personal": "0.6", "operation": 0.22 },
            "bounds": { "trees_max": 5 },
            "price_ladder": { "base": "100.5" },
            "never_expires": [],
            "backfill": "on_unlock",
            "talent": { "rows": [{ "direct_count": 2, "direct_at_level": { "level": 1, "count": 1 } }] } } }
    ]"#;
    let versions = Versions::from_json(text).expect("a policy");
    assert_eq!(versions.on(date("2026-03-01")).policy, Policy::default());
    let policy = &versions.on(date("2026-02-28")).policy;
    assert_eq!(policy.rates, rates(600_000));
    assert_eq!((policy.bounds.trees_max, policy.bounds.price_max), (5, amount("1000000000")));
    assert_eq!(policy.price_ladder.base, amount("100.5"));
    assert_eq!(policy.backfill, Backfill::OnUnlock);
    assert_eq!(policy.talent.rows.len(), 1);
    assert!(policy.never_expires.is_empty());

    assert_eq!(Versions::from_json("{}").expect("a policy"), Versions::default());
    let error =
        Versions::from_json(r#"[{ "number": 1, "from": "2026-01-01" }]"#).expect_err("no first version");
    assert!(error.to_string().contains("neither `from` nor `until`"));
}
