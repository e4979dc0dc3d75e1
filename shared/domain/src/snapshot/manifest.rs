//! What is published of a date as a whole.

use serde::{Deserialize, Serialize};

use super::changes::{PreviousClose, Window};
use super::rows::Totals;
use crate::log::{PageHash, Position};
use crate::{BusinessDate, VersionNumber};

/// What is published of a closed date as a whole. A consumer checks the rows against it before it pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The date.
    pub date: BusinessDate,
    /// The first date of all that was closed.
    pub first_date: BusinessDate,
    /// The page whose last entry closed the date.
    pub closed_at: Position,
    /// The last page that the date includes: `closed_at`, or a later one where HEADQUARTERS' row was below zero.
    pub cut: Position,
    /// The time of the page that closed the date, in milliseconds since 1970.
    pub closed_at_ms: i64,
    /// The version of the rules that judges adoptions of the date.
    pub policy_version: VersionNumber,
    /// The sums of the rows. The ratios sum to exactly one.
    pub totals: Totals,
    /// The digest of the rows ([`RowsDigest`](super::RowsDigest)).
    pub digest: PageHash,
    /// The root that proofs of rows lead to.
    pub root: PageHash,
    /// Which secret the salts of the proofs are made with.
    pub secret_id: String,
    /// How many accounts are carried over to the next date.
    pub accounts: u64,
    /// How many differences on earlier dates are listed.
    pub restated: u64,
    /// The latest date on which any row changed: its ranked rows are those of this date.
    pub ranked_on: BusinessDate,
}

impl Manifest {
    /// Returns what the next date goes on from.
    #[must_use]
    pub fn as_previous(&self) -> PreviousClose {
        PreviousClose { first_date: self.first_date, date: self.date, cut: self.cut }
    }

    /// Returns what the close of the date after this one takes, if it was decided by the page `closed_at`.
    #[must_use]
    pub fn next_window(&self, closed_at: Position) -> Window {
        Window { date: self.date.next(), cut: closed_at.max(self.cut), previous: Some(self.as_previous()) }
    }
}
