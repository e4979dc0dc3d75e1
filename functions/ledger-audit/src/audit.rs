//! An audit, from the log to the report.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use chrono_tz::Tz;
use domain::heads::{SumKey, SumNode, sum_path};
use domain::log::{Entry, Page, PageHash, Position, WalkId};
use domain::recalculate::{Compared, Difference, Extent, Recalculation, Rules};
use domain::{AccountSequence, BusinessDate, InvalidVersion, Versions};
use runtime::Context;
use store::audit::{self, AuditFindings, AuditProgress, AuditReport, DIFFERENCES_MAX};
use store::{Engine, Segment, StoreError, marks};

use crate::heads::Comparison;
use crate::later::Later;

/// In how many parts the table is read.
const SEGMENTS: u32 = 16;
/// How many pages of the log are read at once.
const LOG_PAGES_READ: u32 = 128;
/// A page of the table is begun only while more than this is left of the invocation, in milliseconds.
const PAGE_TAKES_MS: i64 = 5_000;
/// The heads are behind the log by at most so many pages, because the decider waits for them.
const PAGES_BEHIND_MAX: Position = 1_024;
/// How many places of the price book a report names.
const PLACES_MAX: usize = 100;

/// An audit.
pub struct Audit<'a> {
    /// The versions that begin with the deployment's policy.
    pub versions: &'a Versions,
    /// In how many parts accounts are projected.
    pub shards: u32,
    /// The business time zone.
    pub zone: Tz,
    /// What the invocation may use.
    pub context: &'a Context,
    /// Told, after each page of the table, how many parts of the table were gone through, and of how many.
    pub watch: &'a (dyn Fn(u32, u32) + Send + Sync),
}

/// What became of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audited {
    /// Its time was up. The next one goes on.
    GoesOn {
        /// The part of the table that comes next.
        segment: u32,
    },
    /// It is over, and this is its report.
    Complete(Box<AuditReport>),
}

/// Why an audit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Storage failed. Audit again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log introduces a version that cannot be introduced.
    #[error(transparent)]
    Version(#[from] InvalidVersion),
    /// The log has no business date.
    #[error("the time of page {position} is on no business date")]
    NoDate {
        /// Which page.
        position: Position,
    },
    /// A page of the log is missing that the marks include.
    #[error("page {position} of the log is missing")]
    MissingPage {
        /// Which page.
        position: Position,
    },
    /// A page does not carry the hash of the page before it.
    #[error(
        "page {position} of the log does not follow the page before it: the log was changed; restore it from a backup"
    )]
    BrokenChain {
        /// Which page.
        position: Position,
    },
    /// What follows from the log is not there.
    #[error(
        "the heads include page {position}, and the log goes on for more than {PAGES_BEHIND_MAX} pages: \
         have ledger-stream catch up, and audit again"
    )]
    FarBehind {
        /// The last page that all heads include.
        position: Position,
    },
    /// Heads that were to be rebuilt were changed again and again meanwhile.
    #[error("{count} heads changed whenever they were rebuilt; audit again when less is going on")]
    HeadsMove {
        /// How many.
        count: usize,
    },
    /// Another audit goes on at the same time.
    #[error("another audit goes on at the same time; this one ends")]
    Another,
}

/// What the log says up to a position.
pub(crate) struct Told {
    pub(crate) recalculation: Recalculation,
    pub(crate) versions: Versions,
    pub(crate) lists: ToldLists,
    walks: BTreeSet<WalkId>,
    last_ms: i64,
    last_hash: PageHash,
}

/// What the log says of sums and lists.
#[derive(Debug, Default)]
pub(crate) struct ToldLists {
    pub(crate) sums: BTreeMap<SumKey, SumNode>,
    /// Referrers and the accounts that ever had them.
    pub(crate) children: BTreeSet<(AccountSequence, AccountSequence)>,
}

