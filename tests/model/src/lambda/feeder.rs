//! Feeds a function with records in order: one batch at a time, again until it is done or given up.

use std::collections::{BTreeMap, VecDeque};

use super::invocation::Outcome;
use super::record::Record;
use crate::clock::Millis;

/// How long after an error the batch is tried again.
const RETRY_MS: Millis = 1_000;

/// One poller of a topic's trigger, or one lane of a stream's.
#[derive(Debug)]
pub struct Feeder<R> {
    waiting: VecDeque<R>,
    state: State<R>,
    /// Parts of a halved batch that come after the present one.
    halves: VecDeque<Vec<R>>,
    retries: u32,
    generation: u64,
}

#[derive(Debug)]
enum State<R> {
    Idle,
    /// A batch is open until its window ends or it is full.
    Gathering(Vec<R>),
    /// The function has the batch.
    Working(Vec<R>),
    /// The batch waits to be given to the function again.
    Paused(Vec<R>),
    /// The batch is over, and what was done does not count yet: nothing new begins.
    Settling,
}

/// What a mapping says about its batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeederRules {
    /// How many records a batch has at most.
    pub batch_size: usize,
    /// How long a batch waits for more records.
    pub window_ms: Millis,
    /// How often a batch is tried again; without a number until it succeeds.
    pub retries: Option<u32>,
    /// How old a record may be to be tried again.
    pub max_age_ms: Option<Millis>,
    /// Whether a batch that fails is halved.
    pub bisects: bool,
    /// Whether the function may report which records failed.
    pub reports_failures: bool,
}

/// What has to be done for a feeder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Ask for the function with the present batch.
    Ask,
    /// Call `on_timer` with the generation at this time.
    Timer {
        /// The time.
        at_ms: Millis,
        /// The state for which the timer is meant.
        generation: u64,
    },
}

/// What a result of the function means for its batch.
#[derive(Debug)]
pub struct Finished<R> {
    /// Records that are done.
    pub settled: Vec<R>,
    /// Records that are given up.
    pub discarded: Vec<R>,
    /// How it goes on.
    pub then: Then,
}

/// How a feeder goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// With what is left of the batch, at a later time.
    Retry(Directive),
    /// With `next`, as soon as what was done counts.
    Next,
}

