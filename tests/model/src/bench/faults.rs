//! What goes wrong with the calls of invocations, by chance or exactly as said.

use std::collections::BTreeMap;

use crate::clock::Millis;
use crate::random::Random;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    #[default]
    Works,
    /// The service fails before the call has any effect.
    Fails,
    /// The call takes effect, and its answer never arrives.
    LosesAnswer,
    /// The service refuses the call because there were too many.
    Throttled,
    /// The environment dies before the call is sent.
    KilledBefore,
    /// The environment dies when the call has been sent, which takes effect.
    KilledAfter,
    /// A message is accepted and never delivered; other calls are answered.
    LosesMessage,
    /// The call is never sent and never answered: the invocation runs until its time is over.
    Hangs,
    /// The environment stands still before it sends the call, and goes on, even after its time is over.
    StandsStillBefore {
        /// For how long.
        for_ms: Millis,
    },
    /// The environment stands still when it has the answer, and goes on, even after its time is over.
    StandsStillAfter {
        /// For how long.
        for_ms: Millis,
    },
}

/// How often what goes wrong, in a million calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the fates of calls")]
pub struct FaultRates {
    pub fails: u32,
    pub loses_answer: u32,
    pub throttled: u32,
    pub killed: u32,
    pub hangs: u32,
    pub stands_still: u32,
    /// For how long an environment stands still at most.
    pub stands_still_ms: Millis,
    /// How often a standard queue delivers a message twice, in a million messages.
    pub duplicates: u32,
}

/// Which calls meet which fate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// What happens by chance.
    pub rates: FaultRates,
    /// Nothing happens by chance from this time on.
    pub ends_ms: Millis,
    /// What happens exactly.
    pub exactly: BTreeMap<CallPlace, Fate>,
    /// Which messages of standard queues are delivered a second time, by the number of the message from 1, and after
    /// how long.
    pub duplicates_exactly: BTreeMap<u64, Millis>,
    /// What happens to the first call that a function makes at or after a time.
    pub once: Option<Once>,
}

/// A call, by the function that makes it and its number among the calls of that function, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallPlace {
    /// The function.
    pub function: String,
    /// The number.
    pub number: u64,
}

/// A fault of one function at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The function.
    pub function: String,
    /// From when on.
    pub from_ms: Millis,
    /// What becomes of its call.
    pub fate: Fate,
}

/// A fault that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The time.
    pub at_ms: Millis,
    /// The call.
    pub call: CallPlace,
    /// What became of it.
    pub fate: Fate,
}

/// Draws the fates of calls and remembers those that were bad.
#[derive(Debug)]
pub(super) struct Faults {
    plan: FaultPlan,
    random: Random,
    calls: BTreeMap<String, u64>,
    messages: u64,
    pub(super) happened: Vec<Happened>,
    pub(super) duplicated: BTreeMap<u64, Millis>,
}

impl FaultRates {
    /// Returns rates at which several faults happen in a run of a few hundred calls.
    #[must_use]
    pub fn usual() -> Self {
        Self {
            fails: 3_000,
            loses_answer: 3_000,
            throttled: 2_000,
            killed: 2_000,
            hangs: 1_000,
            stands_still: 2_000,
            stands_still_ms: 20_000,
            duplicates: 20_000,
        }
    }
}

impl Faults {
    pub(super) fn new(plan: FaultPlan, random: Random) -> Self {
        Self {
            plan,
            random,
            calls: BTreeMap::new(),
            messages: 0,
            happened: Vec::new(),
            duplicated: BTreeMap::new(),
        }
    }

    pub(super) fn meets(&mut self, once: Once) {
        self.plan.once = Some(once);
    }

    /// Decides what becomes of the next call of a function, which may be that of sending messages.
    pub(super) fn draw(&mut self, now_ms: Millis, function: &str, is_send: bool) -> Fate {
        let number = if let Some(calls) = self.calls.get_mut(function) {
            *calls += 1;
            *calls
        } else {
            self.calls.insert(function.to_owned(), 1);
            1
        };
        let is_meant = |once: &mut Once| {
            let is_possible = is_send || once.fate != Fate::LosesMessage;
            once.function == function && once.from_ms <= now_ms && is_possible
        };
        let once = self.plan.once.take_if(is_meant).map(|once| once.fate);
        let exactly = || {
            let call = CallPlace { function: function.to_owned(), number };
            self.plan.exactly.get(&call).copied()
        };
        let said = if self.plan.exactly.is_empty() { None } else { exactly() };
        let fate = match said.or(once) {
            Some(fate) => fate,
            None if now_ms < self.plan.ends_ms => self.by_chance(),
            None => Fate::Works,
        };
        if fate != Fate::Works {
            let call = CallPlace { function: function.to_owned(), number };
            self.happened.push(Happened { at_ms: now_ms, call, fate });
        }
        fate
    }

    /// Decides whether a message is delivered twice, and after how long the second time.
    pub(super) fn draw_duplicate(&mut self, now_ms: Millis) -> Option<Millis> {
        self.messages += 1;
        let happens = now_ms < self.plan.ends_ms && self.random.happens(self.plan.rates.duplicates);
        let by_chance = happens.then(|| self.random.between(1, 5_000));
        let after_ms = self.plan.duplicates_exactly.get(&self.messages).copied().or(by_chance)?;
        self.duplicated.insert(self.messages, after_ms);
        Some(after_ms)
    }

    fn by_chance(&mut self) -> Fate {
        let rates = self.plan.rates;
        let mut left = u32::try_from(self.random.below(1_000_000)).expect("below a million");
        let mut takes = |rate: u32| {
            let takes = left < rate;
            left = left.saturating_sub(rate);
            takes
        };
        if takes(rates.fails) {
            Fate::Fails
        } else if takes(rates.loses_answer) {
            Fate::LosesAnswer
        } else if takes(rates.throttled) {
            Fate::Throttled
        } else if takes(rates.killed) {
            if self.random.happens(500_000) { Fate::KilledBefore } else { Fate::KilledAfter }
        } else if takes(rates.hangs) {
            Fate::Hangs
        } else if takes(rates.stands_still) {
            // Mostly shorter than most functions may run, sometimes longer than almost all of them.
            let longest_ms = rates.stands_still_ms.max(1);
            let is_long = self.random.below(3) == 0;
            let for_ms = self.random.between(1, if is_long { 4 * longest_ms } else { longest_ms });
            if self.random.happens(500_000) {
                Fate::StandsStillBefore { for_ms }
            } else {
                Fate::StandsStillAfter { for_ms }
            }
        } else {
            Fate::Works
        }
    }
}
