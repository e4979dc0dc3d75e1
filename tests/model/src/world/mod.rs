//! The world: every service together, driven by one queue of events in virtual time.

mod administration;
mod agenda;
mod asynchronous;
mod call;
mod event;
mod functions;
mod mappings;
mod measured;
mod profile;
mod queues;
mod record_triggers;
mod sqs_triggers;
mod trace;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use administration::Administration;
pub use call::{Answer, CallError, Fault, LambdaRequest, Output, Request, TableRequest};
pub use event::Event;
pub use mappings::Mapping;
pub use profile::{Latencies, Profile, Timing};
pub use trace::{Trace, hash_of};

use crate::clock::Millis;
use crate::lambda::{Functions, Invocation, Schedule, Topic};
use crate::queue::Queues;
use crate::random::Random;
use crate::table::Database;
use agenda::Agenda;
use asynchronous::AsyncInvocation;
use call::PendingCall;
use queues::Waiter;

/// Everything that exists, and what is going to happen.
pub struct World {
    now_ms: Millis,
    agenda: Agenda<Event>,
    /// The tables.
    pub database: Database,
    /// The queues.
    pub queues: Queues,
    /// The functions.
    pub functions: Functions,
    /// What happened, as a hash or line by line.
    pub trace: Trace,
    topics: BTreeMap<String, Topic>,
    mappings: Vec<Mapping>,
    schedules: Vec<Schedule>,
    /// The names of the schedules that calls made.
    schedule_names: BTreeSet<String>,
    latencies: Latencies,
    calls: BTreeMap<u64, PendingCall>,
    last_call: u64,
    invocations: BTreeMap<u64, Invocation>,
    last_invocation: u64,
    asynchronous: BTreeMap<u64, AsyncInvocation>,
    last_asynchronous: u64,
    waiters: BTreeMap<String, VecDeque<Waiter>>,
    queue_timers: BTreeMap<String, Millis>,
    notices: VecDeque<Notice>,
}

/// What the driver of a world has to know or to do.
#[derive(Debug)]
pub enum Notice {
    /// The answer to a call has arrived.
    Answered(Answer),
    /// The handler of an invocation begins; the driver says when and how it ends.
    Begins(Invocation),
    /// Time that the driver asked for has come.
    Alarm(u64),
}

impl World {
    /// Returns an empty world at time 0.
    #[must_use]
    pub fn new(profile: Profile, random: Random) -> Self {
        Self {
            now_ms: 0,
            agenda: Agenda::default(),
            database: Database::default(),
            queues: Queues::default(),
            functions: Functions::default(),
            trace: Trace::off(),
            topics: BTreeMap::new(),
            mappings: Vec::new(),
            schedules: Vec::new(),
            schedule_names: BTreeSet::new(),
            latencies: Latencies::new(profile, random),
            calls: BTreeMap::new(),
            last_call: 0,
            invocations: BTreeMap::new(),
            last_invocation: 0,
            asynchronous: BTreeMap::new(),
            last_asynchronous: 0,
            waiters: BTreeMap::new(),
            queue_timers: BTreeMap::new(),
            notices: VecDeque::new(),
        }
    }

    /// Returns the time.
    #[must_use]
    pub fn now_ms(&self) -> Millis {
        self.now_ms
    }

    /// Returns when the next event happens.
    #[must_use]
    pub fn next_ms(&self) -> Option<Millis> {
        self.agenda.next_ms()
    }

    /// Lets one event happen that is due at `until_ms` at the latest, and returns whether there was one.
    pub fn step(&mut self, until_ms: Millis) -> bool {
        let Some((at_ms, event)) = self.agenda.pop(until_ms) else {
            self.now_ms = self.now_ms.max(until_ms);
            return false;
        };
        self.now_ms = at_ms;
        self.trace.add(at_ms, &event);
        self.handle(event);
        self.settle_queues();
        self.settle_streams();
        true
    }

    /// Returns what the driver has to know, oldest first.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Asks for an alarm.
    pub fn set_alarm(&mut self, at_ms: Millis, token: u64) {
        self.at(at_ms, Event::Alarm { token });
    }

    /// Makes a topic.
    pub fn create_topic(&mut self, name: &str, partitions: u32) {
        self.topics.insert(name.to_owned(), Topic::new(name, partitions));
    }

    /// Makes a topic anew: its offsets begin again, and its triggers read it from its beginning.
    pub fn recreate_topic(&mut self, name: &str) {
        if let Some(topic) = self.topics.get_mut(name) {
            *topic = Topic::new(name, topic.partitions());
        }
        self.forget_offsets(name);
    }

    /// Returns a topic.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    fn at(&mut self, at_ms: Millis, event: Event) {
        self.agenda.push(at_ms.max(self.now_ms), event);
    }

    fn after(&mut self, delay_ms: Millis, event: Event) {
        self.at(self.now_ms + delay_ms, event);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Evaluate { call } => self.evaluate(call),
            Event::Commit { call, transaction } => self.commit(call, transaction),
            Event::FinishRead { call } => self.finish_read(call),
            Event::Answer { call } => self.answer(call),
            Event::QueueTimer { queue } => self.on_queue_timer(&queue),
            Event::WaitOver { call, queue } => self.on_wait_over(call, &queue),
            Event::Begin { invocation } => self.begin(invocation),
            Event::End { invocation, outcome } => self.end(invocation, outcome),
            Event::Result { invocation, outcome } => self.result(&invocation, &outcome),
            Event::AsyncAsk { entry } => self.ask_asynchronously(entry),
            Event::ScheduleFires { schedule } => self.fire_schedule(schedule),
            Event::QueuePoll { mapping } => self.poll_queue(mapping),
            Event::QueueBatchDue { mapping, batch } => self.batch_due(mapping, batch),
            Event::QueueBatchRetry { mapping, batch } => self.retry_batch(mapping, batch),
            Event::QueueBatchDropped { mapping, batch } => self.drop_batch(mapping, batch),
            Event::QueueBatchDelete { mapping, receipts } => self.delete_batch(mapping, &receipts),
            Event::Fetchable { topic } => self.fetch_topic(&topic),
            Event::StreamPoll { mapping } => self.poll_stream(mapping),
            Event::FeederTimer { mapping, feeder, generation } => {
                self.feeder_timer(mapping, feeder, generation);
            }
            Event::FeederCommit { mapping, feeder, offsets, goes_on } => {
                self.feeder_commit(mapping, feeder, &offsets, goes_on);
            }
            Event::Alarm { token } => self.notices.push_back(Notice::Alarm(token)),
        }
    }
}
