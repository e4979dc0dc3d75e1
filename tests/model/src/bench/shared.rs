//! What the executor and the futures of invocations share: the world, and who waits for what.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::faults::{Fate, Faults};
use crate::clock::Millis;
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
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Returns the world with who waits for what. It must not be kept while a future is polled.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call on behalf of an invocation, or of a client that meets no faults.
    pub(super) async fn call(&self, invocation: Option<u64>, request: Request) -> Result<Output, CallError> {
        let fate = match invocation {
            Some(_) => self.lock().draw_fate(invocation),
            None => Fate::Works,
        };
        let fault = match fate {
            Fate::Works => Fault::None,
            Fate::Fails => Fault::ErrorBefore,
            Fate::LosesAnswer => Fault::LoseAnswer,
            Fate::Throttled => Fault::Throttle,
            Fate::KilledBefore | Fate::Hangs => {
                self.stop(invocation, fate);
                return std::future::pending().await;
            }
            Fate::KilledAfter => {
                self.lock().world.send(request, Fault::None);
                self.stop(invocation, fate);
                return std::future::pending().await;
            }
            Fate::StandsStillBefore { for_ms } => {
                self.stand_still(invocation, for_ms).await;
                Fault::None
            }
            Fate::StandsStillAfter { for_ms } => {
                let call = self.lock().world.send(request, Fault::None);
                let result = Answered { shared: self.clone(), call }.await;
                self.stand_still(invocation, for_ms).await;
                return result;
            }
        };
        let call = self.lock().world.send(request, fault);
        Answered { shared: self.clone(), call }.await
    }

    /// Waits in virtual time.
    pub(super) fn sleep(&self, duration_ms: Millis) -> Sleep {
        Sleep { shared: self.clone(), duration_ms, token: None }
    }

    fn stop(&self, invocation: Option<u64>, fate: Fate) {
        if let (Some(invocation), Fate::KilledBefore | Fate::KilledAfter) = (invocation, fate) {
            self.lock().killed.push(invocation);
        }
    }

    async fn stand_still(&self, invocation: Option<u64>, for_ms: Millis) {
        let invocation = invocation.expect("only invocations stand still");
        self.lock().suspended.insert(invocation);
        self.sleep(for_ms).await;
        self.lock().suspended.remove(&invocation);
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
        }
    }

    /// Lets the seed decide whether a standard queue delivers a message that it took twice.
    pub(super) fn may_duplicate(&mut self, queue: &str, body: &str) {
        let now_ms = self.world.now_ms();
        if let Some(delay_ms) = self.faults.draws_duplicate(now_ms) {
            let alarm = Alarm::Duplicates { queue: queue.to_owned(), body: body.to_owned() };
            self.set_alarm(now_ms + delay_ms, alarm);
        }
    }

    fn draw_fate(&mut self, invocation: Option<u64>) -> Fate {
        let now_ms = self.world.now_ms();
        let function = invocation.and_then(|number| self.world.function_of(number)).unwrap_or_default();
        self.faults.draw(now_ms, &function)
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
