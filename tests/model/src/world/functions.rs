//! Invocations: asked for, begun, ended, and their results told.

use std::sync::Arc;

use serde_json::json;

use super::administration::function_not_found;
use super::{Event, LambdaRequest, Notice, Output, World};
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};
use crate::lambda::{Invocation, Origin, Outcome, Payload};

const MAX_PAYLOAD_BYTES: usize = 6 * 1_024 * 1_024;
const MAX_ASYNCHRONOUS_PAYLOAD_BYTES: usize = 1_024 * 1_024;

impl World {
    /// Returns the function of an invocation that runs.
    #[must_use]
    pub fn function_of(&self, invocation: u64) -> Option<String> {
        self.invocations.get(&invocation).map(|invocation| invocation.function.clone())
    }

    /// Ends an invocation now.
    pub fn end_invocation(&mut self, invocation: u64, outcome: Outcome) {
        self.at(self.now_ms, Event::End { invocation, outcome });
    }

    /// Ends an invocation at a later time.
    pub fn end_invocation_at(&mut self, at_ms: Millis, invocation: u64, outcome: Outcome) {
        self.at(at_ms, Event::End { invocation, outcome });
    }

    /// Asks for a function; returns whether it was begun or throttled.
    pub(super) fn ask(&mut self, function: &str, origin: Origin, payload: Payload) -> bool {
        let Some(environment) = self.functions.take_environment(function) else { return false };
        let begins_ms = self.now_ms + self.latencies.draw_begin_ms(environment.cold);
        self.last_invocation += 1;
        let number = self.last_invocation;
        let payload = Arc::new(payload);
        let invocation =
            Invocation { number, function: function.to_owned(), environment, begins_ms, origin, payload };
        self.invocations.insert(number, invocation);
        self.at(begins_ms, Event::Begin { invocation: number });
        true
    }

    pub(super) fn begin(&mut self, invocation: u64) {
        let begun = self.invocations[&invocation].clone();
        self.notices.push_back(Notice::Begins(begun));
    }

    pub(super) fn end(&mut self, invocation: u64, outcome: Outcome) {
        let Some(ended) = self.invocations.remove(&invocation) else { return };
        self.functions.return_environment(&ended.function, ended.environment, outcome.environment_survives());
        let result_ms = self.latencies.draw_result_ms();
        self.after(result_ms, Event::Result { invocation: Box::new(ended), outcome });
    }

    pub(super) fn result(&mut self, invocation: &Invocation, outcome: &Outcome) {
        match invocation.origin {
            Origin::Call(call) => {
                let payload = match outcome {
                    Outcome::Succeeded(payload) => payload.clone(),
                    Outcome::Failed(message) => Some(message.clone()),
                    Outcome::Partial(_) | Outcome::TimedOut | Outcome::Killed => None,
                };
                let output = Output::Function { payload, failed: outcome.is_error() };
                let now_ms = self.now_ms;
                self.finish_at(call, Ok(output), now_ms);
            }
            Origin::Asynchronous(entry) => self.asynchronous_result(entry, outcome),
            Origin::Queue { mapping, batch } => self.queue_batch_result(mapping, batch, outcome),
            Origin::Feeder { mapping, feeder } => self.feeder_result(mapping, feeder, outcome),
        }
    }

    pub(super) fn evaluate_lambda(&mut self, call: u64, request: LambdaRequest) {
        match request {
            LambdaRequest::CreateMapping(input) => {
                let result = self.create_mapping(&input).map(Output::Described);
                self.finish(call, result);
            }
            LambdaRequest::UpdateMapping(input) => {
                let result = self.update_mapping(&input).map(Output::Described);
                self.finish(call, result);
            }
            LambdaRequest::Administer { call: administration, input } => {
                let result = self.administer(administration, &input).map(Output::Described);
                self.finish(call, result);
            }
            LambdaRequest::Invoke { function, .. }
            | LambdaRequest::InvokeAsynchronously { function, .. }
            | LambdaRequest::DryRun { function }
                if self.functions.get(&function).is_none() =>
            {
                self.finish(call, Err(function_not_found(&function)));
            }
            LambdaRequest::Invoke { payload, .. } if payload.len() > MAX_PAYLOAD_BYTES => {
                self.finish(call, Err(payload_too_large()));
            }
            LambdaRequest::InvokeAsynchronously { payload, .. }
                if payload.len() > MAX_ASYNCHRONOUS_PAYLOAD_BYTES =>
            {
                self.finish(call, Err(payload_too_large()));
            }
            LambdaRequest::Invoke { function, payload } => {
                if !self.ask(&function, Origin::Call(call), Payload::Direct(payload)) {
                    let error = ErrorKind::TooManyRequestsException.because("Rate Exceeded.");
                    self.finish(call, Err(error));
                }
            }
            LambdaRequest::InvokeAsynchronously { function, payload } => {
                self.invoke_asynchronously(&function, Payload::Direct(payload));
                self.finish(call, Ok(Output::Described(json!({ "StatusCode": 202 }))));
            }
            LambdaRequest::DryRun { .. } => {
                self.finish(call, Ok(Output::Described(json!({ "StatusCode": 204 }))));
            }
        }
    }
}

fn payload_too_large() -> ServiceError {
    ErrorKind::RequestTooLargeException
        .because("The request payload exceeded the Invoke request body JSON input limit.")
}
