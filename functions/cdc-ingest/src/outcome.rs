//! What became of a record.

use ledger::store::{Counts, StoreError};

/// What became of a record.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// It changed what is stored, or confirmed it with a newer version.
    Applied,
    /// It is what is stored already, or older.
    Duplicated,
    /// It carries no row.
    Control,
    /// It breaks a rule.
    Refused {
        /// The reason's stable code.
        reason: String,
        /// What was wrong, and what to do about it.
        message: String,
    },
    /// Storage failed, so it must be delivered again.
    Failed(StoreError),
}

impl Outcome {
    /// A refusal with its reason.
    pub(crate) fn refused(reason: &str, message: impl Into<String>) -> Self {
        Self::Refused { reason: reason.to_owned(), message: message.into() }
    }

    /// A row that others kept changing while it was to be written.
    pub(crate) fn contended() -> Self {
        Self::Failed(StoreError::Unavailable { message: "others kept changing the row".to_owned() })
    }

    /// This record as counts.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        match self {
            Self::Applied => counts.applied = 1,
            Self::Duplicated => counts.duplicated = 1,
            Self::Control => counts.control = 1,
            Self::Refused { .. } => counts.quarantined = 1,
            Self::Failed(_) => {}
        }
        counts
    }
}
