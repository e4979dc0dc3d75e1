//! Queues in memory, as far as triggers need them: order within a group, delays, redelivery, dead letters.
//!
//! A message is never the only trace of work, so a process that ends may lose them. `local-queues` is the
//! endpoint that behaves as SQS does in every respect; nothing here goes over a network.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use runtime::{Clock, Message, Queue, QueueError, Queues};
use store::BoxFuture;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::template::QueueSpec;

/// How long a message that failed stays invisible. On AWS that is the visibility timeout; a person need not
/// wait for it.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long a FIFO queue remembers the id of a message.
const DEDUPLICATED_FOR: Duration = Duration::from_mins(5);

/// The template's queues.
pub struct LocalQueues {
    queues: Mutex<BTreeMap<String, LocalQueue>>,
    clock: Arc<dyn Clock>,
    /// Told of every change.
    changed: Arc<Notify>,
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its number, which is its receipt handle as well.
    pub number: u64,
    /// Its body.
    pub body: String,
    /// Its group, on a FIFO queue.
    pub group: Option<String>,
    /// Its deduplication id, on a FIFO queue.
    pub deduplication_id: Option<String>,
    /// When it was sent.
    pub sent_at: DateTime<Utc>,
    /// How often it was received.
    pub receive_count: u32,
}

struct LocalQueue {
    spec: QueueSpec,
    next_number: u64,
    kept: VecDeque<Kept>,
    seen_ids: HashMap<String, Instant>,
}

struct Kept {
    message: Received,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It waits for its first delivery until then.
    Delayed(Instant),
    /// It failed, and comes again then.
    Again(Instant),
    /// It was received.
    InFlight,
}

impl LocalQueues {
    /// Returns the template's queues, all empty. `changed` is notified of every change.
    #[must_use]
    pub fn new(specs: Vec<QueueSpec>, clock: Arc<dyn Clock>, changed: Arc<Notify>) -> Self {
        let queues = specs.into_iter().map(|spec| {
            let name = spec.logical_name.clone();
            (name, LocalQueue { spec, next_number: 1, kept: VecDeque::new(), seen_ids: HashMap::new() })
        });
        Self { queues: Mutex::new(queues.collect()), clock, changed }
    }

    /// Sends messages to the queue of this name.
    pub fn send_to(&self, queue: &str, messages: Vec<Message>) {
        let sent_at = self.clock.now();
        let now = Instant::now();
        if let Some(queue) = self.lock().get_mut(queue) {
            for message in messages {
                queue.send(message, sent_at, now);
            }
        }
        self.changed.notify_waiters();
    }

