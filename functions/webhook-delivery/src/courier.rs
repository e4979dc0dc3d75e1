//! Sends one subscriber what is new to it, in the order of the log, by the transport that it is handed.
//!
//! Touches: `Log` (reads), `Ledger` (reads, writes), `Snapshots` (reads), the clock.

use std::collections::BTreeSet;

use domain::Versions;
use domain::events::Event;
use domain::log::{DeliveryId, EventPlace, Position, WebhookName};
use domain::proof::Secret;
use domain::webhooks::{Reach, SigningSecret, Target, Webhook};
use runtime::Context;
use store::events::{self, EventPage, Wanted};
use store::webhooks::{self, Attempt, AttemptOutcome, Failing, NextDelivery, WebhookState};
use store::{Engine, StoreError};

use crate::limits::Limits;
use crate::message::message;
use crate::transport::Transport;

/// A delivery is begun only while more than this is left of the invocation, in milliseconds.
const DELIVERY_TAKES_MS: i64 = 12_000;
/// The status by which a subscriber says that it wants nothing any more.
const GONE: u16 = 410;

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// How many events subscribers have taken.
    pub(crate) events: u64,
    /// How many deliveries failed.
    pub(crate) failed: u64,
    /// How many subscriptions are stopped.
    pub(crate) stopped: u64,
}

impl Delivered {
    /// Adds what was sent to another subscriber.
    pub(crate) fn add(&mut self, other: Self) {
        self.events += other.events;
        self.failed += other.failed;
        self.stopped += other.stopped;
    }
}

/// Sends events to subscribers.
pub(crate) struct Courier<'a> {
    /// What the invocation may use.
    pub(crate) context: &'a Context,
    /// How messages get there.
    pub(crate) transport: &'a dyn Transport,
    /// What secrets follow from.
    pub(crate) secret: &'a Secret,
    /// What may be reached.
    pub(crate) reach: Reach,
    /// The versions of the rules.
    pub(crate) versions: &'a Versions,
    /// How much is sent at once, and how patiently.
    pub(crate) limits: Limits,
    /// The last page that was read and that all heads include.
    pub(crate) last: Position,
}

/// A subscription that is being served.
struct Round<'a> {
    name: &'a WebhookName,
    webhook: &'a Webhook,
    state: WebhookState,
    delivered: Delivered,
}

