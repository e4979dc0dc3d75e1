//! Audits: how far one came, and what it found.
//!
//! | what | key in `Ledger` |
//! |---|---|
//! | the audit that goes on | `AUDIT` / `CURRENT` |
//! | a report | `AUDIT_REPORTS` / `<position>#<when it began>` |

use domain::BusinessDate;
use domain::log::Position;
use domain::recalculate::Difference;
use serde::{Deserialize, Serialize};

use crate::codec::{decode, decode_with_last_member, encode};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write, Written};

/// How many bits of a revision count the changes of an audit's progress; those above say when it began.
const REVISION_BITS: u32 = 16;
/// At most so many differences are named in a report.
pub const DIFFERENCES_MAX: usize = 500;

/// How far an audit came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditProgress {
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// The position that it judges.
    pub position: Position,
    /// The business date by which it judges.
    pub date: BusinessDate,
    /// The part of the table that is being read.
    pub segment: u32,
    /// Where reading goes on in it: partition and sort key of the last item.
    pub after: Option<(String, String)>,
    /// What was found so far.
    pub found: AuditFindings,
    /// Counts the changes of this.
    #[serde(skip)]
    pub revision: u64,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFindings {
    /// The first differences.
    pub differences: Vec<Difference>,
    /// How many there are in all.
    pub count: u64,
    /// How many heads of adoptions and accounts were compared.
    pub compared: u64,
    /// How many of the heads that were read the log knows to have something.
    pub known_heads: u64,
    /// How many of the sums of trees that were read the log knows.
    pub known_sums: u64,
    /// How many entries of the list of held adoptions the log knows.
    pub known_held: u64,
    /// How many of the accounts that lists show below a referrer the log knows there.
    pub known_children: u64,
    /// How many heads had changed by the time they were read, so that the next audit looks at them.
    pub changed_meanwhile: u64,
}

impl AuditFindings {
    /// Adds a difference.
    pub fn add(&mut self, difference: Difference) {
        self.count += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        }
    }
}

/// What came of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: i64,
    /// The position that it judged.
    pub position: Position,
    /// The business date by which it judged.
    pub date: BusinessDate,
    /// How many adoptions are posted there.
    pub posted: u64,
    /// What it found.
    pub found: AuditFindings,
    /// Whether walks went on in the log at that position, so that some adoptions were about to be corrected.
    pub was_correcting: bool,
    /// The places whose number today is another one than the decided one: order, decided, today; the first few.
    pub places: Vec<(domain::OrderId, u64, u64)>,
    /// How many such places there are.
    pub places_that_differ: u64,
    /// How many accounts' talent was compared; `None` where it was being propagated, so that it was not judged.
    pub talents: Option<u64>,
}

fn current_key() -> Key {
    Key::new(Table::Ledger, "AUDIT", "CURRENT")
}

/// Returns the audit that goes on, if one does.
pub fn progress(engine: &dyn Engine) -> BoxFuture<'_, Result<Option<AuditProgress>, StoreError>> {
    Box::pin(async move { engine.get(current_key()).await?.as_ref().map(progress_of).transpose() })
}

/// Returns how far an audit came, from the item that says it: for tools that look at the table.
pub fn progress_of(item: &Item) -> Result<AuditProgress, StoreError> {
    Ok(AuditProgress { revision: item.revision, ..decode(item)? })
}

/// Puts how far an audit came in the place of what was read. Returns it with its revision, or `None` where something
/// else came first.
///
/// Revisions begin at the time at which the audit began, so that a write of an audit that has ended never meets the
/// next one.
pub fn put_progress<'a>(
    engine: &'a dyn Engine,
    progress: &AuditProgress,
) -> BoxFuture<'a, Result<Option<AuditProgress>, StoreError>> {
    let (condition, revision) = match progress.revision {
        0 => (Condition::Absent, first_revision(progress.began_ms)),
        before => (Condition::Revision(before), before + 1),
    };
    let write = Write::put(Item::new(current_key(), revision, encode(progress)), condition);
    let put = AuditProgress { revision, ..progress.clone() };
    Box::pin(async move { Ok((engine.write(write).await? == Written::Done).then_some(put)) })
}

/// Returns the revision that an audit has at first which began at this time: between two of them there is room for
/// every revision of the first, also where the clock of the second is behind.
#[must_use]
pub fn first_revision(began_ms: i64) -> u64 {
    began_ms.unsigned_abs().max(1) << REVISION_BITS
}

/// Returns under which sort key the report of an audit is kept that judges a position.
#[must_use]
pub fn report_sort(position: Position, began_ms: i64) -> String {
    format!("{position:012}#{began_ms:015}")
}

/// Puts a report, and then ends the audit that it is of. A report that is there already stays: an invocation
/// whose answer was lost put it.
pub fn finish<'a>(
    engine: &'a dyn Engine,
    progress: &AuditProgress,
    report: &AuditReport,
) -> BoxFuture<'a, Result<(), StoreError>> {
    let sort = report_sort(report.position, report.began_ms);
    let item = Item::new(Key::new(Table::Ledger, "AUDIT_REPORTS", sort), 1, encode(report));
    let end = Write::delete(current_key(), Condition::Revision(progress.revision));
    Box::pin(async move {
        let _ = engine.write(Write::put(item, Condition::Absent)).await?;
        let _ = engine.write(end).await?;
        Ok(())
    })
}

/// Returns the latest reports, the latest first.
pub fn reports(engine: &dyn Engine, limit: usize) -> BoxFuture<'_, Result<Vec<AuditReport>, StoreError>> {
    Box::pin(async move {
        let query = Query { descending: true, limit, ..Query::partition(Table::Ledger, "AUDIT_REPORTS") };
        engine.query(query).await?.items.iter().map(decode_with_last_member).collect()
    })
}
