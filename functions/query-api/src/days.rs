//! Reads which dates are closed, and what was published of each.
//!
//! Touches: `Snapshots` (reads).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use domain::log::Position;
use domain::snapshot::Manifest;
use domain::{Amount, BusinessDate, Ratio};
use serde::Serialize;
use store::snapshots;

use crate::problem::Problem;
use crate::request::Request;
use crate::view::instant;

/// What is published of a closed date as a whole: what a consumer checks before it pays.
#[derive(Debug, Serialize)]
pub(crate) struct ManifestView {
    snapshot_date: BusinessDate,
    network_total_contribution: Amount,
    user_total_contribution: Amount,
    system_total_contribution: Amount,
    rows: u64,
    /// The ratios of the rows sum to exactly this.
    sum_of_ratios: Ratio,
    /// The SHA-256 over the hashes of the rows, in the order of their ranks.
    digest: String,
    /// The root that proofs of rows lead to.
    merkle_root: String,
    /// The last page of the log that the date includes.
    cut: Position,
    policy_version: u32,
    closed_at: DateTime<Utc>,
    /// How many differences on earlier dates its close lists.
    restated: u64,
}

impl From<&Manifest> for ManifestView {
    fn from(manifest: &Manifest) -> Self {
        let totals = &manifest.totals;
        Self {
            snapshot_date: manifest.date,
            network_total_contribution: totals.network,
            user_total_contribution: totals.users,
            system_total_contribution: totals.system,
            rows: totals.rows,
            sum_of_ratios: Ratio::ONE,
            digest: manifest.digest.to_string(),
            merkle_root: manifest.root.to_string(),
            cut: manifest.cut,
            policy_version: manifest.policy_version,
            closed_at: instant(manifest.closed_at_ms),
            restated: manifest.restated,
        }
    }
}

/// Returns the manifest of a date, or the latest one.
pub(crate) async fn closed(request: &Request<'_>, date: Option<BusinessDate>) -> Result<Manifest, Problem> {
    let found = match date {
        None => snapshots::latest(request.engine()).await?,
        Some(date) => snapshots::manifest(request.engine(), date).await?,
    };
    match found {
        Some(manifest) => Ok(manifest),
        None => Err(not_closed(request, date).await?),
    }
}

/// Returns the problem that a date is not closed.
pub(crate) async fn not_closed(
    request: &Request<'_>,
    date: Option<BusinessDate>,
) -> Result<Problem, Problem> {
    let last = snapshots::latest(request.engine()).await?.map(|manifest| manifest.date);
    Ok(Problem::NotClosed { date, last })
}

/// A page of closed dates.
#[derive(Debug, Default)]
pub(crate) struct DatePage {
    /// The manifests, the latest first.
    pub(crate) manifests: Vec<Manifest>,
    /// The cursor of the next page.
    pub(crate) next_cursor: Option<String>,
}

/// The query parameters of every list by date.
pub(crate) const DATE_PARAMETERS: &[&str] = &["from", "to", "cursor", "limit"];

/// The date before which a list goes on.
struct Before(BusinessDate);

impl fmt::Display for Before {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for Before {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().map(Self).map_err(drop)
    }
}

impl DatePage {
    /// Returns the closed dates that a request asks for: those from `from` to `to`, the latest first.
    pub(crate) async fn of(request: &Request<'_>, limit_max: usize) -> Result<Self, Problem> {
        let limit = request.limit()?.min(limit_max);
        let (from, to) = (request.query::<BusinessDate>("from")?, request.query::<BusinessDate>("to")?);
        let start = request.place::<Before>()?.map(|before| before.0);
        let before = match (start, to) {
            (Some(start), Some(to)) => Some(start.min(to.next())),
            (start, to) => start.or(to.map(BusinessDate::next)),
        };
        let mut manifests = snapshots::manifests(request.engine(), before, limit + 1).await?;
        manifests.retain(|manifest| from.is_none_or(|from| manifest.date >= from));
        let more = manifests.len() > limit;
        manifests.truncate(limit);
        let last = manifests.last().map(|manifest| manifest.date);
        let next_cursor = last.filter(|_| more).map(|date| request.cursor(Before(date)));
        Ok(Self { manifests, next_cursor })
    }
}
