//! The page that is being written.

use crate::heads::{Line, lines_of};
use crate::log::{Entry, Page, PageHash, Position};
use crate::{Owner, Versions};

/// The page that is being written.
#[derive(Debug, Default)]
pub(super) struct Draft {
    position: Position,
    previous: PageHash,
    time_ms: i64,
    entries: Vec<Entry>,
    bytes: usize,
    walks_begun: u32,
    is_closed: bool,
}

impl Draft {
    /// Begins a page, or gives the one that has been begun a later time.
    pub(super) fn begin(&mut self, position: Position, previous: PageHash, time_ms: i64) {
        if self.entries.is_empty() {
            *self = Self { position, previous, time_ms, ..Self::default() };
        }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        assert!(!self.is_closed, "a close is the last entry of its page");
        self.bytes += postcard::experimental::serialized_size(&entry).expect("an entry can be encoded");
        self.is_closed = matches!(entry, Entry::Close(_));
        self.entries.push(entry);
    }

    /// Returns the number of a walk that begins now.
    pub(super) fn next_walk(&mut self) -> crate::log::WalkId {
        self.walks_begun += 1;
        (self.position, self.walks_begun)
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn time_ms(&self) -> i64 {
        self.time_ms
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns what the entries so far give to accounts.
    pub(super) fn lines<'a>(&'a self, versions: &'a Versions) -> impl Iterator<Item = (Owner, Line)> + 'a {
        let entries = (0..).zip(&self.entries);
        entries.flat_map(|(index, entry)| lines_of(entry, self.position, index, self.time_ms, versions))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns whether a close ends the page.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn is_full(&self, bytes_max: usize) -> bool {
        self.bytes >= bytes_max
    }

    pub(super) fn finish(&mut self) -> Page {
        Page {
            position: self.position,
            previous: self.previous,
            time_ms: self.time_ms,
            entries: std::mem::take(&mut self.entries),
        }
    }
}
