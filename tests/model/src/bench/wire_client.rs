//! The services as a client of their own sees them: calls as JSON, made by the invocation that goes on now.
//!
//! Functions of today have a seam and need no such client. One that brings the service's client along, and calls what
//! the seam has not, such as transactions, meets the world here.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::shared::{Caller, Shared};
use crate::clock::Millis;
use crate::error::ErrorKind;
use crate::wire;
use crate::world::{CallError, Output};

/// Makes calls as JSON for the invocations of one environment.
#[derive(Clone)]
pub struct WireClient {
    shared: Shared,
    function: Arc<str>,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum WireError {
    /// The service refused it.
    Refused {
        /// The status of the answer.
        status: u16,
        /// The name of the error.
        name: String,
        /// What the answer carries besides.
        body: Value,
    },
    /// No answer arrived in the time for which the world lets a caller wait.
    NoAnswer,
}

impl WireClient {
    /// Returns the services for an environment of a function.
    #[must_use]
    pub fn new(shared: &Shared, function: &str) -> Self {
        Self { shared: shared.clone(), function: function.into() }
    }

    /// Makes a call for the invocation that goes on now, which meets the fates of calls.
    pub fn call(
        &self,
        service: &str,
        call: &str,
        input: &Value,
    ) -> impl Future<Output = Result<Value, WireError>> + Send + 'static {
        let request = wire::decode(service, call, input);
        let shared = self.shared.clone();
        let caller = Caller { invocation: shared.lock().polled, function: self.function.clone() };
        async move {
            let Some(request) = request else {
                return Err(refused(&CallError::Service(
                    ErrorKind::InternalServerError.because("no such call"),
                )));
            };
            let answered = shared.call(Some(&caller), request).await;
            answered.map(|output: Output| wire::encode(&output, None)).map_err(|error| refused(&error))
        }
    }

    /// Waits in virtual time, never shorter than that.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + Sync + 'static {
        let duration_ms = Millis::try_from(duration.as_nanos().div_ceil(1_000_000));
        self.shared.sleep(duration_ms.unwrap_or(Millis::MAX / 2))
    }

    /// Returns the time.
    #[must_use]
    pub fn now_ms(&self) -> Millis {
        self.shared.lock().world.now_ms()
    }
}

fn refused(error: &CallError) -> WireError {
    let CallError::Service(service) = error else { return WireError::NoAnswer };
    let status = if service.kind == ErrorKind::InternalServerError { 500 } else { 400 };
    WireError::Refused { status, name: wire::error_name(error), body: wire::error_output(error) }
}
