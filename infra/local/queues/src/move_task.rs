//! Giving the messages of a dead-letter queue another chance.

use crate::queue_name::QueueName;

/// A move of all messages out of a dead-letter queue. It is over as soon as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MoveTask {
    pub(crate) handle: String,
    pub(crate) source: QueueName,
    /// Where to, if the request said so; otherwise each message goes back to the queue that gave up on it.
    pub(crate) destination: Option<QueueName>,
    /// The rate asked for, which is shown and not applied.
    pub(crate) max_messages_per_second: Option<u32>,
    pub(crate) messages_to_move: usize,
    pub(crate) messages_moved: usize,
    /// Why the task stopped early; the message it stopped at, and those behind it, stay where they are.
    pub(crate) failure_reason: Option<&'static str>,
    pub(crate) started_at_ms: u64,
}

impl MoveTask {
    pub(crate) fn status(&self) -> &'static str {
        if self.failure_reason.is_some() { "FAILED" } else { "COMPLETED" }
    }
}
