//! What the seam between functions and tables does besides passing calls on: it counts them, makes lists short, and
//! takes away what a mutation says.

use store::progress::Progress;
use store::{Condition, Item, Key, Page, Query, Table, Write};

use super::engine::ModelEngine;
use super::mutation::{KnownFault, Mutation, Operation, Touch, kind, without_entries};

/// How many items a page of a list has, where pages are small.
const SMALL_PAGE_ITEMS: usize = 3;
/// Partitions that are read in one call, because they never fill a page of the service.
const READ_AT_ONCE: [&str; 3] = ["MARKS", "VERSIONS", "CLOSES"];

impl ModelEngine {
    /// Counts what a function does, where that is wanted.
    pub(super) fn count_touch(&self, touch: impl FnOnce(&str) -> Touch) {
        let Some(function) = self.function() else { return };
        let mut state = self.shared.lock();
        if let Some(touches) = &mut state.seam.touches {
            *touches.entry(touch(function)).or_default() += 1;
        }
    }

    fn function(&self) -> Option<&str> {
        self.caller.as_ref().map(|caller| &*caller.function)
    }

    fn mutation(&self) -> Option<Mutation> {
        self.caller.as_ref()?;
        self.shared.lock().seam.mutation.clone()
    }

    fn has(&self, fault: KnownFault) -> bool {
        self.mutation() == Some(Mutation::Known(fault))
    }

    /// Returns the write with the condition that is left of its own.
    pub(super) fn with_what_is_left(&self, mut write: Write) -> Write {
        self.count_touch(|function| Touch::writes(function, &write));
        if let (Some(Mutation::Condition(touch)), Some(function)) = (self.mutation(), self.function())
            && touch == Touch::writes(function, &write)
        {
            write.condition = Condition::None;
        }
        write
    }

    /// Tells whether a call is tried again.
    pub(super) fn tries_again(&self, touch: impl FnOnce(&str) -> Touch) -> bool {
        let Some(function) = self.function() else { return true };
        match self.mutation() {
            Some(Mutation::Retry(without)) => touch(function) != without,
            Some(Mutation::Known(KnownFault::StallingConflict)) => touch(function).table != Table::Log,
            _ => true,
        }
    }

    /// Tells whether a read sees what was written last.
    pub(super) fn is_consistent(&self, partition: &str) -> bool {
        match self.mutation() {
            Some(Mutation::HeadsBeforeMarks(function)) if self.function() == Some(&function) => {
                !["ACCOUNT", "ADOPTION", "SUM", "CHILDREN"].contains(&kind(partition).as_str())
            }
            _ => true,
        }
    }

    /// Returns a query for a small page, where pages are small.
    pub(super) fn with_small_page(&self, mut query: Query) -> Query {
        let is_small = self.caller.is_some() && self.shared.lock().seam.has_small_pages;
        if is_small && !READ_AT_ONCE.contains(&kind(&query.partition).as_str()) {
            query.limit = query.limit.min(SMALL_PAGE_ITEMS);
        }
        query
    }

    /// Returns what a function gets to see of items that it read by their keys.
    pub(super) fn seen(&self, items: Vec<Item>) -> Vec<Item> {
        match self.mutation() {
            Some(Mutation::Entry(kind)) => {
                let is_page = |item: &Item| item.key.table == Table::Log;
                let seen = |item: Item| if is_page(&item) { without_entries(&item, &kind) } else { item };
                items.into_iter().map(seen).collect()
            }
            _ => items,
        }
    }

    /// Returns what a function gets to see of a page of a partition.
    pub(super) fn seen_page(&self, query: &Query, mut page: Page) -> Page {
        let kind = kind(&query.partition);
        if self.has(KnownFault::ShortenedList) {
            page.next = None;
        }
        if self.has(KnownFault::Barrier) && kind == "INBOX" {
            page.next = None;
        }
        if self.has(KnownFault::BlockingCloses) && kind == "INBOX" {
            let is_close = |item: &&Item| item.key.sort.starts_with("command#close-");
            if page.items.iter().filter(is_close).count() > 1 {
                page.items.retain(|item| !is_close(&item));
            }
        }
        if self.has(KnownFault::Gate) && kind == "PROGRESS" {
            page.items.iter_mut().for_each(read_past_everything);
        }
        let is_index = kind == "ACTIVATION" || kind == "EXPIRY";
        if is_index && self.function() == Some("daily-snapshot") && self.has(KnownFault::TornSnapshot) {
            page.items.pop();
        }
        page
    }

    pub(super) fn count_reads(&self, keys: &[Key], operation: Operation) {
        for key in keys {
            self.count_touch(|function| Touch::of(function, key, operation));
        }
    }
}

/// Later than anything that a history commits: 2100-01-01.
const AFTER_ALL_MS: i64 = 4_102_444_800_000;

fn read_past_everything(item: &mut Item) {
    let Ok(mut progress) = postcard::from_bytes::<Progress>(&item.body) else { return };
    progress.streamed_ms = Some(AFTER_ALL_MS);
    progress.in_snapshot = false;
    item.body = postcard::to_stdvec(&progress).expect("it was decoded from the same form");
}
