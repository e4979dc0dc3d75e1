//! What follows from changes in queues: timers, waiting receives and polls of triggers.

use super::{Event, Output, World};
use crate::clock::Millis;
use crate::queue::{Queue, QueueResponse, ReceiveOptions};

/// A receive that waits for a message.
pub(super) struct Waiter {
    call: u64,
    options: ReceiveOptions,
}

impl World {
    /// Does something to a queue, and sees to what follows from it.
    pub fn with_queue<T>(&mut self, name: &str, work: impl FnOnce(&mut Queue, Millis) -> T) -> Option<T> {
        let now_ms = self.now_ms;
        let done = self.queues.get_mut(name).map(|queue| work(queue, now_ms));
        self.settle_queues();
        done
    }

    /// Sees to every queue that something was done to.
    pub(super) fn settle_queues(&mut self) {
        loop {
            let touched = self.queues.take_touched();
            if touched.is_empty() {
                return;
            }
            for queue in touched {
                let became_visible = self.queues.take_became_visible(&queue);
                self.serve_waiters(&queue);
                if became_visible {
                    self.notify_triggers(&queue);
                }
                self.plan_queue_timer(&queue);
            }
        }
    }

    pub(super) fn on_queue_timer(&mut self, queue: &str) {
        self.queue_timers.remove(queue);
        let now_ms = self.now_ms;
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.advance(now_ms);
        }
    }

    pub(super) fn wait_for_message(
        &mut self,
        call: u64,
        queue: &str,
        options: ReceiveOptions,
        wait_ms: Millis,
    ) {
        self.waiters.entry(queue.to_owned()).or_default().push_back(Waiter { call, options });
        self.after(wait_ms, Event::WaitOver { call, queue: queue.to_owned() });
    }

    pub(super) fn on_wait_over(&mut self, call: u64, queue: &str) {
        let waiters = self.waiters.entry(queue.to_owned()).or_default();
        if let Some(position) = waiters.iter().position(|waiter| waiter.call == call) {
            waiters.remove(position);
            let answered_ms = self.now_ms + self.latencies.wake_ms();
            self.finish_at(call, Ok(Output::Queue(QueueResponse::Received(Vec::new()))), answered_ms);
        }
    }

    fn serve_waiters(&mut self, queue: &str) {
        let now_ms = self.now_ms;
        while let Some(waiter) = self.waiters.get(queue).and_then(|waiters| waiters.front()) {
            let messages = self.queues.receive_options(now_ms, queue, &waiter.options);
            if messages.is_empty() {
                // Looking in vain is no reason to look again.
                self.queues.untouch(queue);
                return;
            }
            let call = waiter.call;
            self.waiters.get_mut(queue).expect("it has a waiter").pop_front();
            let answered_ms = now_ms + self.latencies.wake_ms();
            self.finish_at(call, Ok(Output::Queue(QueueResponse::Received(messages))), answered_ms);
        }
    }

    fn plan_queue_timer(&mut self, queue: &str) {
        let due_ms = self.queues.get(queue).and_then(Queue::next_due_ms);
        let Some(due_ms) = due_ms else { return };
        if self.queue_timers.get(queue).is_none_or(|planned_ms| due_ms < *planned_ms) {
            self.queue_timers.insert(queue.to_owned(), due_ms);
            self.at(due_ms, Event::QueueTimer { queue: queue.to_owned() });
        }
    }
}
