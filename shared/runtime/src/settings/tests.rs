//! Tests of settings: what is read, and what is refused.

use std::collections::HashMap;

use chrono_tz::Tz;
use store::Table;

use super::*;
use crate::Queue;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let values: HashMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Variables::new(move |name| values.get(name).cloned())
}

fn refusal(variable: &str, value: &str) -> String {
    Settings::read(&variables(&[(variable, value)])).expect_err("the value is wrong").to_string()
}

#[test]
fn a_deployment_that_sets_nothing_has_the_numbers_of_the_rules() {
    let settings = Settings::read(&variables(&[("STAGE", ""), ("SETTLE_SECONDS", "")])).unwrap();
    assert_eq!(settings.policy, Policy::default());
    assert_eq!(settings.account_shards, 16);
    assert_eq!(settings.first_close_date, None);
    assert_eq!(settings.stage, None);
    let decisions = DecisionSettings {
        settle: Duration::from_mins(1),
        brake_adoptions: Some(1_000),
        guard_factor: Some(10),
        reorder_window: Duration::from_secs(1),
        page_bytes_max: 65_536,
        pages_ahead_max: 1_024,
        decide_for: Duration::from_millis(1_500),
    };
    assert_eq!(settings.decisions, decisions);
}

#[test]
fn every_setting_is_read_from_its_variable() {
    let settings = Settings::read(&variables(&[
        ("CONTRIBUTION_POLICY", r#"{"term_years": 3}"#),
        ("BUSINESS_TZ", "UTC"),
        ("CDC_PROFILE", "built-in"),
        ("SETTLE_SECONDS", "0"),
        ("BRAKE_ADOPTIONS", "off"),
        ("GUARD_FACTOR", "3"),
        ("REORDER_WINDOW_MS", "250"),
        ("PAGE_BYTES_MAX", "2048"),
        ("PAGES_AHEAD_MAX", "64"),
        ("DECIDE_FOR_MS", "1000"),
        ("FIRST_CLOSE_DATE", "2026-02-01"),
        ("ACCOUNT_SHARDS", "4"),
        ("MEMBERS_SEE", "accounts"),
        ("STAGE", "test"),
    ]))
    .unwrap();
    assert_eq!(settings.policy.term_years(), 3);
    assert_eq!(settings.policy.business_time_zone(), Tz::UTC);
    assert_eq!(
        settings.decisions,
        DecisionSettings {
            settle: Duration::ZERO,
            brake_adoptions: None,
            guard_factor: Some(3),
            reorder_window: Duration::from_millis(250),
            page_bytes_max: 2_048,
            pages_ahead_max: 64,
            decide_for: Duration::from_secs(1),
        }
    );
    assert_eq!(settings.first_close_date, NaiveDate::from_ymd_opt(2026, 2, 1));
    assert_eq!(settings.account_shards, 4);
    assert_eq!(settings.members_see, MembersSee::Accounts);
    assert_eq!(settings.stage.as_deref(), Some("test"));
}

#[test]
fn a_value_that_cannot_be_names_its_variable_and_what_to_set() {
    assert_eq!(
        refusal("ACCOUNT_SHARDS", "0"),
        "the environment variable ACCOUNT_SHARDS holds \"0\": set it to a whole number from 1 to 256"
    );
    assert_eq!(
        refusal("BRAKE_ADOPTIONS", "0"),
        "the environment variable BRAKE_ADOPTIONS holds \"0\": set it to a whole number above 0, or off"
    );
    for (variable, value) in [
        ("BUSINESS_TZ", "Mars"),
        ("CDC_PROFILE", "{"),
        ("CONTRIBUTION_POLICY", r#"{"level_cuont": 3}"#),
        ("DECIDE_FOR_MS", "4 s"),
        ("FIRST_CLOSE_DATE", "1.2.2026"),
        ("GUARD_FACTOR", "-1"),
        ("MEMBERS_SEE", "everything"),
        ("PAGE_BYTES_MAX", "400000"),
        ("REORDER_WINDOW_MS", "1e3"),
        ("SETTLE_SECONDS", "-1"),
    ] {
        let refusal = refusal(variable, value);
        assert!(refusal.contains(variable), "{refusal}");
    }
}

#[test]
fn tables_have_names_and_queues_have_urls() {
    let none = TableNames::read(&variables(&[])).expect_err("no table has a name").to_string();
    assert_eq!(
        none,
        "the environment variable SOURCE_TABLE is not set: set it to the name of the table Source"
    );
    let names = TableNames::read(&variables(&[
        ("SOURCE_TABLE", "s"),
        ("LOG_TABLE", "l"),
        ("LEDGER_TABLE", "d"),
        ("SNAPSHOTS_TABLE", "n"),
    ]))
    .unwrap();
    assert_eq!(names.name(Table::Ledger), "d");
    assert_eq!(names.table("n"), Some(Table::Snapshots));
    assert_eq!(names.table("x"), None);
    let urls = QueueUrls::read(&variables(&[("TALENT_QUEUE_URL", "http://talent")]));
    assert_eq!(urls.url(Queue::Talent), Ok("http://talent"));
    let missing = urls.url(Queue::Closings).expect_err("it has no URL").to_string();
    assert!(missing.contains("CLOSINGS_QUEUE_URL"), "{missing}");
}
