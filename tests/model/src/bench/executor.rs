//! Runs the invocations of a world: polls their futures when what they wait for has come, in virtual time.
//!
//! Longer than 500 lines: what an invocation is, and how it is polled, ended and replaced, share private state.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker};

use chrono::{DateTime, TimeDelta, Utc};
use runtime::{Context, Function, FunctionError};
use serde_json::Value;

use super::clock::ModelClock;
use super::deployment::{Deployment, Registration};
use super::engine::ModelEngine;
use super::event::{event_of, outcome_of};
use super::faults::{FaultPlan, Faults, Happened, Once};
use super::mutation::{KnownFault, Mutation, Provoked, Touch};
use super::queues::ModelQueues;
use super::shared::{Alarm, Caller, Interruptions, Shared};
use super::watch::{Watch, take_effects, watch_tables};
use crate::clock::Millis;
use crate::error::ServiceError;
use crate::lambda::{Invocation, Outcome, Payload};
use crate::random::Random;
use crate::table::ViewType;
use crate::world::{Fault, LambdaRequest, Notice, Output, Profile, Request, Trace, World};

/// How a world is run.
#[derive(Clone, Debug)]
pub struct ExecutorOptions {
    /// The seed from which every choice follows.
    pub seed: u64,
    /// The latencies.
    pub profile: Profile,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// The time of day at virtual time 0.
    pub epoch: DateTime<Utc>,
    /// Whether every event is kept as a line, besides the hash of all.
    pub trace_lines: bool,
}

/// Something that must never happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// When it happened.
    pub at_ms: Millis,
    /// What happened.
    pub message: String,
}

/// A world with the functions that run on it.
pub struct Executor {
    shared: Shared,
    options: ExecutorOptions,
    registrations: BTreeMap<String, Registration>,
    streams: BTreeMap<String, ViewType>,
    queue_names: BTreeMap<runtime::Queue, String>,
    /// The function of each living environment.
    environments: BTreeMap<(String, usize), Arc<dyn Function>>,
    tasks: BTreeMap<u64, Task>,
    ready: Ready,
    findings: Vec<Finding>,
    invocations: u64,
    watch: Option<Watch>,
    usage: BTreeMap<String, Usage>,
}

/// How much a function ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many invocations ended.
    pub invocations: u64,
    /// For how long they ran, all together.
    pub ran_ms: Millis,
}

/// An invocation that runs.
struct Task {
    future: Pin<Box<dyn Future<Output = Result<Value, FunctionError>> + Send>>,
    function: String,
    environment: usize,
    began_ms: Millis,
    payload: Arc<Payload>,
    /// Whether the service still waits for it; an environment that stood still may run on after that.
    is_awaited: bool,
    waker: Waker,
}

/// The invocations that can go on, in the order in which they were woken.
#[derive(Clone, Default)]
struct Ready(Arc<Mutex<VecDeque<u64>>>);

struct TaskWaker {
    task: u64,
    ready: Ready,
}

/// How old what is read may be, where reads that follow each other are the other way round.
const STALE_BY_MS: Millis = 400;
/// For how long a group waits, where a conflict stalls it.
const STALLS_FOR_MS: Millis = 900_000;

/// The number under which a future of the bench itself is woken.
const CLIENT: u64 = 0;

impl Executor {
    /// Returns a world with everything that is deployed, at virtual time 0.
    pub fn new(deployment: &Deployment, options: ExecutorOptions) -> Result<Self, ServiceError> {
        let mut random = Random::new(options.seed);
        let mut world = World::new(options.profile, random.fork());
        world.trace = if options.trace_lines { Trace::with_lines() } else { Trace::hashed() };
        deployment.set_up(&mut world)?;
        let faults = Faults::new(options.faults.clone(), random.fork());
        let functions = deployment.functions.iter();
        let streams = deployment.streams.iter();
        Ok(Self {
            shared: Shared::new(world, random.fork(), faults),
            options,
            registrations: functions.map(|function| (function.name.clone(), function.clone())).collect(),
            streams: streams.map(|(table, view)| (table.logical_name().to_owned(), *view)).collect(),
            queue_names: deployment.queue_names(),
            environments: BTreeMap::new(),
            tasks: BTreeMap::new(),
            ready: Ready::default(),
            findings: Vec::new(),
            invocations: 0,
            watch: None,
            usage: BTreeMap::new(),
        })
    }

