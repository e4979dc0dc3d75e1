//! Queues that keep what is sent, and a clock that stands still: for tests, and for a process that wakes nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use store::BoxFuture;

use crate::{Clock, Message, Queue, QueueError, Queues};

/// Queues that keep what is sent, and deliver nothing.
#[derive(Debug, Default)]
pub struct MemoryQueues(Mutex<Vec<(Queue, Message)>>);

impl MemoryQueues {
    /// Returns how many messages are kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Takes out all messages that are kept, in the order in which they were sent.
    #[must_use]
    pub fn take(&self) -> Vec<(Queue, Message)> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Queue, Message)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues for MemoryQueues {
    fn send(&self, queue: Queue, messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>> {
        self.lock().extend(messages.into_iter().map(|message| (queue, message)));
        Box::pin(async { Ok(()) })
    }

    fn change_visibility(&self, _: Queue, _: String, _: u32) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A clock that always shows the same time, and on which no pause takes any.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
