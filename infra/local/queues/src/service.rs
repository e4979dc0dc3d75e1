//! The handle through which the queues are used, in this process or over HTTP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::error::QueueError;
use crate::message_store::MessageCounts;
use crate::queue::Delivery;
use crate::queue_name::QueueName;
use crate::queues::{Queues, ReceiveRequest};

/// A set of queues. Clones share the queues.
#[derive(Debug, Clone)]
pub struct QueueService {
    address: SocketAddr,
    clock: Clock,
    state: Arc<Mutex<State>>,
}

/// A queue as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSummary {
    /// The queue's name, which ends in `.fifo` if the queue is FIFO.
    pub name: String,
    /// The URL that clients know the queue by.
    pub url: String,
    /// The ARN that other queues and event sources know the queue by.
    pub arn: String,
    /// How many messages it holds.
    pub counts: MessageCounts,
}

impl QueueService {
    /// Returns a set without queues, in `us-east-1`, with the machine's clock.
    ///
    /// The address is where clients reach the service; it is part of every queue URL.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let state = State {
            queues: Queues::new("us-east-1", Uuid::new_v4()),
            waiting: HashMap::new(),
            closed: false,
        };
        Self { address, clock: Clock::machine(), state: Arc::new(Mutex::new(state)) }
    }

    /// Takes the time from this clock instead. Call it before the service is cloned.
    #[must_use]
    pub fn with_clock(self, clock: impl Into<Clock>) -> Self {
        Self { clock: clock.into(), ..self }
    }

    /// Names the region in every queue's ARN. Call it before the first queue is created.
    #[must_use]
    pub fn with_region(self, region: &str) -> Self {
        self.with_queues(|queues, _| queues.set_region(region));
        self
    }

    /// Ends every long poll, without messages, and lets no further receive take any.
    pub fn close(&self) {
        let mut state = self.state.lock().expect("nothing panics while it holds the queues");
        state.closed = true;
        for waiting in state.waiting.values() {
            waiting.notify_waiters();
        }
    }

    fn is_closed(&self) -> bool {
        self.state.lock().expect("nothing panics while it holds the queues").closed
    }

    /// Creates a queue, or confirms that there is one with these attributes; returns its URL.
    ///
    /// Names and attributes are those of the `CreateQueue` request.
    pub fn create_queue<'a>(
        &self,
        name: &str,
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<String, QueueError> {
        let name = QueueName::parse(name)?;
        let attributes =
            attributes.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.with_queues(|queues, now_ms| queues.create(now_ms, &name, &attributes))?;
        Ok(self.url_of(&name))
    }

    /// Returns all queues, by name.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueSummary> {
        self.with_queues(|queues, now_ms| {
            let names: Vec<_> = queues.names().cloned().collect();
            let summarize = |name: QueueName| {
                let counts = queues.counts(now_ms, &name).ok()?;
                let (url, arn) = (self.url_of(&name), name.arn(queues.region()));
                Some(QueueSummary { name: name.as_str().to_owned(), url, arn, counts })
            };
            names.into_iter().filter_map(summarize).collect()
        })
    }

    pub(crate) fn url_of(&self, name: &QueueName) -> String {
        name.url(self.address)
    }

    /// Changes or reads the queues while no other call does, and wakes the receives that wait for what it changed.
    pub(crate) fn with_queues<R>(&self, act: impl FnOnce(&mut Queues, u64) -> R) -> R {
        let mut state = self.state.lock().expect("nothing panics while it holds the queues");
        let result = act(&mut state.queues, self.clock.now_ms());
        for name in state.queues.take_stirred() {
            if let Some(waiting) = state.waiting.get(&name) {
                waiting.notify_waiters();
            }
        }
        result
    }

    /// Receives messages; without any, waits for some as long as the request or the queue says.
    pub(crate) async fn receive(
        &self,
        name: &QueueName,
        request: ReceiveRequest,
    ) -> Result<Vec<Delivery>, QueueError> {
        let wait_seconds = match request.wait_seconds {
            Some(seconds) => seconds,
            None => self.with_queues(|queues, _| Ok(queues.get(name)?.settings().receive_wait_seconds))?,
        };
        let give_up_at_ms = self.clock.now_ms() + u64::from(wait_seconds) * 1_000;
        loop {
            // A waiter counts as such from here on, so that it misses no change made after it has looked.
            let changed = self.change_of(name);
            let mut changed = pin!(changed.notified());
            changed.as_mut().enable();
            if self.is_closed() {
                return Ok(Vec::new());
            }
            let (deliveries, now_ms, look_again_at_ms) = self.with_queues(|queues, now_ms| {
                let deliveries = queues.receive(now_ms, name, request)?;
                Ok((deliveries, now_ms, queues.get(name)?.next_change_at_ms()))
            })?;
            if !deliveries.is_empty() || now_ms >= give_up_at_ms {
                return Ok(deliveries);
            }
            let wake_at_ms = look_again_at_ms.map_or(give_up_at_ms, |time_ms| time_ms.min(give_up_at_ms));
            tokio::select! {
                () = changed => {}
                () = self.clock.sleep_until(wake_at_ms) => {}
            }
        }
    }

    /// Returns what is notified at the next change to the queue's messages.
    fn change_of(&self, name: &QueueName) -> Arc<Notify> {
        let mut state = self.state.lock().expect("nothing panics while it holds the queues");
        Arc::clone(state.waiting.entry(name.clone()).or_default())
    }
}

#[derive(Debug)]
struct State {
    queues: Queues,
    /// Who waits for a change to which queue's messages.
    waiting: HashMap<QueueName, Arc<Notify>>,
    /// Whether the queues have been closed.
    closed: bool,
}
