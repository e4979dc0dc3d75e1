//! What the executor and the futures of invocations share: the world, and who waits for what.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::faults::{Fate, Faults};
use super::mutation::{KnownFault, Mutation, Provoked, Touch};
use super::subscriber::Subscriber;
use crate::clock::Millis;
use crate::lambda::{Outcome, Payload};
use crate::random::Random;
use crate::world::{Answer, CallError, Fault, Output, Request, World};

/// A handle of the world that an executor drives.
#[derive(Clone)]
pub struct Shared {
    state: Arc<Mutex<State>>,
}

/// The world, and who waits for what in it.
pub struct State {
    /// The world.
    pub world: World,
    /// Seeded choices of the callers, such as how long they pause.
    pub(super) random: Random,
    pub(super) faults: Faults,
    answers: BTreeMap<u64, Answer>,
    waiting: BTreeMap<u64, Waker>,
    alarms: BTreeMap<u64, Alarm>,
    last_alarm: u64,
    /// Invocations whose environment died while they made a call.
    pub(super) killed: Vec<u64>,
    /// Invocations that stand still now, and go on after their time is over.
    pub(super) suspended: BTreeSet<u64>,
    pub(super) calls: Calls,
    /// The invocation that goes on now.
    pub(super) polled: u64,
    /// For each invocation a call of which failed, how often at most the same call did, and whether one failed because
    /// that was provoked.
    failed_attempts: BTreeMap<u64, (u32, bool)>,
    /// Invocations that found another one at their work. They fail, whatever became of their calls.
    pub(super) gave_way: BTreeSet<u64>,
    /// Of how many partitions each invocation recorded how far they are read.
    pub(super) partitions_recorded: BTreeMap<u64, usize>,
    /// What happened that is worth counting.
    pub(super) notes: BTreeMap<&'static str, u64>,
    pub(super) seam: Seam,
}

/// What is different at the seam between functions and tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Seam {
    /// What is taken away from the functions.
    pub(super) mutation: Option<Mutation>,
    /// What is provoked, so that what is taken away is missed.
    pub(super) provoked: Option<Provoked>,
    /// How often an environment stood still because that was wanted.
    pub(super) stood_still: u32,
    /// Whether lists come in pages of a few items.
    pub(super) has_small_pages: bool,
    /// What functions did to which kinds of items, where that is wanted.
    pub(super) touches: Option<BTreeMap<Touch, u64>>,
    /// What they wrote that changed nothing but the revision, where that is wanted.
    pub(super) fences: BTreeMap<Touch, u64>,
}

impl Seam {
    /// Returns whether failed messages are not given back before their visibility timeout.
    pub(super) fn stalls(&self) -> bool {
        self.mutation == Some(Mutation::Known(KnownFault::StallingConflict))
    }
}

/// How often a function had a call under way when a write of a function was answered: the one that was interrupted, and
/// the one that wrote.
pub type Interruptions = BTreeMap<(Arc<str>, Arc<str>), u64>;

/// The calls of invocations that are under way.
#[derive(Default)]
pub(super) struct Calls {
    /// How many calls there were, by name.
    pub(super) requests: BTreeMap<&'static str, u64>,
    /// How many calls each invocation has under way, with its function.
    under_way: BTreeMap<u64, (Arc<str>, usize)>,
    pub(super) interruptions: Interruptions,
}

impl Calls {
    fn begin(&mut self, invocation: u64, function: &Arc<str>) {
        self.under_way.entry(invocation).or_insert_with(|| (function.clone(), 0)).1 += 1;
    }

    fn end(&mut self, invocation: u64) {
        if let Some((_, calls)) = self.under_way.get_mut(&invocation) {
            *calls -= 1;
            if *calls == 0 {
                self.under_way.remove(&invocation);
            }
        }
    }

    fn wrote(&mut self, invocation: u64, function: &Arc<str>) {
        for (other, (interrupted, _)) in &self.under_way {
            if *other != invocation {
                *self.interruptions.entry((interrupted.clone(), function.clone())).or_default() += 1;
            }
        }
    }
}

/// An invocation that makes calls, which may run on after the service has given it up.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) invocation: u64,
    pub(super) function: Arc<str>,
}

/// What happens when an alarm goes off.
pub(super) enum Alarm {
    /// A sleeper goes on.
    Sleeps(Option<Waker>),
    /// The sleeper may go on and has not noticed yet.
    Over,
    /// An invocation has run for as long as it may.
    TimeIsOver(u64),
    /// A queue delivers a message a second time.
    Duplicates { queue: String, body: String },
    /// A delivery arrives at its subscriber.
    Arrives { subscriber: Arc<Subscriber>, post: Box<webhook_delivery::Post>, is_told: bool },
}

