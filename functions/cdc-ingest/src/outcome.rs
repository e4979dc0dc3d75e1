//! What became of a record.

use cdc::{Change, Fold, Folded, OlderCause, Profile};
use store::progress::Counts;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It changed its row.
    Applied,
    /// It changed its row, an order, which is booked without the region that it names.
    WithoutRegion {
        /// Which column, and what is wrong with it.
        message: String,
    },
    /// It was known already.
    Duplicate,
    /// Another version of its row is newer.
    Older {
        /// What shows that it is older.
        cause: OlderCause,
        /// Whether it was delivered later nevertheless.
        delivered_later: bool,
    },
    /// Says something else than another version, and no message shows which is newer.
    Ambiguous,
    /// It carries no row.
    Control,
    /// It is in quarantine.
    Refused {
        /// Why, as a stable code.
        code: &'static str,
        /// Why, in words.
        message: String,
    },
    /// Storage failed; it will be delivered again.
    Failed(String),
}

impl From<Folded> for Outcome {
    fn from(folded: Folded) -> Self {
        match folded {
            Folded::Applied | Folded::DeletionOfUnknownRow => Self::Applied,
            Folded::Duplicate => Self::Duplicate,
            Folded::Older { cause, delivered_later } => Self::Older { cause, delivered_later },
            Folded::Ambiguous => Self::Ambiguous,
            Folded::TombstoneAfterDelete => Self::Control,
        }
    }
}

impl Outcome {
    /// Returns what became of a change that was folded into its row.
    pub(crate) fn of(fold: &Fold, change: &Change, profile: &Profile) -> Self {
        let outcome = Self::from(fold.folded);
        match fold.state.unusable(change, profile) {
            Some(refusal) if outcome.says_how_the_row_stands() => {
                Self::Refused { code: refusal.code(), message: refusal.to_string() }
            }
            _ if outcome == Self::Applied => match fold.state.dropped_region(change, profile) {
                Some(message) => Self::WithoutRegion { message },
                None => outcome,
            },
            _ => outcome,
        }
    }

    pub(crate) fn is_older_and_later(&self) -> bool {
        matches!(self, Self::Older { delivered_later: true, .. })
    }

    fn says_how_the_row_stands(&self) -> bool {
        matches!(self, Self::Applied | Self::Duplicate | Self::Ambiguous)
    }

    /// Returns what the outcome adds to the counts of its partition.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        match self {
            Self::Applied | Self::WithoutRegion { .. } => counts.applied = 1,
            Self::Duplicate => counts.duplicated = 1,
            Self::Older { .. } => counts.older = 1,
            Self::Ambiguous => counts.ambiguous = 1,
            Self::Control => counts.control = 1,
            Self::Refused { .. } => counts.quarantined = 1,
            Self::Failed(_) => {}
        }
        counts
    }
}
