//! `GET /v1/sync-status`: how far the source was read, and what waits for what.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use ledger::rules::BusinessDate;
use ledger::store::{CloseState, Count, Counts, OutstandingTree, Progress, SnapshotState};
use serde::Serialize;

use crate::access::Access;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use crate::route::Route;

pub(crate) const ROUTE: Route = Route {
    path: "/v1/sync-status",
    access: Access::Operator,
    parameters: &[],
    answer: |request| answer(request).boxed(),
};

/// How far the lists are counted. More would cost more than it tells.
const COUNT_MAX: usize = 10_000;
/// Stopped trees shown one by one.
const STOPPED_TREES_MAX: usize = 100;

#[derive(Debug, Serialize)]
struct SyncStatusView {
    read_at: DateTime<Utc>,
    partitions: Vec<PartitionView>,
    records: Counts,
    staged: CountView,
    held: CountView,
    trees: TreesView,
    close: CloseView,
}

#[derive(Debug, Serialize)]
struct PartitionView {
    source: String,
    topic: String,
    partition: i32,
    offset: i64,
    lsn: Option<u64>,
    snapshot: SnapshotState,
    last_read_at: DateTime<Utc>,
    last_changed_at: Option<DateTime<Utc>>,
    /// From the change at the source to its being read here, of the last record that says.
    lag_ms: Option<i64>,
    records: Counts,
}

#[derive(Debug, Serialize)]
struct CountView {
    count: usize,
    /// Whether there are more than were counted.
    more: bool,
}

#[derive(Debug, Serialize)]
struct TreesView {
    outstanding: usize,
    stopped: usize,
    stopped_trees: Vec<StoppedTreeView>,
}

#[derive(Debug, Serialize)]
struct StoppedTreeView {
    tree: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct CloseView {
    last_closed_date: Option<BusinessDate>,
    /// The close that is under way.
    current: Option<CurrentCloseView>,
}

#[derive(Debug, Serialize)]
struct CurrentCloseView {
    date: BusinessDate,
    step: &'static str,
    waiting_for: Vec<String>,
    opened_at: DateTime<Utc>,
}

async fn answer(request: &Request<'_>) -> Result<Answer, Problem> {
    let store = request.store();
    let (progress, staged, held, trees, close) = futures::future::try_join5(
        store.progress(),
        store.staged_count(COUNT_MAX),
        store.held_count(COUNT_MAX),
        store.outstanding_trees(),
        store.latest_close(),
    )
    .await?;
    let mut records = Counts::default();
    for partition in &progress {
        records.add(partition.counts);
    }
    Ok(Answer::momentary_json(&SyncStatusView {
        read_at: request.now(),
        partitions: progress.into_iter().map(partition).collect::<Result<_, _>>()?,
        records,
        staged: staged.into(),
        held: held.into(),
        trees: trees_view(trees),
        close: close_view(close)?,
    }))
}

fn partition(progress: Progress) -> Result<PartitionView, Problem> {
    let last_read_at = DateTime::from_timestamp_millis(progress.read_at_ms);
    Ok(PartitionView {
        source: progress.source,
        topic: progress.topic,
        partition: progress.partition,
        offset: progress.offset,
        lsn: progress.lsn,
        snapshot: progress.snapshot,
        last_read_at: last_read_at.ok_or_else(|| Problem::inconsistent("a partition has no time"))?,
        last_changed_at: progress.source_ts_ms.and_then(DateTime::from_timestamp_millis),
        lag_ms: progress.source_ts_ms.map(|changed_at_ms| (progress.read_at_ms - changed_at_ms).max(0)),
        records: progress.counts,
    })
}

fn close_view(latest: Option<CloseState>) -> Result<CloseView, Problem> {
    let Some(state) = latest else { return Ok(CloseView { last_closed_date: None, current: None }) };
    if state.is_closed() {
        return Ok(CloseView { last_closed_date: Some(state.date), current: None });
    }
    let opened_at = DateTime::from_timestamp_millis(state.opened_at_ms);
    let current = CurrentCloseView {
        date: state.date,
        step: state.step.name(),
        waiting_for: state.waiting_for,
        opened_at: opened_at.ok_or_else(|| Problem::inconsistent("a close has no time"))?,
    };
    // Dates close in sequence: before the one under way all are closed, back to the first.
    let last_closed_date = (state.first_date < state.date).then(|| state.date.previous());
    Ok(CloseView { last_closed_date, current: Some(current) })
}

fn trees_view(trees: Vec<OutstandingTree>) -> TreesView {
    let outstanding = trees.len();
    let stopped: Vec<StoppedTreeView> = trees
        .into_iter()
        .filter_map(|tree| Some(StoppedTreeView { tree: tree.tree.to_string(), reason: tree.stopped? }))
        .collect();
    let stopped_count = stopped.len();
    let stopped_trees = stopped.into_iter().take(STOPPED_TREES_MAX).collect();
    TreesView { outstanding, stopped: stopped_count, stopped_trees }
}

impl From<Count> for CountView {
    fn from(Count { counted, more }: Count) -> Self {
        Self { count: counted, more }
    }
}
