//! Where a change stands in a snapshot.

/// Where a change stands in the connector's snapshot, if it is part of one.
///
/// Rows of a snapshot come in no useful order, so what depends on order waits for its end. Only a streamed
/// change proves that the source was read up to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum SnapshotPhase {
    /// In no snapshot: a change that was streamed from the log.
    Streaming,
    /// In an initial or blocking snapshot, with more to come.
    Reading,
    /// The last row of its table in an initial or blocking snapshot.
    LastOfCollection,
    /// The last row of an initial or blocking snapshot.
    Last,
    /// In an incremental snapshot, which runs while the log is streamed. Nothing marks its last row.
    Incremental,
    /// A flattened message with neither `__op` nor `__source_snapshot`: it could be any of these.
    #[default]
    Unknown,
}

impl SnapshotPhase {
    /// Returns whether the change is part of a snapshot that has an end.
    #[must_use]
    pub fn is_reading(self) -> bool {
        matches!(self, Self::Reading | Self::LastOfCollection | Self::Last)
    }
}
