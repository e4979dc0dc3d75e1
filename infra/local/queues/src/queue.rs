//! One queue: what is accepted, delivered, deleted and given up on, and when.
//!
//! Nothing in here reads a clock. Every call says what time it is, and what has become due until
//! then happens first.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::deduplication::{Accepted, Deduplication, Key};
use crate::digest::content_deduplication_id;
use crate::error::QueueError;
use crate::message::NewMessage;
use crate::message_store::{Message, MessageCounts, MessageStore, Position, State};
use crate::queue_name::ACCOUNT_ID;
use crate::receipt_handle::ReceiptHandle;
use crate::settings::{FifoSettings, QueueSettings};

/// The system attribute that names the trace a message belongs to.
pub(crate) const TRACE_HEADER: &str = "AWSTraceHeader";

/// A queue and its messages.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Tells this queue from earlier ones of the same name.
    id: String,
    settings: QueueSettings,
    created_at_ms: u64,
    modified_at_ms: u64,
    purged_at_ms: Option<u64>,
    messages: MessageStore,
    deduplication: Deduplication,
}

/// The answer to the sender of an accepted message, or of a duplicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) message_id: String,
    /// Only FIFO queues number their messages.
    pub(crate) sequence_number: Option<String>,
}

/// One message handed to one receiver.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) message: Message,
    pub(crate) sequence_number: Option<String>,
    pub(crate) receipt_handle: ReceiptHandle,
}

