//! How far each partition of the source was read: `Source` `PROGRESS` / `<source>#<topic>#<partition>`.

use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write, Written};
use crate::rows::RowTable;

const PARTITION: &str = "PROGRESS";
/// How often an update is tried that loses to another one.
const ATTEMPTS_MAX: usize = 16;

/// A partition of a topic of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartitionName {
    /// The source, as the deployment names it.
    pub source: String,
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

/// How far a partition was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which partition.
    pub name: PartitionName,
    /// The table that its topic carries, if it carries one.
    pub table: Option<RowTable>,
    /// The next offset; `None` where the partition is known and nothing of it was read.
    pub next_offset: Option<i64>,
    /// Whether a snapshot of the source goes on in it.
    pub in_snapshot: bool,
    /// The commit of the last streamed change, in milliseconds since 1970.
    pub streamed_ms: Option<i64>,
    /// Everything the source committed up to here was read, because the partition's end was reached after it, in
    /// milliseconds since 1970.
    pub at_end_ms: Option<i64>,
    /// When something was read last, in milliseconds since 1970.
    pub read_at_ms: Option<i64>,
    /// What became of its records.
    pub counts: Counts,
}

/// What became of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Changed a row.
    pub applied: u64,
    /// Were known already.
    pub duplicated: u64,
    /// Were older than what is known, although they were delivered later.
    pub older: u64,
    /// Nothing on the wire says whether they are newer than what is known.
    pub ambiguous: u64,
    /// Carry no row.
    pub control: u64,
    /// Were refused.
    pub quarantined: u64,
}

impl Counts {
    /// Adds other counts.
    pub fn add(&mut self, other: Self) {
        self.applied += other.applied;
        self.duplicated += other.duplicated;
        self.older += other.older;
        self.ambiguous += other.ambiguous;
        self.control += other.control;
        self.quarantined += other.quarantined;
    }
}

impl Progress {
    /// Returns the progress of a partition of which nothing was read.
    #[must_use]
    pub fn not_begun(name: PartitionName, table: Option<RowTable>) -> Self {
        Self {
            name,
            table,
            next_offset: None,
            in_snapshot: false,
            streamed_ms: None,
            at_end_ms: None,
            read_at_ms: None,
            counts: Counts::default(),
        }
    }

    /// Returns through which commit of the source the partition was read, in milliseconds since 1970; `None` while
    /// nothing proves it: before its begin, and while a snapshot goes on.
    #[must_use]
    pub fn read_through_ms(&self) -> Option<i64> {
        if self.in_snapshot { None } else { self.streamed_ms.max(self.at_end_ms) }
    }
}

fn key(name: &PartitionName) -> Key {
    Key::new(Table::Source, PARTITION, format!("{}#{}#{:06}", name.source, name.topic, name.partition))
}

/// Returns the progress of every partition that is known.
pub fn read(engine: &dyn Engine) -> BoxFuture<'_, Result<Vec<Progress>, StoreError>> {
    Box::pin(async move {
        let mut query = Query::partition(Table::Source, PARTITION);
        let mut all = Vec::new();
        loop {
            let page = engine.query(query.clone()).await?;
            for item in &page.items {
                all.push(decode(item)?);
            }
            match page.next {
                Some(next) => query.after = Some(next.sort),
                None => return Ok(all),
            }
        }
    })
}

/// Records that the end of a partition was reached: everything the source committed before `now_ms` was read.
///
/// While a snapshot goes on, the end of a partition proves nothing, unless the partition is whole: a recording
/// that has been read to its end.
pub fn reached_end(
    engine: &dyn Engine,
    name: PartitionName,
    table: Option<RowTable>,
    now_ms: i64,
    is_whole: bool,
) -> BoxFuture<'_, Result<(), StoreError>> {
    update(engine, name, table, move |progress| {
        progress.at_end_ms = progress.at_end_ms.max(Some(now_ms));
        progress.in_snapshot &= !is_whole;
    })
}

/// Changes the progress of a partition by `change`, which is called again where another update came first.
pub fn update<'a>(
    engine: &'a dyn Engine,
    name: PartitionName,
    table: Option<RowTable>,
    mut change: impl FnMut(&mut Progress) + Send + 'a,
) -> BoxFuture<'a, Result<(), StoreError>> {
    Box::pin(async move {
        let mut present = engine.get(key(&name)).await?;
        for _ in 0..ATTEMPTS_MAX {
            let mut progress = match &present {
                Some(item) => decode(item)?,
                None => Progress::not_begun(name.clone(), table),
            };
            change(&mut progress);
            let revision = present.as_ref().map_or(0, |item| item.revision);
            let condition = if revision == 0 { Condition::Absent } else { Condition::Revision(revision) };
            let item = Item::new(key(&name), revision + 1, encode(&progress));
            match engine.write(Write::put(item, condition)).await? {
                Written::Done => return Ok(()),
                Written::ConditionFailed(item) => present = item,
            }
        }
        Err(StoreError::Unavailable { message: "the progress of a partition kept changing".to_owned() })
    })
}
