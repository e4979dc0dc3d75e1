//! Releases staged adoptions in ascending order to the distribution of their referral trees.
//!
//! The list of staged adoptions is in the store, so this function keeps nothing: it can stop between
//! any two calls, run twice at once, and be woken for nothing. A release is one transaction that
//! takes adoptions off the list, puts them on their trees' work lists and moves the network's running
//! number of trees; of two that attempt the same one, one finds its conditions failed and leaves
//! the rest to the other.

mod barrier;
mod ladder;
mod release;

use chrono::{DateTime, TimeDelta, Utc};
use ledger::cdc::Profile;
use ledger::environment::{Environment, InvalidEnvironment};
use ledger::queue::{GroupMessage, QueueError, RunReleased, SequencerTick};
use ledger::rules::OrderId;
use ledger::store::{OutstandingTree, StoreError};
use ledger::telemetry::Metrics;
use serde::Serialize;

use crate::release::{End, Outcome, Pass};

/// The name under which this function logs and counts.
pub const FUNCTION: &str = "adoption-sequencer";
/// The variable that holds the URL of this function's own queue.
pub const TICKS_QUEUE_VARIABLE: &str = "SEQUENCER_TICKS_QUEUE_URL";
/// The variable that holds the URL of the queue of released runs.
pub const RUNS_QUEUE_VARIABLE: &str = "RELEASED_RUNS_QUEUE_URL";
/// The variable that holds how long a staged adoption waits for others with smaller orders.
pub const REORDER_WINDOW_VARIABLE: &str = "REORDER_WINDOW_MS";
/// The variable that holds how long a topic must be silent to count as read, where no marker says so.
pub const QUIET_PERIOD_VARIABLE: &str = "SNAPSHOT_QUIET_PERIOD_MS";
/// The variable that holds after what time a tree is woken again for work that is not done.
pub const WAKE_AGAIN_VARIABLE: &str = "WAKE_AGAIN_AFTER_MS";

/// Adoptions read from the list at a time, and announced together: the more a tree is told of at once,
/// the less each of them costs to post.
const PAGE_ADOPTIONS_MAX: usize = 3_000;
/// Adoptions whose rows are read at a time.
const PASS_ADOPTIONS_MAX: usize = 300;
/// What is left of an invocation's time when no further page is begun.
const TIME_RESERVE: TimeDelta = TimeDelta::seconds(20);

/// The function, built once per process.
#[derive(Debug)]
pub struct Sequencer {
    environment: Environment,
    profile: Profile,
    ticks_queue_url: String,
    runs_queue_url: String,
    reorder_window: TimeDelta,
    quiet_period: TimeDelta,
    wake_again_after: TimeDelta,
}

/// What one invocation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Adoptions handed to the distribution.
    pub released: u64,
    /// Adoptions held because a referral row is missing.
    pub held: u64,
    /// Trees woken again.
    pub woken_again: u64,
    /// Whether adoptions are left on the list, so that it will look again soon.
    pub waiting: bool,
}

