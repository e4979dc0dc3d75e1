//! Tests of talent levels and teams.

use serde_json::json;

use super::*;
use crate::{Report, TALENT_DEPTH};

fn team(direct: u64, deeper: u64) -> Team {
    let mut team = Team::default();
    team.people[0] = direct;
    team.people[1] = deeper;
    team
}

fn level(direct: u64, deeper: u64) -> u8 {
    TalentTable::default().assess(&team(direct, deeper), false).level.get()
}

#[test]
fn the_highest_row_whose_conditions_all_hold_gives_the_level() {
    assert_eq!(level(2, 100), 0);
    assert_eq!(level(3, 6), 0);
    assert_eq!(level(3, 7), 1);
    assert_eq!(level(50, 0), 2, "many direct referrals do not stand in for descendants");
    assert_eq!(level(14, 10_000), 2);
    assert_eq!(level(50, 450), 5);
}

#[test]
fn an_assessment_says_what_the_next_level_lacks_and_nothing_of_what_holds() {
    let next = |team: &Team| TalentTable::default().assess(team, false).next;
    let lacking = |missing| Some(NextLevel { level: TalentLevel::new(2), missing });
    let direct = Missing { condition: Condition::Direct(8), present: 3 };
    let promotion = Missing { condition: Condition::Promotion(30), present: 12 };
    assert_eq!(next(&team(3, 9)), lacking(vec![direct, promotion]));
    assert_eq!(next(&team(3, 100)), lacking(vec![direct]), "descendants do not stand in for referrals");
    assert_eq!(next(&team(50, 450)), None, "there is no level above the highest");
}

#[test]
fn what_is_missing_counts_direct_referrals_at_the_level_asked_for_and_activity_where_it_is_known() {
    let table: TalentTable = serde_json::from_value(json!({ "rows": [{
        "direct_count": 1, "direct_at_level": { "level": 1, "count": 3 },
        "active_direct_count": 2, "active_promotion_count": 5,
    }] }))
    .expect("a table");
    let mut team = team(4, 4);
    team.levels = vec![2];
    (team.active[0], team.active[1]) = (1, 3);
    let missing = |knows_activity| {
        let next = table.assess(&team, knows_activity).next.expect("a level above");
        let named = |missing: &Missing| {
            let Missing { condition, present } = missing;
            (condition.name(), condition.at_level().map(TalentLevel::get), condition.needed(), *present)
        };
        next.missing.iter().map(named).collect::<Vec<_>>()
    };
    let at_level = ("DIRECT_AT_LEVEL", Some(1), 3, 2);
    let active = [("ACTIVE_DIRECT_COUNT", None, 2, 1), ("ACTIVE_PROMOTION_COUNT", None, 5, 4)];
    assert_eq!(missing(true), [at_level, active[0], active[1]]);
    assert_eq!(missing(false), [at_level]);
}

#[test]
fn conditions_on_activity_are_left_out_and_noted_where_the_source_does_not_know() {
    let table: TalentTable =
        serde_json::from_value(json!({ "rows": [{ "direct_count": 1, "active_direct_count": 1 }] }))
            .expect("a table");
    let mut team = team(1, 0);
    let unknown = table.assess(&team, false);
    assert_eq!((unknown.level.get(), unknown.activity_ignored), (1, true));
    let inactive = table.assess(&team, true);
    assert_eq!((inactive.level.get(), inactive.activity_ignored), (0, false));
    team.active[0] = 1;
    assert_eq!(table.assess(&team, true).level.get(), 1);
}

#[test]
fn a_direct_referral_above_the_level_asked_for_counts() {
    let table: TalentTable = serde_json::from_value(json!({ "rows": [
        { "direct_count": 1 },
        { "direct_count": 1, "direct_at_level": { "level": 1, "count": 2 } },
    ] }))
    .expect("a table");
    let mut team = team(2, 0);
    team.levels = vec![1, 0];
    assert_eq!(table.assess(&team, false).level.get(), 1);
    team.levels = vec![1, 1];
    assert_eq!(table.assess(&team, false).level.get(), 2);
}

#[test]
fn reports_that_replace_each_other_leave_only_the_last() {
    let before = team(2, 5).report(TalentLevel::new(1), true);
    let after = team(3, 4).report(TalentLevel::new(2), false);
    let mut change = before.since(&Report::default());
    change.merge(&after.since(&before));
    assert_eq!(
        Team::default().changed_by(&change),
        Team::default().changed_by(&after.since(&Report::default()))
    );
    assert!(after.since(&after).is_empty());
    assert_eq!(Team::default().changed_by(&Report::default().since(&before)), None);
}

#[test]
fn what_is_twenty_levels_below_does_not_go_further_up() {
    let mut deepest = Team::default();
    deepest.people[TALENT_DEPTH - 1] = 7;
    let report = deepest.report(TalentLevel::NONE, false);
    assert_eq!(report, Team::default().report(TalentLevel::NONE, false));
}

#[test]
fn reports_that_come_round_a_ring_count_each_account_once() {
    // Three accounts refer each other in a circle, and a fourth hangs below the first.
    let referrer = [1_usize, 2, 0, 0];
    let mut teams = vec![Team::default(); 4];
    for _ in 0..TALENT_DEPTH {
        let reports: Vec<Report> = teams.iter().map(|team| team.report(TalentLevel::NONE, true)).collect();
        teams = vec![Team::default(); 4];
        for (account, report) in reports.iter().enumerate() {
            let change = report.since(&Report::default());
            teams[referrer[account]] = teams[referrer[account]].changed_by(&change).expect("a sum");
        }
    }
    let counts = |account: usize| {
        let team = teams[account].on_ring(3, true);
        (team.direct_count(), team.promotion_count(), team.active_promotion_count())
    };
    assert_eq!([counts(0), counts(1), counts(2)], [(2, 3, 3), (1, 3, 3), (1, 3, 3)]);
    assert_eq!(teams[3], Team::default());
    assert_eq!(teams[0].on_ring(0, true), teams[0], "who is on no ring has the team as reported");
}

#[test]
fn stored_teams_and_reports_come_back_as_they_were() {
    let mut team = team(3, 70_000);
    team.levels = vec![0, 2];
    let report = team.report(TalentLevel::new(2), true);
    let bytes = postcard::to_stdvec(&(&team, &report)).expect("an encoding");
    assert_eq!(postcard::from_bytes(&bytes), Ok((team, report)));
    assert!(bytes.len() < 24, "zeros at the end take no room: {}", bytes.len());
}

#[test]
fn a_table_that_contradicts_itself_is_refused_with_what_to_change() {
    let refused = [
        (json!({ "rows": [] }), "there are 0"),
        (json!({ "rows": [{}] }), "level 1 asks for no direct referral"),
        (
            json!({ "rows": [{ "direct_count": 1, "direct_at_level": { "level": 2, "count": 1 } }] }),
            "level of the table",
        ),
        (
            json!({ "rows": [{ "direct_count": 1, "direct_at_level": { "level": 1, "count": 0 } }] }),
            "at least 1",
        ),
        (json!({ "active_within_days": 0 }), "at least 1"),
        (json!({ "row": [] }), "unknown field `row`"),
    ];
    for (table, reason) in refused {
        let error = serde_json::from_value::<TalentTable>(table.clone()).expect_err("a refusal");
        assert!(error.to_string().contains(reason), "{table} was refused with {error}");
    }
}
