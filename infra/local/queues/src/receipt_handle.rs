//! The receipt handle, by which a client proves that it received one delivery of a message.

use std::fmt;
use std::str::FromStr;

use crate::error::QueueError;

/// Names one delivery of one message of one queue: the next delivery of the same message has another handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiptHandle {
    /// The queue's own id, because another queue of the same name may have taken its place.
    pub(crate) queue_id: String,
    /// The message's place in the queue.
    pub(crate) position: u64,
    /// How many times this queue has delivered the message, this delivery included.
    pub(crate) delivery: u32,
}

impl fmt::Display for ReceiptHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.queue_id, self.position, self.delivery)
    }
}

impl FromStr for ReceiptHandle {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let mut parts = text.split(':');
            let (queue_id, position, delivery) = (parts.next()?, parts.next()?, parts.next()?);
            let handle = Self {
                queue_id: queue_id.to_owned(),
                position: position.parse().ok()?,
                delivery: delivery.parse().ok()?,
            };
            parts.next().is_none().then_some(handle)
        };
        read().ok_or(QueueError::ReceiptHandleIsInvalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_survives_being_written_and_read() {
        let handle = ReceiptHandle { queue_id: "queue".to_owned(), position: 12, delivery: 3 };
        assert_eq!(handle.to_string().parse(), Ok(handle));
    }

    #[test]
    fn other_text_is_not_a_handle() {
        for text in ["", "queue", "queue:1", "queue:one:2", "queue:1:2:3"] {
            assert_eq!(text.parse::<ReceiptHandle>(), Err(QueueError::ReceiptHandleIsInvalid), "{text}");
        }
    }
}
