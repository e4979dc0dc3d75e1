//! The stream of a table's changes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::key::Key;
use super::stored::Stored;
use crate::clock::Millis;

/// How long a record stays in the stream.
pub const RETENTION_MS: Millis = 24 * 60 * 60 * 1_000;

/// Which images of an item a record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewType {
    /// Only the key.
    KeysOnly,
    /// The item after the change.
    NewImage,
    /// The item before the change.
    OldImage,
    /// The item before and after the change.
    NewAndOldImages,
}

/// What happened to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there before.
    Insert,
    /// It was there and is another one now.
    Modify,
    /// It is no longer there.
    Remove,
}

impl ChangeKind {
    /// Returns the name that a record carries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Modify => "MODIFY",
            Self::Remove => "REMOVE",
        }
    }
}

/// One change of one item.
#[derive(Clone, Debug)]
pub struct StreamRecord {
    /// The position in the stream, from 0.
    pub sequence: u64,
    /// When the change took effect.
    pub at_ms: Millis,
    /// What happened.
    pub kind: ChangeKind,
    /// Whose item it is.
    pub key: Key,
    /// The key in the form `partition/sort`.
    pub key_text: String,
    /// The item before, where there was one.
    pub before: Option<Arc<Stored>>,
    /// The item after, where there is one.
    pub after: Option<Arc<Stored>>,
}

/// All changes of a table, in order.
#[derive(Debug)]
pub struct Stream {
    /// Which images the records show.
    pub view: ViewType,
    first: u64,
    records: VecDeque<StreamRecord>,
}

impl Stream {
    /// Returns an empty stream.
    #[must_use]
    pub fn new(view: ViewType) -> Self {
        Self { view, first: 0, records: VecDeque::new() }
    }

    /// Appends a change.
    pub fn push(
        &mut self,
        at_ms: Millis,
        key: Key,
        key_text: String,
        before: Option<Arc<Stored>>,
        after: Option<Arc<Stored>>,
    ) {
        let kind = match (&before, &after) {
            (None, _) => ChangeKind::Insert,
            (Some(_), Some(_)) => ChangeKind::Modify,
            (Some(_), None) => ChangeKind::Remove,
        };
        let sequence = self.end();
        self.records.push_back(StreamRecord { sequence, at_ms, kind, key, key_text, before, after });
    }

    /// Returns the position that the next change gets.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// Forgets what is too old, and returns what is left from a position on.
    pub fn read_from(&mut self, now_ms: Millis, position: u64) -> impl Iterator<Item = &StreamRecord> {
        while self.records.front().is_some_and(|record| record.at_ms + RETENTION_MS < now_ms) {
            self.records.pop_front();
            self.first += 1;
        }
        let skipped =
            usize::try_from(position.saturating_sub(self.first)).expect("a stream fits into memory");
        self.records.iter().skip(skipped)
    }
}