/// What kept the sequencer from its work. All of it is safe to do again.
#[derive(Debug, thiserror::Error)]
pub enum SequencerError {
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Sequencer {
    /// The function in this environment.
    pub fn new(environment: Environment) -> Result<Self, InvalidEnvironment> {
        let variables = environment.variables();
        let window = |name, default| variables.parsed_or(name, default).map(TimeDelta::milliseconds);
        Ok(Self {
            profile: environment.profile()?,
            ticks_queue_url: variables.required(TICKS_QUEUE_VARIABLE)?,
            runs_queue_url: variables.required(RUNS_QUEUE_VARIABLE)?,
            reorder_window: window(REORDER_WINDOW_VARIABLE, 1_000)?,
            quiet_period: window(QUIET_PERIOD_VARIABLE, 10_000)?,
            wake_again_after: window(WAKE_AGAIN_VARIABLE, 300_000)?,
            environment,
        })
    }

    /// Releases what may be released until nothing is left or `deadline` is near.
    pub async fn handle(
        &self,
        clock: impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<Summary, SequencerError> {
        let started = clock();
        let store = &self.environment.store;
        let trees = store.outstanding_trees().await?;
        let backlog = Backlog::of(&trees);
        let woken_again = self.wake_stalled_trees(trees, started).await?;
        let mut summary = Summary { woken_again, ..Summary::default() };
        // Of those that are left on the list.
        let mut oldest_staged_ms;
        loop {
            let now = clock();
            let staged = store.staged(PAGE_ADOPTIONS_MAX).await?;
            oldest_staged_ms = staged.iter().map(|staged| staged.staged_at_ms).min();
            if staged.is_empty() {
                break;
            }
            let wait = barrier::wait(&store.progress().await?, &self.profile, self.quiet_period, now);
            if let Some(wait) = wait {
                tracing::info!(staged = staged.len(), "staged adoptions wait: {wait}");
                summary.waiting = true;
                break;
            }
            // Whoever is too young bars all after it, because releases ascend.
            let youngest_ms = (now - self.reorder_window).timestamp_millis();
            let old_enough: Vec<_> = staged
                .iter()
                .take_while(|staged| staged.staged_at_ms <= youngest_ms)
                .map(|staged| staged.order)
                .collect();
            if old_enough.is_empty() || deadline - now < TIME_RESERVE {
                summary.waiting = true;
                break;
            }
            let mut outcome = Outcome::default();
            let passed = self.pass(&old_enough, now, &mut outcome).await;
            summary.released += outcome.released;
            summary.held += outcome.held;
            let did_nothing = outcome.commits == 0;
            self.announce(outcome.into_messages(), now).await?;
            let end = passed?;
            if end == End::Overtaken || (end == End::Complete && did_nothing) {
                // Of two that both went on, each would read again what the other is about to release. And what
                // could not be decided, because rows are just arriving, is not decided by looking at once
                // again. A tick makes sure that the rest is looked at.
                summary.waiting = true;
                break;
            }
        }
        if summary.waiting {
            let tick = SequencerTick::message(FUNCTION, clock());
            self.environment.queues.send_in_groups(&self.ticks_queue_url, [tick]).await?;
        }
        let now = clock();
        let oldest_staged_age_ms = oldest_staged_ms.map_or(0, |staged_ms| now.timestamp_millis() - staged_ms);
        report(summary, backlog, oldest_staged_age_ms, started, now);
        Ok(summary)
    }

    /// Releases these adoptions, some at a time, so that whoever is overtaken has not read much.
    async fn pass(
        &self,
        orders: &[OrderId],
        now: DateTime<Utc>,
        outcome: &mut Outcome,
    ) -> Result<End, StoreError> {
        let pass = Pass::new(&self.environment.store, &self.environment.policy, now);
        for together in orders.chunks(PASS_ADOPTIONS_MAX) {
            let end = pass.run(together, outcome).await?;
            if end != End::Complete {
                return Ok(end);
            }
        }
        Ok(End::Complete)
    }

    /// Tells the distribution of each run.
    async fn announce(
        &self,
        runs: impl Iterator<Item = RunReleased>,
        now: DateTime<Utc>,
    ) -> Result<(), SequencerError> {
        let messages = runs.map(|content| GroupMessage {
            group: content.tree.as_str().to_owned(),
            // Whoever committed the release is the only one to announce it.
            deduplication_id: format!(
                "{}-{}",
                content.run.map_or(0, |run| run.last_order.get()),
                now.timestamp_micros()
            ),
            content,
        });
        Ok(self.environment.queues.send_in_groups(&self.runs_queue_url, messages).await?)
    }

    /// Wakes trees whose work is not done long after it was released: their message was lost, went
    /// to the dead-letter queue, or was sent by somebody who stopped before sending it.
    async fn wake_stalled_trees(
        &self,
        trees: Vec<OutstandingTree>,
        now: DateTime<Utc>,
    ) -> Result<u64, SequencerError> {
        let stalled_before_ms = (now - self.wake_again_after).timestamp_millis();
        let mut messages = Vec::new();
        for OutstandingTree { tree, release, released_at_ms, .. } in trees {
            if released_at_ms > stalled_before_ms {
                continue;
            }
            // One message per period is enough, whoever sends it.
            let period = now.timestamp_millis() / self.wake_again_after.num_milliseconds().max(1);
            messages.push(GroupMessage {
                group: tree.as_str().to_owned(),
                deduplication_id: format!("again-{release}-{period}"),
                content: RunReleased { tree, run: None },
            });
        }
        let woken = messages.len() as u64;
        self.environment.queues.send_in_groups(&self.runs_queue_url, messages).await?;
        Ok(woken)
    }
}

/// What the distribution has not done yet. Told from here, because this function looks every minute:
/// whoever stopped at a tree may not be called again for long.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    outstanding: u64,
    stopped: u64,
}

impl Backlog {
    fn of(trees: &[OutstandingTree]) -> Self {
        let stopped = trees.iter().filter(|tree| tree.stopped.is_some()).count();
        Self { outstanding: trees.len() as u64, stopped: stopped as u64 }
    }
}

fn report(
    summary: Summary,
    backlog: Backlog,
    oldest_staged_age_ms: i64,
    started: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    Metrics::of(FUNCTION)
        .count("TreesOutstanding", backlog.outstanding)
        .count("TreesStopped", backlog.stopped)
        .milliseconds("OldestStagedAge", oldest_staged_age_ms)
        .count("AdoptionsReleased", summary.released)
        .count("AdoptionsHeldForReferral", summary.held)
        .count("TreesWokenAgain", summary.woken_again)
        .milliseconds("Duration", (now - started).num_milliseconds())
        .emit(now.timestamp_millis());
}
