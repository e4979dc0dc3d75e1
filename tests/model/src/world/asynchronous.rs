//! Asynchronous invocations, which are tried again, and the schedules that ask for them.

use super::{Event, World};
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};
use crate::lambda::{DEFAULT_ASYNC_AGE_MS, Origin, Outcome, Payload, Schedule, Target};
use crate::queue::{Entry, QueueRequest};

const FIRST_RETRY_MS: Millis = 60_000;
const LATER_RETRY_MS: Millis = 120_000;
const MAX_THROTTLE_PAUSE_MS: Millis = 300_000;

/// An invocation that nothing waits for.
pub(super) struct AsyncInvocation {
    function: String,
    payload: Payload,
    accepted_ms: Millis,
    retries: u32,
    throttles: u32,
}

impl World {
    /// Makes a schedule that calls its function now and from then on.
    pub fn add_schedule(&mut self, schedule: Schedule) {
        let on = schedule.on;
        self.schedules.push(schedule);
        if on {
            self.after(0, Event::ScheduleFires { schedule: self.schedules.len() - 1 });
        }
    }

    /// Makes a schedule that a call asks for, unless one has its name.
    pub(super) fn create_schedule(&mut self, name: &str, schedule: Schedule) -> Result<(), ServiceError> {
        if !self.schedule_names.insert(name.to_owned()) {
            return Err(ErrorKind::ConflictException.because(format!("Schedule {name} already exists.")));
        }
        self.add_schedule(schedule);
        Ok(())
    }

    pub(super) fn fire_schedule(&mut self, schedule: usize) {
        let Schedule { every_ms, target, .. } = self.schedules[schedule].clone();
        match target {
            Target::Function(function) => {
                let delay_ms = self.latencies.draw_schedule_ms();
                self.plan_asynchronous(&function, Payload::Tick, delay_ms);
            }
            Target::Queue { name, group } => {
                let body = format!("{{\"schedule\":\"{schedule}-{}\"}}", self.now_ms);
                let entry = Entry { body, group: Some(group), ..Entry::default() };
                // A message that the queue does not take is followed by the next one.
                drop(self.queues.execute(self.now_ms, &name, QueueRequest::Send(entry)));
            }
        }
        self.after(every_ms, Event::ScheduleFires { schedule });
    }

    pub(super) fn invoke_asynchronously(&mut self, function: &str, payload: Payload) {
        self.plan_asynchronous(function, payload, 0);
    }

    fn plan_asynchronous(&mut self, function: &str, payload: Payload, delay_ms: Millis) {
        self.last_asynchronous += 1;
        let entry = self.last_asynchronous;
        let invocation = AsyncInvocation {
            function: function.to_owned(),
            payload,
            accepted_ms: self.now_ms,
            retries: 0,
            throttles: 0,
        };
        self.asynchronous.insert(entry, invocation);
        let delay_ms = delay_ms + self.latencies.draw_async_ms();
        self.after(delay_ms, Event::AsyncAsk { entry });
    }

    pub(super) fn ask_asynchronously(&mut self, entry: u64) {
        let invocation = &self.asynchronous[&entry];
        let function = self.functions.get(&invocation.function);
        let max_age_ms = function.map_or(DEFAULT_ASYNC_AGE_MS, |function| function.options.async_max_age_ms);
        if self.now_ms - invocation.accepted_ms > max_age_ms {
            self.asynchronous.remove(&entry);
            return;
        }
        let (function, payload) = (invocation.function.clone(), invocation.payload.clone());
        let begun = self.ask(&function, Origin::Asynchronous(entry), payload);
        let invocation = self.asynchronous.get_mut(&entry).expect("it was found before");
        if begun {
            invocation.throttles = 0;
            return;
        }
        let pause_ms = 1_000_u64.saturating_mul(1 << invocation.throttles.min(16)).min(MAX_THROTTLE_PAUSE_MS);
        invocation.throttles += 1;
        self.after(pause_ms, Event::AsyncAsk { entry });
    }

    pub(super) fn asynchronous_result(&mut self, entry: u64, outcome: &Outcome) {
        let invocation = self.asynchronous.get_mut(&entry).expect("it ends once");
        let allowed =
            self.functions.get(&invocation.function).map_or(0, |function| function.options.async_retries);
        if !outcome.is_error() || invocation.retries >= allowed {
            self.asynchronous.remove(&entry);
            return;
        }
        let pause_ms = if invocation.retries == 0 { FIRST_RETRY_MS } else { LATER_RETRY_MS };
        invocation.retries += 1;
        self.after(pause_ms, Event::AsyncAsk { entry });
    }
}
