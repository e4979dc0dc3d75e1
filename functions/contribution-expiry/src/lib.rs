//! Closes business dates, one after the other, as far as contributions expire and become effective.
//!
//! A date is begun once everything the source committed for earlier dates is distributed or held.
//! Then what expires on it leaves `effective`, and what becomes effective enters. Both steps are split
//! into segments that are worked on in parallel, in any order and as often as messages come: every
//! change is a transaction whose condition is that it was not made before. When the last segment of
//! the second step is done, the network is summed, and `daily-snapshot` takes over.
//!
//! While a date closes, nothing else changes `effective`: postings only add to what is pending.

mod activate;
mod gate;

use std::collections::HashMap;
use std::num::NonZeroU32;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use chrono::{DateTime, TimeDelta, Utc};
use ledger::cdc::Profile;
use ledger::closing::{
    self, CloseError, CloseEvent, EXPIRY_QUEUE_VARIABLE, SEGMENTS_VARIABLE, SNAPSHOT_QUEUE_VARIABLE,
    SegmentQueue, TIME_RESERVE, advance, is_step_done,
};
use ledger::environment::{Environment, InvalidEnvironment};
use ledger::queue::{CloseMessage, CloseRequest, Release};
use ledger::rules::{Amount, BusinessDate, CloseStep};
use ledger::store::{
    CloseState, Expiring, Holder, NetworkTotals, SegmentState, Shard, Store, StoreError,
    TRANSACTION_ACTIONS_MAX, Transacted,
};
use ledger::telemetry::Metrics;

use crate::activate::{Activating, Outcome};
use crate::gate::Gate;

/// The name under which this function logs and counts.
pub const FUNCTION: &str = "contribution-expiry";
/// The variable that holds the first date to close; without it, the earliest effective date.
pub const FIRST_DATE_VARIABLE: &str = "FIRST_CLOSE_DATE";
/// The variable that holds how long a partition must be silent after midnight to count as read.
pub const QUIET_PERIOD_VARIABLE: &str = "CLOSE_QUIET_PERIOD_MS";
/// The variable that holds how long after midnight a date that is not closed is overdue.
pub const OVERDUE_AFTER_VARIABLE: &str = "CLOSE_OVERDUE_AFTER_MS";

/// Into how many segments a close is split where nothing else is configured.
const SEGMENTS_DEFAULT: u32 = 64;
/// Holders whose amounts expire in one transaction.
const EXPIRING_PER_TRANSACTION: usize = TRANSACTION_ACTIONS_MAX / Expiring::ACTIONS_MAX;

/// The function, built once per process.
#[derive(Debug)]
pub struct ContributionExpiry {
    environment: Environment,
    profile: Profile,
    own_queue: SegmentQueue,
    snapshot_queue: SegmentQueue,
    segments: u32,
    first_date: Option<BusinessDate>,
    quiet_period: TimeDelta,
    overdue_after: TimeDelta,
}

