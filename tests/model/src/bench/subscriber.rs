//! A subscriber of events: keeps what it is sent, and answers as its seed says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::log::EventPlace;
use serde_json::Value;
use webhook_delivery::Post;

use crate::clock::Millis;
use crate::random::Random;

/// How long a delivery takes to the subscriber at least and at most, and as long again its answer.
const ON_ITS_WAY_MS: [Millis; 2] = [1, 300];
/// How often an answer takes long, in a million, and for how long at most. Its sender waits for ten seconds.
const SLOW_PER_MILLION: u32 = 50_000;
const SLOW_MS: Millis = 9_000;
/// How often an answer is a bad one, in a million, as long as some are left.
const BAD_PER_MILLION: u32 = 200_000;

/// Takes deliveries, and answers some of them badly.
#[derive(Debug)]
pub struct Subscriber {
    state: Mutex<State>,
}

/// How a subscriber behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// How often it answers badly by chance, at most.
    pub bad_max: u32,
    /// From when until when it takes nothing.
    pub down_ms: Option<[Millis; 2]>,
}

/// A delivery that a subscriber has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The time.
    pub at_ms: Millis,
    /// The delivery's id.
    pub id: String,
    /// Which subscription it is of.
    pub webhook: String,
    /// The place after which it has all events.
    pub after: EventPlace,
    /// The last place that it has.
    pub to: EventPlace,
    /// The events.
    pub events: Vec<Value>,
    /// Whether its sender is told, as far as it waits for that.
    pub is_told: bool,
}

#[derive(Debug)]
struct State {
    random: Random,
    manners: Manners,
    taken: Vec<Taken>,
}

/// What becomes of a delivery at its subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is taken, and its sender is told.
    Takes,
    /// It is taken, and the answer is lost.
    TakesAndIsSilent,
    /// It is not taken, and its sender is told by this status.
    Refuses(u16),
    /// It does not arrive.
    IsSilent,
    /// It is taken, and its sender dies meanwhile.
    OutlivesSender,
}

/// How a subscriber answers one delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// How long the delivery is on its way.
    pub(super) there_ms: Millis,
    /// How long its answer is.
    pub(super) back_ms: Millis,
}

impl Reply {
    /// Returns this reply with another answer.
    pub(super) fn with(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }
}

impl Subscriber {
    /// Returns a subscriber with these manners.
    #[must_use]
    pub fn new(random: Random, manners: Manners) -> Arc<Self> {
        let state = State { random, manners, taken: Vec::new() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Returns the deliveries that it has taken, in the order in which it took them.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        self.lock().taken.clone()
    }

    /// Decides how a delivery is answered that is sent now.
    pub(super) fn reply(&self, now_ms: Millis) -> Reply {
        self.lock().draw_reply(now_ms)
    }

    /// Takes a delivery that arrives, and returns its id.
    pub(super) fn take(&self, now_ms: Millis, post: &Post, is_told: bool) -> String {
        let taken = taken(now_ms, post, is_told);
        let id = taken.id.clone();
        self.lock().taken.push(taken);
        id
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn draw_reply(&mut self, now_ms: Millis) -> Reply {
        let [shortest_ms, longest_ms] = ON_ITS_WAY_MS;
        let there_ms = self.random.between(shortest_ms, longest_ms);
        let longest_ms = if self.random.happens(SLOW_PER_MILLION) { SLOW_MS } else { longest_ms };
        let back_ms = self.random.between(shortest_ms, longest_ms);
        Reply { answer: self.draw_answer(now_ms), there_ms, back_ms }
    }

    fn draw_answer(&mut self, now_ms: Millis) -> Answer {
        let is_down = |[from_ms, until_ms]: [Millis; 2]| (from_ms..until_ms).contains(&now_ms);
        if self.manners.down_ms.is_some_and(is_down) {
            return if self.random.happens(500_000) { Answer::Refuses(503) } else { Answer::IsSilent };
        }
        if self.manners.bad_max == 0 || !self.random.happens(BAD_PER_MILLION) {
            return Answer::Takes;
        }
        self.manners.bad_max -= 1;
        let bad = [
            Answer::TakesAndIsSilent,
            Answer::Refuses(500),
            Answer::IsSilent,
            Answer::Refuses(410),
            Answer::OutlivesSender,
        ];
        bad[usize::try_from(self.random.below(5)).expect("below 5")]
    }
}

/// Returns a delivery as its subscriber reads it.
fn taken(at_ms: Millis, post: &Post, is_told: bool) -> Taken {
    let id = post.headers.iter().find(|(name, _)| *name == "webhook-id").map(|(_, id)| id.clone());
    let body: Value = serde_json::from_str(&post.body).expect("a delivery is JSON");
    let data = &body["data"];
    let place = |name: &str| {
        let place = data[name].as_str().and_then(|place| place.parse().ok());
        place.expect("a delivery names its places")
    };
    Taken {
        at_ms,
        id: id.expect("a delivery has an id"),
        webhook: data["webhook"].as_str().unwrap_or_default().to_owned(),
        after: place("after"),
        to: place("to"),
        events: data["events"].as_array().cloned().unwrap_or_default(),
        is_told,
    }
}
