//! How far a comparison is, for a person who waits for it.

use std::fmt;
use std::sync::Arc;

/// Is told how many of the source's rows were compared, and of how many.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<dyn Fn(u64, u64) + Send + Sync>>);

impl Watch {
    /// Returns a watch that calls this with the rows that were compared, and all that there are.
    pub fn new(told: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Watch").field(&self.0.is_some()).finish()
    }
}

/// Counts rows for a watch.
pub(crate) struct Progress<'a> {
    watch: &'a Watch,
    done: u64,
    /// The ledger's rows: the source has as many, but for what differs.
    total: u64,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(watch: &'a Watch, total: u64) -> Self {
        Self { watch, done: 0, total }
    }

    /// Counts more rows of the source.
    pub(crate) fn add(&mut self, rows: u64) {
        self.done += rows;
        if let Some(told) = &self.watch.0 {
            told(self.done, self.total.max(self.done));
        }
    }
}
