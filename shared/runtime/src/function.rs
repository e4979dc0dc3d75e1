//! The trait that each function implements, and the context that it is handed: tables, queues, clock,
//! deadline.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use store::{BoxFuture, Engine};

use crate::{Clock, Queues};

/// A function: what a trigger calls, with the event as the service delivers it.
///
/// A function that keeps a cache between invocations takes it out for the work and puts it back at the end,
/// so that an invocation that panics or is ended half way drops it.
pub trait Function: Send + Sync {
    /// Returns the name under which it is deployed, logs and counts.
    fn name(&self) -> &'static str;

    /// Works on one event and returns the answer that its trigger expects.
    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>>;
}

/// What one invocation may use.
#[derive(Clone)]
pub struct Context {
    /// The clock of this environment.
    pub clock: Arc<dyn Clock>,
    /// When the service ends the invocation.
    pub deadline: DateTime<Utc>,
    /// The tables.
    pub engine: Arc<dyn Engine>,
    /// The queues.
    pub queues: Arc<dyn Queues>,
    /// The id of the invocation, for logs.
    pub request_id: String,
}

/// An invocation failed; its trigger delivers the event again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FunctionError {
    /// What failed, for the log.
    pub message: String,
}
