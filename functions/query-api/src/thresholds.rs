//! The numbers of `infra/thresholds.json`, compiled in: from when on something is a problem. The
//! template's alarms have the same numbers.

use std::sync::LazyLock;

use serde::Deserialize;

/// From when on something is a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// A partition of the source is not known to be read through so long.
    pub source_lag_seconds: i64,
    /// A date is not closed so long after it began.
    pub close_overdue_minutes: i64,
    /// The projections are behind the log by so many pages.
    pub projections_behind_pages: u64,
    /// A kind of work is stopped by hand for so long.
    pub pause_minutes: i64,
    /// A correction goes on for so long.
    pub correction_minutes: i64,
}

impl Thresholds {
    /// Returns the numbers of `infra/thresholds.json`.
    #[must_use]
    pub fn get() -> Self {
        static THRESHOLDS: LazyLock<Thresholds> = LazyLock::new(|| {
            serde_json::from_str(include_str!("../../../infra/thresholds.json"))
                .expect("the file in the repository has every number")
        });
        *THRESHOLDS
    }
}