    /// Has every change of the ledger's tables seen from now on.
    pub fn watch(&mut self, watch: Watch) {
        watch_tables(&mut self.shared.lock().world);
        self.watch = Some(watch);
    }

    /// Has functions get lists in pages of a few items.
    pub fn set_small_pages(&mut self) {
        self.shared.lock().seam.has_small_pages = true;
    }

    /// Takes something away from the functions.
    pub fn mutate(&mut self, mutation: Mutation) {
        let mut state = self.shared.lock();
        if let Mutation::Reads(order) = &mutation {
            let table = state.world.database.table_mut(order.table.logical_name());
            table.expect("the deployment has it").set_replica_lag(STALE_BY_MS);
        }
        if mutation == Mutation::Known(KnownFault::StallingConflict) {
            let name = &self.queue_names[&runtime::Queue::Decisions];
            state.world.with_queue(name, |queue, _| queue.attributes.visibility_ms = STALLS_FOR_MS);
        }
        state.seam.mutation = Some(mutation);
    }

    /// Has something happen to calls that a mutation run wants to happen.
    pub fn provoke(&mut self, provoked: Provoked) {
        self.shared.lock().seam.provoked = Some(provoked);
    }

    /// Counts from now on what functions do to which kinds of items.
    pub fn count_touches(&mut self) {
        self.shared.lock().seam.touches = Some(BTreeMap::new());
    }

    /// Returns what functions did to which kinds of items, where that was counted.
    #[must_use]
    pub fn touches(&self) -> BTreeMap<Touch, u64> {
        self.shared.lock().seam.touches.clone().unwrap_or_default()
    }

    /// Calls a function and returns what it answers; nothing where it failed.
    pub fn invoke(&mut self, function: &str, event: &Value) -> Option<Value> {
        self.invoke_together(function, std::slice::from_ref(event)).pop().flatten()
    }

    /// Calls a function with each of these events at once, and returns what it answers to each.
    pub fn invoke_together(&mut self, function: &str, events: &[Value]) -> Vec<Option<Value>> {
        let shared = self.shared.clone();
        let calls = events.iter().map(|event| {
            let request = LambdaRequest::Invoke { function: function.to_owned(), payload: event.to_string() };
            let shared = &shared;
            async move { shared.call(None, Request::Lambda(request)).await }
        });
        let answers = self.run_client(futures::future::join_all(calls));
        let answered = |answer| match answer {
            Ok(Output::Function { payload: Some(payload), failed: false }) => {
                serde_json::from_str(&payload).ok()
            }
            _ => None,
        };
        answers.into_iter().map(answered).collect()
    }

    /// Has a function called, and waits for nothing.
    pub fn call(&mut self, function: &str, event: &Value) {
        let (function, payload) = (function.to_owned(), event.to_string());
        let request = Request::Lambda(LambdaRequest::InvokeAsynchronously { function, payload });
        self.shared.lock().world.send(request, Fault::None);
    }

    /// Returns what functions wrote that changed nothing but the revision, where that was counted.
    #[must_use]
    pub fn fences(&self) -> BTreeMap<Touch, u64> {
        self.shared.lock().seam.fences.clone()
    }

    /// Returns the messages that were delivered twice, by number, and after how long.
    #[must_use]
    pub fn duplicated(&self) -> BTreeMap<u64, Millis> {
        self.shared.lock().faults.duplicated.clone()
    }

    /// Returns how often each function had a call under way when a write of each function was answered.
    #[must_use]
    pub fn interruptions(&self) -> Interruptions {
        self.shared.lock().calls.interruptions.clone()
    }

