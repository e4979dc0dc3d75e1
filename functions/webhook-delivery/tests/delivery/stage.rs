//! A log that tests write, and subscribers that keep what they are sent.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::log::{
    CloseTerms, Command, CommandOutcome, Entry, EventType, Held, HoldReason, Page, PageHash, WebhookChange,
    WebhookName,
};
use domain::proof::Secret;
use domain::snapshot::{Manifest, Totals};
use domain::webhooks::SigningSecret;
use domain::{Amount, OrderId, Ratio};
use runtime::{Clock, Context, Function, Message, Queue, QueueError, Queues, Settings};
use serde_json::{Value, json};
use store::marks::{self, Projection};
use store::webhooks::{self, Attempt, WebhookState};
use store::{BoxFuture, Engine, MemoryEngine, Shard, Write};
use webhook_delivery::{Post, Transport, build_with};

const SECRET: &str = "the secret of a test";

/// A message that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent(pub(crate) Post);

impl Sent {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.0.body).expect("JSON")
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let body = self.body();
        let events = body["data"]["events"].as_array().expect("events").clone();
        events.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let found = self.0.headers.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("no header {name}")).1.clone()
    }

    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.header("webhook-id").starts_with(&format!("{name}_"))
    }
}

/// Subscribers that answer what they are told to.
#[derive(Default)]
struct Subscribers {
    sent: Mutex<Vec<Sent>>,
    answers: Mutex<BTreeMap<String, Result<u16, String>>>,
    /// Whether nothing is answered.
    are_silent: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport for Subscribers {
    fn post(&self, post: Post) -> BoxFuture<'_, Result<u16, String>> {
        let sent = Sent(post);
        let name = sent.header("webhook-id").split('_').next().expect("a first part").to_owned();
        lock(&self.sent).push(sent);
        let answer = lock(&self.answers).get(&name).cloned().unwrap_or(Ok(200));
        if self.are_silent.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move { answer })
    }
}

struct SetClock(Mutex<DateTime<Utc>>);

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *lock(&self.0)
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

struct NoQueues;

impl Queues for NoQueues {
    fn send(&self, queue: Queue, _messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async move { Err(QueueError { queue, message: "nothing is sent here".to_owned() }) })
    }

    fn change_visibility(
        &self,
        queue: Queue,
        _receipt_handle: String,
        _seconds: u32,
    ) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async move { Err(QueueError { queue, message: "nothing comes from here".to_owned() }) })
    }
}

