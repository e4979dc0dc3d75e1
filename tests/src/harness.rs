//! Feeds records to the functions through the events that their triggers deliver, until nothing is left to do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cdc::CapturedRecord;
use chrono::{DateTime, TimeDelta, Utc};
use runtime::{Clock, Context, DecisionSettings, Function, Message, Queue, QueueError, Queues, Settings};
use serde_json::{Value, json};
use store::progress::PartitionName;
use store::{BoxFuture, Engine, MemoryEngine};

/// How a run differs from what is deployed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Records of one event.
    pub records_per_event: usize,
    /// Settings of the functions.
    pub settings: Settings,
}

impl Default for Options {
    /// Small events, no brakes and no guard, as a replay on one machine has it.
    fn default() -> Self {
        let decisions = DecisionSettings {
            settle: Duration::ZERO,
            brake_adoptions: None,
            guard_factor: None,
            ..DecisionSettings::default()
        };
        Self { records_per_event: 100, settings: Settings { decisions, ..Settings::default() } }
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
}

/// The functions and what they run on.
pub struct Harness {
    engine: Arc<MemoryEngine>,
    queues: Arc<KeptQueues>,
    clock: Arc<SteppedClock>,
    ingest: Arc<dyn Function>,
    decider: Arc<dyn Function>,
    stream: Arc<dyn Function>,
    api: Arc<dyn Function>,
    options: Options,
    invocations: AtomicU64,
}

impl Harness {
    /// Returns functions over empty tables.
    ///
    /// # Panics
    ///
    /// If the settings are not valid.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let build = |builder: runtime::Builder| builder(&options.settings).expect("valid settings");
        Self {
            engine: Arc::new(MemoryEngine::default()),
            queues: Arc::default(),
            clock: Arc::new(SteppedClock(Mutex::new("2026-12-01T00:00:00Z".parse().expect("a time")))),
            ingest: build(cdc_ingest::build),
            decider: build(adoption_distribution::build),
            stream: build(ledger_stream::build),
            api: build(query_api::build),
            options,
            invocations: AtomicU64::new(0),
        }
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
            let answer = self.invoke(&self.ingest, kafka_event(batch)).await;
            assert_eq!(answer, json!({ "batchItemFailures": [] }), "no record fails");
            self.settle().await;
        }
        let mut ends: BTreeMap<(String, i32), ()> = BTreeMap::new();
        for record in &records {
            ends.insert((record.topic.clone(), record.partition), ());
        }
        let now_ms = self.clock.now().timestamp_millis();
        for (topic, partition) in ends.into_keys() {
            let name = PartitionName { source: "kafka".to_owned(), topic, partition };
            store::progress::reached_end(self.engine(), name, None, now_ms, true)
                .await
                .expect("memory answers");
        }
        self.settle().await;
    }

    /// Runs the decider and the projections until the log no longer grows.
    pub async fn settle(&self) {
        loop {
            let before = self.last_page().await;
            self.invoke(&self.decider, json!({ "Records": [] })).await;
            self.invoke(&self.stream, json!({ "Records": [] })).await;
            self.queues.clear();
            if self.last_page().await == before {
                return;
            }
        }
    }

    /// Returns what the API answers to a request, as the gateway delivers it.
    ///
    /// # Panics
    ///
    /// If the function fails, which it does only for what is no request.
    pub async fn ask(&self, request: Value) -> Value {
        self.invoke(&self.api, request).await
    }

    async fn last_page(&self) -> u64 {
        let network = store::network::read(self.engine()).await.expect("memory answers");
        network.map_or(0, |network| network.position)
    }

    async fn invoke(&self, function: &Arc<dyn Function>, event: Value) -> Value {
        let invocation = self.invocations.fetch_add(1, Ordering::Relaxed);
        let context = Context {
            clock: self.clock.clone(),
            deadline: self.clock.now() + TimeDelta::seconds(60),
            engine: self.engine.clone(),
            queues: self.queues.clone(),
            request_id: format!("invocation-{invocation}"),
        };
        runtime::invoke(&**function, event, &context).await.expect("no function fails without faults")
    }
}

fn arranged(records: &[CapturedRecord], shuffle: Shuffle) -> Vec<CapturedRecord> {
    match shuffle {
        Shuffle::AsCaptured => records.to_vec(),
        Shuffle::Repeated => records.iter().flat_map(|record| [record.clone(), record.clone()]).collect(),
        Shuffle::Scrambled { seed } => {
            let mut keyed: Vec<(u64, CapturedRecord)> = Vec::new();
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for record in records {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                keyed.push((state, record.clone()));
            }
            keyed.sort_by_key(|(key, _)| *key);
            keyed.into_iter().map(|(_, record)| record).collect()
        }
    }
}

fn kafka_event(records: &[CapturedRecord]) -> Value {
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
struct KeptQueues(Mutex<Vec<(Queue, Message)>>);

impl KeptQueues {
    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Queues for KeptQueues {
    fn send(&self, queue: Queue, messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(messages.into_iter().map(|message| (queue, message)));
        Box::pin(async { Ok(()) })
    }

    fn change_visibility(&self, _: Queue, _: String, _: u32) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async { Ok(()) })
    }
}
