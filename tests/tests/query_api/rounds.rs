//! How many answers of storage a request waits for, one after the other: what does not wait for another answer is asked
//! for together.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use end_to_end::source::Source;
use end_to_end::{Harness, Options, Reply, Shuffle};
use serde_json::json;
use store::{
    BoxFuture, Engine, Item, Key, MemoryEngine, Page, Query, Segment, StoreError, Table, Write, Written,
};

use crate::ledger::operator;

/// Tables of which all calls that wait are answered at once, by [`answer`](Self::answer).
#[derive(Default)]
struct WaitingEngine {
    tables: MemoryEngine,
    is_waiting: AtomicBool,
    answered: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

impl WaitingEngine {
    async fn wait(&self) {
        if !self.is_waiting.load(Ordering::Relaxed) {
            return;
        }
        let asked = self.answered.load(Ordering::Relaxed);
        poll_fn(|context| {
            if self.answered.load(Ordering::Relaxed) > asked {
                return Poll::Ready(());
            }
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Answers the calls that wait.
    fn answer(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Returns a reply, and how often it waited.
    async fn rounds(&self, reply: impl Future<Output = Reply>) -> (Reply, usize) {
        self.is_waiting.store(true, Ordering::Relaxed);
        let mut reply = pin!(reply);
        let mut rounds = 0;
        let answered = poll_fn(|context| {
            let polled = reply.as_mut().poll(context);
            if polled.is_pending() {
                rounds += 1;
                self.answer();
                context.waker().wake_by_ref();
            }
            polled
        });
        let answered = answered.await;
        self.is_waiting.store(false, Ordering::Relaxed);
        (answered, rounds)
    }
}

impl Engine for WaitingEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            self.wait().await;
            self.tables.get(key).await
        })
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            if !keys.is_empty() {
                self.wait().await;
            }
            self.tables.get_many(keys).await
        })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            self.wait().await;
            self.tables.query(query).await
        })
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.tables.scan(table, segment, start)
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        self.tables.write(write)
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        self.tables.write_many(writes)
    }
}

/// Returns a ledger with a closed date: D0 refers D100 to D159, and D100 is the first of a chain of thirty accounts.
/// Every account adopted.
async fn ledger(engine: Arc<WaitingEngine>) -> Harness {
    let harness = Harness::over(engine, Options::default());
    let mut source = Source::new();
    let mut links = vec![("D0".to_owned(), None)];
    links.extend((100..160).map(|number| (format!("D{number}"), Some("D0".to_owned()))));
    let above = |number| if number == 1_000 { "D100".to_owned() } else { format!("D{}", number - 1) };
    links.extend((1_000..1_030).map(|number| (format!("D{number}"), Some(above(number)))));
    for (account, referrer) in &links {
        let change = source.referral(account, referrer.as_deref());
        source.write(&change);
    }
    for (order, (account, _)) in (1..).zip(&links) {
        let change = source.order(order, account, 1);
        source.write(&change);
    }
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    let close = json!({ "type": "close", "until": "2026-01-10", "source_is_complete": true });
    let body = json!({ "reason": "to be shown", "command": close });
    let sent = operator(&harness).post("/v1/commands", "close-the-dates", &body).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    harness.settle().await;
    harness.publish().await;
    assert_eq!(operator(&harness).get("/v1/snapshots/latest").await.status, 200);
    harness
}

#[tokio::test]
async fn a_step_in_the_tree_waits_four_times_and_the_upline_twice_for_fifteen_accounts() {
    let engine = Arc::new(WaitingEngine::default());
    let harness = ledger(Arc::clone(&engine)).await;
    let client = operator(&harness);
    let hundred: Vec<String> = (100..160).map(|number| format!("D{number}")).collect();
    let expected = [
        // Marks; the list; heads, levels and sums; lists and pages of sums.
        ("/v1/accounts/D0/referrals".to_owned(), 4),
        // Marks; the account; an adoption and its chain, twice; levels.
        ("/v1/accounts/D1029/upline?limit=30".to_owned(), 7),
        // Marks; heads and manifest; manifest; directory; pages of the date.
        (format!("/v1/accounts?ids={}", hundred.join(",")), 5),
    ];
    for (path, waits) in expected {
        let first = client.get(&path).await;
        assert_eq!(first.status, 200, "{}", first.text);
        let (reply, rounds) = engine.rounds(client.get(&path)).await;
        assert_eq!(reply.text, first.text, "{path}");
        assert_eq!(rounds, waits, "{path}");
    }
}
