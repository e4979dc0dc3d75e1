//! Calls: sent at one moment, evaluated at another, answered at a third.

use serde_json::Value;

use super::administration::Administration;
use super::{Event, Notice, World};
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};
use crate::queue::{QueueReply, QueueRequest, QueueResponse};
use crate::table::{
    Consumed, Get, Prepared, PreparedStatements, ReadSet, Reply, Request as Plain, Response,
    TransactStatements, TransactWrite,
};

/// How long a caller waits for an answer that was lost.
const LOST_ANSWER_MS: Millis = 1_000;
/// When a service answers that it failed before it did anything.
const EARLY_ERROR_MS: Millis = 8;

/// A call of a service.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it for each pending call")]
pub enum Request {
    /// Of a table, with the number of its actions.
    Table {
        /// What is asked.
        request: TableRequest,
        /// How many items it names.
        actions: usize,
    },
    /// Of a queue.
    Queue {
        /// The queue.
        queue: String,
        /// What is asked, or why it could not be read.
        request: Result<QueueRequest, ServiceError>,
    },
    /// Of a queue that is not named.
    UnknownQueue,
    /// Of the service that runs functions.
    Lambda(LambdaRequest),
    /// Makes a schedule with a name of its own: its rate and its function.
    CreateSchedule {
        /// The name.
        name: String,
        /// The schedule, or why it could not be read.
        schedule: Result<crate::lambda::Schedule, ServiceError>,
    },
    /// Appends a record to a topic.
    Produce {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The record's key.
        key: Option<String>,
        /// The record's value.
        value: Option<String>,
    },
}

impl Request {
    /// Returns the name of the call, as the service has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Table { request: TableRequest::Plain(Ok(request)), .. } => match request {
                Plain::Get(_) => "GetItem",
                Plain::Write(_) => "PutItem or DeleteItem",
                Plain::Query(_) => "Query",
                Plain::Scan(_) => "Scan",
                Plain::BatchGet(_) => "BatchGetItem",
                Plain::BatchWrite(_) => "BatchWriteItem",
                Plain::BatchStatements(_) => "BatchExecuteStatement",
                Plain::Statement(_) => "ExecuteStatement",
            },
            Self::Table { .. } => "a transaction",
            Self::Queue { request: Ok(QueueRequest::SendBatch(_)), .. } => "SendMessageBatch",
            Self::Queue { request: Ok(QueueRequest::ChangeVisibility(..)), .. } => "ChangeMessageVisibility",
            _ => "another",
        }
    }

    /// Returns whether it changes a table, if it takes effect.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Table { request: TableRequest::Plain(Ok(request)), .. } => {
                matches!(
                    request,
                    Plain::Write(_) | Plain::BatchWrite(_) | Plain::BatchStatements(_) | Plain::Statement(_)
                )
            }
            Self::Table {
                request: TableRequest::TransactWrite(_) | TableRequest::TransactStatements(_),
                ..
            } => true,
            _ => false,
        }
    }
}

/// A request to tables, or why it could not be read.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it for each pending call")]
pub enum TableRequest {
    /// Evaluated in one moment.
    Plain(Result<Plain, ServiceError>),
    /// A transaction of writes.
    TransactWrite(Result<TransactWrite, ServiceError>),
    /// A transaction of reads.
    TransactGet(Result<Vec<Get>, ServiceError>),
    /// A transaction of statements.
    TransactStatements(Result<TransactStatements, ServiceError>),
}

/// A call of the service that runs functions.
#[derive(Debug)]
pub enum LambdaRequest {
    /// Calls a function and waits for its answer.
    Invoke {
        /// The function.
        function: String,
        /// What it is called with.
        payload: String,
    },
    /// Calls a function without waiting.
    InvokeAsynchronously {
        /// The function.
        function: String,
        /// What it is called with.
        payload: String,
    },
    /// Only looks whether the function could be called.
    DryRun {
        /// The function.
        function: String,
    },
    /// Makes a trigger.
    CreateMapping(Value),
    /// Changes a trigger.
    UpdateMapping(Value),
    /// Looks at triggers or functions, or changes them otherwise.
    Administer {
        /// What is asked.
        call: Administration,
        /// The input.
        input: Value,
    },
}

/// What goes wrong with a call besides what the service decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It takes effect, and the caller gives up waiting.
    LoseAnswer,
    /// The service fails before it does anything.
    ErrorBefore,
    /// The service refuses the call because there were too many.
    Throttle,
    /// A queue accepts messages and never delivers them.
    LoseMessage,
}

