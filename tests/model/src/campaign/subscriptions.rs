//! Subscriptions to events, in some histories: what operators say of them, and a subscriber that fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use domain::log::{EventPlace, EventType, WebhookChange, WebhookName};
use runtime::Clock;
use store::webhooks::{Attempt, WebhookState};
use webhook_delivery::Limits;

use super::act::{Act, Word};
use super::clients::Command;
use super::script::Script;
use crate::bench::{Executor, Manners, Subscriber, Taken};
use crate::clock::Millis;
use crate::deployed::{Subscribed, WEBHOOKS};
use crate::random::Random;

/// In how many of a million histories there are subscriptions.
const SUBSCRIBED: u32 = 100_000;
/// How often the subscriber answers badly by chance, at most.
const BAD_MAX: u64 = 4;
/// In how many of a million of these histories the subscriber takes nothing for a while, and for how long.
const DOWN: u32 = 300_000;
const DOWN_FOR_MS: [Millis; 2] = [40_000, 150_000];
/// What operators say of subscriptions in how many of a million of these histories.
const SAID: [(Word, u32); 5] = [
    (Word::Replay, 600_000),
    (Word::Replay, 200_000),
    (Word::Redeliver, 600_000),
    (Word::Redeliver, 300_000),
    (Word::RotateSecret, 300_000),
];
/// A delivery is sent once more that came at least so long ago.
const REDELIVERED_AFTER_MS: Millis = 3_000;
/// How often a schedule calls the function twice at once, and how much later the second call is at most.
const CALLED_TWICE: usize = 4;
const SECOND_CALL_AFTER_MS: Millis = 300;
/// How many attempts to deliver are listed at once, more than a history has.
const ATTEMPTS_MAX: usize = 10_000;
const URL: &str = "https://subscriber.example/in";
/// The subscriptions with the kinds of events that they want; all, and some.
const WANTED: [(&str, &[EventType]); 2] = [
    ("all", &[]),
    (
        "some",
        &[
            EventType::ContributionCorrected,
            EventType::AdoptionHeld,
            EventType::AdoptionReleased,
            EventType::DailySnapshotCreated,
        ],
    ),
];

/// The subscriptions of a history.
pub(super) struct Subscriptions {
    pub(super) subscriber: Arc<Subscriber>,
    limits: Limits,
    random: Random,
    /// What must not be and was found while the history went on.
    pub(super) findings: Vec<String>,
    said: u32,
}

impl Subscriptions {
    /// Returns the subscriptions of a history whose last record is of `last_ms`, if it has any.
    pub(super) fn of(script: &Script, last_ms: Millis) -> Option<Self> {
        let mut random = Random::new(script.seed ^ 0x5ca1_ab1e);
        if !random.happens(SUBSCRIBED) || script.without.subscribers {
            return None;
        }
        let bad_max = u32::try_from(random.below(BAD_MAX + 1)).expect("few");
        let [from_ms, for_ms] =
            [random.between(last_ms / 4, last_ms), random.between(DOWN_FOR_MS[0], DOWN_FOR_MS[1])];
        let down_ms = random.happens(DOWN).then_some([from_ms, from_ms + for_ms]);
        let limits = Limits {
            events_per_delivery: usize::try_from(random.between(1, 5)).expect("few"),
            pages_unsaved_max: 16,
            retry_first_ms: 4_000,
            retry_max_ms: 30_000,
            stopped_after_ms: 60_000,
        };
        let subscriber = Subscriber::new(random.fork(), Manners { bad_max, down_ms });
        Some(Self { subscriber, limits, random, findings: Vec::new(), said: 0 })
    }

    /// Returns how the function is deployed that sends events.
    pub(super) fn deployed(&self) -> Subscribed {
        Subscribed { subscriber: self.subscriber.clone(), limits: self.limits }
    }

    /// Returns what happens when, in a history in which functions fail until `end_ms`.
    pub(super) fn acts(&mut self, last_ms: Millis, end_ms: Millis) -> Vec<(Millis, Act)> {
        let random = &mut self.random;
        let mut acts = Vec::new();
        for (name, types) in WANTED {
            let after = (random.below(2) == 0).then_some(EventPlace::START);
            let change = WebhookChange::Set { url: URL.to_owned(), types: types.to_vec(), after };
            let at_ms = random.between(0, last_ms / 2);
            acts.push((at_ms, Act::Ask(asked(format!("subscribe-{name}"), name_of(name), change))));
        }
        for (word, per_million) in SAID {
            let at_ms = random.between(last_ms / 4, end_ms);
            if random.happens(per_million) {
                acts.push((at_ms, Act::Say(word)));
            }
        }
        for _ in 0..random.below(CALLED_TWICE as u64 + 1) {
            let at_ms = random.between(last_ms / 4, end_ms);
            let second_ms = at_ms + random.below(SECOND_CALL_AFTER_MS);
            acts.extend([at_ms, second_ms].map(|at_ms| (at_ms, Act::CallAgain(WEBHOOKS))));
        }
        acts
    }

