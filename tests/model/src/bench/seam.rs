//! What the seam between functions and tables does besides passing calls on: it counts them, makes lists short, and
//! takes away what a mutation says.

use domain::log::Position;
use domain::snapshot::PageRanges;
use store::progress::Progress;
use store::{Change, Condition, Item, Key, Page, Query, Table, Write};

use super::engine::ModelEngine;
use super::faults::{Fate, Once};
use super::mutation::{KnownFault, Mutation, Operation, Provoked, Touch, kind, without_entries};
use super::requests::item_of;
use super::shared::State;
use crate::world::{Fault, LambdaRequest, Request};

/// How many items a page of a list has, where pages are small.
const SMALL_PAGE_ITEMS: usize = 3;
/// How often an environment stands still in a history of a mutation run, in how many of a million writes, and for how
/// long: for as long as another invocation takes, for as long as what another one sets off, or longer than any
/// function may run but those that may take minutes, and than what its next schedule mends.
const STANDS_STILL_MAX: u32 = 4;
const STANDS_STILL_PER_MILLION: u32 = 250_000;
const STANDS_STILL_MS: [[u64; 2]; 3] = [[1, 500], [1, 6_000], [30_000, 120_000]];
/// What a schedule or an operator calls. While one of these stands still, it is called again.
const CALLED_AGAIN: [&str; 6] = [
    "contribution-expiry",
    "daily-snapshot",
    "ledger-audit",
    "ledger-stream",
    "talent-propagation",
    "webhook-delivery",
];
/// How long before the end of a standstill the last of these calls is made, at most.
const CALLED_BEFORE_END_MS: u64 = 500;
/// How often another invocation of the function is killed meanwhile, and within how long after it was called.
const KILLED_MEANWHILE_PER_MILLION: u32 = 400_000;
const KILLED_WITHIN_MS: u64 = 2_000;
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
        self.count_fence(&write);
        let (Some(mutation), Some(function)) = (self.mutation(), self.function()) else { return write };
        match mutation {
            Mutation::Condition(touch) if touch == Touch::writes(function, &write) => {
                write.condition = Condition::None;
            }
            Mutation::Fence(touch) if touch == Touch::writes(function, &write) => {
                let before = fenced(&self.shared.lock(), &write);
                if let (Some(before), Change::Put(item)) = (before, &mut write.change) {
                    item.revision = before;
                }
            }
            _ => {}
        }
        write
    }

    fn count_fence(&self, write: &Write) {
        let Some(function) = self.function() else { return };
        let mut state = self.shared.lock();
        if state.seam.touches.is_some() && fenced(&state, write).is_some() {
            *state.seam.fences.entry(Touch::writes(function, write)).or_default() += 1;
        }
    }

    /// Returns whether a call is tried again.
    pub(super) fn tries_again(&self, touch: impl FnOnce(&str) -> Touch) -> bool {
        let Some(function) = self.function() else { return true };
        match self.mutation() {
            Some(Mutation::Retry(without)) => touch(function) != without,
            Some(Mutation::Known(KnownFault::StallingConflict)) => touch(function).table != Table::Log,
            _ => true,
        }
    }

    /// Returns whether the first attempt of a call fails.
    pub(super) fn fails_first(&self, touch: impl FnOnce(&str) -> Touch) -> bool {
        let Some(function) = self.function() else { return false };
        match &self.shared.lock().seam.provoked {
            Some(Provoked::FailsFirst(fails)) => touch(function) == *fails,
            _ => false,
        }
    }

    /// Has the environment stand still before some of the writes that a mutation run wants late.
    pub(super) async fn stand_still_by_chance(&self, writes: &[Write]) {
        let Some(caller) = &self.caller else { return };
        let (for_ms, again_ms, last_ms) = {
            let mut state = self.shared.lock();
            let Some(Provoked::StandsStill(late)) = &state.seam.provoked else { return };
            if !writes.iter().any(|write| Touch::writes(&caller.function, write) == *late) {
                return;
            }
            if state.seam.stood_still == STANDS_STILL_MAX || !state.random.happens(STANDS_STILL_PER_MILLION) {
                return;
            }
            state.seam.stood_still += 1;
            let [shortest_ms, longest_ms] =
                STANDS_STILL_MS[usize::try_from(state.random.below(3)).expect("below 3")];
            let for_ms = state.random.between(shortest_ms, longest_ms);
            let last_ms = state.random.between(0, CALLED_BEFORE_END_MS.min(for_ms));
            let again_ms = state.random.between(0, for_ms - last_ms);
            if state.random.happens(KILLED_MEANWHILE_PER_MILLION) {
                let from_ms = state.world.now_ms() + again_ms + state.random.below(KILLED_WITHIN_MS);
                let function = caller.function.to_string();
                state.faults.meets(Once { function, from_ms, fate: Fate::KilledAfter });
            }
            (for_ms, again_ms, last_ms)
        };
        if !CALLED_AGAIN.contains(&&*caller.function) {
            self.shared.stand_still(caller.invocation, for_ms).await;
            return;
        }
        for wait_ms in [again_ms, for_ms - again_ms - last_ms] {
            self.shared.stand_still(caller.invocation, wait_ms).await;
            let (function, payload) = (caller.function.to_string(), SCHEDULED.to_owned());
            let call = Request::Lambda(LambdaRequest::InvokeAsynchronously { function, payload });
            self.shared.lock().world.send(call, Fault::None);
        }
        self.shared.stand_still(caller.invocation, last_ms).await;
    }

    /// Returns whether a read sees what was written last.
    pub(super) fn is_consistent(&self, partition: &str) -> bool {
        match self.mutation() {
            Some(Mutation::Reads(order)) if self.function() == Some(order.function) => {
                !order.then.contains(&kind(partition).as_str())
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

/// What a schedule calls with, as far as functions look at it.
const SCHEDULED: &str = r#"{"repair":false}"#;

/// Returns the revision of what stands where this is written, if the write changes nothing but that revision.
fn fenced(state: &State, write: &Write) -> Option<u64> {
    let (Change::Put(item), Condition::Revision(before)) = (&write.change, write.condition) else {
        return None;
    };
    let table = state.world.database.tables().get(item.key.table.logical_name())?;
    let key = crate::table::Key {
        partition: item.key.partition.as_str().into(),
        sort: item.key.sort.as_str().into(),
    };
    let present = item_of(item.key.table, table.look(&key)?);
    (present.body == item.body && present.revision == before).then_some(before)
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
