//! Reads events from the pages of `Log`, the marks in `Ledger` and the manifests in `Snapshots`. Writes
//! nothing.
//!
//! An event is given once the ledger can answer for everything that it tells: once all heads include its
//! page and, where it closes a date, once the snapshot of that date is published. A reader who acts on an
//! event and asks the ledger is never told less.

use std::collections::BTreeSet;

use domain::events::{Event, events_of};
use domain::log::{Entry, EventPlace, EventType, Page, Position};
use domain::{BusinessDate, Versions};

use crate::engine::{Answer, Engine, StoreError};
use crate::{log, marks, snapshots};

/// How many pages of the log are read at once, at most. The first call reads one, and each that finds too little has
/// the next read twice as many: a page may have more events than are wanted, and what is read is paid for.
const PAGES_AT_ONCE_MAX: u64 = 16;
/// How many pages one call reads at most, where few of their entries tell what is wanted.
const PAGES_MAX: u64 = 128;

/// Which events are wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// After this place.
    pub after: EventPlace,
    /// Up to this place, if that is before the last event there is.
    pub until: Option<EventPlace>,
    /// Of these kinds; of all where it is empty.
    pub types: BTreeSet<EventType>,
    /// At most so many.
    pub limit: usize,
}

/// Some events, in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// After which place to go on.
    pub next: EventPlace,
    /// Whether these are all there are at present.
    pub is_last: bool,
}

/// Returns the last page whose events may be given, as far as heads are concerned.
pub fn last_page(engine: &dyn Engine, shards: u32) -> Answer<'_, Position> {
    Box::pin(async move { Ok(marks::read(engine).await?.heads(shards)) })
}

/// Returns the events that are wanted, of the pages up to `last`, which all heads include.
///
/// The versions include those that the postings up to there name.
pub fn read<'a>(
    engine: &'a dyn Engine,
    versions: &'a Versions,
    wanted: Wanted,
    last: Position,
) -> Answer<'a, EventPage> {
    Box::pin(async move {
        let mut found = Found { next: wanted.after, wanted, versions, events: Vec::new() };
        let last = found.wanted.until.map_or(last, |until| last.min(until.position()));
        let end = found.next.next_page().saturating_add(PAGES_MAX);
        let mut at_once = 1;
        loop {
            if found.is_at_end() {
                return Ok(found.into_page(true));
            }
            let from = found.next.next_page();
            let to = last.min(from.saturating_add(at_once - 1)).min(end - 1);
            if from > to {
                return Ok(found.into_page(from > last));
            }
            let pages = log::read_at(engine, (from..=to).collect()).await?;
            if pages.len() as u64 != to - from + 1 {
                return Err(log::missing(from + pages.len() as u64));
            }
            at_once = (at_once * 2).min(PAGES_AT_ONCE_MAX);
            for page in &pages {
                if !closes_are_published(engine, page).await? {
                    return Ok(found.into_page(true));
                }
                if found.take(page) {
                    return Ok(found.into_page(false));
                }
            }
        }
    })
}

struct Found<'a> {
    wanted: Wanted,
    versions: &'a Versions,
    events: Vec<Event>,
    next: EventPlace,
}

impl Found<'_> {
    /// Takes what is wanted of a page. Returns whether more was wanted than may be taken, or the last place is reached.
    fn take(&mut self, page: &Page) -> bool {
        for event in events_of(page, self.versions).skip_while(|event| event.id <= self.wanted.after) {
            if self.wanted.until.is_some_and(|until| event.id > until) {
                break;
            }
            if self.wanted.types.is_empty() || self.wanted.types.contains(&event.kind) {
                if self.events.len() == self.wanted.limit {
                    return true;
                }
                self.next = event.id;
                self.events.push(event);
            }
        }
        let end = EventPlace::after_page(page.position);
        self.next = self.wanted.until.map_or(end, |until| end.min(until));
        false
    }

    fn is_at_end(&self) -> bool {
        self.wanted.until.is_some_and(|until| self.next >= until)
    }

    fn into_page(self, is_last: bool) -> EventPage {
        EventPage { events: self.events, next: self.next, is_last }
    }
}

/// Returns whether the snapshot of every date that this page closes is published.
async fn closes_are_published(engine: &dyn Engine, page: &Page) -> Result<bool, StoreError> {
    let closed = page.entries.iter().filter_map(|entry| match entry {
        Entry::Close(terms) => Some(terms.date),
        _ => None,
    });
    let dates: Vec<BusinessDate> = closed.collect();
    for date in dates {
        if snapshots::manifest(engine, date).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