impl<R: Record> Feeder<R> {
    /// Returns a feeder without records.
    #[must_use]
    pub fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            state: State::Idle,
            halves: VecDeque::new(),
            retries: 0,
            generation: 0,
        }
    }

    /// Appends a record that can be fetched from now on.
    pub fn offer(&mut self, record: R) {
        self.waiting.push_back(record);
    }

    /// Opens a batch or adds to the open one, if there are records for it.
    pub fn advance(&mut self, now_ms: Millis, rules: &FeederRules) -> Option<Directive> {
        let opens = match self.state {
            State::Idle if !self.waiting.is_empty() => {
                self.state = State::Gathering(Vec::new());
                true
            }
            State::Gathering(_) => false,
            _ => return None,
        };
        let State::Gathering(batch) = &mut self.state else { unreachable!("set above") };
        let missing = rules.batch_size - batch.len();
        batch.extend(self.waiting.drain(..missing.min(self.waiting.len())));
        if batch.len() == rules.batch_size {
            return Some(self.ask());
        }
        opens.then(|| self.timer(now_ms + rules.window_ms))
    }

    /// Goes on after a result: with the other half of a batch, or with what waits.
    pub fn next(&mut self, now_ms: Millis, rules: &FeederRules) -> Option<Directive> {
        self.state = State::Idle;
        if let Some(half) = self.halves.pop_front() {
            self.state = State::Paused(half);
            return Some(self.ask());
        }
        self.advance(now_ms, rules)
    }

    /// Goes on when a timer is over. The records returned are too old to be tried again.
    pub fn on_timer(
        &mut self,
        now_ms: Millis,
        generation: u64,
        rules: &FeederRules,
    ) -> (Vec<R>, Option<Directive>) {
        if generation != self.generation {
            return (Vec::new(), None);
        }
        let State::Paused(batch) = &mut self.state else { return (Vec::new(), Some(self.ask())) };
        let is_old = |record: &R| {
            rules.max_age_ms.is_some_and(|age_ms| now_ms.saturating_sub(record.at_ms()) > age_ms)
        };
        let (old, young): (Vec<R>, Vec<R>) = std::mem::take(batch).into_iter().partition(is_old);
        if young.is_empty() {
            self.retries = 0;
            self.state = State::Settling;
            return (old, None);
        }
        *batch = young;
        (old, Some(self.ask()))
    }

    /// Returns the batch that the function is asked for with.
    #[must_use]
    pub fn batch(&self) -> &[R] {
        match &self.state {
            State::Gathering(batch) | State::Working(batch) | State::Paused(batch) => batch,
            State::Idle | State::Settling => &[],
        }
    }

    /// Returns every record that is not done yet.
    pub fn pending(&self) -> impl Iterator<Item = &R> {
        self.batch().iter().chain(self.halves.iter().flatten()).chain(&self.waiting)
    }

    /// Waits because the function was throttled.
    pub fn throttled(&mut self, now_ms: Millis) -> Directive {
        self.pause(now_ms)
    }

    /// Takes in how the function ended.
    pub fn finish(&mut self, now_ms: Millis, outcome: &Outcome, rules: &FeederRules) -> Finished<R> {
        let State::Working(batch) = std::mem::replace(&mut self.state, State::Settling) else {
            unreachable!("only a batch that the function has can end");
        };
        let failures: &[usize] = match outcome {
            Outcome::Succeeded(_) => &[],
            Outcome::Partial(_) if !rules.reports_failures => &[],
            Outcome::Partial(failures) => failures,
            Outcome::Failed(_) | Outcome::TimedOut | Outcome::Killed => {
                return self.failed(now_ms, Vec::new(), batch, rules);
            }
        };
        let (settled, rest) = split_at_failures(batch, failures);
        if rest.is_empty() {
            self.retries = 0;
            return Finished { settled, discarded: Vec::new(), then: Then::Next };
        }
        self.failed(now_ms, settled, rest, rules)
    }

    fn failed(
        &mut self,
        now_ms: Millis,
        settled: Vec<R>,
        mut rest: Vec<R>,
        rules: &FeederRules,
    ) -> Finished<R> {
        // A report of where it failed divides the batch there; without one it is halved.
        let divides = rules.bisects && (rest.len() > 1 || !settled.is_empty());
        if divides {
            if settled.is_empty() {
                let second = rest.split_off(rest.len().div_ceil(2));
                self.halves.push_front(second);
            }
        } else if rules.retries.is_some_and(|retries| self.retries >= retries) {
            self.retries = 0;
            return Finished { settled, discarded: rest, then: Then::Next };
        } else {
            self.retries += 1;
        }
        self.state = State::Paused(rest);
        Finished { settled, discarded: Vec::new(), then: Then::Retry(self.pause(now_ms)) }
    }

    fn ask(&mut self) -> Directive {
        self.generation += 1;
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::Gathering(batch) | State::Paused(batch) | State::Working(batch) => State::Working(batch),
            State::Idle | State::Settling => unreachable!("there is a batch to ask for"),
        };
        Directive::Ask
    }

    fn pause(&mut self, now_ms: Millis) -> Directive {
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::Working(batch) | State::Paused(batch) => State::Paused(batch),
            State::Idle | State::Gathering(_) | State::Settling => {
                unreachable!("only a batch that was asked for waits")
            }
        };
        self.timer(now_ms + RETRY_MS)
    }

    fn timer(&mut self, at_ms: Millis) -> Directive {
        self.generation += 1;
        Directive::Timer { at_ms, generation: self.generation }
    }
}

impl<R: Record> Default for Feeder<R> {
    fn default() -> Self {
        Self::new()
    }
}

