//! A log that is made by hand, and tables that count and fail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::log::{CloseTerms, Entry, Page, PageHash};
use domain::snapshot::CarriedAccount;
use domain::{
    AccountSequence, Amount, BusinessDate, OrderId, Owner, Policy, Posting, UnlockState, UnlockedLegs,
};
use runtime::{Clock, Context, Function, MemoryQueues, Settings};
use serde_json::{Value, json};
use store::{BoxFuture, Engine, Item, Key, MemoryEngine, Query, Segment, StoreError, Table, Write, Written};

pub(crate) const SCHEDULE: &str = include_str!("../../../../events/schedule-snapshot.json");
pub(crate) const CLOSED: &str = include_str!("../../../../events/sqs-closed.json");

pub(crate) fn account(name: &str) -> AccountSequence {
    name.parse().expect("an account")
}

pub(crate) fn owner(name: &str) -> Owner {
    name.parse().expect("an owner")
}

pub(crate) fn amount(text: &str) -> Amount {
    text.parse().expect("an amount")
}

pub(crate) fn date(text: &str) -> BusinessDate {
    text.parse().expect("a date")
}

pub(crate) fn order(number: u64) -> OrderId {
    OrderId::new(number).expect("an order")
}

/// Returns an adoption of one tree below these ancestors, each with its own adoption or not, and its direct adopters.
pub(crate) fn posting(adopter: &str, total: &str, adopted_on: &str, upline: &[(&str, bool, u32)]) -> Posting {
    let policy = Policy::default();
    let unlocks = upline.iter().map(|(_, adopted, direct)| UnlockState::new(*adopted, *direct, &policy));
    Posting {
        account: account(adopter),
        trees: 1,
        total: amount(total),
        adoption_date: date(adopted_on),
        version: 1,
        province: None,
        city: None,
        chain: upline.iter().map(|(name, _, _)| account(name)).collect(),
        unlocked: UnlockedLegs::of_upline(unlocks, &policy),
    }
}

pub(crate) fn posted(number: u64, posting: Posting) -> Entry {
    Entry::Posted {
        order: order(number),
        posting: Box::new(posting),
        first_order: None,
        cause: domain::log::Cause::Row,
    }
}

/// The tables, the log in them, and the function over them.
pub(crate) struct Stage {
    pub(crate) engine: Arc<Tables>,
    pub(crate) queues: Arc<MemoryQueues>,
    function: Arc<dyn Function>,
    last: Mutex<(u64, Option<BusinessDate>, u64)>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let secret = domain::proof::Secret::new("a test");
        let settings = Settings { proof_secret: Some(secret), ..Settings::default() };
        Self {
            engine: Arc::new(Tables::default()),
            queues: Arc::new(MemoryQueues::default()),
            function: daily_snapshot::build(&settings).expect("a function"),
            last: Mutex::new((0, None, 0)),
        }
    }

    /// Puts a page of the log.
    pub(crate) async fn page(&self, entries: Vec<Entry>) {
        let position = {
            let mut last = self.last.lock().expect("no other test");
            last.0 += 1;
            last.0
        };
        let time_ms = i64::try_from(position).expect("small");
        let page = Page { position, previous: PageHash::default(), time_ms, entries };
        assert_eq!(store::log::put(&self.engine.memory, &page).await, Ok(Written::Done));
    }

    /// Closes the dates up to this one in the log.
    pub(crate) async fn close(&self, first: &str, until: &str) {
        loop {
            let (cut, closed, previous_cut) = *self.last.lock().expect("no other test");
            let next = closed.map_or(date(first), BusinessDate::next);
            if next > date(until) {
                return;
            }
            let terms = CloseTerms { date: next, previous: closed, previous_cut, progress: Vec::new() };
            self.page(vec![Entry::Close(terms)]).await;
            *self.last.lock().expect("no other test") = (cut + 1, Some(next), cut + 1);
        }
    }

    /// Returns an invocation whose time is over after the clock was looked at `looks` times.
    fn context(&self, looks: u64) -> Context {
        let clock = Arc::new(Looks(AtomicU64::new(0)));
        Context {
            deadline: time_after(looks + 2),
            clock,
            engine: self.engine.clone(),
            queues: self.queues.clone(),
            request_id: "1".to_owned(),
        }
    }

    /// Invokes the function once.
    pub(crate) async fn try_invoke(&self, event: &str, looks: u64) -> Result<(), String> {
        let event: Value = serde_json::from_str(event).expect("JSON");
        let answer = self.function.handle(event, &self.context(looks)).await;
        answer
            .map(|answer| assert_eq!(answer, json!({ "batchItemFailures": [] })))
            .map_err(|error| error.message)
    }

    pub(crate) async fn invoke(&self) {
        self.try_invoke(SCHEDULE, 1_000_000).await.expect("it works");
    }

    /// Returns what an account had on a date, with its row.
    pub(crate) async fn on(&self, day: &str, name: &str) -> (Option<CarriedAccount>, Option<Amount>) {
        let read = store::snapshots::account(&*self.engine, date(day), &owner(name)).await;
        let found = read.expect("it can be read").expect("the date is closed");
        (found.carried, found.row.map(|row| row.effective))
    }

    /// Returns everything in the table of snapshots.
    pub(crate) async fn snapshots(&self) -> BTreeMap<Key, Vec<u8>> {
        let mut items = BTreeMap::new();
        let mut start = None;
        loop {
            let page =
                self.engine.memory.scan(Table::Snapshots, Segment::WHOLE, start).await.expect("a scan");
            items.extend(page.items.into_iter().map(|item| (item.key, item.body)));
            start = page.next;
            if start.is_none() {
                return items;
            }
        }
    }
}