    /// Has an operator say something of a subscription. Returns the situation that this is, if there is anything to
    /// say.
    pub(super) fn say(
        &mut self,
        word: Word,
        executor: &mut Executor,
        today: NaiveDate,
    ) -> Option<&'static str> {
        let until_ms = executor.now_ms().saturating_sub(REDELIVERED_AFTER_MS);
        let old = self.subscriber.taken().into_iter().filter(|taken| taken.at_ms <= until_ms);
        let taken = self.one_of(old.collect())?;
        let (change, situation) = match word {
            Word::Replay => {
                (WebhookChange::Resume { after: Some(taken.after) }, "a period of events was sent again")
            }
            Word::Redeliver => {
                let delivery = taken.id.parse().expect("a delivery's id");
                (WebhookChange::Redeliver { delivery }, "a delivery was sent once more by hand")
            }
            Word::RotateSecret => (WebhookChange::RotateSecret, "a secret of a subscription was replaced"),
        };
        self.ask(name_of(&taken.webhook), change, executor, today);
        Some(situation)
    }

    fn one_of(&mut self, mut list: Vec<Taken>) -> Option<Taken> {
        let count = u64::try_from(list.len()).expect("a few").max(1);
        let chosen = usize::try_from(self.random.below(count)).expect("a few");
        (chosen < list.len()).then(|| list.swap_remove(chosen))
    }

    fn ask(&mut self, name: WebhookName, change: WebhookChange, executor: &mut Executor, today: NaiveDate) {
        self.said += 1;
        asked(format!("subscription-{}", self.said), name, change).ask(executor, today);
    }

    /// Has an operator resume what is stopped, and notes where no failed delivery stands in the list of it. Returns how
    /// many are resumed, and whether a delivery that failed is still to come.
    pub(super) fn look_after(&mut self, executor: &mut Executor, today: NaiveDate) -> (u64, bool) {
        let states = states(executor);
        let now_ms = executor.clock().now().timestamp_millis();
        let is_waited_for = states.values().any(|state| is_waited_for(state, now_ms));
        let stopped = states.into_iter().filter(|(_, state)| state.stopped_ms.is_some());
        let mut resumed = 0;
        for (name, state) in stopped {
            let to = state.failing.map(|failing| failing.to);
            let is_failed =
                |attempt: &Attempt| Some(attempt.delivery.to) == to && !attempt.outcome.is_delivered();
            if !attempts(executor, &name).iter().any(is_failed) {
                self.findings.push(format!("{name} is stopped, and no failed delivery of it is listed"));
            }
            self.ask(name, WebhookChange::Resume { after: None }, executor, today);
            resumed += 1;
        }
        (resumed, is_waited_for)
    }
}

/// Returns whether a delivery of a subscription is still to come: it is begun or failed, or the invocation that died
/// with it has it for itself for a while.
fn is_waited_for(state: &WebhookState, now_ms: i64) -> bool {
    state.stopped_ms.is_some() || state.begun().is_some() || state.claimed_until_ms > now_ms
}

/// Returns how far each subscription is.
pub(super) fn states(executor: &mut Executor) -> BTreeMap<WebhookName, WebhookState> {
    let engine = executor.engine();
    let read = executor.run_client(async move { store::webhooks::states(&engine).await });
    read.expect("no fault for the bench")
}

/// Returns the attempts to deliver that are listed of a subscription, the latest first.
pub(super) fn attempts(executor: &mut Executor, name: &WebhookName) -> Vec<Attempt> {
    let (engine, name) = (executor.engine(), name.clone());
    let read = executor
        .run_client(async move { store::webhooks::attempts(&engine, &name, None, ATTEMPTS_MAX).await });
    read.expect("no fault for the bench").into_iter().map(|(_, attempt)| attempt).collect()
}

fn name_of(text: &str) -> WebhookName {
    text.parse().expect("a name")
}

fn asked(key: String, name: WebhookName, change: WebhookChange) -> Command {
    Command::Webhook { key, name, change }
}