/// Splits a batch into what precedes the first failed record of each strand and the rest.
fn split_at_failures<R: Record>(batch: Vec<R>, failures: &[usize]) -> (Vec<R>, Vec<R>) {
    let mut first_failures: BTreeMap<u32, usize> = BTreeMap::new();
    for position in failures.iter().copied().filter(|position| *position < batch.len()) {
        let first = first_failures.entry(batch[position].strand()).or_insert(position);
        *first = position.min(*first);
    }
    let (mut settled, mut rest) = (Vec::new(), Vec::new());
    for (position, record) in batch.into_iter().enumerate() {
        match first_failures.get(&record.strand()) {
            Some(first) if position >= *first => rest.push(record),
            _ => settled.push(record),
        }
    }
    (settled, rest)
}

#[cfg(test)]
mod tests {
    use super::{Directive, Feeder, FeederRules, Then};
    use crate::lambda::{KafkaRecord, Outcome};

    fn rules(retries: Option<u32>, bisects: bool) -> FeederRules {
        FeederRules {
            batch_size: 4,
            window_ms: 100,
            retries,
            max_age_ms: None,
            bisects,
            reports_failures: true,
        }
    }

    fn record(partition: u32, offset: u64) -> KafkaRecord {
        KafkaRecord {
            topic: "t".to_owned(),
            partition,
            offset,
            at_ms: 0,
            fetchable_ms: 0,
            key: None,
            value: None,
        }
    }

    fn full(rules: &FeederRules) -> Feeder<KafkaRecord> {
        let mut feeder = Feeder::new();
        for (partition, offset) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            feeder.offer(record(partition, offset));
        }
        assert_eq!(feeder.advance(0, rules), Some(Directive::Ask));
        feeder
    }

    fn failed() -> Outcome {
        Outcome::Failed("no".to_owned())
    }

    fn places(records: &[KafkaRecord]) -> Vec<(u32, u64)> {
        records.iter().map(|record| (record.partition, record.offset)).collect()
    }

    #[test]
    fn what_precedes_the_first_failure_of_each_strand_is_settled() {
        let rules = rules(None, false);
        let mut feeder = full(&rules);
        let finished = feeder.finish(50, &Outcome::Partial(vec![2]), &rules);
        assert_eq!(places(&finished.settled), [(0, 0), (1, 0), (1, 1)]);
        assert_eq!(places(feeder.batch()), [(0, 1)]);
        assert!(matches!(finished.then, Then::Retry(Directive::Timer { at_ms: 1_050, .. })));
    }

    #[test]
    fn a_batch_is_given_up_after_its_retries() {
        let rules = rules(Some(1), false);
        let mut feeder = full(&rules);
        let Then::Retry(Directive::Timer { at_ms, generation }) = feeder.finish(0, &failed(), &rules).then
        else {
            panic!("it is tried again");
        };
        assert_eq!(feeder.on_timer(at_ms, generation, &rules).1, Some(Directive::Ask));
        let finished = feeder.finish(at_ms, &failed(), &rules);
        assert_eq!((finished.discarded.len(), finished.then), (4, Then::Next));
    }

    #[test]
    fn halving_uses_no_retry_and_the_second_half_follows_the_first() {
        let rules = rules(Some(0), true);
        let mut feeder = full(&rules);
        let Then::Retry(Directive::Timer { at_ms, generation }) = feeder.finish(0, &failed(), &rules).then
        else {
            panic!("it is halved");
        };
        assert_eq!(places(feeder.batch()), [(0, 0), (1, 0)]);
        assert_eq!(feeder.on_timer(at_ms, generation, &rules).1, Some(Directive::Ask));
        assert_eq!(feeder.finish(at_ms, &Outcome::Succeeded(None), &rules).then, Then::Next);
        assert_eq!(feeder.next(at_ms, &rules), Some(Directive::Ask));
        assert_eq!(places(feeder.batch()), [(0, 1), (1, 1)]);
    }

    #[test]
    fn nothing_new_begins_before_what_was_done_counts() {
        let rules = rules(None, false);
        let mut feeder = full(&rules);
        feeder.offer(record(0, 2));
        assert_eq!(feeder.finish(0, &Outcome::Succeeded(None), &rules).then, Then::Next);
        assert_eq!(feeder.advance(1, &rules), None);
        assert!(matches!(feeder.next(5, &rules), Some(Directive::Timer { at_ms: 105, .. })));
    }
}