impl Audit<'_> {
    /// Goes on with the audit that was ended, or begins one.
    ///
    /// # Errors
    ///
    /// [`AuditError`] says what to do.
    pub async fn run(&self) -> Result<Audited, AuditError> {
        let engine = &*self.context.engine;
        let begun = audit::progress(engine).await?;
        let position = match &begun {
            Some(progress) => progress.position,
            None => self.position_of_heads().await?,
        };
        let mut told = read_log(engine, self.versions.clone(), position).await?;
        let mut progress = match begun {
            Some(progress) => progress,
            None => self.begin(position, &told).await?,
        };
        let versions = told.versions.clone();
        let rules = Rules { versions: &versions, today: progress.date };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let compared = told.recalculation.compare(&rules, Extent { threads, details_max: DIFFERENCES_MAX });
        let mut comparison = Comparison {
            told: &mut told.recalculation,
            compared: &compared,
            lists: &told.lists,
            later: Later::after(position, versions.clone()),
            position,
        };
        if !self.compare_heads(&mut comparison, &mut progress).await? {
            return Ok(Audited::GoesOn { segment: progress.segment });
        }
        comparison.look_for_missing(engine, self.shards, &mut progress.found).await?;
        let report = self.report(&progress, &told, &compared);
        audit::finish(engine, &progress, &report).await?;
        Ok(Audited::Complete(Box::new(report)))
    }

    /// Returns the last page that every head includes.
    async fn position_of_heads(&self) -> Result<Position, AuditError> {
        let engine = &*self.context.engine;
        let position = marks::read(engine).await?.heads(self.shards);
        // Where nothing was ever projected, any page is too many: an emptied table is not a small one.
        let allowed = if position == 0 { 0 } else { PAGES_BEHIND_MAX };
        if store::log::read_after(engine, position + allowed, 1).await?.is_empty() {
            Ok(position)
        } else {
            Err(AuditError::FarBehind { position })
        }
    }

    async fn begin(&self, position: Position, told: &Told) -> Result<AuditProgress, AuditError> {
        let now = self.context.clock.now();
        let decided = DateTime::from_timestamp_millis(told.last_ms).filter(|_| position > 0).unwrap_or(now);
        let date = BusinessDate::at(decided, self.zone).ok_or(AuditError::NoDate { position })?;
        let progress = AuditProgress {
            began_ms: now.timestamp_millis(),
            position,
            date,
            segment: 0,
            after: None,
            found: AuditFindings::default(),
            revision: 0,
        };
        self.save(progress).await
    }

    async fn save(&self, progress: AuditProgress) -> Result<AuditProgress, AuditError> {
        if audit::put_progress(&*self.context.engine, &progress).await? {
            Ok(AuditProgress { revision: progress.revision + 1, ..progress })
        } else {
            Err(AuditError::Another)
        }
    }

    /// Reads the heads page by page, and saves after each how far it came. Returns whether it came to the end.
    async fn compare_heads(
        &self,
        comparison: &mut Comparison<'_>,
        progress: &mut AuditProgress,
    ) -> Result<bool, AuditError> {
        let engine = &*self.context.engine;
        while progress.segment < SEGMENTS {
            if (self.context.deadline - self.context.clock.now()).num_milliseconds() < PAGE_TAKES_MS {
                return Ok(false);
            }
            let segment = Segment { index: progress.segment, count: SEGMENTS };
            let start = progress.after.as_ref();
            let start = start.map(|(partition, sort)| store::Key::new(store::Table::Ledger, partition, sort));
            let page = engine.scan(store::Table::Ledger, segment, start).await?;
            comparison.compare(engine, &page.items, &mut progress.found).await?;
            progress.after = page.next.map(|key| (key.partition, key.sort));
            if progress.after.is_none() {
                progress.segment += 1;
            }
            *progress = self.save(progress.clone()).await?;
            (self.watch)(progress.segment, SEGMENTS);
        }
        Ok(true)
    }

    fn report(&self, progress: &AuditProgress, told: &Told, compared: &Compared) -> AuditReport {
        let mut found = progress.found.clone();
        let was_putting_right = !told.walks.is_empty();
        if !was_putting_right {
            let of_adoptions = compared.differences.iter().filter(|difference| difference.order().is_some());
            let named: Vec<&Difference> = of_adoptions.collect();
            let unnamed = compared.adoptions_that_differ.saturating_sub(named.len() as u64);
            found.count += unnamed;
            named.into_iter().cloned().for_each(|difference| found.add(difference));
        }
        let mut places = Vec::new();
        let mut places_that_differ = 0;
        told.recalculation.each_place(|order, decided, today| {
            if decided != today {
                places_that_differ += 1;
                if places.len() < PLACES_MAX {
                    places.push((order, decided, today));
                }
            }
        });
        AuditReport {
            began_ms: progress.began_ms,
            ended_ms: self.context.clock.now().timestamp_millis(),
            position: progress.position,
            date: progress.date,
            posted: compared.posted,
            found,
            was_putting_right,
            places,
            places_that_differ,
        }
    }
}

/// Reads what the log says up to a position.
pub(crate) async fn read_log(
    engine: &dyn Engine,
    versions: Versions,
    position: Position,
) -> Result<Told, AuditError> {
    let mut told = Told {
        recalculation: Recalculation::new(),
        versions,
        lists: ToldLists::default(),
        walks: BTreeSet::new(),
        last_ms: i64::MIN,
        last_hash: PageHash::default(),
    };
    let mut read = 0;
    while read < position {
        let count = LOG_PAGES_READ.min(u32::try_from(position - read).unwrap_or(LOG_PAGES_READ));
        let pages = store::log::read_after(engine, read, count).await?;
        let Some(last) = pages.last() else { return Err(AuditError::MissingPage { position: read + 1 }) };
        read = last.position;
        for page in &pages {
            told.take(page)?;
        }
    }
    Ok(told)
}

impl Told {
    fn take(&mut self, page: &Page) -> Result<(), AuditError> {
        if page.previous != self.last_hash {
            return Err(AuditError::BrokenChain { position: page.position });
        }
        self.last_hash = page.hash();
        self.recalculation.add_page(page);
        self.last_ms = page.time_ms;
        for entry in &page.entries {
            for (key, _) in SumNode::order_of(entry).into_iter().flat_map(sum_path) {
                self.lists.sums.entry(key).or_default().apply(key, entry);
            }
            match entry {
                Entry::ReferralRow { account, row: Some(Some(referrer)), .. } => {
                    self.lists.children.insert((referrer.clone(), account.clone()));
                }
                Entry::VersionIntroduced(terms) => self.versions.introduce((**terms).clone())?,
                Entry::WalkBegan(walk) => drop(self.walks.insert(walk.id)),
                Entry::WalkEnded { walk } => drop(self.walks.remove(walk)),
                _ => {}
            }
        }
        Ok(())
    }
}
