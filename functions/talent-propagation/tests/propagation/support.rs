//! Tables in memory, a log, and invocations of the function.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::log::{Entry, Page, PageHash, UplineChange};
use domain::{AccountSequence, Link, RowKey, VersionTerms};
use oracle::rows::{PrimaryKey, ReferralRow, Tables, UserRow};
use oracle::{Inputs, Judgement};
use runtime::{Clock, Context, Function, Message, Queue, QueueError, Queues, Settings};
use serde_json::{Value, json};
use store::talent::TalentShards;
use store::users::User;
use store::{BoxFuture, Engine, Item, Key, MemoryEngine, Query, Segment, StoreError, Table, Write, Written};

/// Noon of 10 February 2026 in Shanghai.
const NOON_MS: i64 = 1_770_696_000_000;

/// Returns the link of an account below `referrer`.
pub(crate) fn under(referrer: &str) -> Link {
    Link::Under(account(referrer))
}

/// Returns a user who was last seen at this time.
pub(crate) fn user(last_activity_ms: Option<i64>) -> User {
    User { status: None, created_at_ms: None, last_activity_ms }
}

pub(crate) fn account(text: &str) -> AccountSequence {
    text.parse().expect("an account")
}

/// A clock that is set by hand.
#[derive(Default)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, time: TimeDelta) {
        self.0.fetch_add(time.num_milliseconds(), Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(NOON_MS + self.0.load(Ordering::Relaxed)).expect("a time")
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(give_way())
    }
}