/// The answer to a call.
#[derive(Debug)]
pub struct Answer {
    /// The call.
    pub call: u64,
    /// What the service answered, or why there is no answer.
    pub result: Result<Output, CallError>,
    /// What was consumed of the tables.
    pub consumed: Vec<(String, Consumed)>,
}

/// An answer without error.
#[derive(Debug)]
pub enum Output {
    /// Of a table.
    Table(Response),
    /// Of a queue.
    Queue(QueueResponse),
    /// Of a function: its answer, and whether it failed.
    Function {
        /// What it answered.
        payload: Option<String>,
        /// Whether it failed.
        failed: bool,
    },
    /// Something as it is now, in the form that it has on the wire.
    Described(Value),
    /// Of what answers nothing.
    Done,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The service answered with an error.
    Service(ServiceError),
    /// The answer did not arrive in time.
    TimedOut,
}

pub(super) struct PendingCall {
    request: Option<Request>,
    answered_ms: Millis,
    committed_ms: Millis,
    fault: Fault,
    /// Whether the caller has given up waiting.
    given_up: bool,
    result: Option<Result<Output, CallError>>,
    consumed: Vec<(String, Consumed)>,
    read_set: Option<ReadSet>,
}

impl World {
    /// Sends a call now and returns its number.
    pub fn send(&mut self, request: Request, fault: Fault) -> u64 {
        self.last_call += 1;
        let call = self.last_call;
        let timing = self.latencies.draw_timing(&request);
        let sent_ms = self.now_ms;
        let mut pending = PendingCall {
            request: Some(request),
            answered_ms: sent_ms + timing.answered_ms,
            committed_ms: sent_ms + timing.committed_ms,
            fault,
            given_up: false,
            result: None,
            consumed: Vec::new(),
            read_set: None,
        };
        let refusal = match fault {
            Fault::None | Fault::LoseAnswer | Fault::LoseMessage => None,
            Fault::ErrorBefore => {
                Some(ErrorKind::InternalServerError.because("The service failed before it did anything"))
            }
            Fault::Throttle => Some(ErrorKind::ThrottlingException.because("The service has too much to do")),
        };
        if let Some(error) = refusal {
            pending.result = Some(Err(CallError::Service(error)));
            self.calls.insert(call, pending);
            self.after(EARLY_ERROR_MS, Event::Answer { call });
            return call;
        }
        self.calls.insert(call, pending);
        if fault == Fault::LoseAnswer {
            self.after(LOST_ANSWER_MS, Event::Answer { call });
        }
        if timing.evaluated_ms == 0 {
            self.evaluate(call);
        } else {
            self.after(timing.evaluated_ms, Event::Evaluate { call });
        }
        call
    }

    pub(super) fn evaluate(&mut self, call: u64) {
        let pending = self.calls.get_mut(&call).expect("a call is evaluated before it is answered");
        let request = pending.request.take().expect("a call is evaluated once");
        match request {
            Request::Table { request, .. } => self.evaluate_table(call, request),
            Request::Queue { queue, request } => self.evaluate_queue(call, &queue, request),
            Request::UnknownQueue => {
                let error = ErrorKind::QueueDoesNotExist.because("The specified queue does not exist.");
                self.finish(call, Err(error));
            }
            Request::Lambda(request) => self.evaluate_lambda(call, request),
            Request::CreateSchedule { name, schedule } => {
                let result = schedule.and_then(|schedule| self.create_schedule(&name, schedule));
                self.finish(call, result.map(|()| Output::Done));
            }
            Request::Produce { topic, partition, key, value } => {
                let result = self.produce(&topic, partition, key, value);
                let described = |offset| {
                    Output::Described(serde_json::json!({ "partition": partition, "offset": offset }))
                };
                self.finish(call, result.map(described));
            }
        }
    }

    pub(super) fn commit(&mut self, call: u64, transaction: u64) {
        let reply = self.database.commit(self.now_ms, transaction);
        self.finish_table(call, reply);
    }

    pub(super) fn finish_read(&mut self, call: u64) {
        let set = self.calls.get_mut(&call).and_then(|pending| pending.read_set.take());
        let reply = self.database.finish_read(set.expect("the first reading went well"));
        self.finish_table(call, reply);
    }

