//! A ledger that the functions made of an invented source.

use std::sync::Arc;

use cdc::CapturedRecord;
use chrono::TimeDelta;
use domain::digest::{State, StateDigest, write_dump};
use domain::{BusinessDate, OrderId, Versions};
use end_to_end::{Harness, Options, Shuffle, captured};
use oracle::generate::{Plan, history};
use runtime::{Clock, Context, Function, MemoryQueues, Settings};
use serde_json::{Value, json};
use store::inbox::{self, StoredCommand};
use store::{BoxFuture, Engine, MemoryEngine};

/// The functions, their tables, and what feeds them.
pub(crate) struct Stack {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) harness: Harness,
    pub(crate) settings: Settings,
    talent: Arc<dyn Function>,
}

impl Stack {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(MemoryEngine::default()), Options { records_per_event: 50, ..Options::default() })
    }

    /// Returns a stack that expects the orders on so many partitions.
    pub(crate) fn expecting(orders_partitions: i32) -> Self {
        let mut options = Options { records_per_event: 50, ..Options::default() };
        options.settings.orders_partitions = Some(orders_partitions);
        Self::over(Arc::new(MemoryEngine::default()), options)
    }

    fn over(engine: Arc<dyn Engine>, options: Options) -> Self {
        let settings = options.settings.clone();
        Self {
            harness: Harness::over(Arc::clone(&engine), options),
            engine,
            talent: talent_propagation::build(&settings).expect("valid settings"),
            settings,
        }
    }

    /// Returns a stack that was fed with a history as it was captured.
    pub(crate) async fn fed(plan: &Plan) -> Self {
        let stack = Self::new();
        stack.feed(&captured(&history(plan)), Shuffle::AsCaptured).await;
        stack
    }

    pub(crate) async fn feed(&self, records: &[CapturedRecord], shuffle: Shuffle) {
        self.harness.feed(records, shuffle).await;
        self.carry_up().await;
    }

    /// Has talent follow the log.
    pub(crate) async fn carry_up(&self) {
        self.harness.invoke(&self.talent, json!({})).await.expect("talent is propagated");
    }

    /// Has the decider carry out a command, and everything follow.
    pub(crate) async fn command(&self, key: &str, command: domain::log::Command) {
        let command = StoredCommand::new("a test", "a test", command);
        inbox::ask(&*self.engine, key, &command).await.expect("memory answers");
        self.settle().await;
        let answered = inbox::command(&*self.engine, key).await.expect("memory answers");
        let answer = answered.and_then(|command| command.answer).expect("it was answered");
        assert!(answer.0.is_done(), "{answer:?}");
    }

    pub(crate) async fn settle(&self) {
        self.harness.settle().await;
        self.carry_up().await;
    }

    pub(crate) fn versions(&self) -> Versions {
        Versions::starting(&self.settings.policy_json).expect("a policy")
    }

    pub(crate) async fn state(&self) -> State {
        let date: BusinessDate = "2026-12-01".parse().expect("a date");
        let versions = self.versions();
        let shards = self.settings.account_shards;
        ledger_audit::read_state(&*self.engine, &versions, shards, date).await.expect("it stands still")
    }

    pub(crate) async fn digest(&self) -> StateDigest {
        StateDigest::of(&self.state().await)
    }

    pub(crate) async fn dump(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_dump(&self.state().await, &mut bytes).expect("memory takes it");
        bytes
    }

    pub(crate) async fn export(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let digest = self.digest().await;
        let exported =
            ledger_audit::export_log(&*self.engine, &self.settings.policy_json, &digest, &mut bytes).await;
        assert_eq!(exported.expect("memory takes it"), self.harness.last_page().await);
        bytes
    }

    /// Takes over places, by way of text.
    pub(crate) async fn take_over(&self, places: &[(OrderId, u64)]) {
        let mut text = Vec::new();
        ledger_audit::write_price_book(places, &mut text).expect("memory takes it");
        let places = ledger_audit::parse_price_book(std::io::Cursor::new(text)).expect("a price book");
        let keys = ledger_audit::take_over_places(&*self.engine, &places, "anna", "a second stack").await;
        self.settle().await;
        for key in keys.expect("memory answers") {
            let command = inbox::command(&*self.engine, &key).await.expect("memory answers");
            assert!(command.is_some_and(|command| command.answer.is_some()), "{key} was not answered");
        }
    }

    pub(crate) async fn price_book(&self) -> Vec<(OrderId, u64)> {
        ledger_audit::read_price_book(&*self.engine).await.expect("memory answers")
    }

    /// Returns what an invocation of `ledger-audit` may use that is ended after so long.
    pub(crate) fn context(&self, engine: Arc<dyn Engine>, milliseconds: i64) -> Context {
        let clock = Arc::new(CountingClock(std::sync::atomic::AtomicI64::new(self.harness.now_ms())));
        Context {
            deadline: clock.now() + TimeDelta::milliseconds(milliseconds),
            clock,
            engine,
            queues: Arc::new(MemoryQueues::default()),
            request_id: "an audit".to_owned(),
        }
    }
}

/// Numbers that are the same for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }
}

/// A clock that goes on by ten milliseconds whenever it is read.
struct CountingClock(std::sync::atomic::AtomicI64);

impl Clock for CountingClock {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        let now_ms = self.0.fetch_add(10, std::sync::atomic::Ordering::Relaxed);
        chrono::DateTime::from_timestamp_millis(now_ms).expect("a time")
    }

    fn sleep(&self, _: std::time::Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

pub(crate) fn no_event() -> Value {
    json!({})
}
