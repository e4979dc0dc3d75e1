//! What the source is asked: a trait, which `infra/local/postgres` implements.

use store::BoxFuture;

use crate::layout::{Catalog, Layout};

/// A database that holds tables of the source. It is only read.
pub trait Source: Send + Sync {
    /// Returns what the database says of its tables of this name, in this schema or in any.
    fn catalog<'a>(
        &'a self,
        schema: Option<&'a str>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Catalog>, SourceError>>;

    /// Returns the database's time and the position of its log.
    fn moment(&self) -> BoxFuture<'_, Result<Moment, SourceError>>;

    /// Returns digests of the next ranges of keys after `after`, ascending: none at the end of the table.
    fn buckets<'a>(
        &'a self,
        layout: &'a Layout,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Bucket>, SourceError>>;

    /// Returns the fingerprint of each row after `after`, up to `through` or to the end of a page.
    fn fingerprints<'a>(
        &'a self,
        layout: &'a Layout,
        after: Option<&'a str>,
        through: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<(String, i64)>, SourceError>>;

    /// Returns the rows with these keys; those that do not exist are left out.
    fn rows<'a>(
        &'a self,
        layout: &'a Layout,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<SourceRow>, SourceError>>;

    /// Returns what the source was asked so far.
    fn load(&self) -> Load;
}

/// A range of keys: from the one before, exclusive, to its last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its last key.
    pub last: String,
    /// How many rows it has.
    pub rows: u64,
    /// The sum of their fingerprints.
    pub sum: i128,
}

/// When something was read at the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// By the database's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// The position of its log.
    pub position: u64,
}

/// A row as the source has it: each column of [`Layout::columns`] as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// Its key.
    pub key: String,
    /// Its columns, in the layout's order.
    pub values: Vec<Option<String>>,
}

/// What reading cost the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Load {
    /// Statements.
    pub statements: u64,
    /// Milliseconds in which one of them ran.
    pub busy_ms: u64,
    /// The longest of them, in milliseconds.
    pub longest_ms: u64,
    /// Bytes of the answers' values.
    pub bytes: u64,
}

/// The source could not be read, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A statement took longer than it may.
    #[error(
        "a statement on the source took longer than {limit_ms} ms and was stopped: {doing}. Try again when the source \
         has less to do, or with smaller --page-rows"
    )]
    TooSlow {
        /// What the statement was for.
        doing: String,
        /// How long it may take.
        limit_ms: u64,
    },
    /// Another session holds a lock that a statement needs.
    #[error(
        "a table of the source is locked by another session, so that it was not asked {doing}; try again later"
    )]
    Locked {
        /// What the statement was for.
        doing: String,
    },
    /// The database refused something.
    #[error("the source refused {doing}: {message}")]
    Refused {
        /// What was asked.
        doing: String,
        /// What the database said.
        message: String,
    },
    /// The connection is gone.
    #[error("the connection to the source is gone: {message}; the same command begins again")]
    Disconnected {
        /// What was seen of it.
        message: String,
    },
}
