//! Audits, from the log to the report.
//!
//! Touches: `Log` (reads), `Ledger` (reads heads; writes how far it came, and its report), the clock.

use chrono::DateTime;
use chrono_tz::Tz;
use domain::log::Position;
use domain::recalculate::{Compared, Difference, Extent, Rules};
use domain::{BusinessDate, Versions};
use runtime::Context;
use store::audit::{self, AuditFindings, AuditProgress, AuditReport, DIFFERENCES_MAX};
use store::talent::TalentShards;
use store::{Segment, marks};

use crate::error::{AuditError, PAGES_BEHIND_MAX};
use crate::expected::{self, Expected};
use crate::heads::Comparison;
use crate::later::Later;
use crate::talent;

/// In how many parts the table is read.
const SEGMENTS: u32 = 16;
/// A page of the table is begun only while more than this is left of the invocation, in milliseconds.
const PAGE_TAKES_MS: i64 = 5_000;
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
    /// Called after each page of the table with how many parts of it were compared, and of how many.
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
        let mut expected = expected::read(engine, self.versions.clone(), position).await?;
        let mut progress = match begun {
            Some(progress) => progress,
            None => self.begin(position, &expected).await?,
        };
        let versions = expected.versions.clone();
        let rules = Rules { versions: &versions, today: progress.date };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let compared =
            expected.recalculation.compare(&rules, Extent { threads, details_max: DIFFERENCES_MAX });
        let mut comparison = Comparison {
            recalculation: &mut expected.recalculation,
            compared: &compared,
            lists: &expected.lists,
            later: Later::after(position, versions.clone()),
            position,
        };
        let mut seen = talent::Seen::begin(engine, TalentShards::beside(self.shards)).await?;
        if !self.compare_heads(&mut comparison, &mut seen, &mut progress).await? {
            return Ok(Audited::GoesOn { segment: progress.segment });
        }
        comparison.look_for_missing(engine, self.shards, &mut progress.found).await?;
        let (context, forest) = (self.context, &mut expected.forest);
        let found = &mut progress.found;
        let talents = talent::compare(context, self.versions, position, forest, seen, found).await?;
        let report = AuditReport { talents, ..self.report(&progress, &expected, &compared) };
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

    async fn begin(&self, position: Position, expected: &Expected) -> Result<AuditProgress, AuditError> {
        let now = self.context.clock.now();
        let decided =
            DateTime::from_timestamp_millis(expected.last_ms).filter(|_| position > 0).unwrap_or(now);
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
        audit::put_progress(&*self.context.engine, &progress).await?.ok_or(AuditError::Another)
    }

    /// Reads the heads page by page, and saves after each how far it came. Returns whether it came to the end.
    async fn compare_heads(
        &self,
        comparison: &mut Comparison<'_>,
        seen: &mut talent::Seen,
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
            seen.take(&page.items);
            progress.after = page.next.map(|key| (key.partition, key.sort));
            if progress.after.is_none() {
                progress.segment += 1;
            }
            *progress = self.save(progress.clone()).await?;
            (self.watch)(progress.segment, SEGMENTS);
        }
        Ok(true)
    }

    fn report(&self, progress: &AuditProgress, expected: &Expected, compared: &Compared) -> AuditReport {
        let mut found = progress.found.clone();
        let was_correcting = !expected.walks.is_empty();
        if !was_correcting {
            let of_adoptions = compared.differences.iter().filter(|difference| difference.order().is_some());
            let named: Vec<&Difference> = of_adoptions.collect();
            let unnamed = compared.adoptions_that_differ.saturating_sub(named.len() as u64);
            found.count += unnamed;
            named.into_iter().cloned().for_each(|difference| found.add(difference));
        }
        let mut places = Vec::new();
        let mut places_that_differ = 0;
        expected.recalculation.each_place(|order, decided, today| {
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
            was_correcting,
            places,
            places_that_differ,
            talents: None,
        }
    }
}
