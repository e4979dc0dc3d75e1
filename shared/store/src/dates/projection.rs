//! Reads the pages of `Log` after its mark, and writes the indexes of dates and the mark to `Ledger`.

use std::collections::BTreeMap;

use domain::Versions;
use domain::log::{Entry, Page, Position};
use domain::snapshot::turns_of;

use super::{DateClose, IndexHead, IndexName, chunk_key, head_key, heads, put_close, put_version, versions};
use crate::codec::encode;
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Write, Written};
use crate::marks::{self, Projection};

/// How many pages are projected together.
const PAGES_PER_RUN: u32 = 100;
/// So many are looked for first: mostly few are new, and looking for a page that is not there costs a read, too.
const PAGES_FIRST: u32 = 8;
/// A chunk of an index has so many ranges, some five kilobytes: what a head costs to write stays small.
const CHUNK_RANGES: usize = 1_000;

/// How far the indexes of dates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projected {
    /// The last page that they include.
    pub position: Position,
    /// How many pages were projected.
    pub pages: u64,
    /// Whether nothing follows in the log.
    pub is_at_end: bool,
    /// Whether a date was closed in one of the pages.
    pub has_closed: bool,
}

/// Takes the next pages of the log into the indexes of dates; `first` has version 1 of the rules.
///
/// Repeating it changes nothing, and several at once do no harm: a head takes a page only if it stands before it,
/// and one that loses a head to another goes on from the mark the next time it is called.
pub fn project(engine: &dyn Engine, first: Versions) -> BoxFuture<'_, Result<Projected, StoreError>> {
    Box::pin(async move {
        let mark = marks::read(engine).await?.of(&Projection::Dates);
        let mut pages = crate::log::read_after(engine, mark, PAGES_FIRST).await?;
        if pages.len() == PAGES_FIRST as usize {
            let further = mark + u64::from(PAGES_FIRST);
            pages.extend(crate::log::read_after(engine, further, PAGES_PER_RUN - PAGES_FIRST).await?);
        }
        let Some(last) = pages.last().map(|page| page.position) else {
            return Ok(Projected { position: mark, pages: 0, is_at_end: true, has_closed: false });
        };
        let mut known = versions(engine, first).await?.all();
        let run = Run::over(&pages, &mut known);
        let has_closed = run.has_closed;
        if !run.write(engine).await? {
            return Ok(Projected { position: mark, pages: 0, is_at_end: false, has_closed: false });
        }
        marks::advance(engine, vec![Projection::Dates], last).await?;
        let count = pages.len() as u64;
        let is_at_end = count < u64::from(PAGES_PER_RUN);
        Ok(Projected { position: last, pages: count, is_at_end, has_closed })
    })
}

/// What some pages say of dates.
#[derive(Debug, Default)]
struct Run {
    /// The pages that concern a date, in order.
    turns: BTreeMap<IndexName, Vec<Position>>,
    /// Closes and versions: written once, and never other than they are.
    facts: Vec<Write>,
    has_closed: bool,
}

impl Run {
    fn over(pages: &[Page], versions: &mut Versions) -> Self {
        let mut run = Self::default();
        for page in pages {
            for entry in &page.entries {
                match entry {
                    Entry::VersionIntroduced(terms) => {
                        if versions.numbered(terms.number).is_none() {
                            let introduced = versions.introduce((**terms).clone());
                            introduced.expect("the log introduces versions in their order");
                        }
                        run.facts.push(put_version(terms, page.position));
                    }
                    Entry::Close(terms) => {
                        let (date, position, time_ms) = (terms.date, page.position, page.time_ms);
                        run.facts.push(put_close(&DateClose { date, position, time_ms }));
                        run.has_closed = true;
                    }
                    _ => {}
                }
                for name in turns_of(entry, versions) {
                    let positions = run.turns.entry(name).or_default();
                    if positions.last() != Some(&page.position) {
                        positions.push(page.position);
                    }
                }
            }
        }
        run
    }

    /// Writes everything. Returns whether no head was lost to another run.
    ///
    /// Chunks, closes and versions go first, because every run writes the same; then the heads.
    async fn write(self, engine: &dyn Engine) -> Result<bool, StoreError> {
        let heads = heads(engine, self.turns.keys().copied().collect()).await?;
        let mut chunks = Vec::new();
        let mut head_writes = Vec::new();
        for (name, positions) in self.turns {
            let (mut head, before) = heads[&name].clone();
            let new = positions.into_iter().filter(|position| *position > before);
            let Some(last) = new.inspect(|position| head.pages.push(*position)).last() else { continue };
            while head.pages.ranges() > CHUNK_RANGES {
                let chunk = head.pages.take_ranges(CHUNK_RANGES);
                let item = Item::new(chunk_key(name, head.chunks), 1, encode(&chunk));
                chunks.push(Write::put(item, Condition::None));
                head.chunks += 1;
            }
            head_writes.push(put_head(name, &head, last, before));
        }
        for written in engine.write_many([self.facts, chunks].concat()).await {
            let _ = written?;
        }
        let mut all_done = true;
        for written in engine.write_many(head_writes).await {
            all_done &= written? == Written::Done;
        }
        Ok(all_done)
    }
}

fn put_head(name: IndexName, head: &IndexHead, position: Position, before: Position) -> Write {
    let condition = if before == 0 { Condition::Absent } else { Condition::Revision(before) };
    Write::put(Item::new(head_key(name), position, encode(head)), condition)
}
