//! Carries changes of talent levels up to every ancestor they concern.
//!
//! A mark says from which account changes have to be carried up. A message says that a mark was
//! raised; the mark, not the message, is the trace of what is to be done, and it goes away only when
//! everything there was when it was read has been carried up. What no message brings here (what a
//! snapshot brought, and what a message was lost for) is found on the list of marks every minute.

mod sweep;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use ledger::environment::{Environment, InvalidEnvironment};
use ledger::queue::{QueueError, TalentRaised};
use ledger::rules::TALENT_DEPTH;
use ledger::store::{CONCURRENT_CALLS_MAX, StoreError, TalentMark};
use ledger::talent::{Climbed, Start, Talents};
use ledger::telemetry::Metrics;
use serde::{Deserialize, Serialize};

/// The name under which this function logs and counts.
pub const FUNCTION: &str = "talent-propagation";
/// The variable that holds the URL of this function's own queue.
pub const TALENT_QUEUE_VARIABLE: &str = "TALENT_QUEUE_URL";
/// The variable that holds how old a mark must be to be dealt with without a message.
pub const SWEEP_AFTER_VARIABLE: &str = "TALENT_SWEEP_AFTER_MS";
/// The variable that holds how long a topic must be silent to count as read, where no marker says so.
pub const QUIET_PERIOD_VARIABLE: &str = "SNAPSHOT_QUIET_PERIOD_MS";

/// An attempt takes no longer than this (rules, section 9).
const ATTEMPT_TIME: TimeDelta = TimeDelta::seconds(60);
/// What is left of an attempt's time when it gives up, so that it can say so.
const TIME_RESERVE: TimeDelta = TimeDelta::seconds(5);
/// How often a mark that was raised meanwhile is worked from again before its message is.
const CLIMBS_MAX: usize = 8;

/// The function, built once per process.
#[derive(Debug)]
pub struct Propagator {
    environment: Environment,
    knows_activity: bool,
    talent_queue_url: String,
    sweep_after: TimeDelta,
    quiet_period: TimeDelta,
}