/// The function over a log.
pub(crate) struct Stage {
    engine: Arc<MemoryEngine>,
    clock: Arc<SetClock>,
    subscribers: Arc<Subscribers>,
    function: Arc<dyn Function>,
    settings: Settings,
    position: u64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let settings =
            Settings { account_shards: 1, webhook_secret: Some(Secret::new(SECRET)), ..Settings::default() };
        let subscribers: Arc<Subscribers> = Arc::default();
        let function = build_with(&settings, Arc::clone(&subscribers) as _).expect("good settings");
        Self {
            engine: Arc::default(),
            clock: Arc::new(SetClock(Mutex::new("2026-12-01T00:00:00Z".parse().expect("a time")))),
            subscribers,
            function,
            settings,
            position: 0,
        }
    }

    /// Starts another process.
    pub(crate) fn restart(&mut self) {
        self.function =
            build_with(&self.settings, Arc::clone(&self.subscribers) as _).expect("good settings");
    }

    /// Puts a page that the heads do not include yet.
    pub(crate) async fn put(&mut self, entries: Vec<Entry>) {
        self.position += 1;
        let page =
            Page { position: self.position, previous: PageHash::default(), time_ms: self.now_ms(), entries };
        let written = store::log::put(&*self.engine, &page).await;
        assert_eq!(written, Ok(store::Written::Done));
    }

    /// Has the heads include every page.
    pub(crate) async fn project(&self) {
        let heads = Shard::all(1).map(Projection::Heads).collect();
        marks::advance(&*self.engine, heads, self.position).await.expect("memory answers");
    }

    /// Puts a page that the heads include.
    pub(crate) async fn page(&mut self, entries: Vec<Entry>) {
        self.put(entries).await;
        self.project().await;
    }

    /// Puts a page with an operator's command.
    pub(crate) async fn ask(&mut self, (name, change): (&str, WebhookChange)) {
        let name: WebhookName = name.parse().expect("a name");
        let entry = Entry::Commanded {
            idempotency_key: format!("command-{}", self.position),
            by: "anna".to_owned(),
            reason: "a test".to_owned(),
            command: Command::Webhook { name, change },
            outcome: CommandOutcome::Done,
        };
        self.page(vec![entry]).await;
    }

    /// Invokes the function once.
    pub(crate) async fn run(&self) -> Value {
        self.run_within_s(60).await
    }

    /// Invokes the function once, with so many seconds to run.
    pub(crate) async fn run_within_s(&self, seconds: i64) -> Value {
        let now = self.clock.now();
        let context = Context {
            clock: Arc::clone(&self.clock) as _,
            deadline: now + TimeDelta::seconds(seconds),
            engine: Arc::clone(&self.engine) as _,
            queues: Arc::new(NoQueues),
            request_id: "a request".to_owned(),
        };
        runtime::invoke(self.function.as_ref(), json!({}), &context).await.expect("it sends")
    }

    /// Invokes the function, and kills it when it has sent something and waits for the answer.
    pub(crate) async fn run_and_kill(&self) {
        self.subscribers.are_silent.store(true, Ordering::Relaxed);
        assert!(futures::poll!(pin!(self.run())).is_pending(), "nothing was sent");
        self.subscribers.are_silent.store(false, Ordering::Relaxed);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    pub(crate) fn pass_s(&self, seconds: i64) {
        *lock(&self.clock.0) += TimeDelta::seconds(seconds);
    }

    /// Has a subscriber answer so from now on.
    pub(crate) fn answer_of(&self, name: &str, answer: Result<u16, String>) {
        lock(&self.subscribers.answers).insert(name.to_owned(), answer);
    }

    /// Returns the ids of the events that were sent since this was asked last, in the order of sending.
    pub(crate) fn take_ids(&self) -> Vec<String> {
        self.take_sent().iter().flat_map(Sent::ids).collect()
    }

    /// Returns what was sent since this was asked last.
    pub(crate) fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut lock(&self.subscribers.sent))
    }

    /// Returns what the deployment signs with.
    pub(crate) fn secret(&self, name: &str, since: &str, number: u32) -> SigningSecret {
        let name = name.parse().expect("a name");
        let deployment = self.settings.webhook_secret.as_ref().expect("it is set");
        SigningSecret::of(deployment, &name, since.parse().expect("a place"), number)
    }

    pub(crate) async fn state(&self, name: &str) -> Option<WebhookState> {
        let mut states = webhooks::states(&*self.engine).await.expect("memory answers");
        states.remove(&name.parse::<WebhookName>().expect("a name"))
    }

    pub(crate) async fn put_state(&self, name: &str, state: &WebhookState) {
        let name = name.parse().expect("a name");
        assert!(webhooks::put_state(&*self.engine, &name, state).await.expect("memory answers"));
    }

    /// Returns the attempts that are listed, the latest first.
    pub(crate) async fn attempts(&self, name: &str) -> Vec<Attempt> {
        let name = name.parse().expect("a name");
        let attempts = webhooks::attempts(&*self.engine, &name, None, 100).await.expect("memory answers");
        attempts.into_iter().map(|(_, attempt)| attempt).collect()
    }

    /// Publishes the snapshot of a date.
    pub(crate) async fn publish(&self, date: &str) {
        let date = date.parse().expect("a date");
        let manifest = Manifest {
            date,
            first_date: date,
            closed_at: self.position,
            cut: self.position,
            closed_at_ms: self.now_ms(),
            policy_version: 1,
            totals: Totals {
                rows: 0,
                network: Amount::ZERO,
                users: Amount::ZERO,
                system: Amount::ZERO,
                headquarters: Amount::ZERO,
                headquarters_ratio: Ratio::ONE,
            },
            digest: PageHash::default(),
            root: PageHash::default(),
            secret_id: String::new(),
            accounts: 0,
            restated: 0,
            ranked_on: date,
        };
        let item = store::snapshots::manifest_item(&manifest);
        let written = self.engine.write(Write::put(item, store::Condition::None)).await;
        assert_eq!(written, Ok(store::Written::Done));
    }
}

pub(crate) fn set(name: &'static str, types: &[EventType]) -> (&'static str, WebhookChange) {
    let url = "https://hooks.example.com/in".to_owned();
    (name, WebhookChange::Set { url, types: types.to_vec(), after: None })
}

pub(crate) fn order(number: u64) -> OrderId {
    OrderId::new(number).expect("an order")
}

fn hold(number: u64) -> Held {
    Held { order: order(number), reason: HoldReason::Status, look_again_ms: None }
}

pub(crate) fn held(number: u64) -> Entry {
    Entry::Held(hold(number))
}

pub(crate) fn released(number: u64) -> Entry {
    Entry::HoldEnded(hold(number))
}

pub(crate) fn close(date: &str) -> Entry {
    Entry::Close(CloseTerms {
        date: date.parse().expect("a date"),
        previous: None,
        previous_cut: 0,
        progress: Vec::new(),
    })
}