/// Lets others go first, once.
async fn give_way() {
    let mut has_waited = false;
    std::future::poll_fn(|task| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Tables in memory at which every call gives way before and after its effect.
#[derive(Default)]
pub(crate) struct GivingWay {
    tables: MemoryEngine,
    pub(crate) writes: AtomicU64,
}

macro_rules! giving_way {
    ($self:ident, $call:expr) => {
        Box::pin(async move {
            give_way().await;
            let outcome = $call.await;
            give_way().await;
            outcome
        })
    };
}

impl Engine for GivingWay {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        giving_way!(self, self.tables.get(key))
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        // The items of one call are read at different times.
        Box::pin(async move {
            let mut items = Vec::new();
            for (place, key) in keys.into_iter().enumerate() {
                if place % 3 == 0 {
                    give_way().await;
                }
                items.extend(self.tables.get(key).await?);
            }
            Ok(items)
        })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<store::Page, StoreError>> {
        giving_way!(self, self.tables.query(query))
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<store::Page, StoreError>> {
        giving_way!(self, self.tables.scan(table, segment, start))
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        giving_way!(self, self.tables.write(write))
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(async move {
            let mut outcomes = Vec::new();
            for write in writes {
                outcomes.push(self.write(write).await);
            }
            outcomes
        })
    }
}

/// Keeps what is sent.
#[derive(Default)]
pub(crate) struct Sent(pub(crate) Mutex<Vec<String>>);

impl Queues for Sent {
    fn send(&self, queue: Queue, messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>> {
        assert_eq!(queue, Queue::Talent);
        self.0.lock().expect("no panic").extend(messages.into_iter().map(|message| message.body));
        Box::pin(async { Ok(()) })
    }

    fn change_visibility(&self, _: Queue, _: String, _: u32) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A ledger as far as talent reads it, and the source that it follows from.
pub(crate) struct Bench {
    pub(crate) engine: Arc<GivingWay>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) sent: Arc<Sent>,
    pub(crate) function: Arc<dyn Function>,
    policy_json: String,
    links: BTreeMap<String, Link>,
    users: BTreeSet<String>,
    position: u64,
    requests: AtomicU64,
}

impl Bench {
    pub(crate) fn new(policy: &Value) -> Self {
        Self::with_profile(policy, "guide")
    }

    pub(crate) fn with_profile(policy: &Value, profile: &str) -> Self {
        let policy_json = policy.to_string();
        let settings = Settings {
            policy: serde_json::from_value(policy.clone()).expect("a policy"),
            policy_json: policy_json.clone(),
            profile: cdc::Profile::named(profile)
                .or_else(|| cdc::Profile::from_json(profile).ok())
                .expect("a profile"),
            ..Settings::default()
        };
        Self {
            engine: Arc::default(),
            clock: Arc::default(),
            sent: Arc::default(),
            function: talent_propagation::build(&settings).expect("a function"),
            policy_json,
            links: BTreeMap::new(),
            users: BTreeSet::new(),
            position: 0,
            requests: AtomicU64::new(0),
        }
    }

    pub(crate) fn context(&self) -> Context {
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        Context {
            clock: self.clock.clone(),
            deadline: self.clock.now() + TimeDelta::seconds(60),
            engine: self.engine.clone(),
            queues: self.sent.clone(),
            request_id: format!("request-{request}"),
        }
    }

    /// Puts a page that moves these accounts.
    pub(crate) async fn move_accounts(&mut self, moves: &[(&str, Link)]) {
        let mut entries = Vec::new();
        for (name, after) in moves.iter().cloned() {
            let before = self.links.insert(name.to_owned(), after.clone()).unwrap_or_default();
            if before != after {
                entries.push(Entry::Upline(UplineChange {
                    account: account(name),
                    before,
                    after,
                    first_order: None,
                }));
            }
        }
        self.put_page(entries).await;
    }

    pub(crate) async fn introduce(&mut self, number: u32, from: &str, policy: &Value) {
        let terms = VersionTerms {
            number,
            from: Some(from.parse().expect("a date")),
            until: None,
            reason: "a test".to_owned(),
            introduced_by: "a test".to_owned(),
            policy: policy.to_string(),
        };
        self.put_page(vec![Entry::VersionIntroduced(Box::new(terms))]).await;
    }

    async fn put_page(&mut self, entries: Vec<Entry>) {
        self.position += 1;
        let page = Page { position: self.position, previous: PageHash::default(), time_ms: NOON_MS, entries };
        assert_eq!(store::log::put(&self.engine.tables, &page).await, Ok(Written::Done));
    }

    /// Has the user's row arrive, or go.
    pub(crate) async fn set_user(&mut self, name: &str, user: Option<User>) {
        let known =
            store::users::read(&self.engine.tables, vec![account(name)]).await.expect("it is readable");
        let mut rows = known.get(&account(name)).cloned().unwrap_or_default();
        let revision = rows.revision;
        if !rows.see(&RowKey::new(name), revision + 1, user) {
            return;
        }
        let written = self.engine.tables.write(store::users::put(&account(name), &rows, revision)).await;
        assert_eq!(written, Ok(Written::Done));
        self.users.insert(name.to_owned());
    }

    pub(crate) async fn has_user(&self, name: &str) -> bool {
        let known =
            store::users::read(&self.engine.tables, vec![account(name)]).await.expect("it is readable");
        known.get(&account(name)).is_some_and(|rows| rows.user().is_some())
    }

    pub(crate) async fn invoke(&self, event: Value) -> Value {
        let context = self.context();
        self.function.handle(event, &context).await.expect("the invocation succeeds")
    }

    /// Returns an invocation that owns what it works with, to be gone on with step by step.
    pub(crate) fn begin(&self, event: Value) -> Running {
        let context = self.context();
        let function = Arc::clone(&self.function);
        Box::pin(async move {
            // One that loses too often fails, and comes again.
            let _ = function.handle(event, &context).await;
        })
    }

    pub(crate) async fn take_messages(&self) -> usize {
        let bodies = std::mem::take(&mut *self.sent.0.lock().expect("no panic"));
        if !bodies.is_empty() {
            let answer = self.invoke(queue_event(&bodies)).await;
            assert_eq!(answer, json!({ "batchItemFailures": [] }));
        }
        bodies.len()
    }

    /// Returns levels and counts as they are stored: direct, promotion, level, published level.
    pub(crate) async fn talent(&self, name: &str) -> (u64, u64, u8, u8) {
        let stored = store::talent::read(&self.engine.tables, &account(name)).await.expect("it is readable");
        let team = stored.talent.counted_team(self.clock.now().timestamp_millis());
        let counts = (team.direct_count(), team.promotion_count());
        (counts.0, counts.1, stored.talent.level.get(), stored.talent.published.get())
    }

    pub(crate) async fn changes(&self, name: &str) -> Vec<(u32, u8, u8, String)> {
        let changes = store::talent::changes(&self.engine.tables, &account(name), None, 100).await;
        let shown = |change: &store::talent::LevelChange| {
            let levels = (change.old_level.get(), change.new_level.get());
            (change.number, levels.0, levels.1, change.cause.name().to_owned())
        };
        changes.expect("they are readable").iter().map(shown).collect()
    }

    /// Compares everything with the independent judge, and checks that no mark and no intent is left.
    pub(crate) async fn assert_settled(&self, context: &str) {
        self.assert_judged(context).await;
        let marks =
            store::talent::raised(&self.engine.tables, shards(), 100).await.expect("they are readable");
        assert_eq!(marks, [], "marks are left: {context}");
        let intents =
            store::talent::intents(&self.engine.tables, shards(), 100).await.expect("they are readable");
        assert_eq!(intents, [], "intents are left: {context}");
    }

    /// Compares everything with the independent judge.
    pub(crate) async fn assert_judged(&self, context: &str) {
        let mut tables = Tables::default();
        for (name, link) in &self.links {
            if *link == Link::Missing {
                continue;
            }
            let referrer = link.referrer().map(ToString::to_string);
            let key = PrimaryKey::text(name);
            tables.referrals.push(ReferralRow { key, account: name.clone(), referrer });
        }
        for name in &self.users {
            if self.has_user(name).await {
                tables.users.push(UserRow { key: PrimaryKey::text(name), account: name.clone() });
            }
        }
        let mut inputs = Inputs::new(tables, "2026-02-10".parse().expect("a date"));
        inputs.versions = oracle::Versions::from_json(&self.policy_json).expect("the same policy");
        for (name, judged) in Judgement::of(&inputs).talents() {
            let (direct, promotion, level, published) = self.talent(&name).await;
            let number = |count: usize| u64::try_from(count).expect("a count");
            let expected =
                (number(judged.direct_count), number(judged.promotion_count), number(judged.level));
            assert_eq!((direct, promotion, u64::from(level)), expected, "{name}: {context}");
            if judged.is_published {
                assert_eq!(published, level, "{name}: {context}");
            }
        }
    }
}

/// Returns the event of a schedule.
pub(crate) fn schedule() -> Value {
    json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} })
}

/// Returns the event of the log's stream.
pub(crate) fn stream() -> Value {
    json!({ "Records": [{ "eventSource": "aws:dynamodb", "eventName": "INSERT", "eventID": "1" }] })
}

/// Returns the event of the queue with messages of these bodies.
pub(crate) fn queue_event(bodies: &[String]) -> Value {
    let record = |(number, body): (usize, &String)| {
        json!({
            "messageId": format!("message-{number}"), "receiptHandle": "handle", "body": body,
            "attributes": { "SentTimestamp": "1770696000000", "ApproximateReceiveCount": "1" },
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:cn-north-1:123456789012:Talent",
        })
    };
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
}

/// A future that owns what it works with.
pub(crate) type Running = Pin<Box<dyn Future<Output = ()>>>;

/// Returns the parts in which marks and intents are kept.
pub(crate) fn shards() -> TalentShards {
    TalentShards::beside(Settings::default().account_shards)
}
