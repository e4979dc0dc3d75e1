//! What invokes functions on AWS: event source mappings of queues and streams, and the scheduler.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use runtime::Message;
use serde_json::Value;

use crate::events;
use crate::invocation::{RunningFunction, Shared};
use crate::streamed::StreamReader;
use crate::template::{FunctionSpec, Template, Trigger};

/// How often the scheduler calls.
const SCHEDULE: Duration = Duration::from_mins(1);
/// How long a batch of a stream that failed waits.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How often a batch of a stream is tried. Its records only wake, so that no later batch waits for them.
const STREAM_ATTEMPTS_MAX: u32 = 10;

/// Whether dates are closed as they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Each date closes once it has begun.
    WhenDatesBegin,
    /// Dates close when an operator asks for it.
    WhenAskedFor,
}

/// What the scheduler calls again and again.
#[derive(Default)]
pub struct Schedules {
    functions: Vec<(Arc<RunningFunction>, Value)>,
    messages: Vec<(String, Option<String>, String)>,
}

impl Schedules {
    /// Returns what the template has the scheduler call, of these functions.
    pub fn of(template: &Template, functions: &[(FunctionSpec, Arc<RunningFunction>)]) -> Result<Self> {
        let mut schedules = Self { functions: Vec::new(), messages: template.scheduled_messages()? };
        for (spec, function) in functions {
            for trigger in &spec.triggers {
                if let Trigger::Schedule { input } = trigger {
                    schedules.functions.push((Arc::clone(function), input.clone()));
                }
            }
        }
        Ok(schedules)
    }

    /// Calls everything once, as each minute does, and waits until the functions have answered.
    pub async fn call(&self, shared: &Shared, closing: Closing) {
        for (queue, group, input) in &self.messages {
            let id = shared.next_id();
            let body = input.replace("<aws.scheduler.execution-id>", &id);
            let group = group.clone().map(|group| (group, id));
            shared.queues.send_to(queue, vec![Message { body, group, delay_s: None }]);
        }
        let now = shared.clock.now();
        let calls = self.functions.iter().map(|(function, input)| {
            let mut event = events::schedule(input, now);
            if closing == Closing::WhenAskedFor {
                event["ask_for_closes"] = false.into();
            }
            function.invoke(event, shared)
        });
        // A failure is logged where it happens, and the next minute calls again.
        let _ = futures::future::join_all(calls).await;
    }

    /// Calls everything each minute, for as long as the task lives.
    pub async fn run(self: Arc<Self>, shared: Arc<Shared>, closing: Closing) {
        loop {
            self.call(&shared, closing).await;
            shared.clock.sleep(SCHEDULE).await;
        }
    }
}

/// Delivers a queue's messages to a function, as soon as there are any, for as long as the task lives.
///
/// Messages that the function names as failed come again; all of them, where the invocation fails.
pub async fn deliver_queue(
    queue: String,
    batch_size: usize,
    function: Arc<RunningFunction>,
    shared: Arc<Shared>,
) {
    loop {
        let received = shared.queues.receive(&queue, batch_size).await;
        let failed: BTreeSet<u64> = match function.invoke(events::sqs(&queue, &received), &shared).await {
            Ok(answer) => events::failed_messages(&answer).iter().filter_map(|id| id.parse().ok()).collect(),
            Err(_) => received.iter().map(|message| message.number).collect(),
        };
        shared.queues.finish(&queue, &received, &failed);
    }
}

/// Delivers what is put into a table to a function, as soon as there is anything, for as long as the task lives.
pub async fn deliver_stream(
    reader: StreamReader,
    batch_size: usize,
    function: Arc<RunningFunction>,
    shared: Arc<Shared>,
) {
    loop {
        let keys = shared.engine.take(reader, batch_size).await;
        for _ in 0..STREAM_ATTEMPTS_MAX {
            let event = events::stream(reader.table(), &keys, shared.clock.now());
            let answer = function.invoke(event, &shared).await;
            if answer.is_ok_and(|answer| events::failed_messages(&answer).is_empty()) {
                break;
            }
            shared.clock.sleep(RETRY_PAUSE).await;
        }
        shared.engine.finish(reader, keys.len());
    }
}
