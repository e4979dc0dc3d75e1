//! Feeds records to the functions through the events that their triggers deliver, until nothing is left to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cdc::CapturedRecord;
use chrono::{DateTime, TimeDelta, Utc};
use domain::proof::Secret;
use runtime::{
    Clock, Context, DecisionSettings, Function, FunctionError, Message, Queue, QueueError, Queues, Settings,
};
use serde_json::{Value, json};
use store::progress::PartitionName;
use store::{BoxFuture, Engine, MemoryEngine};

use crate::calls::Calls;

/// How a run differs from what is deployed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Records of one event.
    pub records_per_event: usize,
    /// How long an invocation may take, in milliseconds.
    pub invocations_take_ms: i64,
    /// Where the functions' calls are noted.
    pub calls: Option<Arc<Calls>>,
    /// Settings of the functions.
    pub settings: Settings,
}

impl Default for Options {
    /// Returns options for small events, without brakes and guard, as a replay on one machine has it.
    fn default() -> Self {
        let decisions = DecisionSettings {
            settle: Duration::ZERO,
            brake_adoptions: None,
            guard_factor: None,
            ..DecisionSettings::default()
        };
        Self {
            records_per_event: 100,
            invocations_take_ms: 60_000,
            calls: None,
            settings: Settings {
                decisions,
                webhook_secret: Some(Secret::new("the secret of tests")),
                ..Settings::default()
            },
        }
    }
}

/// What is done to the order of records before they are fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shuffle {
    /// Nothing.
    AsCaptured,
    /// Every record comes twice, one after the other.
    Repeated,
    /// Records come in another order, the same for the same seed, over this many partitions.
    Scrambled {
        /// The seed.
        seed: u64,
    },
    /// Records are in three partitions, by their keys, as a topic with more partitions has them. Each partition
    /// comes in its own order, and the partitions alternate as the seed says.
    Spread {
        /// The seed.
        seed: u64,
    },
}

/// The functions and what they run on.
pub struct Harness {
    engine: Arc<dyn Engine>,
    queues: Arc<KeptQueues>,
    clock: Arc<SteppedClock>,
    functions: Functions,
    options: Options,
    invocations: AtomicU64,
}

/// The functions of one process each.
struct Functions {
    ingest: Arc<dyn Function>,
    decider: Arc<dyn Function>,
    stream: Arc<dyn Function>,
    snapshot: Arc<dyn Function>,
    api: Arc<dyn Function>,
}

impl Functions {
    fn start(settings: &Settings) -> Self {
        let build = |builder: runtime::Builder| builder(settings).expect("valid settings");
        Self {
            ingest: build(cdc_ingest::build),
            decider: build(adoption_distribution::build),
            stream: build(ledger_stream::build),
            snapshot: build(daily_snapshot::build),
            api: build(query_api::build),
        }
    }
}