/// What invokes the function.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum TalentEvent {
    /// Messages about marks that were raised.
    Raised(SqsEvent),
    /// Time.
    Schedule(serde_json::Value),
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum TalentResponse {
    /// The messages to deliver again.
    Raised(SqsBatchResponse),
    /// What a sweep did.
    Sweep(SweepSummary),
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SweepSummary {
    /// Marks that were taken away.
    pub cleared: u64,
    /// Marks from which changes could not be carried up.
    pub failed: u64,
    /// Whether marks were left because a snapshot is being read.
    pub waiting: bool,
}

/// What kept changes from being carried up. All of it is safe to do again.
#[derive(Debug, thiserror::Error)]
pub enum PropagationError {
    /// Storage failed, or holds what this system never writes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was begun further up could not be announced.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// There was more to do than an attempt's time allows.
    #[error("time ran out; what was carried up stays")]
    OutOfTime,
    /// Changes kept arriving below the same accounts.
    #[error("changes kept arriving while earlier ones were carried up")]
    Contended,
    /// A sweep left marks for which there is an error in the log.
    #[error("changes could not be carried up from {failed} accounts; the log says why")]
    MarksFailed {
        /// How many.
        failed: u64,
    },
}

impl Propagator {
    /// The function in this environment.
    pub fn new(environment: Environment) -> Result<Self, InvalidEnvironment> {
        let variables = environment.variables();
        let time = |name, default| variables.parsed_or(name, default).map(TimeDelta::milliseconds);
        Ok(Self {
            knows_activity: environment.profile()?.knows_activity(),
            talent_queue_url: variables.required(TALENT_QUEUE_VARIABLE)?,
            sweep_after: time(SWEEP_AFTER_VARIABLE, 60_000)?,
            quiet_period: time(QUIET_PERIOD_VARIABLE, 10_000)?,
            environment,
        })
    }

    /// Carries up what messages say, or whatever is left to.
    pub async fn handle(
        &self,
        event: TalentEvent,
        clock: impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<TalentResponse, PropagationError> {
        let started = clock();
        let deadline = deadline.min(started + ATTEMPT_TIME) - TIME_RESERVE;
        let mut climbed = Climbed::default();
        let response = match event {
            TalentEvent::Raised(event) => Ok(TalentResponse::Raised(
                self.carry_up_from_messages(event, &clock, deadline, &mut climbed).await,
            )),
            TalentEvent::Schedule(_) => {
                self.sweep(&clock, deadline, &mut climbed).await.map(TalentResponse::Sweep)
            }
        };
        report(&climbed, started, clock());
        response
    }

    /// Carries up from every account that a message names: together, so that who is above several is
    /// settled once. If that fails, each alone, so that one bad item fails only its own message.
    async fn carry_up_from_messages(
        &self,
        event: SqsEvent,
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
        climbed: &mut Climbed,
    ) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        let mut received: Vec<(String, TalentMark)> = Vec::new();
        for message in event.records {
            let message_id = message.message_id.unwrap_or_default();
            match serde_json::from_str::<TalentRaised>(message.body.as_deref().unwrap_or_default()) {
                Ok(TalentRaised { account, tree }) => {
                    received.push((message_id, TalentMark::on(account, tree)));
                }
                Err(error) => {
                    tracing::error!(message_id, %error, "a message names no account; it will go to the dead letters");
                    response.add_failure(message_id);
                }
            }
        }
        let marks: Vec<TalentMark> = received.iter().map(|(_, mark)| mark.clone()).collect();
        let Err(error) = self.carry_up(marks, clock, deadline, climbed).await else { return response };
        tracing::warn!(%error, messages = received.len(), "changes could not be carried up together; each is tried alone");
        for (message_id, mark) in received {
            let account = mark.account.clone();
            if let Err(error) = self.carry_up(vec![mark], clock, deadline, climbed).await {
                tracing::error!(
                    message_id,
                    account = account.as_str(),
                    %error,
                    "a change of talent levels was not carried up; its message will be delivered again"
                );
                response.add_failure(message_id);
            }
        }
        response
    }

    /// Carries up from these marks, as far as they are raised, and takes them away. What was raised
    /// again meanwhile is carried up again.
    async fn carry_up(
        &self,
        mut marks: Vec<TalentMark>,
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
        climbed: &mut Climbed,
    ) -> Result<(), PropagationError> {
        let store = &self.environment.store;
        for _ in 0..CLIMBS_MAX {
            marks = store.talent_marks(marks).await?;
            if marks.is_empty() {
                return Ok(());
            }
            let starts = marks.iter().map(|mark| Start { account: mark.account.clone(), cause: None });
            self.climb(starts.collect(), clock, deadline, climbed).await?;
            marks = self.clear(marks).await?;
        }
        if marks.is_empty() { Ok(()) } else { Err(PropagationError::Contended) }
    }

    /// Settles these accounts and whoever is above them, and announces what goes on above those.
    async fn climb(
        &self,
        starts: Vec<Start>,
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
        climbed: &mut Climbed,
    ) -> Result<(), PropagationError> {
        let now = clock();
        let Environment { store, policy, queues, .. } = &self.environment;
        let talents = Talents {
            store,
            table: policy.talent(),
            knows_activity: self.knows_activity,
            announces: true,
            now,
        };
        let mut this = Climbed::default();
        let left = (deadline - now).to_std().unwrap_or(Duration::ZERO);
        let outcome = tokio::time::timeout(left, talents.climb(starts, TALENT_DEPTH, &mut this)).await;
        let unannounced = std::mem::take(&mut this.unannounced);
        climbed.add(this);
        let messages = unannounced.into_iter().map(TalentRaised::from);
        queues.send_all(&self.talent_queue_url, messages).await?;
        Ok(outcome.map_err(|_| PropagationError::OutOfTime)??)
    }

    /// Takes marks away. Those that were raised since they were read stay, and are answered.
    async fn clear(&self, marks: Vec<TalentMark>) -> Result<Vec<TalentMark>, StoreError> {
        let store = &self.environment.store;
        let cleared: Vec<Option<TalentMark>> = stream::iter(marks)
            .map(async |mark| Ok::<_, StoreError>((!store.apply(mark.clear()).await?).then_some(mark)))
            .buffer_unordered(CONCURRENT_CALLS_MAX)
            .try_collect()
            .await?;
        Ok(cleared.into_iter().flatten().collect())
    }
}

fn report(climbed: &Climbed, started: DateTime<Utc>, now: DateTime<Utc>) {
    for change in &climbed.level_changes {
        tracing::info!(
            account = change.account.as_str(),
            old_level = change.old_level.get(),
            new_level = change.new_level.get(),
            "a talent level changed"
        );
    }
    let without_user: &BTreeSet<_> = &climbed.without_user;
    if let Some(first) = without_user.first() {
        tracing::warn!(
            accounts = without_user.len(),
            account = first.as_str(),
            "talent levels were left as they were, because the accounts' users have not arrived"
        );
    }
    Metrics::of(FUNCTION)
        .count("TalentAccountsSettled", climbed.settled)
        .count("TalentLevelsChanged", climbed.level_changes.len() as u64)
        .count("TalentAncestorsWithoutUser", without_user.len() as u64)
        .milliseconds("Duration", (now - started).num_milliseconds())
        .emit(now.timestamp_millis());
}
