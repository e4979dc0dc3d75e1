//! What the seam between functions and tables does besides passing calls on: it counts them, makes lists short, and
//! takes away what a mutation says.

use domain::log::Position;
use domain::snapshot::PageRanges;
use store::progress::Progress;
use store::{Condition, Item, Key, Page, Query, Table, Write};

use super::engine::ModelEngine;
use super::mutation::{
    KnownFault, Mutation, Operation, Provoked, READ_AFTER_MARKS, Touch, kind, without_entries,
};

/// How many items a page of a list has, where pages are small.
const SMALL_PAGE_ITEMS: usize = 3;
/// How often an environment stands still in a history of a mutation run, in how many of a million writes, and for how
/// long at most: longer than any function may run but those that may take minutes.
const STANDS_STILL_MAX: u32 = 4;
const STANDS_STILL_PER_MILLION: u32 = 250_000;
const STANDS_STILL_MS_MAX: u64 = 80_000;
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

    /// Tells whether the first attempt of a call fails.
    pub(super) fn fails_first(&self, touch: impl FnOnce(&str) -> Touch) -> bool {
        let Some(function) = self.function() else { return false };
        match &self.shared.lock().seam.provoked {
            Some(Provoked::FailsFirst(fails)) => touch(function) == *fails,
            _ => false,
        }
    }

    /// Has the environment stand still before some of the writes that a mutation run wants late.
    pub(super) async fn may_stand_still(&self, writes: &[Write]) {
        let Some(caller) = &self.caller else { return };
        let for_ms = {
            let mut state = self.shared.lock();
            let Some(Provoked::StandsStill(late)) = &state.seam.provoked else { return };
            if !writes.iter().any(|write| Touch::writes(&caller.function, write) == *late) {
                return;
            }
            if state.seam.stood_still == STANDS_STILL_MAX || !state.random.happens(STANDS_STILL_PER_MILLION) {
                return;
            }
            state.seam.stood_still += 1;
            state.random.between(1, STANDS_STILL_MS_MAX)
        };
        self.shared.stand_still(caller.invocation, for_ms).await;
    }

    /// Tells whether a read sees what was written last.
    pub(super) fn is_consistent(&self, partition: &str) -> bool {
        match self.mutation() {
            Some(Mutation::HeadsBeforeMarks(function)) if self.function() == Some(&function) => {
                !READ_AFTER_MARKS.contains(&kind(partition).as_str())
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
            Some(Mutation::Known(KnownFault::TornSnapshot)) if self.function() == Some("daily-snapshot") => {
                items.into_iter().map(without_latest_page).collect()
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
        page
    }

    pub(super) fn count_reads(&self, keys: &[Key], operation: Operation) {
        for key in keys {
            self.count_touch(|function| Touch::of(function, key, operation));
        }
    }
}

/// Returns an index of a date without the latest page that it names, as it was before that was indexed.
fn without_latest_page(mut item: Item) -> Item {
    if !["ACTIVATION", "EXPIRY"].contains(&kind(&item.key.partition).as_str()) {
        return item;
    }
    // A head is stored as the number of its chunks and its pages.
    let Ok((chunks, pages)) = postcard::from_bytes::<(u32, PageRanges)>(&item.body) else { return item };
    let mut positions: Vec<Position> = pages.positions().collect();
    positions.pop();
    let mut less = PageRanges::default();
    for position in positions {
        less.push(position);
    }
    item.body = postcard::to_stdvec(&(chunks, less)).expect("it was decoded from the same form");
    item
}

/// Later than anything that a history commits: 2100-01-01.
const AFTER_ALL_MS: i64 = 4_102_444_800_000;

fn read_past_everything(item: &mut Item) {
    let Ok(mut progress) = postcard::from_bytes::<Progress>(&item.body) else { return };
    progress.streamed_ms = Some(AFTER_ALL_MS);
    progress.in_snapshot = false;
    item.body = postcard::to_stdvec(&progress).expect("it was decoded from the same form");
}