impl Harness {
    /// Returns functions over empty tables.
    ///
    /// # Panics
    ///
    /// If the settings are not valid.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::over(Arc::new(MemoryEngine::default()), options)
    }

    /// Returns functions over these tables.
    ///
    /// # Panics
    ///
    /// If the settings are not valid.
    #[must_use]
    pub fn over(engine: Arc<dyn Engine>, options: Options) -> Self {
        Self {
            engine,
            queues: Arc::default(),
            clock: Arc::new(SteppedClock(Mutex::new("2026-12-01T00:00:00Z".parse().expect("a time")))),
            functions: Functions::start(&options.settings),
            options,
            invocations: AtomicU64::new(0),
        }
    }

    /// Ends every process and starts it again: what they had in memory is gone.
    pub fn restart(&mut self) {
        self.functions = Functions::start(&self.options.settings);
    }

    /// Returns the time, in milliseconds since 1970. It goes on by a millisecond whenever anything asks for it.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    /// Lets time pass.
    pub fn pass(&self, time: TimeDelta) {
        self.clock.step(time);
    }

    /// Returns the messages that were sent since this was asked last.
    #[must_use]
    pub fn take_messages(&self) -> Vec<(Queue, Message)> {
        std::mem::take(&mut *self.queues.lock())
    }

    /// Has sending messages fail from now on, or work again.
    pub fn fail_queues(&self, fail: bool) {
        self.queues.fail.store(fail, Ordering::Relaxed);
    }

    /// Invokes `cdc-ingest` with an event.
    ///
    /// # Errors
    ///
    /// What the function says.
    pub async fn ingest(&self, event: Value) -> Result<Value, FunctionError> {
        self.invoke(&self.functions.ingest, event).await
    }

    /// Invokes `adoption-distribution` with an event.
    ///
    /// # Errors
    ///
    /// What the function says.
    pub async fn decide(&self, event: Value) -> Result<Value, FunctionError> {
        self.invoke(&self.functions.decider, event).await
    }

    /// Invokes `ledger-stream` with an event.
    ///
    /// # Errors
    ///
    /// What the function says.
    pub async fn project(&self, event: Value) -> Result<Value, FunctionError> {
        self.invoke(&self.functions.stream, event).await
    }

    /// Returns the settings of the functions.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.options.settings
    }

    /// Returns the tables.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Feeds records, and works until nothing is left to do.
    ///
    /// # Panics
    ///
    /// If a function fails, which none does without faults.
    pub async fn feed(&self, records: &[CapturedRecord], shuffle: Shuffle) {
        let records = arranged(records, shuffle);
        for batch in records.chunks(self.options.records_per_event) {
            let answer = self.ingest(kafka_event(batch)).await;
            assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })), "no record fails");
            self.settle().await;
        }
        self.reach_ends(&records).await;
        self.settle().await;
    }

    /// Records that everything there is of these records' partitions was read.
    ///
    /// # Panics
    ///
    /// If the tables do not answer.
    pub async fn reach_ends(&self, records: &[CapturedRecord]) {
        let partitions = records.iter().map(|record| (record.topic.clone(), record.partition));
        let partitions: BTreeSet<(String, i32)> = partitions.collect();
        let now_ms = self.now_ms();
        for (topic, partition) in partitions {
            let name = PartitionName { source: "kafka".to_owned(), topic, partition };
            store::progress::reached_end(self.engine(), name, None, now_ms, true)
                .await
                .expect("the tables answer");
        }
    }

    /// Runs the decider and the projections until the log no longer grows and nothing wakes the decider.
    ///
    /// # Panics
    ///
    /// If a function fails, which none does without faults.
    pub async fn settle(&self) {
        loop {
            let before = self.last_page().await;
            self.decide(json!({ "Records": [] })).await.expect("the decider works without faults");
            let is_woken = self.take_messages().iter().any(|(queue, _)| *queue == Queue::Decisions);
            self.project(json!({ "Records": [] })).await.expect("projections work without faults");
            drop(self.take_messages());
            if self.last_page().await == before && !is_woken {
                return;
            }
        }
    }

    /// Publishes the dates that are closed.
    ///
    /// # Panics
    ///
    /// If the function fails.
    pub async fn publish(&self) {
        let published = self.invoke(&self.functions.snapshot, json!({ "Records": [] })).await;
        published.expect("dates are published without faults");
        drop(self.take_messages());
    }

    /// Returns what the API answers to a request, as the gateway delivers it.
    ///
    /// # Panics
    ///
    /// If the function fails, which it does only for what is not a request.
    pub async fn ask(&self, request: Value) -> Value {
        self.invoke(&self.functions.api, request).await.expect("the API answers every request")
    }

    /// Returns the position of the decider's last page.
    ///
    /// # Panics
    ///
    /// If the tables do not answer.
    pub async fn last_page(&self) -> u64 {
        let network = store::network::read(self.engine()).await.expect("the tables answer");
        network.map_or(0, |network| network.position)
    }

    /// Invokes a function with an event.
    ///
    /// # Errors
    ///
    /// What the function says.
    pub async fn invoke(&self, function: &Arc<dyn Function>, event: Value) -> Result<Value, FunctionError> {
        let invocation = self.invocations.fetch_add(1, Ordering::Relaxed);
        let (mut engine, mut queues) =
            (Arc::clone(&self.engine), Arc::clone(&self.queues) as Arc<dyn Queues>);
        if let Some(calls) = &self.options.calls {
            engine = calls.engine(function.name(), engine);
            queues = calls.queues(function.name(), queues);
        }
        let context = Context {
            clock: self.clock.clone(),
            deadline: self.clock.now() + TimeDelta::milliseconds(self.options.invocations_take_ms),
            engine,
            queues,
            request_id: format!("invocation-{invocation}"),
        };
        runtime::invoke(&**function, event, &context).await
    }
}

