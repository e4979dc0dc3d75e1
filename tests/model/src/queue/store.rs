//! The messages of one queue, and which of them can be received.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::{MAX_IN_FLIGHT, QueueAttributes};
use super::message::{Message, NotAReceipt, Receipt, State};
use super::throughput::Throughput;
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};

/// One queue.
#[derive(Debug)]
pub struct Queue {
    /// Its number among all queues that were ever made, by which its receipt handles are told from those of others.
    pub(super) number: u32,
    /// The queue's name; that of a FIFO queue ends in `.fifo`.
    pub name: String,
    /// How it behaves.
    pub attributes: QueueAttributes,
    /// How many messages may be in flight.
    pub in_flight_limit: usize,
    pub(super) messages: BTreeMap<u64, Message>,
    /// Visible messages of a standard queue.
    pub(super) ready: BTreeSet<u64>,
    /// Messages of each group of a FIFO queue.
    pub(super) groups: BTreeMap<String, BTreeSet<u64>>,
    /// The oldest message of each group, with the group.
    pub(super) heads: BTreeSet<(u64, String)>,
    timers: BTreeSet<(Millis, u64)>,
    counts: Counts,
    /// Deduplication ids with when they end to count, the id of their message and its sequence.
    pub(super) deduplication: BTreeMap<String, (Millis, String, u64)>,
    pub(super) throughput: Throughput,
    /// Receives by the id of their attempt, until when it counts, with what they delivered.
    pub(super) attempts: BTreeMap<String, (Millis, Vec<Receipt>)>,
    pub(super) last_sequence: u64,
    pub(super) last_delivery: u64,
    pub(super) last_purge_ms: Option<Millis>,
    pub(super) created_ms: Millis,
    pub(super) modified_ms: Millis,
    oldest_end_ms: Millis,
    became_visible: bool,
}

#[derive(Debug, Default)]
struct Counts {
    delayed: usize,
    visible: usize,
    in_flight: usize,
}

impl Queue {
    /// Returns an empty queue.
    #[must_use]
    pub fn new(number: u32, name: &str, attributes: QueueAttributes) -> Self {
        Self {
            number,
            name: name.to_owned(),
            attributes,
            in_flight_limit: MAX_IN_FLIGHT,
            messages: BTreeMap::new(),
            ready: BTreeSet::new(),
            groups: BTreeMap::new(),
            heads: BTreeSet::new(),
            timers: BTreeSet::new(),
            counts: Counts::default(),
            deduplication: BTreeMap::new(),
            throughput: Throughput::default(),
            attempts: BTreeMap::new(),
            last_sequence: 0,
            last_delivery: 0,
            last_purge_ms: None,
            created_ms: 0,
            modified_ms: 0,
            oldest_end_ms: Millis::MAX,
            became_visible: false,
        }
    }