impl Courier<'_> {
    /// Sends a subscriber what is new to it, until there is nothing more, something fails, or time is up.
    pub(crate) async fn deliver(
        &self,
        name: &WebhookName,
        webhook: &Webhook,
        stored: Option<WebhookState>,
    ) -> Result<Delivered, StoreError> {
        let was_stopped = stored.as_ref().is_some_and(|state| state.stopped_ms.is_some());
        let state = as_operators_say(stored, webhook);
        // Where nothing is to be sent after a word that it go on, the list would call it stopped.
        let is_resumed = was_stopped && state.stopped_ms.is_none();
        let mut round = Round { name, webhook, state, delivered: Delivered::default() };
        // What an invocation sends that read less of the log than the one before is not what was begun.
        let is_behind = round.furthest().position() > self.last;
        let is_free = round.state.claimed_until_ms <= self.now_ms() && !is_behind;
        if is_free && (self.has_work(&mut round).await? || is_resumed) {
            round.state.claimed_until_ms = self.context.deadline.timestamp_millis();
            if round.save(self.engine()).await? {
                self.work(&mut round).await?;
            }
        }
        round.delivered.stopped = round.state.stopped_ms.is_some().into();
        Ok(round.delivered)
    }

    fn engine(&self) -> &dyn Engine {
        &*self.context.engine
    }

    fn now_ms(&self) -> i64 {
        self.context.clock.now().timestamp_millis()
    }

    fn has_time(&self) -> bool {
        (self.context.deadline - self.context.clock.now()).num_milliseconds() > DELIVERY_TAKES_MS
    }

    fn is_due(&self, state: &WebhookState) -> bool {
        let waits = state.failing.as_ref().is_some_and(|failing| self.now_ms() < failing.next_ms);
        state.stopped_ms.is_none() && !waits
    }

    /// Returns whether there is anything to send, and notes what is sent first. Nothing is written to find that out.
    async fn has_work(&self, round: &mut Round<'_>) -> Result<bool, StoreError> {
        if !round.redeliveries().is_empty() {
            return Ok(true);
        }
        if !self.is_due(&round.state) {
            return Ok(false);
        }
        let page = self.next_events(round).await?;
        if let Some(last) = page.events.last() {
            round.begin(last.id);
        }
        // What is wanted may follow further on than one call reads.
        Ok(!page.events.is_empty() || !page.is_last)
    }

    async fn work(&self, round: &mut Round<'_>) -> Result<(), StoreError> {
        for (at, id) in round.redeliveries() {
            if !self.has_time() {
                break;
            }
            self.redeliver(round, &id).await?;
            round.state.redelivered_at = Some(at);
        }
        while self.has_time() && self.is_due(&round.state) {
            let page = self.next_events(round).await?;
            let Some(last) = page.events.last() else {
                let was_begun = round.state.begun().is_some();
                round.state.failing = None;
                round.state.next = Some(NextDelivery { searched: page.next, to: None });
                if page.is_last && !was_begun {
                    break;
                }
                continue;
            };
            if round.begin(last.id) && !round.save(self.engine()).await? {
                return Ok(());
            }
            let after = round.state.delivered;
            let id = DeliveryId { webhook: round.name.clone(), after, to: last.id };
            let number = round.state.failing.as_ref().map_or(0, |failing| failing.attempts) + 1;
            let outcome = self.attempt(round, &id, &page.events, number).await?;
            self.take_down(&mut round.state, &id, &outcome);
            if !round.save(self.engine()).await? {
                // The claim ran out, and another invocation goes on.
                return Ok(());
            }
        }
        round.state.claimed_until_ms = 0;
        round.save(self.engine()).await.map(drop)
    }

    /// Returns the events that come next; those of the delivery that was begun, if one was.
    async fn next_events(&self, round: &Round<'_>) -> Result<EventPage, StoreError> {
        self.events(round.webhook, round.state.searched(), round.state.begun()).await
    }

    async fn events(
        &self,
        webhook: &Webhook,
        after: EventPlace,
        until: Option<EventPlace>,
    ) -> Result<EventPage, StoreError> {
        let types: BTreeSet<_> = webhook.types.clone();
        let wanted = Wanted { after, until, types, limit: self.limits.events_per_delivery };
        events::read(self.engine(), self.versions, wanted, self.last).await
    }

    /// Sends once more what an operator asked for. It is tried once; the list of deliveries says what came of it.
    async fn redeliver(&self, round: &mut Round<'_>, id: &DeliveryId) -> Result<(), StoreError> {
        let page = self.events(round.webhook, id.after, Some(id.to)).await?;
        if let Some(last) = page.events.last() {
            let id = DeliveryId { to: last.id, ..id.clone() };
            self.attempt(round, &id, &page.events, 1).await?;
        }
        Ok(())
    }

    /// Sends a delivery, and lists what came of it.
    async fn attempt(
        &self,
        round: &mut Round<'_>,
        id: &DeliveryId,
        events: &[Event],
        number: u32,
    ) -> Result<AttemptOutcome, StoreError> {
        let at_ms = self.now_ms();
        let outcome = self.send(round, id, events, at_ms).await;
        let count = u32::try_from(events.len()).expect("a delivery has few events");
        if outcome.is_delivered() {
            round.delivered.events += u64::from(count);
        } else {
            round.delivered.failed += 1;
            tracing::warn!(webhook = round.name.as_str(), delivery = %id, ?outcome, "a delivery failed");
        }
        let attempt = Attempt {
            delivery: id.clone(),
            at_ms,
            number,
            events: count,
            took_ms: self.now_ms() - at_ms,
            outcome: outcome.clone(),
        };
        webhooks::put_attempt(self.engine(), &attempt).await?;
        Ok(outcome)
    }

    async fn send(
        &self,
        round: &Round<'_>,
        id: &DeliveryId,
        events: &[Event],
        now_ms: i64,
    ) -> AttemptOutcome {
        let target = match Target::parse(&round.webhook.url, self.reach) {
            Ok(target) => target,
            Err(error) => return AttemptOutcome::Failed(error.to_string()),
        };
        let secrets: Vec<SigningSecret> = round
            .webhook
            .secrets(now_ms)
            .into_iter()
            .map(|number| SigningSecret::of(self.secret, round.name, round.webhook.since, number))
            .collect();
        match self.transport.post(message(target, id, events, &secrets, now_ms / 1_000)).await {
            Ok(status) => AttemptOutcome::Answered(status),
            Err(why) => AttemptOutcome::Failed(why),
        }
    }

    /// Takes down what came of a delivery.
    fn take_down(&self, state: &mut WebhookState, id: &DeliveryId, outcome: &AttemptOutcome) {
        if outcome.is_delivered() {
            state.delivered = id.to;
            state.failing = None;
            state.next = None;
            return;
        }
        let now_ms = self.now_ms();
        let (attempts, since_ms) = match &state.failing {
            Some(failing) => (failing.attempts + 1, failing.since_ms),
            None => (1, now_ms),
        };
        let next_ms = now_ms + self.limits.retry_after_ms(attempts);
        state.failing = Some(Failing { to: id.to, attempts, since_ms, next_ms });
        if *outcome == AttemptOutcome::Answered(GONE) || now_ms - since_ms >= self.limits.stopped_after_ms {
            state.stopped_ms = Some(now_ms);
        }
    }
}