fn arranged(records: &[CapturedRecord], shuffle: Shuffle) -> Vec<CapturedRecord> {
    match shuffle {
        Shuffle::AsCaptured => records.to_vec(),
        Shuffle::Repeated => records.iter().flat_map(|record| [record.clone(), record.clone()]).collect(),
        Shuffle::Scrambled { seed } => {
            let mut numbers = numbers(seed);
            let mut keyed: Vec<(u64, CapturedRecord)> =
                records.iter().map(|record| (numbers(), record.clone())).collect();
            keyed.sort_by_key(|(key, _)| *key);
            keyed.into_iter().map(|(_, record)| record).collect()
        }
        Shuffle::Spread { seed } => spread(records, seed),
    }
}

fn spread(records: &[CapturedRecord], seed: u64) -> Vec<CapturedRecord> {
    const PARTITIONS: usize = 3;
    let mut partitions: BTreeMap<(String, usize), std::collections::VecDeque<CapturedRecord>> =
        BTreeMap::new();
    for record in records {
        let key = record.key.as_deref().unwrap_or_default();
        let hash = key.bytes().fold(5_381_usize, |hash, byte| hash.wrapping_mul(33) ^ usize::from(byte));
        let number = hash % PARTITIONS;
        let partition = partitions.entry((record.topic.clone(), number)).or_default();
        let mut record = record.clone();
        record.partition = i32::try_from(number).expect("there are few partitions");
        record.offset = i64::try_from(partition.len()).expect("a capture is short");
        partition.push_back(record);
    }
    let mut numbers = numbers(seed);
    let mut spread = Vec::new();
    while !partitions.is_empty() {
        let count = u64::try_from(partitions.len()).expect("there are few partitions");
        let chosen = usize::try_from(numbers() % count).expect("it is below the count");
        let name = partitions.keys().nth(chosen).expect("it is below the count").clone();
        let partition = partitions.get_mut(&name).expect("it is one of the keys");
        spread.extend(partition.pop_front());
        if partition.is_empty() {
            partitions.remove(&name);
        }
    }
    spread
}

/// Returns what gives one number after another, the same for the same seed.
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Returns the event by which the trigger of a Kafka cluster delivers these records.
#[must_use]
pub fn kafka_event(records: &[CapturedRecord]) -> Value {
    let mut partitions: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in records {
        let encoded = |bytes: Option<&String>| bytes.map(|bytes| STANDARD.encode(bytes));
        partitions.entry(format!("{}-{}", record.topic, record.partition)).or_default().push(json!({
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp_ms,
            "timestampType": "CREATE_TIME",
            "key": encoded(record.key.as_ref()),
            "value": encoded(record.value.as_ref()),
            "headers": [],
        }));
    }
    json!({ "eventSource": "SelfManagedKafka", "bootstrapServers": "localhost:9092", "records": partitions })
}

/// A clock that goes on by a millisecond whenever it is read.
struct SteppedClock(Mutex<DateTime<Utc>>);

impl SteppedClock {
    fn step(&self, by: TimeDelta) -> DateTime<Utc> {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
        *now
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> DateTime<Utc> {
        self.step(TimeDelta::milliseconds(1))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        self.step(TimeDelta::from_std(duration).expect("a short sleep"));
        Box::pin(async {})
    }
}

/// Queues whose messages only are kept: the harness wakes everything anyway.
#[derive(Default)]
struct KeptQueues {
    kept: Mutex<Vec<(Queue, Message)>>,
    fail: AtomicBool,
}

impl KeptQueues {
    fn lock(&self) -> MutexGuard<'_, Vec<(Queue, Message)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, queue: Queue) -> Result<(), QueueError> {
        let message = || "a test has this call fail".to_owned();
        if self.fail.load(Ordering::Relaxed) { Err(QueueError { queue, message: message() }) } else { Ok(()) }
    }
}

impl Queues for KeptQueues {
    fn send(&self, queue: Queue, messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>> {
        let answer = self.answer(queue);
        if answer.is_ok() {
            self.lock().extend(messages.into_iter().map(|message| (queue, message)));
        }
        Box::pin(async { answer })
    }

    fn change_visibility(&self, queue: Queue, _: String, _: u32) -> BoxFuture<'_, Result<(), QueueError>> {
        let answer = self.answer(queue);
        Box::pin(async { answer })
    }
}