    /// Returns whether the queue keeps the order of each group.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        super::is_fifo(&self.name)
    }

    /// Returns how many messages can be received, whether or not their group holds them back.
    #[must_use]
    pub fn visible(&self) -> usize {
        self.counts.visible
    }

    /// Returns how many messages were received and neither deleted nor visible again.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.counts.in_flight
    }

    /// Returns how many messages are still delayed.
    #[must_use]
    pub fn delayed(&self) -> usize {
        self.counts.delayed
    }

    /// Returns all messages in the order in which they came.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// Lets time pass: what is due becomes visible, what is too old disappears.
    pub fn advance(&mut self, now_ms: Millis) {
        while let Some((due_ms, sequence)) = self.timers.first().copied()
            && due_ms <= now_ms
        {
            self.set_state(sequence, State::Visible);
        }
        if self.oldest_end_ms <= now_ms {
            self.forget_old(now_ms);
        }
    }

    /// Returns whether a message became visible since this was last asked.
    pub fn take_became_visible(&mut self) -> bool {
        std::mem::take(&mut self.became_visible)
    }

    /// Returns when the next message becomes visible by itself.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<Millis> {
        self.timers.first().map(|(due_ms, _)| *due_ms)
    }

    /// Reads a receipt handle; one that this queue can never have given is an error.
    pub(super) fn receipt(&self, handle: &str) -> Result<Receipt, ServiceError> {
        let receipt: Result<Receipt, NotAReceipt> = handle.parse();
        receipt
            .and_then(|receipt| if receipt.queue == self.number { Ok(receipt) } else { Err(NotAReceipt) })
            .map_err(|error| ErrorKind::ReceiptHandleIsInvalid.because(error.to_string()))
    }

    /// Returns the message that a handle was given for, if the handle is its latest.
    #[must_use]
    pub fn delivered(&self, receipt: Receipt) -> Option<&Message> {
        self.messages.get(&receipt.sequence).filter(|message| message.delivery == receipt.delivery)
    }

    /// Deletes a message by the handle of its last delivery, and returns whether it did. In a FIFO queue the handle
    /// ends with the visibility timeout.
    pub fn delete(&mut self, receipt: Receipt) -> bool {
        let Some(message) = self.delivered(receipt) else { return false };
        if self.is_fifo() && !matches!(message.state, State::InFlight { .. }) {
            return false;
        }
        self.remove(receipt.sequence).is_some()
    }

    /// Sets when a message in flight becomes visible again, counted from now; returns whether it is in flight.
    pub fn change_visibility(&mut self, now_ms: Millis, receipt: Receipt, visibility_ms: Millis) -> bool {
        match self.delivered(receipt).map(|message| message.state) {
            Some(State::InFlight { .. }) if visibility_ms == 0 => {
                self.set_state(receipt.sequence, State::Visible);
            }
            Some(State::InFlight { .. }) => {
                self.set_state(receipt.sequence, State::InFlight { until_ms: now_ms + visibility_ms });
            }
            _ => return false,
        }
        true
    }

    /// Makes a second copy of a message visible: what a standard queue may do at any time.
    pub fn duplicate(&mut self, now_ms: Millis, body: &str) {
        let original = self.messages.values().find(|message| message.body == body).cloned();
        let id =
            original.as_ref().map_or_else(|| format!("{}-{body}", self.name), |message| message.id.clone());
        let attributes =
            original.as_ref().map_or(serde_json::Value::Null, |message| message.attributes.clone());
        let copy = Message {
            sequence: 0,
            id,
            body: body.to_owned(),
            group: original.as_ref().and_then(|message| message.group.clone()),
            deduplication_id: None,
            attributes,
            sent_ms: original.as_ref().map_or(now_ms, |message| message.sent_ms),
            first_received_ms: None,
            came_from: None,
            received_ms: 0,
            receive_count: 0,
            received_here: 0,
            delivery: 0,
            state: State::Visible,
        };
        self.insert(copy, State::Visible);
    }

    /// Lets other attributes hold. A shorter retention counts for the messages that are there, and so does the delay of
    /// a FIFO queue.
    pub(super) fn change_attributes(&mut self, now_ms: Millis, attributes: QueueAttributes) {
        let delays = self.is_fifo() && attributes.delay_ms != self.attributes.delay_ms;
        self.attributes = attributes;
        self.modified_ms = now_ms;
        self.forget_old(now_ms);
        if !delays {
            return;
        }
        let delay_ms = self.attributes.delay_ms;
        let delayed: Vec<(u64, Millis)> = self
            .messages
            .values()
            .filter(|message| matches!(message.state, State::Delayed { .. }))
            .map(|message| (message.sequence, message.sent_ms + delay_ms))
            .collect();
        for (sequence, until_ms) in delayed {
            self.set_state(sequence, State::Delayed { until_ms });
        }
        self.advance(now_ms);
    }

    /// Removes all messages, and forgets the deduplication ids.
    pub(super) fn clear(&mut self) {
        let all: Vec<u64> = self.messages.keys().copied().collect();
        for sequence in all {
            self.remove(sequence);
        }
        self.deduplication.clear();
    }

    /// Takes out all visible messages, or only those that another queue gave up.
    pub(super) fn take_visible(&mut self, only_given_up: bool) -> Vec<Message> {
        let visible = self.messages.values().filter(|message| message.state == State::Visible);
        let taken: Vec<u64> = visible
            .filter(|message| !only_given_up || message.came_from.is_some())
            .map(|message| message.sequence)
            .collect();
        taken.into_iter().filter_map(|sequence| self.remove(sequence)).collect()
    }

    /// Puts a message at the end and returns its position.
    pub(super) fn insert(&mut self, mut message: Message, state: State) -> u64 {
        self.last_sequence += 1;
        let sequence = self.last_sequence;
        message.sequence = sequence;
        message.state = state;
        self.oldest_end_ms =
            self.oldest_end_ms.min(message.sent_ms.saturating_add(self.attributes.retention_ms));
        if self.is_fifo()
            && let Some(name) = &message.group
        {
            let group = self.groups.entry(name.clone()).or_default();
            if group.is_empty() {
                self.heads.insert((sequence, name.clone()));
            }
            group.insert(sequence);
        }
        self.messages.insert(sequence, message);
        self.enter(sequence, state);
        sequence
    }

    /// Takes a message out of the queue.
    pub(super) fn remove(&mut self, sequence: u64) -> Option<Message> {
        let message = self.messages.remove(&sequence)?;
        self.leave(sequence, message.state);
        if self.is_fifo()
            && let Some(name) = &message.group
            && let Some(group) = self.groups.get_mut(name)
        {
            let was_head = group.first() == Some(&sequence);
            group.remove(&sequence);
            if was_head {
                self.heads.remove(&(sequence, name.clone()));
                match group.first() {
                    Some(next) => _ = self.heads.insert((*next, name.clone())),
                    None => _ = self.groups.remove(name),
                }
            }
        }
        Some(message)
    }

    pub(super) fn set_state(&mut self, sequence: u64, state: State) {
        let Some(message) = self.messages.get_mut(&sequence) else { return };
        let before = std::mem::replace(&mut message.state, state);
        self.leave(sequence, before);
        self.enter(sequence, state);
    }

    fn enter(&mut self, sequence: u64, state: State) {
        match state {
            State::Delayed { .. } => self.counts.delayed += 1,
            State::InFlight { .. } => self.counts.in_flight += 1,
            State::Visible => {
                self.counts.visible += 1;
                self.became_visible = true;
                if !self.is_fifo() {
                    self.ready.insert(sequence);
                }
            }
        }
        if let Some(until_ms) = state.until_ms() {
            self.timers.insert((until_ms, sequence));
        }
    }

    fn leave(&mut self, sequence: u64, state: State) {
        match state {
            State::Delayed { .. } => self.counts.delayed -= 1,
            State::InFlight { .. } => self.counts.in_flight -= 1,
            State::Visible => {
                self.counts.visible -= 1;
                self.ready.remove(&sequence);
            }
        }
        if let Some(until_ms) = state.until_ms() {
            self.timers.remove(&(until_ms, sequence));
        }
    }

    fn forget_old(&mut self, now_ms: Millis) {
        let retention_ms = self.attributes.retention_ms;
        let old: Vec<u64> = self
            .messages
            .values()
            .filter(|message| message.sent_ms + retention_ms <= now_ms)
            .map(|message| message.sequence)
            .collect();
        for sequence in old {
            self.remove(sequence);
        }
        let ends = self.messages.values().map(|message| message.sent_ms + retention_ms);
        self.oldest_end_ms = ends.min().unwrap_or(Millis::MAX);
    }
}
