//! Goes on from the marks of the shards, run of pages by run of pages.
//!
//! Touches: `Log` (reads), `Ledger` (reads, writes marks), the clock.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Versions;
use domain::heads::Closes;
use domain::log::{Entry, Page, Position};
use runtime::Context;
use store::marks::{self, Marks, Projection};
use store::{Engine, Shard, StoreError};

use crate::run::Run;

/// How many pages are read and projected together.
const PAGES_PER_RUN: u32 = 32;
/// A run is begun only while more than this is left of the invocation, in milliseconds.
const RUN_TAKES_MS: i64 = 500;

/// Projects the log.
#[derive(Debug)]
pub struct Projector {
    shards: u32,
    known: Mutex<Known>,
}

/// What this environment knows of the log as a whole.
#[derive(Debug)]
struct Known {
    versions: Versions,
    closes: Closes,
    /// The last page whose versions and closes are among them.
    through: Position,
}

/// What was projected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Projected {
    /// Pages, each counted once for the shards that went through it together.
    pub pages: u64,
    /// Heads of accounts that were written.
    pub accounts: u64,
    /// Whether a date was closed in one of the pages.
    pub has_closed: bool,
    /// Whether an account hangs elsewhere, or a version of the rules was introduced, in one of the pages.
    pub concerns_talent: bool,
    /// Whether pages are left for which the time of the invocation was too short.
    pub has_more: bool,
}

impl Projector {
    /// Returns a projector of `shards` shards; `versions` holds version 1 of the rules.
    #[must_use]
    pub fn new(shards: u32, versions: Versions) -> Self {
        Self { shards, known: Mutex::new(Known { versions, closes: Closes::default(), through: 0 }) }
    }

    /// Projects the log up to its end, or as far as the time of the invocation goes.
    ///
    /// The shards that are furthest behind go first. Shards with the same mark go through the pages together.
    pub async fn catch_up(&self, context: &Context) -> Result<Projected, StoreError> {
        let engine = &*context.engine;
        let mut projected = Projected::default();
        let mut marks = marks::read(engine).await?;
        loop {
            let (mark, shards) = self.furthest_behind(&marks);
            let pages = store::log::read_after(engine, mark, PAGES_PER_RUN).await?;
            if pages.is_empty() && self.are_level(&marks) {
                return Ok(projected);
            }
            if (context.deadline - context.clock.now()).num_milliseconds() <= RUN_TAKES_MS {
                projected.has_more = true;
                return Ok(projected);
            }
            if let Some(written) = self.project(engine, &shards, &pages).await? {
                projected.pages += pages.len() as u64;
                projected.accounts += written;
                let closes = |page: &Page| matches!(page.entries.last(), Some(Entry::Close(_)));
                projected.has_closed |= pages.iter().any(closes);
                let concerns_talent =
                    |entry: &Entry| matches!(entry, Entry::Upline(_) | Entry::VersionIntroduced(_));
                projected.concerns_talent |= pages.iter().flat_map(|page| &page.entries).any(concerns_talent);
            } else {
                tracing::debug!("another projector is further; this one goes on where that one is");
            }
            // Where there was no page, the log ended at the lowest mark as it was read, and others were ahead of it.
            marks = marks::read(engine).await?;
        }
    }

    /// Projects these pages, which follow the mark of these shards, and moves the mark. Returns how many heads of
    /// accounts were written; `None` where another projector was further, so that the mark stays.
    pub async fn project(
        &self,
        engine: &dyn Engine,
        shards: &BTreeSet<Shard>,
        pages: &[Page],
    ) -> Result<Option<u64>, StoreError> {
        let (Some(first), Some(last)) = (pages.first(), pages.last()) else { return Ok(Some(0)) };
        // Another projector may have moved the mark past pages that this one never saw.
        self.learn(engine, first.position - 1).await?;
        let (versions, closes) = self.known_with(pages);
        let run = Run::over(pages, shards, self.shards, &versions);
        let Some(written) = run.write(engine, &closes).await? else { return Ok(None) };
        let projections = shards.iter().map(|shard| Projection::Heads(*shard)).collect();
        marks::advance(engine, projections, last.position).await?;
        Ok(Some(written))
    }

    fn furthest_behind(&self, marks: &Marks) -> (Position, BTreeSet<Shard>) {
        let lowest = marks.heads(self.shards);
        let shards = Shard::all(self.shards);
        (lowest, shards.filter(|shard| marks.of(&Projection::Heads(*shard)) == lowest).collect())
    }

    fn are_level(&self, marks: &Marks) -> bool {
        self.furthest_behind(marks).1.len() == self.shards as usize
    }

    /// Learns every version that a page up to `position` introduces: from the decider's checkpoint, which may be older,
    /// and from the pages after it. Every close up to there is listed.
    async fn learn(&self, engine: &dyn Engine, position: Position) -> Result<(), StoreError> {
        if self.known().through >= position {
            return Ok(());
        }
        let closes = store::dates::closes(engine).await?;
        let network = store::network::read(engine).await?;
        {
            let mut known = self.known();
            known.closes.extend(closes);
            if let Some(network) = network
                && network.position > known.through
            {
                known.versions = network.versions;
                known.through = network.position;
            }
        }
        loop {
            let through = self.known().through;
            if through >= position {
                return Ok(());
            }
            let pages = store::log::read_after(engine, through, PAGES_PER_RUN).await?;
            if pages.is_empty() {
                return Err(store::log::missing(through + 1));
            }
            self.known_with(&pages);
        }
    }

    /// Returns all versions and closes that any of these pages needs, and keeps those that are in them. What the pages
    /// before them say has been learned.
    fn known_with(&self, pages: &[Page]) -> (Versions, Closes) {
        let mut known = self.known();
        for page in pages {
            if let Some(Entry::Close(terms)) = page.entries.last() {
                known.closes.insert(page.position, terms.date);
            }
        }
        for entry in pages.iter().flat_map(|page| &page.entries) {
            if let Entry::VersionIntroduced(terms) = entry
                && known.versions.numbered(terms.number).is_none()
            {
                let introduced = known.versions.introduce((**terms).clone());
                introduced.expect("the log introduces versions in their order");
            }
        }
        known.through = known.through.max(pages.last().map_or(0, |page| page.position));
        (known.versions.clone(), known.closes.clone())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