    /// Waits until the queue of this name has messages, and receives at most `count` of them.
    pub async fn receive(&self, queue: &str, count: usize) -> Vec<Received> {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let next = {
                let mut queues = self.lock();
                let received = take(&mut queues, queue, count, Instant::now());
                if !received.is_empty() {
                    return received;
                }
                queues.get(queue).and_then(LocalQueue::next_visible)
            };
            match next {
                Some(next) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(next) => {}
                },
                None => changed.await,
            }
        }
    }

    /// Removes the messages that were worked through, and has the others come again.
    pub fn finish(&self, queue: &str, received: &[Received], failed: &BTreeSet<u64>) {
        if let Some(queue) = self.lock().get_mut(queue) {
            let done: BTreeSet<u64> = received.iter().map(|message| message.number).collect();
            queue
                .kept
                .retain(|kept| !done.contains(&kept.message.number) || failed.contains(&kept.message.number));
            let again = Place::Again(Instant::now() + RETRY_PAUSE);
            for kept in queue.kept.iter_mut().filter(|kept| failed.contains(&kept.message.number)) {
                if kept.place == Place::InFlight {
                    kept.place = again;
                }
            }
        }
        self.changed.notify_waiters();
    }

    /// Returns whether nothing is to be delivered, is being worked on, or comes again. Messages that only wait for
    /// their delay to pass do not count, nor do dead letters.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let queues = self.lock();
        let now = Instant::now();
        let is_idle = |queue: &LocalQueue| {
            queue.kept.iter().all(|kept| matches!(kept.place, Place::Delayed(until) if until > now))
        };
        let dead_letters = dead_letters(&queues);
        queues.iter().all(|(name, queue)| dead_letters.contains(name) || is_idle(queue))
    }

    /// Returns what [`LocalQueues::is_idle`] waits for, a text for each queue.
    #[must_use]
    pub fn waits_for(&self) -> Vec<String> {
        let queues = self.lock();
        let now = Instant::now();
        let dead_letters = dead_letters(&queues);
        let mut texts = Vec::new();
        for (name, queue) in queues.iter().filter(|(name, _)| !dead_letters.contains(*name)) {
            let kept = queue.kept.iter();
            let waiting = kept.filter(|kept| !matches!(kept.place, Place::Delayed(until) if until > now));
            let received: Vec<u32> = waiting.map(|kept| kept.message.receive_count).collect();
            if let Some(most) = received.iter().max() {
                texts.push(format!("{} messages of {name}, received up to {most} times", received.len()));
            }
        }
        texts
    }

    /// Delivers what waits for its delay now, and returns whether there was anything.
    pub fn skip_delays(&self) -> bool {
        let now = Instant::now();
        let mut any = false;
        for queue in self.lock().values_mut() {
            for kept in &mut queue.kept {
                if matches!(kept.place, Place::Delayed(until) if until > now) {
                    kept.place = Place::Delayed(now);
                    any = true;
                }
            }
        }
        self.changed.notify_waiters();
        any
    }

    /// Returns how many messages were given up, by queue of dead letters.
    #[must_use]
    pub fn given_up(&self) -> BTreeMap<String, usize> {
        let queues = self.lock();
        let counts = dead_letters(&queues).into_iter().map(|name| {
            let count = queues.get(&name).map_or(0, |queue| queue.kept.len());
            (name, count)
        });
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, LocalQueue>> {
        // Nothing panics between the changes that belong together.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn dead_letters(queues: &BTreeMap<String, LocalQueue>) -> BTreeSet<String> {
    queues.values().filter_map(|queue| Some(queue.spec.dead_letters.as_ref()?.0.clone())).collect()
}

/// Takes messages out of a queue; those that were received too often go to its dead letters instead.
fn take(queues: &mut BTreeMap<String, LocalQueue>, name: &str, count: usize, now: Instant) -> Vec<Received> {
    let Some(queue) = queues.get_mut(name) else { return Vec::new() };
    let (received, given_up) = queue.take(count, now);
    let target = queue.spec.dead_letters.as_ref().map(|(target, _)| target.clone());
    if let Some(target) = target.and_then(|target| queues.get_mut(&target)) {
        for message in given_up {
            target.kept.push_back(Kept { message, place: Place::Again(now) });
        }
    }
    received
}

impl LocalQueue {
    fn send(&mut self, message: Message, sent_at: DateTime<Utc>, now: Instant) {
        let (group, deduplication_id) = message.group.unzip();
        if let Some(id) = deduplication_id.as_ref().filter(|_| self.spec.is_fifo) {
            self.seen_ids.retain(|_, seen| now.duration_since(*seen) < DEDUPLICATED_FOR);
            if self.seen_ids.insert(id.clone(), now).is_some() {
                return;
            }
        }
        let delay_s = message.delay_s.map_or(self.spec.delay_s, u64::from);
        let message = Received {
            number: self.next_number,
            body: message.body,
            group,
            deduplication_id,
            sent_at,
            receive_count: 0,
        };
        self.next_number += 1;
        self.kept.push_back(Kept { message, place: Place::Delayed(now + Duration::from_secs(delay_s)) });
    }

    fn take(&mut self, count: usize, now: Instant) -> (Vec<Received>, Vec<Received>) {
        let attempts_max = self.spec.dead_letters.as_ref().map_or(u32::MAX, |(_, attempts)| *attempts);
        let mut received = Vec::new();
        let mut given_up = Vec::new();
        let in_flight = self.kept.iter().filter(|kept| kept.place == Place::InFlight);
        let mut blocked: BTreeSet<Option<String>> =
            in_flight.map(|kept| kept.message.group.clone()).collect();
        for kept in &mut self.kept {
            if received.len() == count {
                break;
            }
            let is_visible = match kept.place {
                Place::Delayed(until) | Place::Again(until) => until <= now,
                Place::InFlight => false,
            };
            let is_blocked = self.spec.is_fifo && blocked.contains(&kept.message.group);
            if !is_visible {
                // What comes later in the group must not overtake it.
                blocked.insert(kept.message.group.clone());
            } else if is_blocked {
            } else if kept.message.receive_count >= attempts_max {
                given_up.push(kept.message.clone());
            } else {
                kept.message.receive_count += 1;
                kept.place = Place::InFlight;
                received.push(kept.message.clone());
            }
        }
        self.kept.retain(|kept| given_up.iter().all(|message| message.number != kept.message.number));
        (received, given_up)
    }

    /// Returns when the next message becomes visible by itself, if one does.
    fn next_visible(&self) -> Option<Instant> {
        let visible = self.kept.iter().filter_map(|kept| match kept.place {
            Place::Delayed(until) | Place::Again(until) => Some(until),
            Place::InFlight => None,
        });
        // What is visible and cannot be delivered waits for another message of its group to be finished.
        visible.filter(|until| *until > Instant::now()).min()
    }
}

impl Queues for LocalQueues {
    fn send(&self, queue: Queue, messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>> {
        self.send_to(queue.logical_name(), messages);
        Box::pin(async { Ok(()) })
    }

    fn change_visibility(
        &self,
        queue: Queue,
        receipt_handle: String,
        seconds: u32,
    ) -> BoxFuture<'_, Result<(), QueueError>> {
        let number = receipt_handle.parse::<u64>().ok();
        if let Some(queue) = self.lock().get_mut(queue.logical_name()) {
            let until = Instant::now() + Duration::from_secs(u64::from(seconds));
            for kept in queue.kept.iter_mut().filter(|kept| Some(kept.message.number) == number) {
                kept.place = Place::Again(until);
            }
        }
        self.changed.notify_waiters();
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use runtime::SystemClock;

    use super::*;

    fn queues(is_fifo: bool, delay_s: u64) -> LocalQueues {
        let spec = |name: &str, dead_letters| QueueSpec {
            logical_name: name.to_owned(),
            is_fifo,
            delay_s,
            dead_letters,
        };
        let specs = vec![spec("Work", Some(("Dead".to_owned(), 2))), spec("Dead", None)];
        LocalQueues::new(specs, Arc::new(SystemClock), Arc::new(Notify::new()))
    }

    fn message(body: &str, group: Option<&str>) -> Message {
        let group = group.map(|group| (group.to_owned(), body.to_owned()));
        Message { body: body.to_owned(), group, delay_s: None }
    }

    fn bodies(received: &[Received]) -> Vec<&str> {
        received.iter().map(|message| message.body.as_str()).collect()
    }

    async fn receive(queues: &LocalQueues, count: usize) -> Vec<Received> {
        let received = tokio::time::timeout(Duration::from_mins(1), queues.receive("Work", count));
        received.await.unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_is_delivered_in_order_and_not_while_one_of_it_is_worked_on() {
        let queues = queues(true, 0);
        queues.send_to(
            "Work",
            vec![message("a1", Some("a")), message("b1", Some("b")), message("a2", Some("a"))],
        );
        queues.send_to("Work", vec![message("a1", Some("a"))]);
        let first = receive(&queues, 1).await;
        assert_eq!(bodies(&first), ["a1"]);
        let second = receive(&queues, 10).await;
        assert_eq!(bodies(&second), ["b1"], "a2 waits for a1");
        assert!(!queues.is_idle());
        queues.finish("Work", &first, &BTreeSet::from([first[0].number]));
        assert_eq!(bodies(&receive(&queues, 10).await), ["a1", "a2"], "a1 failed, and comes before a2 again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_fails_too_often_is_given_up() {
        let queues = queues(false, 0);
        queues.send_to("Work", vec![message("bad", None)]);
        for _ in 0..2 {
            let received = receive(&queues, 10).await;
            assert_eq!(received.len(), 1);
            queues.finish("Work", &received, &BTreeSet::from([received[0].number]));
        }
        assert!(receive(&queues, 10).await.is_empty());
        assert_eq!(queues.given_up(), BTreeMap::from([("Dead".to_owned(), 1)]));
        assert!(queues.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_passes_by_itself_or_is_skipped() {
        let queues = queues(false, 5);
        queues.send_to("Work", vec![message("1", None)]);
        assert!(queues.is_idle(), "it only waits for its delay");
        let started = Instant::now();
        assert_eq!(receive(&queues, 1).await.len(), 1);
        assert_eq!(started.elapsed().as_secs(), 5);
        queues.send_to("Work", vec![message("2", None)]);
        assert!(queues.skip_delays());
        let started = Instant::now();
        assert_eq!(receive(&queues, 1).await.len(), 1);
        assert_eq!(started.elapsed().as_secs(), 0);
    }
}
