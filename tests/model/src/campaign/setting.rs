//! What a seed decides about a history besides its source: policy, parameters and dates.

use std::time::Duration;

use cdc::Profile as CaptureProfile;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::Versions;
use domain::proof::Secret;
use runtime::{DecisionSettings, Settings};

use crate::clock::Millis;

/// What a seed decides about a history besides its source.
pub(super) struct Setting {
    pub(super) settings: Settings,
    pub(super) versions: Versions,
    pub(super) epoch: DateTime<Utc>,
    /// The business date at the end.
    pub(super) today: NaiveDate,
    /// The date around which orders are dated.
    pub(super) dated_around: NaiveDate,
    /// Whether contributions end between the history's closes.
    pub(super) ends_terms: bool,
}

impl Setting {
    /// Returns what a seed decides.
    pub(super) fn of(seed: u64) -> Self {
        let epoch: DateTime<Utc> = EPOCH.parse().expect("a time");
        let began_on = NaiveDate::from_ymd_opt(2026, 12, 1).expect("a date");
        let today = began_on + Days::new(1);
        // Every other history ends contributions between its closes, where a term is one year.
        let ends_terms = seed % 2 == 1;
        // Half of them have a table of talent levels that a dozen accounts reach, until a version has the usual one
        // again.
        let policy_json = match (ends_terms, seed / 3 % 2 == 1) {
            (true, true) => format!(r#"{{"term_years":1,"talent":{FEW_ACCOUNTS_REACH}}}"#),
            (true, false) => r#"{"term_years":1}"#.to_owned(),
            (false, true) => format!(r#"{{"talent":{FEW_ACCOUNTS_REACH}}}"#),
            (false, false) => "{}".to_owned(),
        };
        let dated_around = if ends_terms { began_on - Days::new(365) } else { began_on };
        let page_bytes_max = [300, 700, 1_500, 16_384][usize::try_from(seed / 2 % 4).expect("below 4")];
        let settle = Duration::from_secs(if seed.is_multiple_of(3) { 2 } else { 0 });
        let decisions = DecisionSettings {
            settle,
            brake_adoptions: None,
            guard_factor: None,
            reorder_window: Duration::from_millis(200),
            page_bytes_max,
            pages_ahead_max: [2, 8, 1_024][usize::try_from(seed / 4 % 3).expect("below 3")],
            ..DecisionSettings::default()
        };
        let settings = Settings {
            policy: serde_json::from_str(&policy_json).expect("a policy"),
            policy_json: policy_json.clone(),
            profile: CaptureProfile::from_json(CAPTURE).expect("a profile"),
            decisions,
            first_close_date: Some(began_on - Days::new(1)),
            webhook_secret: Some(Secret::new(SECRET)),
            account_shards: 1 + u32::try_from(seed / 5 % 4).expect("below 4"),
            ..Settings::default()
        };
        let versions = Versions::starting(&policy_json).expect("a policy");
        Self { settings, versions, epoch, today, dated_around, ends_terms }
    }
}

/// What the secrets of subscriptions follow from.
const SECRET: &str = "the secret of a history";
/// The topics of the invented source.
const CAPTURE: &str = r#"{ "name": "invented", "tables": {
    "dbserver1.rwa_identity.users": { "holds": "users" },
    "dbserver1.rwa_referral.referral_relations": { "holds": "referrals" },
    "dbserver1.rwa_planting.planting_orders": { "holds": "adoptions" }
} }"#;
/// When that midnight is.
pub(super) const MIDNIGHT_MS: Millis = 8_000;
/// A history begins a few seconds before midnight of the business time zone.
const EPOCH: &str = "2026-12-01T15:59:52Z";
/// Levels that few accounts reach, one of them by the levels of others.
const FEW_ACCOUNTS_REACH: &str = r#"{"rows":[
    {"direct_count":1,"promotion_count":1},
    {"direct_count":2,"promotion_count":3,"direct_at_level":{"level":1,"count":1}},
    {"direct_count":2,"promotion_count":6}
]}"#;