impl Shared {
    /// Returns a handle of a world.
    pub(super) fn new(world: World, random: Random, faults: Faults) -> Self {
        let state = State {
            world,
            random,
            faults,
            answers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            alarms: BTreeMap::new(),
            last_alarm: 0,
            killed: Vec::new(),
            suspended: BTreeSet::new(),
            calls: Calls::default(),
            polled: 0,
            failed_attempts: BTreeMap::new(),
            gave_way: BTreeSet::new(),
            partitions_recorded: BTreeMap::new(),
            notes: BTreeMap::new(),
            seam: Seam::default(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Returns the world with who waits for what. It must not be kept while a future is polled.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call on behalf of an invocation, or of a client that meets no faults.
    pub(super) async fn call(&self, caller: Option<&Caller>, request: Request) -> Result<Output, CallError> {
        let Some(caller) = caller else {
            return self.send(request, Fault::None).await;
        };
        let Caller { invocation, function } = caller;
        let is_write = request.writes();
        let under_way = self.begin(caller, request.name());
        let result = self.call_with_fate(*invocation, function, request).await;
        drop(under_way);
        if is_write {
            self.lock().calls.wrote(*invocation, function);
        }
        result
    }

    /// Notes that an invocation makes a call, until what this returns is dropped.
    pub(super) fn begin(
        &self,
        Caller { invocation, function }: &Caller,
        request: &'static str,
    ) -> UnderWay<'_> {
        let mut state = self.lock();
        state.calls.begin(*invocation, function);
        *state.calls.requests.entry(request).or_default() += 1;
        UnderWay { shared: self, invocation: *invocation }
    }

    async fn call_with_fate(
        &self,
        invocation: u64,
        function: &str,
        request: Request,
    ) -> Result<Output, CallError> {
        let fate = {
            let mut state = self.lock();
            let now_ms = state.world.now_ms();
            let is_send = matches!(request, Request::Queue { .. });
            state.faults.draw(now_ms, function, is_send)
        };
        match fate {
            Fate::Works => self.send(request, Fault::None).await,
            Fate::Fails => self.send(request, Fault::ErrorBefore).await,
            Fate::LosesAnswer => self.send(request, Fault::LoseAnswer).await,
            Fate::Throttled => self.send(request, Fault::Throttle).await,
            Fate::LosesMessage => self.send(request, Fault::LoseMessage).await,
            Fate::Hangs => std::future::pending().await,
            Fate::KilledBefore => {
                self.lock().killed.push(invocation);
                std::future::pending().await
            }
            Fate::KilledAfter => {
                drop(self.send(request, Fault::None));
                self.lock().killed.push(invocation);
                std::future::pending().await
            }
            Fate::StandsStillBefore { for_ms } => {
                self.stand_still(invocation, for_ms).await;
                self.send(request, Fault::None).await
            }
            Fate::StandsStillAfter { for_ms } => {
                let result = self.send(request, Fault::None).await;
                self.stand_still(invocation, for_ms).await;
                result
            }
        }
    }

    fn send(&self, request: Request, fault: Fault) -> Answered {
        let call = self.lock().world.send(request, fault);
        Answered { shared: self.clone(), call }
    }

    /// Waits in virtual time.
    pub(super) fn sleep(&self, duration_ms: Millis) -> Sleep {
        Sleep { shared: self.clone(), duration_ms, token: None }
    }

    pub(super) async fn stand_still(&self, invocation: u64, for_ms: Millis) {
        self.lock().suspended.insert(invocation);
        self.sleep(for_ms).await;
        self.lock().suspended.remove(&invocation);
    }
}

/// Ends a call's being under way, also where its invocation is killed.
pub(super) struct UnderWay<'a> {
    shared: &'a Shared,
    invocation: u64,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.shared.lock().calls.end(self.invocation);
    }
}

impl State {
    /// Keeps an answer until its caller takes it; an answer that nothing waits for any more is dropped.
    pub(super) fn answered(&mut self, answer: Answer) {
        if let Some(waker) = self.waiting.remove(&answer.call) {
            self.answers.insert(answer.call, answer);
            waker.wake();
        }
    }