impl Round<'_> {
    /// Returns what operators asked to be delivered once more, and was not yet.
    fn redeliveries(&self) -> Vec<(EventPlace, DeliveryId)> {
        let asked = self.webhook.redeliveries.iter();
        asked.filter(|(at, _)| Some(*at) > self.state.redelivered_at).cloned().collect()
    }

    /// Returns the last place up to which the subscription was delivered, searched, or a delivery begun.
    fn furthest(&self) -> EventPlace {
        let searched = self.state.delivered.max(self.state.searched());
        self.state.begun().map_or(searched, |begun| begun.max(searched))
    }

    /// Notes where the next delivery ends, so that it is the same when it comes again. Returns whether that is new.
    fn begin(&mut self, to: EventPlace) -> bool {
        let is_new = self.state.begun() != Some(to);
        if is_new {
            self.state.next = Some(NextDelivery { searched: self.state.searched(), to: Some(to) });
        }
        is_new
    }

    /// Puts how far the subscription is. Returns whether no other invocation came first.
    async fn save(&mut self, engine: &dyn Engine) -> Result<bool, StoreError> {
        let is_saved = webhooks::put_state(engine, self.name, &self.state).await?;
        self.state.revision += 1;
        Ok(is_saved)
    }
}

/// Returns how far a subscription is, once the last word of operators is followed.
fn as_operators_say(stored: Option<WebhookState>, webhook: &Webhook) -> WebhookState {
    let revision = stored.as_ref().map_or(0, |state| state.revision);
    let mut state = stored.filter(|state| state.since == webhook.since).unwrap_or(WebhookState {
        since: webhook.since,
        delivered: webhook.after,
        resumed_at: None,
        redelivered_at: None,
        failing: None,
        stopped_ms: None,
        claimed_until_ms: 0,
        next: None,
        revision,
    });
    if let Some(resumed) = webhook.resumed.filter(|resumed| Some(resumed.at) != state.resumed_at) {
        state.resumed_at = Some(resumed.at);
        if let Some(after) = resumed.after {
            (state.delivered, state.next) = (after, None);
        }
        state.failing = None;
        state.stopped_ms = None;
    }
    state
}
