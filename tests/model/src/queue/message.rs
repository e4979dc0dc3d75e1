//! Messages in a queue and the handles of those that were received.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::clock::Millis;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its position among all messages that the queue ever had.
    pub sequence: u64,
    /// Its id, which it keeps in a dead-letter queue.
    pub id: String,
    /// What it says.
    pub body: String,
    /// Its group; every message of a FIFO queue has one.
    pub group: Option<String>,
    /// What repetitions of it are known by.
    pub deduplication_id: Option<String>,
    /// Attributes that the sender gave it, as on the wire.
    pub attributes: Value,
    /// When it was sent.
    pub sent_ms: Millis,
    /// When it was received for the first time.
    pub first_received_ms: Option<Millis>,
    /// The queue that gave it up.
    pub(super) came_from: Option<String>,
    /// When it was received last.
    pub(super) received_ms: Millis,
    /// How often it was received, in all queues.
    pub receive_count: u32,
    /// How often this queue delivered it.
    pub(super) received_here: u32,
    /// The number of its last delivery, by which old handles are told from the present one.
    pub(super) delivery: u64,
    pub(super) state: State,
}

/// Whether a message can be received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not yet: it was sent with a delay.
    Delayed {
        /// When it becomes visible.
        until_ms: Millis,
    },
    /// Yes.
    Visible,
    /// Not now: it was received.
    InFlight {
        /// When it becomes visible again.
        until_ms: Millis,
    },
}

impl State {
    /// Returns when the message becomes visible, if it is not.
    pub(super) fn until_ms(self) -> Option<Millis> {
        match self {
            Self::Delayed { until_ms } | Self::InFlight { until_ms } => Some(until_ms),
            Self::Visible => None,
        }
    }
}

/// The handle of one delivery of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// The number of the queue that gave it; a queue of the same name that is made later has another one.
    pub queue: u32,
    /// The message's position in its queue.
    pub sequence: u64,
    /// The number of the delivery.
    pub delivery: u64,
}

impl fmt::Display for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.queue, self.sequence, self.delivery)
    }
}

impl FromStr for Receipt {
    type Err = NotAReceipt;

    fn from_str(text: &str) -> Result<Self, NotAReceipt> {
        let (queue, place) = text.split_once('-').ok_or(NotAReceipt)?;
        let (sequence, delivery) = place.split_once('-').ok_or(NotAReceipt)?;
        let queue = queue.parse().map_err(|_| NotAReceipt)?;
        let sequence = sequence.parse().map_err(|_| NotAReceipt)?;
        let delivery = delivery.parse().map_err(|_| NotAReceipt)?;
        Ok(Self { queue, sequence, delivery })
    }
}

/// The text is not a receipt handle of this queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The input receipt handle is invalid.")]
pub struct NotAReceipt;