/// Tables in memory that count what the service would charge, and fail when a test says so.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) memory: MemoryEngine,
    pub(crate) calls: AtomicU64,
    pub(crate) write_units: AtomicU64,
    pub(crate) read_units: AtomicU64,
    pub(crate) items_written: AtomicU64,
    pub(crate) item_bytes_max: AtomicU64,
    /// How many calls from now on work; 0 is the one that fails. Half of the failing ones take effect.
    fails_after: Mutex<Option<u64>>,
}

impl Tables {
    pub(crate) fn fail_after(&self, calls: Option<u64>) {
        *self.fails_after.lock().expect("no other test") = calls;
    }

    pub(crate) fn count(&self, counter: impl Fn(&Self) -> &AtomicU64) -> u64 {
        counter(self).load(Ordering::Relaxed)
    }

    /// Returns whether the call fails, and whether it takes effect.
    fn begin(&self) -> (bool, bool) {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut fails_after = self.fails_after.lock().expect("no other test");
        match fails_after.as_mut() {
            Some(0) => (true, number.is_multiple_of(2)),
            Some(left) => {
                *left -= 1;
                (false, true)
            }
            None => (false, true),
        }
    }

    fn note_read<'a>(&self, items: impl IntoIterator<Item = &'a Item>) {
        let units = items.into_iter().map(|item| item.stored_bytes().div_ceil(4_096) as u64);
        self.read_units.fetch_add(units.sum(), Ordering::Relaxed);
    }

    fn note_write(&self, write: &Write) {
        if let store::Change::Put(item) = &write.change {
            let bytes = item.stored_bytes() as u64;
            self.write_units.fetch_add(bytes.div_ceil(1_024), Ordering::Relaxed);
            self.items_written.fetch_add(1, Ordering::Relaxed);
            self.item_bytes_max.fetch_max(bytes, Ordering::Relaxed);
        }
    }
}

fn down() -> StoreError {
    StoreError::Unavailable { message: "a test".to_owned() }
}

impl Engine for Tables {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            let (fails, _) = self.begin();
            let item = self.memory.get(key).await?;
            self.note_read(&item);
            if fails { Err(down()) } else { Ok(item) }
        })
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            let (fails, _) = self.begin();
            let items = self.memory.get_many(keys).await?;
            self.note_read(&items);
            tokio::task::yield_now().await;
            if fails { Err(down()) } else { Ok(items) }
        })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<store::Page, StoreError>> {
        Box::pin(async move {
            let (fails, _) = self.begin();
            let page = self.memory.query(query).await?;
            self.note_read(&page.items);
            tokio::task::yield_now().await;
            if fails { Err(down()) } else { Ok(page) }
        })
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<store::Page, StoreError>> {
        self.memory.scan(table, segment, start)
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move { self.write_many(vec![write]).await.remove(0) })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(async move {
            let (fails, takes_effect) = self.begin();
            tokio::task::yield_now().await;
            for write in &writes {
                self.note_write(write);
            }
            if !fails {
                return self.memory.write_many(writes).await;
            }
            let count = writes.len();
            if takes_effect {
                // Some of them: the answer is lost for all.
                let some = writes.into_iter().take(count.div_ceil(2)).collect();
                let _ = self.memory.write_many(some).await;
            }
            (0..count).map(|_| Err(down())).collect()
        })
    }
}

/// A clock on which a second passes whenever it is looked at.
struct Looks(AtomicU64);

fn time_after(looks: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(looks).expect("small"))
}

impl Clock for Looks {
    fn now(&self) -> DateTime<Utc> {
        time_after(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
