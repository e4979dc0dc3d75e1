//! The items of one table, what transactions hold of them, and what they were a while ago.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::capacity::{Billing, Capacity, Direction, Limit};
use super::key::{Key, Schema};
use super::stored::Stored;
use super::stream::{Stream, ViewType};
use super::units::Units;
use crate::clock::Millis;
use crate::error::{CancellationCode, Details, ErrorKind, ServiceError, ThrottlingReason};
use crate::value::{Item, item_bytes};

/// A change of an item that took effect.
#[derive(Clone, Debug)]
pub struct Change {
    /// The key of the item.
    pub key: Key,
    /// What was there.
    pub before: Option<Arc<Stored>>,
    /// What is there now.
    pub after: Option<Arc<Stored>>,
}

/// What a table is made with.
#[derive(Clone, Debug)]
pub struct TableOptions {
    /// The table's name.
    pub name: String,
    /// Its key attributes.
    pub schema: Schema,
    /// How it is paid for.
    pub billing: Billing,
    /// Which images its stream shows; without it there is no stream.
    pub stream: Option<ViewType>,
    /// How far back the reads lie that may be stale.
    pub replica_lag_ms: Millis,
}

/// One table.
#[derive(Debug)]
pub struct Table {
    pub(super) name: String,
    pub(super) schema: Schema,
    pub(super) items: BTreeMap<Key, Arc<Stored>>,
    /// Items that a running transaction holds, with its number.
    pub(super) held: BTreeMap<Key, u64>,
    pub(super) capacity: Capacity,
    pub(super) stream: Option<Stream>,
    replica_lag_ms: Millis,
    /// Past states that stale reads may still see: when each ended, and what it was.
    past: VecDeque<(Millis, Key, Option<Arc<Stored>>)>,
    versions: u64,
    /// Changes since they were taken last, where the table is watched.
    changes: Option<Vec<Change>>,
}

impl Table {
    /// Returns an empty table.
    #[must_use]
    pub fn new(options: TableOptions) -> Self {
        Self {
            name: options.name,
            schema: options.schema,
            items: BTreeMap::new(),
            held: BTreeMap::new(),
            capacity: Capacity::new(options.billing),
            stream: options.stream.map(Stream::new),
            replica_lag_ms: options.replica_lag_ms,
            past: VecDeque::new(),
            versions: 0,
            changes: None,
        }
    }

    /// Puts an item that is there from the beginning: it costs nothing and is not in the stream.
    pub fn preset(&mut self, item: Item) -> Result<(), ServiceError> {
        let key = self.schema.key_of(&item)?;
        let stored = self.stored(item);
        self.items.insert(key, stored);
        Ok(())
    }

    /// Says how far back the reads lie that may be stale.
    pub fn set_replica_lag(&mut self, lag_ms: Millis) {
        self.replica_lag_ms = lag_ms;
    }

    /// Keeps every change from now on until it is taken.
    pub fn watch(&mut self) {
        self.changes.get_or_insert_default();
    }

    /// Returns whether there are changes to be taken.
    pub(super) fn has_changes(&self) -> bool {
        self.changes.as_ref().is_some_and(|changes| !changes.is_empty())
    }

