//! The storage calls the ledger uses, each with its limits, retries and cost counted.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConsumedCapacity, DeleteRequest, KeysAndAttributes, PutRequest, ReturnConsumedCapacity,
    TransactWriteItem, WriteRequest,
};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::action::Action;
use super::item::Item;
use super::key::Key;
use super::meter::Meter;
use super::{StoreError, Table, Tables};

/// Actions in one transaction (a limit of DynamoDB).
pub const TRANSACTION_ACTIONS_MAX: usize = 100;
/// Keys in one batch read (a limit of DynamoDB).
const BATCH_READ_KEYS_MAX: usize = 100;
/// Items in one batch write (a limit of DynamoDB).
const BATCH_WRITE_ITEMS_MAX: usize = 25;
/// Calls of one logical operation under way at a time.
pub const CONCURRENT_CALLS_MAX: usize = 16;
/// Attempts at what a batch call left unprocessed or a transaction lost to a conflict.
const ATTEMPTS_MAX: u32 = 8;
/// The first pause between such attempts; each further one doubles.
const FIRST_PAUSE_MS: u64 = 10;

/// The ledger's tables, with typed errors and counted costs.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    tables: Tables,
    meter: Meter,
}

/// What became of a transaction: a failed condition is an outcome, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Transacted {
    /// Every action took effect.
    Committed,
    /// Nothing took effect: the conditions of the actions at these positions did not hold.
    ConditionsFailed(Vec<usize>),
}

/// One page of a query, and where the next one starts.
#[derive(Debug, Default)]
pub struct Page {
    /// The items, in sort key order.
    pub items: Vec<Item>,
    /// The sort key after which the next page starts; `None` at the end.
    pub next: Option<String>,
}

/// Which sort keys of a partition to read.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// Only sort keys greater than or equal to this.
    pub from: Option<String>,
    /// Only sort keys less than or equal to this.
    pub to: Option<String>,
    /// Only sort keys greater than this: where an earlier page ended.
    pub after: Option<String>,
    /// Highest sort key first.
    pub descending: bool,
}

impl Range {
    /// Every sort key that starts with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &str) -> Self {
        Self { from: Some(prefix.to_owned()), to: Some(format!("{prefix}\u{10FFFF}")), ..Self::default() }
    }

    /// The same range, going on after the sort key `after`.
    #[must_use]
    pub fn after(mut self, after: Option<String>) -> Self {
        self.after = after;
        self
    }
}

