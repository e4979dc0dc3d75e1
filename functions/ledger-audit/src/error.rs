//! Why an audit or a rebuild could not be made, and what to do.

use domain::InvalidVersion;
use domain::log::Position;
use store::StoreError;

/// The heads are behind the log by at most so many pages, because the decider waits for them.
pub(crate) const PAGES_BEHIND_MAX: Position = 1_024;

/// Why an audit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Storage failed. Audit again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log introduces a version that cannot be introduced.
    #[error(transparent)]
    Version(#[from] InvalidVersion),
    /// The log has no business date.
    #[error("the time of page {position} is on no business date")]
    NoDate {
        /// Which page.
        position: Position,
    },
    /// A page of the log is missing that the marks include.
    #[error("page {position} of the log is missing")]
    MissingPage {
        /// Which page.
        position: Position,
    },
    /// A page does not carry the hash of the page before it.
    #[error(
        "page {position} of the log does not follow the page before it: the log was changed; restore it from a backup"
    )]
    BrokenChain {
        /// Which page.
        position: Position,
    },
    /// What follows from the log is not there.
    #[error(
        "the heads include page {position}, and the log goes on for more than {PAGES_BEHIND_MAX} pages: \
         have ledger-stream catch up, and audit again"
    )]
    FarBehind {
        /// The last page that all heads include.
        position: Position,
    },
    /// Heads that were to be rebuilt were changed again and again meanwhile.
    #[error("{count} heads changed whenever they were rebuilt; audit again when less is going on")]
    HeadsMove {
        /// How many heads.
        count: usize,
    },
    /// Talent was being propagated while it was to be rebuilt.
    #[error("talent is being propagated; audit again when less is going on")]
    TalentMoves,
    /// Another audit goes on at the same time.
    #[error("another audit goes on at the same time; this one ends")]
    Another,
}