impl ContributionExpiry {
    /// The function in this environment.
    pub fn new(environment: Environment) -> Result<Self, InvalidEnvironment> {
        let variables = environment.variables();
        let duration = |name, default| variables.parsed_or(name, default).map(TimeDelta::milliseconds);
        let segments = NonZeroU32::new(SEGMENTS_DEFAULT).expect("more than none");
        let segments: NonZeroU32 = variables.parsed_or(SEGMENTS_VARIABLE, segments)?;
        let first_date = match variables.get(FIRST_DATE_VARIABLE) {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|_| InvalidEnvironment::Invalid { name: FIRST_DATE_VARIABLE, value: text })?,
            ),
        };
        Ok(Self {
            profile: environment.profile()?,
            own_queue: SegmentQueue::new(&environment, EXPIRY_QUEUE_VARIABLE)?,
            snapshot_queue: SegmentQueue::new(&environment, SNAPSHOT_QUEUE_VARIABLE)?,
            segments: segments.get(),
            first_date,
            quiet_period: duration(QUIET_PERIOD_VARIABLE, 600_000)?,
            overdue_after: duration(OVERDUE_AFTER_VARIABLE, 4 * 3_600_000)?,
            environment,
        })
    }

    /// Does what an event asks for: messages of the queue, or a call of the schedule or an operator.
    pub async fn handle(
        &self,
        event: CloseEvent,
        clock: impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<serde_json::Value, CloseError> {
        match event {
            CloseEvent::Messages(event) => {
                let mut response = SqsBatchResponse::default();
                for message in event.records {
                    let outcome = match closing::content(&message) {
                        Ok(CloseMessage::Begin(request)) => self.begin(request, clock()).await.map(|_| ()),
                        Ok(CloseMessage::Segment { date, step, segment }) => {
                            Box::pin(self.work_on(date, step, segment, &clock, deadline)).await
                        }
                        Err(error) => Err(error),
                    };
                    closing::note(&mut response, message, outcome);
                }
                Ok(serde_json::to_value(response)?)
            }
            CloseEvent::Call(request) => {
                let state = self.begin(request, clock()).await?;
                self.report(state.as_ref(), clock());
                Ok(serde_json::to_value(state)?)
            }
        }
    }

    /// Begins the next date that is due, or goes on with the one that is under way. Answers the latest
    /// close, if there is any.
    pub async fn begin(
        &self,
        request: CloseRequest,
        now: DateTime<Utc>,
    ) -> Result<Option<CloseState>, CloseError> {
        let store = &self.environment.store;
        let latest = store.latest_close().await?;
        let mut state = match latest {
            Some(state) if !state.is_closed() => state,
            closed => {
                let next = match &closed {
                    Some(closed) => Some((closed.date.next(), closed.first_date)),
                    None => self.first_date().await?.map(|first| (first, first)),
                };
                let due = next.filter(|(date, _)| self.is_due(*date, request, now));
                let Some((date, first_date)) = due else { return Ok(closed) };
                CloseState::begun(date, first_date, self.segments, now.timestamp_millis())
            }
        };
        let asked = CloseState {
            until: request.until.or(state.until),
            release: request.release.max(state.release),
            ..state.clone()
        };
        if asked != state || asked.revision == 0 {
            if !store.apply(asked.write_next()?).await? {
                // Somebody else is at it.
                return Ok(store.latest_close().await?);
            }
            state = CloseState { revision: asked.revision + 1, ..asked };
        }
        self.go_on(state, now).await?;
        Ok(store.latest_close().await?)
    }

    /// The first date there is anything to close for.
    async fn first_date(&self) -> Result<Option<BusinessDate>, StoreError> {
        match self.first_date {
            Some(date) => Ok(Some(date)),
            None => self.environment.store.earliest_pending_date().await,
        }
    }

    /// Whether a date may begin to close: because it has begun, or because somebody says that nothing
    /// more will come.
    fn is_due(&self, date: BusinessDate, request: CloseRequest, now: DateTime<Utc>) -> bool {
        let has_begun = now >= date.begins_at(self.environment.policy.business_time_zone());
        request.until.is_none_or(|until| date <= until)
            && (has_begun || (request.until.is_some() && request.release.is_some()))
    }

    async fn go_on(&self, state: CloseState, now: DateTime<Utc>) -> Result<(), CloseError> {
        let store = &self.environment.store;
        match state.step {
            CloseStep::Waiting => self.open(state, now).await,
            CloseStep::Expiring | CloseStep::Activating => {
                if is_step_done(store, &state, state.step).await? {
                    return self.finish_step(state, now).await;
                }
                self.own_queue.announce_again(store, &state, now).await
            }
            CloseStep::Snapshotting | CloseStep::Closed => Ok(()),
        }
    }

    /// Lets a date begin to close, or notes what it waits for.
    async fn open(&self, state: CloseState, now: DateTime<Utc>) -> Result<(), CloseError> {
        let Environment { store, policy, .. } = &self.environment;
        let gate = Gate { store, policy, profile: &self.profile, quiet_period: self.quiet_period };
        let waiting_for = match state.release {
            Some(Release::Everything) => Vec::new(),
            release => gate.waits_for(state.date, release, now).await?,
        };
        if waiting_for.is_empty() {
            if let Some(earlier) = self.earlier_first_date(&state).await? {
                return self.begin_earlier(state, earlier, now).await;
            }
            if let Some(state) = advance(store, state).await? {
                self.own_queue.announce(store, &state, now).await?;
            }
            return Ok(());
        }
        tracing::info!(date = %state.date, "a close waits: {}", waiting_for.join("; "));
        let waiting = CloseState { waiting_for, ..state.clone() };
        if waiting != state {
            let _ = store.apply(waiting.write_next()?).await?;
        }
        Ok(())
    }

    /// The first date there is anything to close for, if that became an earlier one than was begun: what was
    /// posted when the first close began need not have been the first adoption, but once nothing has to be
    /// waited for, it has been.
    async fn earlier_first_date(&self, state: &CloseState) -> Result<Option<BusinessDate>, StoreError> {
        if state.date != state.first_date || self.first_date.is_some() {
            return Ok(None);
        }
        let earliest = self.environment.store.earliest_pending_date().await?;
        Ok(earliest.filter(|earliest| *earliest < state.date))
    }

    /// Begins the very first close with this date in place of the one it was begun with.
    async fn begin_earlier(
        &self,
        state: CloseState,
        first_date: BusinessDate,
        now: DateTime<Utc>,
    ) -> Result<(), CloseError> {
        let begun = CloseState {
            until: state.until,
            release: state.release,
            ..CloseState::begun(first_date, first_date, state.segments, now.timestamp_millis())
        };
        // Who finds either condition failed leaves it to whoever moved the state.
        let _ = self.environment.store.transact(vec![state.remove(), begun.write_next()?]).await?;
        Ok(())
    }

    /// Does one segment of a step, or as much of it as there is time for.
    async fn work_on(
        &self,
        date: BusinessDate,
        step: CloseStep,
        segment: u32,
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
    ) -> Result<(), CloseError> {
        let Environment { store, policy, .. } = &self.environment;
        let Some(state) = store.close(date).await?.filter(|state| state.step == step) else {
            // A message of a step that is over.
            return Ok(());
        };
        let is_time_up = || clock() >= deadline - TIME_RESERVE;
        let progress = store.close_segment(date, step, segment).await?;
        if !progress.is_done() {
            let outcome = match step {
                CloseStep::Expiring => self.expire(&state, segment, progress, clock(), is_time_up).await?,
                CloseStep::Activating => {
                    Activating::new(store, policy, &state, segment, progress).run(is_time_up).await?
                }
                CloseStep::Waiting | CloseStep::Snapshotting | CloseStep::Closed => return Ok(()),
            };
            let progress = match outcome {
                Outcome::Done(progress) => SegmentState { done: Some(true), after: None, ..progress },
                Outcome::OutOfTime(progress) => progress,
                Outcome::LeftToOthers => return Ok(()),
            };
            if !store.apply(progress.write_next(date, step, segment)?).await? {
                // Somebody else works on it, or finished it.
                return Ok(());
            }
            if !progress.is_done() {
                return self.own_queue.send(CloseMessage::Segment { date, step, segment }).await;
            }
        }
        if is_step_done(store, &state, step).await? {
            let current = store.close(date).await?.filter(|state| state.step == step);
            if let Some(state) = current {
                self.finish_step(state, clock()).await?;
            }
        }
        Ok(())
    }

    /// Lets everything expire that expires on the date, in one segment's shards of the list.
    async fn expire(
        &self,
        state: &CloseState,
        segment: u32,
        progress: SegmentState,
        now: DateTime<Utc>,
        is_time_up: impl Fn() -> bool,
    ) -> Result<Outcome, CloseError> {
        let store = &self.environment.store;
        let mut expired = 0;
        for shard in Shard::all().filter(|shard| u32::from(shard.number()) % state.segments == segment) {
            loop {
                if is_time_up() {
                    return Ok(Outcome::OutOfTime(progress));
                }
                let expiring = store.expiring(state.date, shard, EXPIRING_PER_TRANSACTION).await?;
                if expiring.is_empty() {
                    break;
                }
                let holders: Vec<Holder> = expiring.iter().map(|one| one.holder.clone()).collect();
                let effective: HashMap<Holder, Amount> = store
                    .holdings(&holders)
                    .await?
                    .into_iter()
                    .map(|holding| (holding.holder, holding.effective))
                    .collect();
                let mut actions = Vec::new();
                for one in &expiring {
                    let effective = effective.get(&one.holder).copied().unwrap_or_default();
                    actions.extend(one.actions(state.date, effective, now)?);
                }
                // Where a condition fails, somebody else let some of it expire: the list says what is left.
                if store.transact(actions).await? == Transacted::Committed {
                    expired += expiring.len() as u64;
                }
            }
        }
        Ok(Outcome::Done(SegmentState { accounts: expired, ..progress }))
    }

    /// Moves a close on whose current step is done.
    async fn finish_step(&self, mut state: CloseState, now: DateTime<Utc>) -> Result<(), CloseError> {
        let store = &self.environment.store;
        let queue = if state.step == CloseStep::Expiring {
            &self.own_queue
        } else {
            state.totals = Some(network_totals(store, &state).await?);
            &self.snapshot_queue
        };
        if let Some(state) = advance(store, state).await? {
            queue.announce(store, &state, now).await?;
        }
        Ok(())
    }

    /// Says how the latest close is doing; also when there is none, because silence is overdue, too.
    fn report(&self, latest: Option<&CloseState>, now: DateTime<Utc>) {
        let open = latest.filter(|state| !state.is_closed());
        let waits = open.is_some_and(|state| !state.waiting_for.is_empty());
        let time_zone = self.environment.policy.business_time_zone();
        let is_overdue = open.is_some_and(|state| now - state.date.begins_at(time_zone) > self.overdue_after);
        let mut metrics = Metrics::of(FUNCTION)
            .count("CloseWaiting", u64::from(waits))
            .count("CloseOverdue", u64::from(is_overdue));
        if let Some(state) = open {
            metrics = metrics
                .property("date", state.date.to_string())
                .property("step", state.step.name())
                .property("waiting_for", state.waiting_for.clone());
        }
        metrics.emit(now.timestamp_millis());
    }
}

/// What is active in the network, once every segment is activated.
async fn network_totals(store: &Store, state: &CloseState) -> Result<NetworkTotals, CloseError> {
    let segments = store.close_segments(state, CloseStep::Activating).await?;
    let users = Amount::sum(segments.iter().map(|segment| segment.effective))?;
    let system = store.system_accounts().await?;
    let active = system.values().map(|share| share.effective).filter(|effective| *effective > Amount::ZERO);
    let totals = NetworkTotals { users, system: Amount::sum(active)? };
    totals.network()?;
    Ok(totals)
}
