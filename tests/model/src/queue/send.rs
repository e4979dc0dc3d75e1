//! How a message gets into a queue.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::ThroughputScope;
use super::contents::{check_attributes, check_body, check_id};
use super::message::{Message, State};
use super::request::{Entry, Sent};
use super::store::Queue;
use super::throughput::Action;
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};

/// How long a deduplication id counts.
const DEDUPLICATION_MS: Millis = 5 * 60 * 1_000;
const MAX_DELAY_SECONDS: u64 = 900;

impl Queue {
    /// Refuses a message that this queue cannot take.
    pub(super) fn check_entry(&self, entry: &Entry) -> Result<(), ServiceError> {
        let invalid = |message: &str| Err(ErrorKind::InvalidParameterValue.because(message));
        if entry.body.is_empty() {
            return Err(
                ErrorKind::MissingParameter.because("The request must contain the parameter MessageBody.")
            );
        }
        if entry.bytes() as u64 > self.attributes.max_message_bytes {
            return invalid("One or more parameters are invalid. Reason: Message must be shorter.");
        }
        check_body(&entry.body)?;
        check_attributes(&entry.attributes)?;
        [&entry.group, &entry.deduplication_id].into_iter().flatten().try_for_each(|id| check_id(id))?;
        self.check_order(entry)?;
        if self.is_fifo() {
            if entry.delay_seconds.is_some_and(|delay| delay > 0) {
                return invalid(
                    "Value for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.",
                );
            }
        } else if entry.deduplication_id.is_some() {
            return invalid("The request include parameter that is not valid for this queue type.");
        }
        if entry.delay_seconds.is_some_and(|delay| delay > MAX_DELAY_SECONDS) {
            return invalid(
                "Value for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
            );
        }
        Ok(())
    }

    /// Refuses a message of a FIFO queue that says too little for its order; one such entry spoils a whole batch.
    pub(super) fn check_order(&self, entry: &Entry) -> Result<(), ServiceError> {
        if !self.is_fifo() {
            return Ok(());
        }
        if entry.group.is_none() {
            return Err(
                ErrorKind::MissingParameter.because("The request must contain the parameter MessageGroupId.")
            );
        }
        if entry.deduplication_id.is_none() && !self.attributes.content_based_deduplication {
            return Err(ErrorKind::InvalidParameterValue.because(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
            ));
        }
        Ok(())
    }

    /// Counts a send of some groups as one call; returns which of them are over their limit.
    pub(super) fn throttled_sends(&mut self, now_ms: Millis, groups: &[&str]) -> Vec<bool> {
        if !self.is_fifo() {
            return vec![false; groups.len()];
        }
        match self.attributes.throughput {
            ThroughputScope::Queue => vec![!self.throughput.take(now_ms, Action::Send, ""); groups.len()],
            ThroughputScope::Group => {
                let mut counted: Vec<(&str, bool)> = Vec::new();
                for group in groups {
                    if !counted.iter().any(|(name, _)| name == group) {
                        counted.push((group, !self.throughput.take(now_ms, Action::Send, group)));
                    }
                }
                let over = |group: &&str| counted.iter().any(|(name, over)| name == group && *over);
                groups.iter().map(over).collect()
            }
        }
    }

    /// Puts a checked message into the queue, unless it repeats one.
    pub(super) fn send(&mut self, now_ms: Millis, entry: Entry) -> Sent {
        let deduplication_id = self.is_fifo().then(|| match &entry.deduplication_id {
            Some(id) => id.clone(),
            None => hex(&Sha256::digest(entry.body.as_bytes())),
        });
        let known_by = deduplication_id.as_ref().map(|id| match &entry.group {
            Some(group) if self.attributes.deduplicates_by_group => format!("{group}\0{id}"),
            _ => id.clone(),
        });
        if let Some((until_ms, message_id, sequence)) =
            known_by.as_ref().and_then(|id| self.deduplication.get(id))
            && now_ms < *until_ms
        {
            return Sent { message_id: message_id.clone(), sequence: Some(*sequence), body: entry.body };
        }
        let delay_ms = entry.delay_seconds.map_or(self.attributes.delay_ms, |seconds| seconds * 1_000);
        let delay_ms = if self.is_fifo() { self.attributes.delay_ms } else { delay_ms };
        let state =
            if delay_ms == 0 { State::Visible } else { State::Delayed { until_ms: now_ms + delay_ms } };
        let message_id = format!("{}-{}", self.name, self.last_sequence + 1);
        let message = Message {
            sequence: 0,
            id: message_id.clone(),
            body: entry.body.clone(),
            group: entry.group,
            deduplication_id,
            attributes: entry.attributes,
            sent_ms: now_ms,
            first_received_ms: None,
            came_from: None,
            received_ms: 0,
            receive_count: 0,
            received_here: 0,
            delivery: 0,
            state,
        };
        let sequence = self.insert(message, state);
        if let Some(id) = known_by {
            self.deduplication.insert(id, (now_ms + DEDUPLICATION_MS, message_id.clone(), sequence));
        }
        Sent { message_id, sequence: self.is_fifo().then_some(sequence), body: entry.body }
    }

    /// Takes in a message that another queue gave up; it is visible at once.
    pub(super) fn take_in(&mut self, now_ms: Millis, mut message: Message) {
        if self.is_fifo() {
            message.sent_ms = now_ms;
        }
        message.received_here = 0;
        message.delivery = 0;
        self.insert(message, State::Visible);
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}
