//! The seam between the ledger and whatever keeps its tables.

use std::future::Future;
use std::pin::Pin;

pub(crate) use crate::error::StoreError;
use crate::item::{Item, Page, Query, Segment, Write, Written};
use crate::key::{Key, Table};

/// A future on the heap, so that its body is compiled once, where it is written.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A call of a store's module: it answers, or storage was in trouble.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Keeps the ledger's tables.
///
/// Implementations: DynamoDB, SQLite on one machine, memory, and the model of the service. All reads are
/// strongly consistent. A call that fails with [`StoreError::Unavailable`] may have taken effect.
pub trait Engine: Send + Sync {
    /// Returns the item at `key`, if there is one.
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>>;

    /// Returns the items at `keys` that exist, in no particular order. Any number of keys may be given;
    /// repeated ones are read once.
    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>>;

    /// Returns a page of one partition in the order of sort keys.
    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// Returns a page of one of the equal parts of a table, in no useful order.
    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// Writes one item if its condition holds.
    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>>;

    /// Writes many items side by side, each by itself under its own condition. Returns one outcome per
    /// write, in the order given. The keys differ from each other.
    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Result<Written, StoreError>>>;
}

/// Takes each item of a table, in no useful order.
///
/// # Errors
///
/// What storage says, and what `take` refuses.
pub async fn each_item<E: From<StoreError>>(
    engine: &dyn Engine,
    table: Table,
    mut take: impl FnMut(&Item) -> Result<(), E> + Send,
) -> Result<(), E> {
    let mut start: Option<Key> = None;
    loop {
        let page = engine.scan(table, Segment::WHOLE, start).await?;
        page.items.iter().try_for_each(&mut take)?;
        start = page.next;
        if start.is_none() {
            return Ok(());
        }
    }
}