    /// Takes the changes since they were taken last, if the table is watched.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Returns the names of the key attributes.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns how many items there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.items.len()
    }

    /// Returns an item as it is now, without reading it in the sense of the service.
    #[must_use]
    pub fn look(&self, key: &Key) -> Option<&Item> {
        self.items.get(key).map(|stored| &stored.item)
    }

    /// Returns all items in the order of their keys, without reading them in the sense of the service.
    pub fn look_at_all(&self) -> impl Iterator<Item = (&Key, &Item)> {
        self.items.iter().map(|(key, stored)| (key, &stored.item))
    }

    /// Returns the table's throughput.
    #[must_use]
    pub fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// Returns the table's stream.
    #[must_use]
    pub fn stream(&self) -> Option<&Stream> {
        self.stream.as_ref()
    }

    /// Returns the table's stream, which forgets what is too old.
    pub fn stream_mut(&mut self) -> Option<&mut Stream> {
        self.stream.as_mut()
    }

    /// Replaces or removes an item and tells the stream; a change that changes nothing is not told.
    pub(super) fn apply(&mut self, now_ms: Millis, key: &Key, after: Option<Item>) {
        let after = after.map(|item| self.stored(item));
        let before = match &after {
            Some(stored) => self.items.insert(key.clone(), stored.clone()),
            None => self.items.remove(key),
        };
        if self.replica_lag_ms > 0 {
            self.past.push_back((now_ms, key.clone(), before.clone()));
        }
        if let Some(changes) = &mut self.changes {
            changes.push(Change { key: key.clone(), before: before.clone(), after: after.clone() });
        }
        let same = match (&before, &after) {
            (Some(before), Some(after)) => before.item == after.item,
            (None, None) => true,
            _ => false,
        };
        if let Some(stream) = &mut self.stream
            && !same
        {
            let key_text = self.schema.text_of(key);
            stream.push(now_ms, key.clone(), key_text, before, after);
        }
    }

    /// Returns an item as a read sees it.
    pub(super) fn get(&mut self, now_ms: Millis, key: &Key, consistent: bool) -> Option<Arc<Stored>> {
        self.view(now_ms, consistent, |past_key| past_key == key).get(key).cloned()
    }

    /// Returns the items of a partition, or of the table without one, as a read sees them.
    pub(super) fn view(
        &mut self,
        now_ms: Millis,
        consistent: bool,
        concerns: impl Fn(&Key) -> bool,
    ) -> View<'_> {
        let mut past = BTreeMap::new();
        if !consistent && self.replica_lag_ms > 0 {
            let seen_ms = now_ms.checked_sub(self.replica_lag_ms);
            let ended = |end_ms: &Millis| seen_ms.is_some_and(|seen_ms| *end_ms <= seen_ms);
            while self.past.front().is_some_and(|(end_ms, ..)| ended(end_ms)) {
                self.past.pop_front();
            }
            // The oldest state of an item that had not ended yet is the one that is seen.
            for (_, key, state) in self.past.iter().filter(|(_, key, _)| concerns(key)) {
                past.entry(key.clone()).or_insert_with(|| state.clone());
            }
        }
        View { items: &self.items, past }
    }

    /// Takes units of one partition key, or fails as a single request does.
    pub(super) fn charge(
        &mut self,
        now_ms: Millis,
        direction: Direction,
        partition: &str,
        units: Units,
    ) -> Result<(), ServiceError> {
        self.charge_keys(now_ms, direction, units, &[(partition, units)])
    }

    /// Takes units of some partition keys, or fails as a single request does.
    pub(super) fn charge_keys(
        &mut self,
        now_ms: Millis,
        direction: Direction,
        total: Units,
        by_key: &[(&str, Units)],
    ) -> Result<(), ServiceError> {
        self.capacity.take(now_ms, direction, total, by_key).map_err(|limit| self.throttled(direction, limit))
    }

    fn throttled(&self, direction: Direction, limit: Limit) -> ServiceError {
        let provisioned = matches!(self.capacity.billing(), Billing::Provisioned(_));
        let kind = match limit {
            Limit::Account => ErrorKind::RequestLimitExceeded,
            _ if provisioned => ErrorKind::ProvisionedThroughputExceededException,
            _ => ErrorKind::ThrottlingException,
        };
        let reason = match (direction, limit) {
            (Direction::Read, Limit::Account) => "TableReadAccountLimitExceeded",
            (Direction::Write, Limit::Account) => "TableWriteAccountLimitExceeded",
            (Direction::Read, Limit::Table) if provisioned => "TableReadProvisionedThroughputExceeded",
            (Direction::Write, Limit::Table) if provisioned => "TableWriteProvisionedThroughputExceeded",
            (Direction::Read, _) => "TableReadKeyRangeThroughputExceeded",
            (Direction::Write, _) => "TableWriteKeyRangeThroughputExceeded",
        };
        let resource = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{}", self.name);
        kind.because("Throughput exceeds the current capacity")
            .with(Details::Throttling(ThrottlingReason { reason, resource }))
    }

    fn stored(&mut self, item: Item) -> Arc<Stored> {
        self.versions += 1;
        Arc::new(Stored { bytes: item_bytes(&item), item, version: self.versions })
    }
}

/// Returns the code by which a transaction or a batch of statements reports an error of a single request.
pub(super) fn cancellation_code(kind: ErrorKind) -> CancellationCode {
    match kind {
        ErrorKind::ConditionalCheckFailedException => CancellationCode::ConditionalCheckFailed,
        ErrorKind::TransactionConflictException => CancellationCode::TransactionConflict,
        ErrorKind::ProvisionedThroughputExceededException => CancellationCode::ProvisionedThroughputExceeded,
        ErrorKind::RequestLimitExceeded => CancellationCode::RequestLimitExceeded,
        ErrorKind::ThrottlingException => CancellationCode::ThrottlingError,
        ErrorKind::ResourceNotFoundException => CancellationCode::ResourceNotFound,
        _ => CancellationCode::ValidationError,
    }
}

/// The items of a table as a read sees them: the present ones, but for those whose past is seen.
pub(super) struct View<'table> {
    items: &'table BTreeMap<Key, Arc<Stored>>,
    past: BTreeMap<Key, Option<Arc<Stored>>>,
}

impl View<'_> {
    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Stored>> {
        match self.past.get(key) {
            Some(state) => state.as_ref(),
            None => self.items.get(key),
        }
    }

    /// Calls `visit` for each item between two bounds, forwards or backwards, until it says to stop.
    pub(super) fn walk(
        &self,
        bounds: (Bound<Key>, Bound<Key>),
        forward: bool,
        mut visit: impl FnMut(&Key, &Arc<Stored>) -> bool,
    ) {
        if self.past.is_empty() {
            let mut present = self.items.range(bounds);
            while let Some((key, stored)) = if forward { present.next() } else { present.next_back() } {
                if !visit(key, stored) {
                    return;
                }
            }
            return;
        }
        let mut seen: BTreeMap<&Key, &Arc<Stored>> = self.items.range(bounds.clone()).collect();
        for (key, state) in self.past.range(bounds) {
            match state {
                Some(stored) => seen.insert(key, stored),
                None => seen.remove(key),
            };
        }
        let mut seen = seen.into_iter();
        while let Some((key, stored)) = if forward { seen.next() } else { seen.next_back() } {
            if !visit(key, stored) {
                return;
            }
        }
    }
}
