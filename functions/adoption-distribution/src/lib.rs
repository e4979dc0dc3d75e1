//! Posts released adoptions to the journal and the accounts, and corrects what later ones prove wrong.
//!
//! A message says that a tree has work; what the work is stands in the store. So whatever message
//! comes, the tree's work is done in ascending order from the first that is not done, and a message
//! that is lost, repeated or late changes nothing about the outcome.
//!
//! Every posting is one transaction: journal entries, the accounts they change, and the cursors of
//! the trees involved. It holds only if nobody else posted to these trees since the accounts were
//! read, so everything it was decided on is still true when it takes effect.

mod decide;
mod drain;
mod posting;
mod reassess;
mod view;

use std::collections::BTreeMap;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::{self, StreamExt};
use ledger::environment::{Environment, InvalidEnvironment};
use ledger::queue::{GroupMessage, QueueError, RunReleased};
use ledger::rules::OrderId;
use ledger::store::{StoreError, TreeId};
use ledger::telemetry::Metrics;

use crate::drain::{Drain, Drained, Stopped};

/// The name under which this function logs and counts.
pub const FUNCTION: &str = "adoption-distribution";
/// The variable that holds the URL of this function's own queue.
pub const RUNS_QUEUE_VARIABLE: &str = "RELEASED_RUNS_QUEUE_URL";

/// Trees worked on at a time; each is worked on in order.
const CONCURRENT_TREES_MAX: usize = 8;
/// What is left of an invocation's time when no further work is begun.
const TIME_RESERVE: TimeDelta = TimeDelta::seconds(10);

/// The function, built once per process.
#[derive(Debug)]
pub struct Distributor {
    environment: Environment,
    runs_queue_url: String,
}

/// What stops a tree's distribution.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DistributionError {
    /// Passing: what was not posted will be when the message comes again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Passing: others kept posting to the same tree.
    #[error("others kept posting to the tree")]
    Contended,
    /// Passing: the rest could not be announced.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Lasting: posting this adoption would make a total too large. Nothing of it was posted.
    #[error("AMOUNT_OVERFLOW: posting adoption {order} would make a total need more than 18 integer digits")]
    Overflow {
        /// The adoption.
        order: OrderId,
    },
    /// Lasting: the journal holds what this system never writes.
    #[error(
        "INCONSISTENT_JOURNAL: the entries of adoption {order} give one share to two recipients; run the audit"
    )]
    Inconsistent {
        /// The adoption.
        order: OrderId,
    },
}

impl DistributionError {
    /// Whether only a person can put it right, so that the tree stays stopped until then.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Overflow { .. } | Self::Inconsistent { .. } => true,
            Self::Store(error) => !matches!(error, StoreError::Unavailable { .. }),
            Self::Contended | Self::Queue(_) => false,
        }
    }
}

/// A message and what is done when it is.
struct Received {
    message_id: String,
    /// The last order of its run; a message without one is done when the whole tree is.
    last_order: Option<OrderId>,
}

impl Distributor {
    /// The function in this environment.
    pub fn new(environment: Environment) -> Result<Self, InvalidEnvironment> {
        let runs_queue_url = environment.variables().required(RUNS_QUEUE_VARIABLE)?;
        Ok(Self { environment, runs_queue_url })
    }

    /// Does the work of every tree that a message names. What it answers are the messages to deliver
    /// again: of each tree, the first whose run is not done and all after it.
    pub async fn handle(
        &self,
        event: SqsEvent,
        clock: impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> SqsBatchResponse {
        let started = clock();
        let mut response = SqsBatchResponse::default();
        let mut of_tree: BTreeMap<TreeId, Vec<Received>> = BTreeMap::new();
        for message in event.records {
            let message_id = message.message_id.unwrap_or_default();
            match serde_json::from_str::<RunReleased>(message.body.as_deref().unwrap_or_default()) {
                Ok(RunReleased { tree, run }) => {
                    let last_order = run.map(|run| run.last_order);
                    of_tree.entry(tree).or_default().push(Received { message_id, last_order });
                }
                Err(error) => {
                    tracing::error!(message_id, %error, "a message is none of the sequencer's; it will go to the dead letters");
                    response.add_failure(message_id);
                }
            }
        }
        let clock = &clock;
        let drained: Vec<(Vec<Received>, Drained)> = stream::iter(of_tree)
            .map(async |(tree, messages)| {
                let drained = Box::pin(self.drain(tree, clock, deadline)).await;
                (messages, drained)
            })
            .buffer_unordered(CONCURRENT_TREES_MAX)
            .collect()
            .await;
        let mut totals = Drained::default();
        for (messages, drained) in drained {
            if let Some(stopped) = &drained.stopped {
                let done = |message: &Received| {
                    message.last_order.zip(stopped.at).is_some_and(|(last, stopped_at)| last < stopped_at)
                };
                for message in messages.into_iter().skip_while(done) {
                    response.add_failure(message.message_id);
                }
            }
            totals.add(&drained);
        }
        report(&totals, started, clock());
        response
    }

    /// Does a tree's work. If time runs out first, the tree is woken again for the rest.
    async fn drain(
        &self,
        tree: TreeId,
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Drained {
        let Environment { store, policy, .. } = &self.environment;
        let mut drained = Drain::new(store, policy, &tree, clock, deadline - TIME_RESERVE).run().await;
        if drained.out_of_time {
            let message = GroupMessage {
                group: tree.as_str().to_owned(),
                deduplication_id: format!("rest-{}", clock().timestamp_micros()),
                content: RunReleased { tree: tree.clone(), run: None },
            };
            if let Err(error) = self.environment.queues.send_in_groups(&self.runs_queue_url, [message]).await
            {
                drained.stopped = Some(Stopped { at: None, error: error.into() });
            }
        }
        if let Some(Stopped { at, error }) = &drained.stopped {
            tracing::error!(
                tree = tree.as_str(),
                order = at.map(OrderId::get),
                %error,
                "the distribution of a tree stopped; its messages will be delivered again"
            );
            if error.is_lasting()
                && let Err(error) = store.set_tree_stopped(&tree, Some(&error.to_string())).await
            {
                tracing::error!(tree = tree.as_str(), %error, "why the tree stopped could not be stored");
            }
        }
        drained
    }
}

fn report(totals: &Drained, started: DateTime<Utc>, now: DateTime<Utc>) {
    Metrics::of(FUNCTION)
        .count("AdoptionsPosted", totals.posted)
        .count("AdoptionsReversed", totals.reversed)
        .count("AdoptionsReassessed", totals.reassessed)
        .milliseconds("Duration", (now - started).num_milliseconds())
        .emit(now.timestamp_millis());
}