impl Store {
    /// A store over these tables.
    #[must_use]
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client, tables, meter: Meter::default() }
    }

    /// The same tables, with costs counted in `meter`.
    #[must_use]
    pub fn metered(&self, meter: Meter) -> Self {
        Self { client: self.client.clone(), tables: self.tables.clone(), meter }
    }

    /// What the calls so far cost.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Makes a cheap call, so that a later one finds credentials and a connection. Whether it worked
    /// shows then.
    pub async fn warm_up(&self) {
        if let Err(error) = self.get(&Key::ladder()).await {
            tracing::warn!(%error, "the tables could not be reached beforehand");
        }
    }

    /// One item, as of now.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.meter.round_trip();
        self.meter.call();
        let output = self
            .client
            .get_item()
            .table_name(self.tables.name(key.table))
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(unavailable)?;
        self.meter.read(output.consumed_capacity.as_slice());
        Ok(output.item.map(|attributes| Item::new(key.table, attributes)))
    }

    /// Many items, as of now, in no particular order; keys without an item are left out.
    pub async fn batch_get(&self, keys: impl IntoIterator<Item = Key>) -> Result<Vec<Item>, StoreError> {
        let mut keys: Vec<Key> = keys.into_iter().collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.meter.round_trip();
        let chunks = keys.chunks(BATCH_READ_KEYS_MAX).map(<[Key]>::to_vec).collect::<Vec<_>>();
        let found: Vec<Vec<Item>> = stream::iter(chunks)
            .map(|chunk| self.batch_get_chunk(chunk))
            .buffer_unordered(CONCURRENT_CALLS_MAX)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn batch_get_chunk(&self, keys: Vec<Key>) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        let mut wanted: HashMap<String, KeysAndAttributes> = HashMap::new();
        for key in &keys {
            let entry = wanted.remove(self.tables.name(key.table));
            let mut of_table = entry.map_or_else(Vec::new, |keys| keys.keys);
            of_table.push(key.attributes());
            let request = KeysAndAttributes::builder().set_keys(Some(of_table)).consistent_read(true).build();
            wanted.insert(
                self.tables.name(key.table).to_owned(),
                request.expect("keys and a mode are all it needs"),
            );
        }
        for attempt in 0..ATTEMPTS_MAX {
            self.meter.call();
            let output = self
                .client
                .batch_get_item()
                .set_request_items(Some(wanted))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(unavailable)?;
            self.meter.read(output.consumed_capacity.as_deref().unwrap_or_default());
            for (table_name, items) in output.responses.unwrap_or_default() {
                let table = self.tables.named(&table_name);
                found.extend(items.into_iter().map(|attributes| Item::new(table, attributes)));
            }
            wanted = output.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(found);
            }
            pause(attempt).await;
        }
        Err(StoreError::Unavailable { message: "a batch read stayed throttled".to_owned() })
    }

    /// A page of a partition in sort key order, as of now, of at most `limit` items.
    pub async fn query(
        &self,
        table: Table,
        partition: &str,
        range: &Range,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.meter.round_trip();
        let mut page = Page::default();
        let mut start = range.after.clone();
        loop {
            self.meter.call();
            let mut request = self
                .client
                .query()
                .table_name(self.tables.name(table))
                .consistent_read(true)
                .scan_index_forward(!range.descending)
                .limit(i32::try_from((limit - page.items.len()).min(1000)).expect("at most a thousand"))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()));
            let mut condition = String::from("pk = :pk");
            match (&range.from, &range.to) {
                (Some(from), Some(to)) => {
                    condition.push_str(" AND sk BETWEEN :from AND :to");
                    request = request
                        .expression_attribute_values(":from", AttributeValue::S(from.clone()))
                        .expression_attribute_values(":to", AttributeValue::S(to.clone()));
                }
                (Some(from), None) => {
                    condition.push_str(" AND sk >= :from");
                    request = request.expression_attribute_values(":from", AttributeValue::S(from.clone()));
                }
                (None, Some(to)) => {
                    condition.push_str(" AND sk <= :to");
                    request = request.expression_attribute_values(":to", AttributeValue::S(to.clone()));
                }
                (None, None) => {}
            }
            if let Some(after) = start.take() {
                request =
                    request.set_exclusive_start_key(Some(Key::new(table, partition, after).attributes()));
            }
            let output = request.key_condition_expression(condition).send().await.map_err(unavailable)?;
            self.meter.read(output.consumed_capacity.as_slice());
            page.items.extend(
                output.items.unwrap_or_default().into_iter().map(|attributes| Item::new(table, attributes)),
            );
            let Some(last) = output.last_evaluated_key else { return Ok(page) };
            let last = Item::new(table, last).text("sk")?.to_owned();
            if page.items.len() >= limit {
                page.next = Some(last);
                return Ok(page);
            }
            start = Some(last);
        }
    }

    /// Everything in a range of a partition, as of now. For lists that are known to be short, and for
    /// tools that read everything.
    pub async fn query_all(
        &self,
        table: Table,
        partition: &str,
        range: &Range,
    ) -> Result<Vec<Item>, StoreError> {
        Ok(self.query(table, partition, range, usize::MAX).await?.items)
    }

    /// A page of a whole table, or of one of `segments` equal parts of it, in no useful order.
    ///
    /// `start` is what the page before answered. For tools and daily work that read everything.
    pub async fn scan(
        &self,
        table: Table,
        segment: (u32, u32),
        start: Option<Key>,
    ) -> Result<(Vec<Item>, Option<Key>), StoreError> {
        self.meter.round_trip();
        self.meter.call();
        let (segment, segments) = segment;
        let output = self
            .client
            .scan()
            .table_name(self.tables.name(table))
            .consistent_read(true)
            .segment(i32::try_from(segment).expect("at most a million segments"))
            .total_segments(i32::try_from(segments).expect("at most a million segments"))
            .set_exclusive_start_key(start.map(|key| key.attributes()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(unavailable)?;
        self.meter.read(output.consumed_capacity.as_slice());
        let items = output.items.unwrap_or_default().into_iter().map(|item| Item::new(table, item)).collect();
        let next = match output.last_evaluated_key {
            Some(last) => Some(Item::new(table, last).key()?),
            None => None,
        };
        Ok((items, next))
    }

    /// Runs all actions or none. Conflicts with other transactions are tried again here.
    pub async fn transact(&self, actions: Vec<Action>) -> Result<Transacted, StoreError> {
        assert!(actions.len() <= TRANSACTION_ACTIONS_MAX, "callers split their work to the limit");
        if actions.is_empty() {
            return Ok(Transacted::Committed);
        }
        self.meter.round_trip();
        let items: Vec<TransactWriteItem> =
            actions.into_iter().map(|action| action.into_transact_item(&self.tables)).collect();
        for attempt in 0..ATTEMPTS_MAX {
            self.meter.call();
            let sent = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            match sent {
                Ok(output) => {
                    self.meter.write(output.consumed_capacity.as_deref().unwrap_or_default());
                    return Ok(Transacted::Committed);
                }
                Err(error) => match cancellation(&error) {
                    Some(Cancellation::Conditions(positions)) => {
                        return Ok(Transacted::ConditionsFailed(positions));
                    }
                    Some(Cancellation::Contention) => {
                        self.meter.conflict();
                        pause(attempt).await;
                    }
                    Some(Cancellation::Invalid) => {
                        let message = aws_sdk_dynamodb::error::DisplayErrorContext(error).to_string();
                        return Err(StoreError::Rejected { message });
                    }
                    None => return Err(unavailable(error)),
                },
            }
        }
        Err(StoreError::Unavailable { message: "a transaction kept losing to others".to_owned() })
    }

    /// Runs one action by itself, at the cost of a plain write. Whether its condition held.
    pub async fn apply(&self, action: Action) -> Result<bool, StoreError> {
        self.meter.round_trip();
        self.meter.call();
        let (applied, capacity) = action.send(&self.client, &self.tables).await?;
        self.meter.write(capacity.as_slice());
        Ok(applied)
    }

    /// Writes and deletes many items without conditions, in no order. Safe to repeat.
    pub async fn batch_write(&self, writes: Vec<BatchWrite>) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        self.meter.round_trip();
        let chunks: Vec<Vec<BatchWrite>> =
            writes.chunks(BATCH_WRITE_ITEMS_MAX).map(<[BatchWrite]>::to_vec).collect();
        stream::iter(chunks)
            .map(|chunk| self.batch_write_chunk(chunk))
            .buffer_unordered(CONCURRENT_CALLS_MAX)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    async fn batch_write_chunk(&self, writes: Vec<BatchWrite>) -> Result<(), StoreError> {
        let mut pending: HashMap<String, Vec<WriteRequest>> = HashMap::new();
        for write in writes {
            let (table, request) = write.into_request();
            pending.entry(self.tables.name(table).to_owned()).or_default().push(request);
        }
        for attempt in 0..ATTEMPTS_MAX {
            self.meter.call();
            let output = self
                .client
                .batch_write_item()
                .set_request_items(Some(pending))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(unavailable)?;
            self.meter.write(output.consumed_capacity.as_deref().unwrap_or_default());
            pending = output.unprocessed_items.unwrap_or_default();
            if pending.is_empty() {
                return Ok(());
            }
            pause(attempt).await;
        }
        Err(StoreError::Unavailable { message: "a batch write stayed throttled".to_owned() })
    }
}

/// One write of [`Store::batch_write`].
#[derive(Debug, Clone)]
pub enum BatchWrite {
    /// Writes the whole item.
    Put(Item),
    /// Removes the item, if it is there.
    Delete(Key),
}

impl BatchWrite {
    fn into_request(self) -> (Table, WriteRequest) {
        let request = WriteRequest::builder();
        match self {
            Self::Put(item) => {
                let table = item.table();
                let put = PutRequest::builder().set_item(Some(item.into_attributes())).build();
                (table, request.put_request(put.expect("the item is set")).build())
            }
            Self::Delete(key) => {
                let delete = DeleteRequest::builder().set_key(Some(key.attributes())).build();
                (key.table, request.delete_request(delete.expect("the key is set")).build())
            }
        }
    }
}

/// Why a transaction was cancelled.
enum Cancellation {
    Conditions(Vec<usize>),
    Contention,
    /// An action cannot be applied to what is stored, however often it is tried.
    Invalid,
}

fn cancellation<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Cancellation> {
    let service_error = error.as_service_error()?;
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = service_error else {
        return service_error.is_transaction_in_progress_exception().then_some(Cancellation::Contention);
    };
    let codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None"));
    let failed: Vec<usize> = codes
        .clone()
        .enumerate()
        .filter_map(|(position, code)| (code == "ConditionalCheckFailed").then_some(position))
        .collect();
    if !failed.is_empty() {
        return Some(Cancellation::Conditions(failed));
    }
    if codes.clone().any(|code| code == "ValidationError") {
        return Some(Cancellation::Invalid);
    }
    let contention = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    codes.clone().any(|code| contention.contains(&code)).then_some(Cancellation::Contention)
}

/// Turns a call that did not work into an error that says what kind of trouble it is.
pub(super) fn unavailable<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(ToOwned::to_owned);
    let message = aws_sdk_dynamodb::error::DisplayErrorContext(error).to_string();
    match code.as_deref() {
        Some("ValidationException" | "ResourceNotFoundException" | "AccessDeniedException") => {
            StoreError::Rejected { message }
        }
        _ => StoreError::Unavailable { message },
    }
}

/// Waits before attempt `attempt + 2`, a little longer each time and not in step with others.
async fn pause(attempt: u32) {
    let longest_ms = FIRST_PAUSE_MS << attempt;
    // The low bits of a clock are enough to keep two callers from trying in lockstep.
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| u64::from(elapsed.subsec_nanos()));
    tokio::time::sleep(Duration::from_millis(longest_ms / 2 + nanos % (longest_ms / 2 + 1))).await;
}

impl Meter {
    fn read(&self, consumed: &[ConsumedCapacity]) {
        self.read_units(consumed.iter().filter_map(|capacity| capacity.capacity_units).sum());
    }

    fn write(&self, consumed: &[ConsumedCapacity]) {
        self.write_units(consumed.iter().filter_map(|capacity| capacity.capacity_units).sum());
    }
}