impl Delivery {
    /// Returns what the service says about the message, by name.
    pub(crate) fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let message = &self.message;
        [
            ("SenderId", Some(ACCOUNT_ID.to_owned())),
            ("SentTimestamp", Some(message.sent_at_ms.to_string())),
            ("ApproximateReceiveCount", Some(message.receive_count.to_string())),
            ("ApproximateFirstReceiveTimestamp", message.first_received_at_ms.map(|at_ms| at_ms.to_string())),
            ("SequenceNumber", self.sequence_number.clone()),
            ("MessageGroupId", message.content.group_id.clone()),
            ("MessageDeduplicationId", message.content.deduplication_id.clone()),
            (TRACE_HEADER, message.content.trace_header.clone()),
            ("DeadLetterQueueSourceArn", message.dead_letter_source_arn.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// What one receive took.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) deliveries: Vec<Delivery>,
    /// The messages that had been received too often already, in order; the queue no longer holds them.
    pub(crate) dead_letters: Vec<Message>,
}

impl Queue {
    pub(crate) fn new(id: Uuid, settings: QueueSettings, now_ms: u64) -> Self {
        Self {
            id: id.to_string(),
            settings,
            created_at_ms: now_ms,
            modified_at_ms: now_ms,
            purged_at_ms: None,
            messages: MessageStore::default(),
            deduplication: Deduplication::default(),
        }
    }

    /// Accepts a message under the id given; a duplicate is answered like the message it repeats.
    pub(crate) fn send(
        &mut self,
        now_ms: u64,
        id: Uuid,
        mut content: NewMessage,
    ) -> Result<Sent, QueueError> {
        content.check(&self.settings)?;
        self.catch_up(now_ms);
        let key = self.settings.fifo.and_then(|fifo| deduplication_key(fifo, &mut content));
        if let Some(original) = key.as_ref().and_then(|key| self.deduplication.find(key)) {
            let message_id = original.message_id.clone();
            return Ok(Sent { message_id, sequence_number: self.sequence_number(original.position) });
        }
        let delay_seconds = match self.settings.fifo {
            Some(_) => self.settings.delay_seconds,
            None => content.delay_seconds.unwrap_or(self.settings.delay_seconds),
        };
        let message = Message::new(id, Arc::new(content), now_ms);
        let position = self.push(message, now_ms, now_ms + milliseconds(delay_seconds));
        if let Some(key) = key {
            self.deduplication.remember(now_ms, key, Accepted { message_id: id.to_string(), position });
        }
        Ok(Sent { message_id: id.to_string(), sequence_number: self.sequence_number(position) })
    }

    /// Accepts a message from another queue: at once, and even if it repeats another, because it
    /// must not be lost.
    pub(crate) fn accept(&mut self, now_ms: u64, mut message: Message) {
        self.catch_up(now_ms);
        // A FIFO queue counts the retention period from the move, a standard queue from when it was
        // first sent.
        if self.settings.fifo.is_some() {
            message.enqueued_at_ms = now_ms;
        }
        self.push(message, now_ms, now_ms);
    }

    /// Delivers at most so many messages.
    ///
    /// With a maximum receive count, messages that reached it are taken out instead; they would otherwise be
    /// delivered once more.
    pub(crate) fn receive(
        &mut self,
        now_ms: u64,
        max_messages: usize,
        visibility_timeout_seconds: u32,
        max_receive_count: Option<u32>,
    ) -> Received {
        self.catch_up(now_ms);
        let until_ms = now_ms + milliseconds(visibility_timeout_seconds);
        let mut received = Received::default();
        while let Some(first) = self.messages.first_open()
            && received.deliveries.len() < max_messages
        {
            let mut next = Some(first);
            while let Some(position) = next
                && received.deliveries.len() < max_messages
            {
                next = self.messages.next_visible_in_lane(position);
                if self.was_received_too_often(position, max_receive_count) {
                    received.dead_letters.extend(self.messages.remove(position));
                } else {
                    received.deliveries.push(self.deliver(position, now_ms, until_ms));
                }
            }
        }
        received
    }

    /// Returns the message that would be received next.
    pub(crate) fn first_receivable(&mut self, now_ms: u64) -> Option<&Message> {
        self.catch_up(now_ms);
        self.messages.get(self.messages.first_open()?).map(|entry| &entry.message)
    }

    /// Takes out the message that would be received next.
    pub(crate) fn take_first_receivable(&mut self, now_ms: u64) -> Option<Message> {
        self.catch_up(now_ms);
        self.messages.remove(self.messages.first_open()?)
    }

    /// Deletes the message of this delivery.
    ///
    /// A message that is gone already counts as deleted. After the message was delivered again, a
    /// standard queue ignores the older handle; a FIFO queue refuses it, and refuses a handle whose
    /// visibility timeout has ended.
    pub(crate) fn delete(&mut self, now_ms: u64, handle: &ReceiptHandle) -> Result<(), QueueError> {
        self.catch_up(now_ms);
        self.check_queue_of(handle)?;
        let Some(entry) = self.messages.get(handle.position) else { return Ok(()) };
        let is_current = entry.deliveries == handle.delivery;
        let is_in_flight = matches!(entry.state, State::InFlight { .. });
        if self.settings.fifo.is_some() && !(is_current && is_in_flight) {
            return Err(expired(handle));
        }
        if is_current {
            self.messages.remove(handle.position);
        }
        Ok(())
    }

    /// Lets this delivery's visibility timeout end so many seconds from now.
    ///
    /// A standard queue also takes the handle of an earlier delivery, and one whose timeout has ended: the
    /// message is then hidden once more. A FIFO queue refuses both.
    pub(crate) fn change_visibility(
        &mut self,
        now_ms: u64,
        handle: &ReceiptHandle,
        visibility_timeout_seconds: u32,
    ) -> Result<(), QueueError> {
        const LONGEST_FLIGHT_MS: u64 = 12 * 60 * 60 * 1_000;
        self.catch_up(now_ms);
        self.check_queue_of(handle)?;
        let Some(entry) = self.messages.get(handle.position) else {
            return Err(invalid_handle(
                handle,
                "Message does not exist or is not available for visibility timeout change.",
            ));
        };
        let is_fifo = self.settings.fifo.is_some();
        if is_fifo && entry.deliveries != handle.delivery {
            return Err(expired(handle));
        }
        let delivered_at_ms = match entry.state {
            State::InFlight { delivered_at_ms, .. } => delivered_at_ms,
            _ if is_fifo => return Err(QueueError::MessageNotInflight),
            _ => now_ms,
        };
        let until_ms = now_ms + milliseconds(visibility_timeout_seconds);
        if until_ms - delivered_at_ms > LONGEST_FLIGHT_MS {
            return Err(QueueError::InvalidParameterValue {
                name: "VisibilityTimeout".to_owned(),
                value: visibility_timeout_seconds.to_string(),
                reason: "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]."
                    .to_owned(),
            });
        }
        self.messages.set_state(handle.position, State::InFlight { delivered_at_ms, until_ms });
        self.catch_up(now_ms);
        Ok(())
    }

    /// Deletes every message, delayed and in flight ones too, and forgets which were accepted.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.deduplication = Deduplication::default();
    }

    /// Clears the queue, unless it was purged within the last minute.
    pub(crate) fn purge(&mut self, now_ms: u64) -> Result<(), QueueError> {
        const BETWEEN_PURGES_MS: u64 = 60_000;
        if self.purged_at_ms.is_some_and(|purged_at_ms| now_ms < purged_at_ms + BETWEEN_PURGES_MS) {
            return Err(QueueError::PurgeQueueInProgress);
        }
        self.purged_at_ms = Some(now_ms);
        self.clear();
        Ok(())
    }

    /// Replaces the settings.
    pub(crate) fn set_settings(&mut self, now_ms: u64, settings: QueueSettings) {
        self.catch_up(now_ms);
        // A new delay is for new messages only, unless the queue is FIFO: there it would change the order.
        if settings.fifo.is_some() && settings.delay_seconds != self.settings.delay_seconds {
            self.messages.change_delays(milliseconds(settings.delay_seconds));
        }
        self.settings = settings;
        self.modified_at_ms = now_ms;
        self.catch_up(now_ms);
    }

    pub(crate) fn settings(&self) -> &QueueSettings {
        &self.settings
    }

    pub(crate) fn created_at_ms(&self) -> u64 {
        self.created_at_ms
    }

    pub(crate) fn modified_at_ms(&self) -> u64 {
        self.modified_at_ms
    }

    /// Returns how many messages are in which state.
    pub(crate) fn counts(&mut self, now_ms: u64) -> MessageCounts {
        self.catch_up(now_ms);
        self.messages.counts()
    }

    /// Returns when a message may next become receivable by the passing of time alone.
    pub(crate) fn next_change_at_ms(&self) -> Option<u64> {
        // The end of a retention period counts, because it may free a group from a message in flight.
        let oldest_ends =
            self.messages.oldest_enqueued_at_ms().map(|enqueued_at_ms| enqueued_at_ms + self.retention_ms());
        self.messages.next_wait_ends_at_ms().into_iter().chain(oldest_ends).min()
    }

    fn catch_up(&mut self, now_ms: u64) {
        if let Some(limit_ms) = now_ms.checked_sub(self.retention_ms()) {
            self.messages.remove_enqueued_by(limit_ms);
        }
        self.messages.end_waits(now_ms);
        self.deduplication.forget_old(now_ms);
    }

    fn push(&mut self, message: Message, now_ms: u64, visible_from_ms: u64) -> Position {
        let content = Arc::clone(&message.content);
        let group_id = content.group_id.as_deref().filter(|_| self.settings.fifo.is_some());
        self.messages.push(message, group_id, now_ms, visible_from_ms)
    }

    fn deliver(&mut self, position: Position, now_ms: u64, until_ms: u64) -> Delivery {
        let entry = self.messages.deliver(position, now_ms, until_ms);
        let (message, delivery) = (entry.message.clone(), entry.deliveries);
        Delivery {
            message,
            sequence_number: self.sequence_number(position),
            receipt_handle: ReceiptHandle { queue_id: self.id.clone(), position, delivery },
        }
    }

    fn was_received_too_often(&self, position: Position, max_receive_count: Option<u32>) -> bool {
        let deliveries = self.messages.get(position).map_or(0, |entry| entry.deliveries);
        max_receive_count.is_some_and(|max| deliveries >= max)
    }

    fn sequence_number(&self, position: Position) -> Option<String> {
        self.settings.fifo.map(|_| format!("{position:020}"))
    }

    fn retention_ms(&self) -> u64 {
        milliseconds(self.settings.retention_seconds)
    }

    fn check_queue_of(&self, handle: &ReceiptHandle) -> Result<(), QueueError> {
        if handle.queue_id == self.id { Ok(()) } else { Err(QueueError::ReceiptHandleIsInvalid) }
    }
}

/// Returns by what a duplicate of this message is recognised. If that is its content, the message has that as its id
/// from now on.
fn deduplication_key(fifo: FifoSettings, content: &mut NewMessage) -> Option<Key> {
    let group_id = content.group_id.as_deref()?;
    let deduplication_id =
        content.deduplication_id.get_or_insert_with(|| content_deduplication_id(&content.body));
    Some(Key::new(fifo.deduplication_scope, group_id, deduplication_id.clone()))
}

fn expired(handle: &ReceiptHandle) -> QueueError {
    invalid_handle(handle, "The receipt handle has expired.")
}

fn invalid_handle(handle: &ReceiptHandle, reason: &str) -> QueueError {
    QueueError::InvalidParameterValue {
        name: "ReceiptHandle".to_owned(),
        value: handle.to_string(),
        reason: reason.to_owned(),
    }
}

fn milliseconds(seconds: u32) -> u64 {
    u64::from(seconds) * 1_000
}

#[cfg(test)]
mod tests;