    pub(super) fn set_alarm(&mut self, at_ms: Millis, alarm: Alarm) -> u64 {
        self.last_alarm += 1;
        self.alarms.insert(self.last_alarm, alarm);
        self.world.set_alarm(at_ms, self.last_alarm);
        self.last_alarm
    }

    /// Lets an alarm go off; returns the invocation whose time is over.
    pub(super) fn alarm(&mut self, token: u64) -> Option<u64> {
        match self.alarms.remove(&token)? {
            Alarm::TimeIsOver(invocation) => Some(invocation),
            Alarm::Sleeps(waker) => {
                self.alarms.insert(token, Alarm::Over);
                if let Some(waker) = waker {
                    waker.wake();
                }
                None
            }
            Alarm::Over => None,
            Alarm::Duplicates { queue, body } => {
                self.world.with_queue(&queue, |queue, now_ms| queue.duplicate(now_ms, &body));
                None
            }
            Alarm::Arrives { subscriber, post, is_told } => {
                let now_ms = self.world.now_ms();
                let id = subscriber.take(now_ms, &post, is_told);
                self.world.trace.add(now_ms, &("a delivery arrives", id));
                None
            }
        }
    }

    /// Lets the seed decide whether a standard queue delivers a message that it took twice.
    pub(super) fn duplicate_by_chance(&mut self, queue: &str, body: &str) {
        let now_ms = self.world.now_ms();
        if let Some(delay_ms) = self.faults.draw_duplicate(now_ms) {
            let alarm = Alarm::Duplicates { queue: queue.to_owned(), body: body.to_owned() };
            self.set_alarm(now_ms + delay_ms, alarm);
        }
    }

    /// Notes that an attempt of a call of an invocation failed, how many of that call have by now, and whether one of
    /// these was provoked.
    pub(super) fn attempt_failed(&mut self, invocation: Option<u64>, failed: u32, was_provoked: bool) {
        if let Some(invocation) = invocation {
            let (most, is_provoked) = self.failed_attempts.entry(invocation).or_default();
            *most = failed.max(*most);
            *is_provoked |= was_provoked;
        }
    }

    /// Returns what an invocation left undone although none of its calls failed but the first attempts that were provoked:
    /// one error may cost an attempt, and no redelivery. `failed` says why it failed, where it did.
    pub(super) fn left_undone(
        &self,
        invocation: u64,
        payload: &Payload,
        failed: Option<&Outcome>,
    ) -> Option<String> {
        let is_provoked = matches!(self.seam.provoked, Some(Provoked::FailsFirst(_)));
        let none_failed_twice = self.failed_attempts.get(&invocation) == Some(&(1, true));
        if !is_provoked || !none_failed_twice || self.gave_way.contains(&invocation) {
            return None;
        }
        match failed {
            Some(outcome) => Some(format!("failed: {outcome:?}")),
            None if self.recorded_all(invocation, payload) => None,
            None => Some("did not record how far it read".to_owned()),
        }
    }

    /// Returns whether an invocation recorded how far it read each partition of its records. A function does not fail
    /// where it did not: what reads the progress only waits longer.
    fn recorded_all(&self, invocation: u64, payload: &Payload) -> bool {
        let Payload::TopicRecords(records) = payload else { return true };
        let partitions: BTreeSet<_> =
            records.iter().map(|record| (&record.topic, record.partition)).collect();
        self.partitions_recorded.get(&invocation).copied().unwrap_or_default() >= partitions.len()
    }

    /// Counts something that happened.
    pub(super) fn note(&mut self, what: &'static str) {
        *self.notes.entry(what).or_default() += 1;
    }
}

/// Waits for the answer to a call.
struct Answered {
    shared: Shared,
    call: u64,
}

impl Future for Answered {
    type Output = Result<Output, CallError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        if let Some(answer) = state.answers.remove(&self.call) {
            return Poll::Ready(answer.result);
        }
        state.waiting.insert(self.call, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.waiting.remove(&self.call);
        state.answers.remove(&self.call);
    }
}

/// Waits in virtual time, from when it is first polled.
pub(super) struct Sleep {
    shared: Shared,
    duration_ms: Millis,
    token: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        let Some(token) = self.token else {
            let at_ms = state.world.now_ms() + self.duration_ms;
            self.token = Some(state.set_alarm(at_ms, Alarm::Sleeps(Some(context.waker().clone()))));
            return Poll::Pending;
        };
        match state.alarms.get_mut(&token) {
            Some(Alarm::Sleeps(waker)) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            self.shared.lock().alarms.remove(&token);
        }
    }
}
