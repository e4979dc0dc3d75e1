//! Which messages a receive delivers.

use std::ops::Bound;

use super::message::{Message, Receipt, State};
use super::store::Queue;
use crate::clock::Millis;

/// A message as it was delivered.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The message, with the count of this delivery.
    pub message: Message,
    /// The handle of this delivery.
    pub receipt: Receipt,
    /// When the message becomes visible again unless it is deleted.
    pub visible_ms: Millis,
}

/// What a receive took out of a queue.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) delivered: Vec<Delivered>,
    /// Messages that were received too often and leave for the dead-letter queue.
    pub(super) dead: Vec<Message>,
}

impl Queue {
    /// Delivers up to `max` visible messages, as many as may still be in flight.
    pub(super) fn receive(&mut self, now_ms: Millis, max: usize, visibility_ms: Millis) -> Received {
        let mut received = Received::default();
        let max = max.min(self.in_flight_limit.saturating_sub(self.in_flight()));
        if self.is_fifo() {
            self.receive_by_group(now_ms, max, visibility_ms, &mut received);
        } else {
            // What is received for no time is still ready afterwards; it does not come twice in one receive.
            let mut from = Bound::Unbounded;
            while received.delivered.len() < max
                && let Some(sequence) = self.ready.range((from, Bound::Unbounded)).next().copied()
            {
                self.deliver(now_ms, sequence, visibility_ms, &mut received);
                from = Bound::Excluded(sequence);
            }
        }
        received
    }

    /// Goes through the groups in the order of their oldest message, and delivers the longest visible
    /// beginning of each.
    fn receive_by_group(
        &mut self,
        now_ms: Millis,
        max: usize,
        visibility_ms: Millis,
        received: &mut Received,
    ) {
        let mut after = Bound::Unbounded;
        while received.delivered.len() < max
            && let Some((head, group)) = self.heads.range((after, Bound::Unbounded)).next().cloned()
        {
            let mut from = Bound::Included(head);
            while received.delivered.len() < max
                && let Some(sequence) = self.next_in_group(&group, from)
                && self.messages[&sequence].state == State::Visible
            {
                self.deliver(now_ms, sequence, visibility_ms, received);
                from = Bound::Excluded(sequence);
            }
            after = Bound::Excluded((head, group));
        }
    }

    fn next_in_group(&self, group: &str, from: Bound<u64>) -> Option<u64> {
        self.groups.get(group)?.range((from, Bound::Unbounded)).next().copied()
    }

    /// Delivers one message, or takes it out where it was received often enough.
    fn deliver(&mut self, now_ms: Millis, sequence: u64, visibility_ms: Millis, received: &mut Received) {
        let often_enough = self
            .attributes
            .redrive
            .as_ref()
            .is_some_and(|redrive| self.messages[&sequence].received_here >= redrive.max_receive_count);
        if often_enough {
            received.dead.extend(self.remove(sequence));
            return;
        }
        let visible_ms = now_ms + visibility_ms;
        self.last_delivery += 1;
        let delivery = self.last_delivery;
        let message = self.messages.get_mut(&sequence).expect("a visible message is in the queue");
        message.delivery = delivery;
        message.receive_count += 1;
        message.received_here += 1;
        message.received_ms = now_ms;
        message.first_received_ms.get_or_insert(now_ms);
        let message = message.clone();
        if visibility_ms > 0 {
            self.set_state(sequence, State::InFlight { until_ms: visible_ms });
        }
        let receipt = Receipt { queue: self.number, sequence, delivery };
        received.delivered.push(Delivered { message, receipt, visible_ms });
    }

    /// Repeats a receive of the same attempt, if all that it delivered is still in flight.
    pub(super) fn repeated(
        &mut self,
        now_ms: Millis,
        attempt_id: &str,
        visibility_ms: Millis,
    ) -> Option<Vec<Delivered>> {
        let (until_ms, receipts) = self.attempts.get(attempt_id).cloned()?;
        let in_flight = |receipt: &Receipt| {
            self.delivered(*receipt).is_some_and(|message| matches!(message.state, State::InFlight { .. }))
        };
        if until_ms <= now_ms || receipts.is_empty() || !receipts.iter().all(in_flight) {
            self.attempts.remove(attempt_id);
            return None;
        }
        let visible_ms = now_ms + visibility_ms;
        let mut delivered = Vec::new();
        for receipt in receipts {
            self.change_visibility(now_ms, receipt, visibility_ms);
            let message = self.messages[&receipt.sequence].clone();
            delivered.push(Delivered { message, receipt, visible_ms });
        }
        Some(delivered)
    }
}
