//! Triggers of queues: polls, batches, windows, and what happens after a result.

use super::mappings::Work;
use super::{Event, World};
use crate::clock::Millis;
use crate::lambda::{MappingOptions, Origin, Outcome, Payload, Source, SqsTrigger};
use crate::queue::{Delivered, Receipt, is_fifo};

/// How many batches of a standard queue are in work where the mapping does not say.
const STANDARD_CONCURRENCY: usize = 5;
/// How long a throttled batch waits until it asks again.
const THROTTLED_MS: Millis = 1_000;

impl World {
    /// Plans polls of the triggers of a queue in which a message became visible.
    pub(super) fn notify_triggers(&mut self, queue: &str) {
        for mapping in 0..self.mappings.len() {
            if matches!(&self.mappings[mapping].options.source, Source::Queue(name) if name == queue) {
                self.plan_queue_poll(mapping);
            }
        }
    }

    /// Plans a poll, if a message is visible now.
    pub(super) fn plan_queue_poll(&mut self, mapping: usize) {
        let Source::Queue(queue) = &self.mappings[mapping].options.source else { return };
        let any_visible = self.queues.get(queue).is_some_and(|queue| queue.visible() > 0);
        if any_visible && self.mappings[mapping].options.enabled {
            let delay_ms = self.latencies.draw_queue_poll_ms(queue);
            self.after(delay_ms, Event::QueuePoll { mapping });
        }
    }

    pub(super) fn poll_queue(&mut self, mapping: usize) {
        let options = self.mappings[mapping].options.clone();
        let Source::Queue(queue) = &options.source else { unreachable!("only queues are polled") };
        if !options.enabled {
            return;
        }
        let fifo = is_fifo(queue);
        let concurrency =
            options.max_concurrency.unwrap_or(if fifo { usize::MAX } else { STANDARD_CONCURRENCY });
        loop {
            let trigger = self.queue_trigger(mapping);
            let open = trigger.open;
            let room = match open {
                Some(batch) => options.batch_size - trigger.batches[&batch].messages.len(),
                None if trigger.batches.len() < concurrency => options.batch_size,
                None => return,
            };
            let messages = self.queues.receive(self.now_ms, queue, room, None);
            if messages.is_empty() {
                return;
            }
            let messages = self.filtered(mapping, &options, messages);
            if messages.is_empty() {
                continue;
            }
            let full = messages.len() == room;
            let batch = self.take_into_work(mapping, open, messages);
            if full || options.window_ms == 0 {
                self.queue_trigger(mapping).open = None;
                self.ask_for_batch(mapping, batch);
            } else if open.is_none() {
                self.queue_trigger(mapping).open = Some(batch);
                self.after(options.window_ms, Event::QueueBatchDue { mapping, batch });
            }
        }
    }

    pub(super) fn batch_due(&mut self, mapping: usize, batch: u64) {
        let trigger = self.queue_trigger(mapping);
        if trigger.open == Some(batch) {
            trigger.open = None;
            self.ask_for_batch(mapping, batch);
        }
    }

    pub(super) fn retry_batch(&mut self, mapping: usize, batch: u64) {
        if self.queue_trigger(mapping).batches.contains_key(&batch) {
            self.ask_for_batch(mapping, batch);
        }
    }

    pub(super) fn drop_batch(&mut self, mapping: usize, batch: u64) {
        let trigger = self.queue_trigger(mapping);
        if trigger.batches.get(&batch).is_some_and(|batch| !batch.runs) {
            trigger.batches.remove(&batch);
        }
    }

    pub(super) fn queue_batch_result(&mut self, mapping: usize, batch: u64, outcome: &Outcome) {
        let reports_failures = self.mappings[mapping].options.reports_failures;
        let trigger = self.queue_trigger(mapping);
        let messages = trigger.batches.remove(&batch).expect("a batch ends once").messages;
        let done = |position: usize| match outcome {
            Outcome::Partial(failures) if reports_failures => !failures.contains(&position),
            other => !other.is_error(),
        };
        let receipts: Vec<Receipt> = messages
            .iter()
            .enumerate()
            .filter(|(position, _)| done(*position))
            .map(|(_, delivered)| delivered.receipt)
            .collect();
        if !receipts.is_empty() {
            let Source::Queue(queue) = &self.mappings[mapping].options.source else { return };
            let delay_ms = self.latencies.draw_delete_ms(queue);
            self.after(delay_ms, Event::QueueBatchDelete { mapping, receipts });
        }
        self.plan_queue_poll(mapping);
    }

    pub(super) fn delete_batch(&mut self, mapping: usize, receipts: &[Receipt]) {
        let Source::Queue(name) = &self.mappings[mapping].options.source else { return };
        let now_ms = self.now_ms;
        if let Some(queue) = self.queues.get_mut(name) {
            queue.advance(now_ms);
            for receipt in receipts {
                queue.delete(*receipt);
            }
        }
        self.plan_queue_poll(mapping);
    }

    /// Returns the messages that the trigger's filter lets through, and has the others deleted.
    fn filtered(
        &mut self,
        mapping: usize,
        options: &MappingOptions,
        messages: Vec<Delivered>,
    ) -> Vec<Delivered> {
        let (Some(filter), Source::Queue(queue)) = (&options.filter, &options.source) else {
            return messages;
        };
        let (passed, others): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|delivered| filter.passes_message(delivered));
        if !others.is_empty() {
            let receipts = others.iter().map(|delivered| delivered.receipt).collect();
            let delay_ms = self.latencies.draw_delete_ms(queue);
            self.after(delay_ms, Event::QueueBatchDelete { mapping, receipts });
        }
        passed
    }

    fn take_into_work(&mut self, mapping: usize, open: Option<u64>, messages: Vec<Delivered>) -> u64 {
        let trigger = self.queue_trigger(mapping);
        match open {
            Some(batch) => {
                trigger.batches.get_mut(&batch).expect("the open batch is in work").messages.extend(messages);
                batch
            }
            None => trigger.open_batch(messages),
        }
    }

    fn ask_for_batch(&mut self, mapping: usize, batch: u64) {
        let options = &self.mappings[mapping].options;
        let Source::Queue(queue) = options.source.clone() else { unreachable!("only queues have batches") };
        let function = options.function.clone();
        let messages = self.queue_trigger(mapping).batches[&batch].messages.clone();
        let first_visible_ms = messages[0].visible_ms;
        let begun =
            self.ask(&function, Origin::Queue { mapping, batch }, Payload::Messages { queue, messages });
        let waiting = self.queue_trigger(mapping).batches.get_mut(&batch).expect("it was found before");
        waiting.runs = begun;
        if begun {
            return;
        }
        if waiting.dropped_ms.is_none() {
            waiting.dropped_ms = Some(first_visible_ms);
            self.at(first_visible_ms, Event::QueueBatchDropped { mapping, batch });
        }
        self.after(THROTTLED_MS, Event::QueueBatchRetry { mapping, batch });
    }

    fn queue_trigger(&mut self, mapping: usize) -> &mut SqsTrigger {
        match &mut self.mappings[mapping].work {
            Work::Queue(trigger) => trigger,
            Work::Topic(_) | Work::Stream(_) => unreachable!("the mapping is a queue's"),
        }
    }
}
