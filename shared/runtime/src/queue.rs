//! The ledger's queues by name, and the trait that sends wake-up calls to them.

use store::BoxFuture;

/// One of the ledger's queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Wakes the decider (`adoption-distribution`). FIFO, with one group.
    Decisions,
    /// Wakes `talent-propagation` for an account. Standard.
    Talent,
    /// Wakes `daily-snapshot`. Standard.
    Closings,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 3] = [Self::Decisions, Self::Talent, Self::Closings];

    /// Returns the environment variable that holds the queue's URL.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Decisions => "DECISIONS_QUEUE_URL",
            Self::Talent => "TALENT_QUEUE_URL",
            Self::Closings => "CLOSINGS_QUEUE_URL",
        }
    }

    /// Returns the queue's logical name, as in the template.
    #[must_use]
    pub fn logical_name(self) -> &'static str {
        match self {
            Self::Decisions => "DecisionsQueue",
            Self::Talent => "TalentQueue",
            Self::Closings => "ClosingsQueue",
        }
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The body: JSON.
    pub body: String,
    /// On a FIFO queue: the group, and an id that is used for this message only.
    pub group: Option<(String, String)>,
    /// How long it stays invisible at first, in seconds; a FIFO queue takes only its own delay.
    pub delay_s: Option<u16>,
}

/// Sends messages and gives failed ones back.
pub trait Queues: Send + Sync {
    /// Sends messages, in batches as large as the service takes. Sending again is safe.
    fn send(&self, queue: Queue, messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>>;

    /// Makes a received message visible again after `seconds`, so that it comes again before its
    /// visibility timeout ends.
    fn change_visibility(
        &self,
        queue: Queue,
        receipt_handle: String,
        seconds: u32,
    ) -> BoxFuture<'_, Result<(), QueueError>>;
}

/// A queue did not take a call. Calling again is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue {queue:?} did not take a call: {message}")]
pub struct QueueError {
    /// Which queue.
    pub queue: Queue,
    /// What the service said.
    pub message: String,
}
