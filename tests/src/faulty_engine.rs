//! An engine whose calls fail when a test says so.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use store::{BoxFuture, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It has no effect.
    BeforeEffect,
    /// It takes effect, and the answer is lost.
    AfterEffect,
    /// Of many writes every second one takes effect, and the answer is lost.
    HalfWay,
}

/// What happens to the calls after one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// They work.
    Works,
    /// They fail without effect until the process is started again.
    IsDead,
}

/// An engine whose calls fail when a test says so.
pub struct FaultyEngine {
    inner: Arc<dyn Engine>,
    calls: AtomicU64,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    fails: Option<(u64, Fault, Afterwards)>,
    unreadable: BTreeSet<Key>,
    is_dead: bool,
}

impl FaultyEngine {
    /// Returns an engine over `inner` that does not fail yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Engine>) -> Self {
        Self { inner, calls: AtomicU64::new(0), plan: Mutex::default() }
    }

    /// Has the call with this number fail, counted from 1.
    pub fn fail_call(&self, number: u64, fault: Fault, afterwards: Afterwards) {
        self.plan().fails = Some((number, fault, afterwards));
    }

    /// Has reads of the item at `key` say that it cannot be read, or read it again.
    pub fn set_unreadable(&self, key: Key, is_unreadable: bool) {
        if is_unreadable {
            self.plan().unreadable.insert(key);
        } else {
            self.plan().unreadable.remove(&key);
        }
    }

    /// Has no further call fail.
    pub fn heal(&self) {
        self.plan().fails = None;
    }

    /// Returns how many calls were made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Returns whether the process died, and lets the next one live.
    pub fn revive(&self) -> bool {
        std::mem::take(&mut self.plan().is_dead)
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call. Returns how it fails, if it does.
    fn begin(&self) -> Option<Fault> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let mut plan = self.plan();
        if plan.is_dead {
            return Some(Fault::BeforeEffect);
        }
        let (_, fault, afterwards) = plan.fails.filter(|(fails, ..)| *fails == number)?;
        plan.is_dead = afterwards == Afterwards::IsDead;
        Some(fault)
    }

    /// Returns the item with bytes that nothing can be read from, where a test says so.
    fn spoiled(&self, mut item: Item) -> Item {
        if self.plan().unreadable.contains(&item.key) {
            item.body = vec![0xff; 3];
        }
        item
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable { message: "a test has this call fail".to_owned() }
}

impl Engine for FaultyEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            match self.begin() {
                Some(_) => Err(lost()),
                None => Ok(self.inner.get(key).await?.map(|item| self.spoiled(item))),
            }
        })
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            if self.begin().is_some() {
                return Err(lost());
            }
            let items = self.inner.get_many(keys).await?;
            Ok(items.into_iter().map(|item| self.spoiled(item)).collect())
        })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(
            async move { if self.begin().is_some() { Err(lost()) } else { self.inner.query(query).await } },
        )
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            if self.begin().is_some() { Err(lost()) } else { self.inner.scan(table, segment, start).await }
        })
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        Box::pin(async move {
            let fault = self.begin();
            if fault == Some(Fault::BeforeEffect) {
                return Err(lost());
            }
            let written = self.inner.write(write).await;
            if fault.is_some() { Err(lost()) } else { written }
        })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>> {
        Box::pin(async move {
            if writes.is_empty() {
                return Vec::new();
            }
            let count = writes.len();
            let taking_effect: Vec<Write> = match self.begin() {
                None => return self.inner.write_many(writes).await,
                Some(Fault::BeforeEffect) => Vec::new(),
                Some(Fault::AfterEffect) => writes,
                Some(Fault::HalfWay) => writes.into_iter().step_by(2).collect(),
            };
            let _ = self.inner.write_many(taking_effect).await;
            (0..count).map(|_| Err(lost())).collect()
        })
    }
}