    /// Returns what happened that is worth counting, by name.
    #[must_use]
    pub fn notes(&self) -> BTreeMap<&'static str, u64> {
        self.shared.lock().notes.clone()
    }

    /// Returns the tables for a client that meets no faults.
    #[must_use]
    pub fn engine(&self) -> ModelEngine {
        ModelEngine::new(self.shared.clone(), None)
    }

    /// Returns the queues for a client that meets no faults.
    #[must_use]
    pub fn queues(&self) -> ModelQueues {
        ModelQueues::new(self.shared.clone(), None, self.queue_names.clone())
    }

    /// Returns a clock that is right.
    #[must_use]
    pub fn clock(&self) -> ModelClock {
        ModelClock::new(self.shared.clone(), self.options.epoch, 0)
    }

    /// Does something with the world.
    pub fn with_world<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        work(&mut self.shared.lock().world)
    }

    /// Returns the time.
    #[must_use]
    pub fn now_ms(&self) -> Millis {
        self.shared.lock().world.now_ms()
    }

    /// Returns what must never happen and did.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns how many invocations began.
    #[must_use]
    pub fn invocations(&self) -> u64 {
        self.invocations
    }

    /// Returns how many calls invocations made, by name.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<&'static str, u64> {
        self.shared.lock().calls.requests.clone()
    }

    /// Returns how much each function ran.
    #[must_use]
    pub fn usage(&self) -> &BTreeMap<String, Usage> {
        &self.usage
    }

    /// Has a function meet a fault once, at its first call from a time on. It takes the place of one that is still to come.
    pub fn meets(&mut self, once: Once) {
        self.shared.lock().faults.meets(once);
    }

    /// Returns the faults that happened.
    #[must_use]
    pub fn faults(&self) -> Vec<Happened> {
        self.shared.lock().faults.happened.clone()
    }

    /// Returns the hash of everything that happened, the same for the same seed.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.shared.lock().world.trace.hash()
    }

    /// Returns everything that happened, line by line, where it was kept.
    #[must_use]
    pub fn trace_lines(&self) -> Vec<String> {
        self.shared.lock().world.trace.lines().to_vec()
    }

    /// Runs until a time.
    pub fn run_until(&mut self, until_ms: Millis) {
        while self.step(until_ms) {}
    }

    /// Runs a future of the bench itself, and the world beside it, until the future is done.
    pub fn run_client<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = Box::pin(future);
        let waker = self.ready.waker(CLIENT);
        let mut is_woken = true;
        loop {
            if std::mem::take(&mut is_woken)
                && let Poll::Ready(output) = future.as_mut().poll(&mut TaskContext::from_waker(&waker))
            {
                return output;
            }
            is_woken = self.poll_ready();
            assert!(is_woken || self.step_world(Millis::MAX), "a client waits for what never comes");
            is_woken |= self.poll_ready();
        }
    }

    /// Lets one event happen, and everything that follows from it at once. Returns whether there was one.
    pub fn step(&mut self, until_ms: Millis) -> bool {
        let stepped = self.step_world(until_ms);
        self.poll_ready();
        stepped
    }

    fn step_world(&mut self, until_ms: Millis) -> bool {
        let stepped = self.shared.lock().world.step(until_ms);
        self.see_effects();
        while let Some(notice) = self.take_notice() {
            match notice {
                Notice::Answered(answer) => self.shared.lock().answered(answer),
                Notice::Begins(invocation) => self.begin(&invocation),
                Notice::Alarm(token) => {
                    let over = self.shared.lock().alarm(token);
                    if let Some(invocation) = over {
                        self.time_is_over(invocation);
                    }
                }
            }
        }
        stepped
    }

    fn see_effects(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        let (at_ms, effects) = {
            let mut state = self.shared.lock();
            (state.world.now_ms(), take_effects(&mut state.world))
        };
        for effect in effects {
            self.shared.lock().world.trace.add(at_ms, &effect);
            let found = watch(at_ms, effect);
            self.findings.extend(found.into_iter().map(|message| Finding { at_ms, message }));
        }
    }

    fn take_notice(&self) -> Option<Notice> {
        self.shared.lock().world.take_notice()
    }

    fn begin(&mut self, invocation: &Invocation) {
        self.invocations += 1;
        let registration = &self.registrations[&invocation.function];
        let environment = (invocation.function.clone(), invocation.environment.number);
        let function = self
            .environments
            .entry(environment)
            .or_insert_with(|| (registration.build)(&self.shared))
            .clone();
        let deadline_ms = invocation.begins_ms + registration.timeout_ms;
        let context = self.context(invocation, deadline_ms);
        let view = match &*invocation.payload {
            Payload::StreamRecords { table, .. } => self.streams.get(table).copied(),
            _ => None,
        };
        let view = view.unwrap_or(ViewType::KeysOnly);
        let event = event_of(&invocation.payload, self.options.epoch, invocation.begins_ms, view);
        let future = async move { function.handle(event, &context).await };
        let task = Task {
            future: Box::pin(future),
            function: invocation.function.clone(),
            environment: invocation.environment.number,
            began_ms: invocation.begins_ms,
            payload: invocation.payload.clone(),
            is_awaited: true,
            waker: self.ready.waker(invocation.number),
        };
        self.tasks.insert(invocation.number, task);
        self.shared.lock().set_alarm(deadline_ms, Alarm::TimeIsOver(invocation.number));
        self.ready.push(invocation.number);
    }

    fn context(&self, invocation: &Invocation, deadline_ms: Millis) -> Context {
        let caller =
            Caller { invocation: invocation.number, function: Arc::from(invocation.function.as_str()) };
        let skew_ms = invocation.environment.skew_ms;
        Context {
            clock: Arc::new(ModelClock::new(self.shared.clone(), self.options.epoch, skew_ms)),
            deadline: self.options.epoch + TimeDelta::milliseconds(deadline_ms.cast_signed() + skew_ms),
            engine: Arc::new(ModelEngine::new(self.shared.clone(), Some(caller.clone()))),
            queues: Arc::new(ModelQueues::new(self.shared.clone(), Some(caller), self.queue_names.clone())),
            request_id: format!("invocation-{}", invocation.number),
        }
    }

    /// Polls everything that can go on, and returns whether the bench's own future can.
    fn poll_ready(&mut self) -> bool {
        let mut client_is_woken = false;
        while let Some(task) = self.ready.pop() {
            if task == CLIENT {
                client_is_woken = true;
            } else {
                self.poll(task);
            }
            let killed = std::mem::take(&mut self.shared.lock().killed);
            for invocation in killed {
                self.end(invocation, Outcome::Killed);
            }
        }
        client_is_woken
    }

    fn poll(&mut self, number: u64) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        {
            let mut state = self.shared.lock();
            state.polled = number;
            if !task.is_awaited {
                state.note("an environment ran on after its time was over");
            }
        }
        let waker = task.waker.clone();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            task.future.as_mut().poll(&mut TaskContext::from_waker(&waker))
        }));
        let mut is_refusal = false;
        let outcome = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(Ok(answer))) => {
                is_refusal = answer["statusCode"].as_u64().is_some_and(|status| status >= 500);
                outcome_of(&answer, &task.payload)
            }
            Ok(Poll::Ready(Err(error))) => Outcome::Failed(error.message),
            Err(panic) => {
                let message = panic_message(&*panic);
                let at_ms = self.shared.lock().world.now_ms();
                let message = format!("{} panicked: {message}", task.function);
                self.findings.push(Finding { at_ms, message });
                Outcome::Failed("it panicked".to_owned())
            }
        };
        let has_failed = is_refusal || matches!(outcome, Outcome::Failed(_) | Outcome::Partial(_));
        let undone = self.shared.lock().left_undone(number, &task.payload, has_failed.then_some(&outcome));
        if let Some(undone) = undone {
            let message = format!("{} {undone}, and none of its calls had failed twice", task.function);
            let at_ms = self.shared.lock().world.now_ms();
            self.findings.push(Finding { at_ms, message });
        }
        self.end(number, outcome);
    }

    /// Ends an invocation, for the service if that still waits for it.
    fn end(&mut self, number: u64, outcome: Outcome) {
        let Some(task) = self.tasks.remove(&number) else { return };
        if !outcome.environment_survives() {
            self.environments.remove(&(task.function.clone(), task.environment));
        }
        let now_ms = self.now_ms();
        let usage = self.usage.entry(task.function).or_default();
        usage.invocations += 1;
        usage.ran_ms += now_ms - task.began_ms;
        if task.is_awaited {
            self.shared.lock().world.end_invocation(number, outcome);
        }
    }

    fn time_is_over(&mut self, number: u64) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        let stands_still = self.shared.lock().suspended.contains(&number);
        if !stands_still {
            self.end(number, Outcome::TimedOut);
            return;
        }
        // The service gives the environment up, and the environment does not know.
        task.is_awaited = false;
        self.environments.remove(&(task.function.clone(), task.environment));
        self.shared.lock().world.end_invocation(number, Outcome::TimedOut);
    }
}

impl Ready {
    fn waker(&self, task: u64) -> Waker {
        Waker::from(Arc::new(TaskWaker { task, ready: self.clone() }))
    }

    fn push(&self, task: u64) {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !ready.contains(&task) {
            ready.push_back(task);
        }
    }

    fn pop(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.task);
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(message), _) => message.clone(),
        (None, Some(message)) => (*message).to_owned(),
        (None, None) => "with no message".to_owned(),
    }
}