    pub(super) fn answer(&mut self, call: u64) {
        let pending = self.calls.get_mut(&call).expect("a call is answered once");
        if pending.fault == Fault::LoseAnswer {
            pending.given_up = true;
            let consumed = pending.consumed.clone();
            if pending.result.is_some() {
                self.calls.remove(&call);
            }
            self.notices.push_back(Notice::Answered(Answer {
                call,
                result: Err(CallError::TimedOut),
                consumed,
            }));
            return;
        }
        let pending = self.calls.remove(&call).expect("it was found before");
        let result = pending.result.expect("a call is answered after it was evaluated");
        self.notices.push_back(Notice::Answered(Answer { call, result, consumed: pending.consumed }));
    }

    /// Keeps the result of a call for when its answer arrives.
    pub(super) fn finish(&mut self, call: u64, result: Result<Output, ServiceError>) {
        let answered_ms = self.calls[&call].answered_ms;
        self.finish_at(call, result, answered_ms);
    }

    /// Keeps the result of a call whose answer arrives at a time of its own, unless it is lost.
    pub(super) fn finish_at(&mut self, call: u64, result: Result<Output, ServiceError>, answered_ms: Millis) {
        let pending = self.calls.get_mut(&call).expect("a call is evaluated before it is answered");
        pending.result = Some(result.map_err(CallError::Service));
        if pending.fault != Fault::LoseAnswer {
            self.at(answered_ms, Event::Answer { call });
        } else if pending.given_up {
            self.calls.remove(&call);
        }
    }

    fn evaluate_table(&mut self, call: u64, request: TableRequest) {
        let now_ms = self.now_ms;
        match request {
            TableRequest::Plain(Ok(request)) => {
                let reply = self.database.execute(now_ms, &request);
                self.finish_table(call, reply);
            }
            TableRequest::TransactWrite(Ok(request)) => {
                let (answered_ms, committed_ms) =
                    (self.calls[&call].answered_ms, self.calls[&call].committed_ms);
                match self.database.prepare(now_ms, answered_ms, &request) {
                    Prepared::Over(reply) => self.finish_table(call, reply),
                    Prepared::Held(transaction) => self.at(committed_ms, Event::Commit { call, transaction }),
                }
            }
            TableRequest::TransactGet(Ok(gets)) => self.begin_read(call, &gets),
            TableRequest::TransactStatements(Ok(request)) => {
                let (answered_ms, committed_ms) =
                    (self.calls[&call].answered_ms, self.calls[&call].committed_ms);
                match self.database.prepare_statements(now_ms, answered_ms, &request) {
                    Ok(PreparedStatements::Reads(gets)) => self.begin_read(call, &gets),
                    Ok(PreparedStatements::Writes(Prepared::Over(reply))) => self.finish_table(call, reply),
                    Ok(PreparedStatements::Writes(Prepared::Held(transaction))) => {
                        self.at(committed_ms, Event::Commit { call, transaction });
                    }
                    Err(error) => self.finish(call, Err(error)),
                }
            }
            TableRequest::Plain(Err(error))
            | TableRequest::TransactWrite(Err(error))
            | TableRequest::TransactGet(Err(error))
            | TableRequest::TransactStatements(Err(error)) => self.finish(call, Err(error)),
        }
    }

    fn begin_read(&mut self, call: u64, gets: &[Get]) {
        match self.database.begin_read(self.now_ms, gets) {
            Err(error) => self.finish(call, Err(error)),
            Ok(set) => {
                let pending = self.calls.get_mut(&call).expect("it is being evaluated");
                pending.read_set = Some(set);
                let committed_ms = pending.committed_ms;
                self.at(committed_ms, Event::FinishRead { call });
            }
        }
    }

    fn finish_table(&mut self, call: u64, reply: Reply) {
        let pending = self.calls.get_mut(&call).expect("it is being evaluated");
        pending.consumed = reply.consumed.into_iter().collect();
        self.finish(call, reply.result.map(Output::Table));
    }

    fn evaluate_queue(&mut self, call: u64, queue: &str, request: Result<QueueRequest, ServiceError>) {
        let request = match request {
            Ok(request) => request,
            Err(error) => return self.finish(call, Err(error)),
        };
        let sends = matches!(request, QueueRequest::Send(_) | QueueRequest::SendBatch(_));
        if sends && self.calls[&call].fault == Fault::LoseMessage {
            return self.finish(call, Ok(Output::Done));
        }
        let options = match &request {
            QueueRequest::Receive(options) => Some(options.clone()),
            _ => None,
        };
        match self.queues.execute(self.now_ms, queue, request) {
            QueueReply::Now(result) => self.finish(call, result.map(Output::Queue)),
            QueueReply::Waits { wait_ms } => {
                self.wait_for_message(call, queue, options.expect("only a receive waits"), wait_ms);
            }
        }
    }
}
