//! Compares the source's tables with what the ledger keeps of their rows, and names every row that differs.
//!
//! The source is asked for digests of ranges of its keys, each by one statement that reads an index. The ledger's rows
//! give the same digests. Where two differ, the range's rows are looked at one by one; there the decoder decides, so
//! that the digest only has to be the same where the rows are the same, and any other value costs time and not truth.
//!
//! Both sides change meanwhile. So a row that differs is looked at again, once the ledger has read past the first
//! look. It is a [`Difference`] if the source has had it as it is all the time, and the ledger still has another. A row
//! that the source changes between all looks is [`Hot`](report::HotRow): it is named, and does not count as a
//! difference.
//!
//! Pure: [`fingerprint`], [`layout`], [`sql`], [`record`], [`ledger`] (its ranges) and [`judge`]. What asks a database
//! is an implementation of [`Source`].

mod captured;
pub mod fingerprint;
pub mod judge;
pub mod layout;
pub mod ledger;
mod looks;
pub mod record;
pub mod report;
pub mod source;
pub mod sql;
mod watch;

pub use captured::reconcile_with_capture;
pub use judge::{Difference, DifferenceKind};
pub use looks::{Ledger, Options, ReconcileError, reconcile};
pub use report::Report;
pub use source::{Bucket, Moment, Source, SourceError, SourceRow};
pub use watch::Watch;
