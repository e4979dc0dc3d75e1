//! Turns the journal's stream into per-account records and outbound events.
//!
//! A record of the stream is one of three. An entry of an adoption becomes the records of its
//! accounts. What a posting left behind becomes the events of its accounts. And an event that another
//! function wrote is sent as it is. All of it follows from the item alone, so whatever is delivered
//! again is written again as it was, and sent again with the same id.
//!
//! **Failure.** If storage or the queue fails, the first record of the batch that is not dealt with is
//! named, and the stream comes again from there on: nothing is skipped, and since a group's message is
//! sent only after the one before it was taken, order holds. A record that can never be dealt with,
//! because it is not what this system writes, goes to quarantine with its bytes and is counted, and the
//! stream goes on: its shard carries many accounts, and what is in the journal can be written again
//! with [`rebuild`](rebuild::rebuild) once the cause is repaired. A panic fails the invocation; the trigger then halves
//! the batch, so that what causes it ends up alone.

mod batch;
pub mod rebuild;

use std::collections::{BTreeMap, HashMap};

use aws_lambda_events::event::dynamodb::Event as StreamEvent;
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use chrono::{DateTime, Utc};
use ledger::environment::{Environment, InvalidEnvironment};
use ledger::events::Message;
use ledger::queue::{GroupMessage, QueueError};
use ledger::store::{BatchWrite, EntryId, JournalEntry, JournalItem, Key, StoreError};
use ledger::telemetry::Metrics;

use crate::batch::{Content, Received};

/// The name under which this function logs and counts.
pub const FUNCTION: &str = "ledger-stream";
/// The variable that holds the URL of the queue other services subscribe to.
pub const EVENTS_QUEUE_VARIABLE: &str = "OUTBOUND_EVENTS_QUEUE_URL";

/// The function, built once per process.
#[derive(Debug)]
pub struct LedgerStream {
    environment: Environment,
    events_queue_url: String,
}

/// Why a record of the stream was not dealt with. Passing: it comes again.
#[derive(Debug, Clone, thiserror::Error)]
enum StreamError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The first record that was not dealt with, and why.
struct Stopped {
    at: usize,
    error: StreamError,
}

/// What was done with a batch.
#[derive(Default)]
struct Done {
    records_written: u64,
    events_sent: u64,
    quarantined: u64,
}

impl LedgerStream {
    /// The function in this environment.
    pub fn new(environment: Environment) -> Result<Self, InvalidEnvironment> {
        let events_queue_url = environment.variables().required(EVENTS_QUEUE_VARIABLE)?;
        Ok(Self { environment, events_queue_url })
    }

    /// Works through a batch of one shard. What it answers is the record from which on to deliver again.
    pub async fn handle(&self, event: StreamEvent, now: DateTime<Utc>) -> DynamoDbEventResponse {
        let started = Utc::now();
        let mut batch = Received::all(event, now);
        let mut done = Done::default();
        let stopped = self.work_through(&mut batch, now, &mut done).await.err();
        let mut response = DynamoDbEventResponse::default();
        if let Some(Stopped { at, error }) = &stopped {
            let sequence_number = &batch[*at].sequence_number;
            tracing::error!(sequence_number, %error, "the stream stopped; it will be delivered again from here");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = Some(sequence_number.clone());
            response.batch_item_failures.push(failure);
        }
        let lag_ms = batch.last().map_or(0, |last| (now - last.created_at).num_milliseconds());
        Metrics::of(FUNCTION)
            .count("AccountRecordsWritten", done.records_written)
            .count("EventsSent", done.events_sent)
            .count("RecordsQuarantined", done.quarantined)
            .count("StreamsStopped", u64::from(stopped.is_some()))
            .milliseconds("StreamLag", lag_ms)
            .milliseconds("Duration", (Utc::now() - started).num_milliseconds())
            .emit(now.timestamp_millis());
        response
    }

    async fn work_through(
        &self,
        batch: &mut [Received],
        now: DateTime<Utc>,
        done: &mut Done,
    ) -> Result<(), Stopped> {
        let messages = self.messages(batch, now).await?;

        // An item delivered twice in one batch is written once; the service would refuse it otherwise.
        let mut writes: BTreeMap<Key, BatchWrite> = BTreeMap::new();
        for received in batch.iter() {
            match &received.content {
                Content::Item(JournalItem::Entry(entry)) => {
                    for item in entry.record_items() {
                        let key = item.key().expect("an item is made with its key");
                        writes.insert(key, BatchWrite::Put(item));
                    }
                }
                Content::Item(JournalItem::Posted(_) | JournalItem::Event(_)) | Content::Nothing => {}
                Content::Poisoned(_) => done.quarantined += 1,
            }
        }
        done.records_written = writes.len() as u64;
        let mut writes: Vec<BatchWrite> = writes.into_values().collect();
        writes.extend(quarantine(batch));
        // Any of the batch's writes may be missing then, so all of them come again.
        let from_the_first = |error: StoreError| Stopped { at: 0, error: error.into() };
        self.environment.store.batch_write(writes).await.map_err(from_the_first)?;

        let (origins, messages): (Vec<usize>, Vec<GroupMessage<Message>>) = messages.into_iter().unzip();
        let refused =
            self.environment.queues.send_each_group_in_order(&self.events_queue_url, messages).await;
        done.events_sent = (origins.len() - refused.len()) as u64;
        let first = refused.into_iter().min_by_key(|(position, _)| *position);
        first.map_or(Ok(()), |(position, error)| Err(Stopped { at: origins[position], error: error.into() }))
    }

    /// The messages of a batch in order, each with the record it comes from. A posting that is not what
    /// this system writes becomes poisoned.
    async fn messages(
        &self,
        batch: &mut [Received],
        now: DateTime<Utc>,
    ) -> Result<Vec<(usize, GroupMessage<Message>)>, Stopped> {
        let entries = self.entries_named(batch).await?;
        let mut messages = Vec::new();
        for (at, received) in batch.iter_mut().enumerate() {
            let events = match &received.content {
                Content::Item(JournalItem::Event(event)) => Ok(vec![event.clone()]),
                Content::Item(JournalItem::Posted(posted)) => posted.events(&entries),
                Content::Item(JournalItem::Entry(_)) | Content::Nothing | Content::Poisoned(_) => continue,
            };
            match events {
                Ok(events) => messages.extend(events.into_iter().map(|event| {
                    let (group, deduplication_id) = (event.group(), event.id());
                    (at, GroupMessage { group, deduplication_id, content: event.into_message() })
                })),
                Err(error) => received.poison("INVALID_POSTING", &error, now),
            }
        }
        Ok(messages)
    }

    /// The entries that a batch's postings name. Most of them are in the batch themselves.
    async fn entries_named(&self, batch: &[Received]) -> Result<HashMap<EntryId, JournalEntry>, Stopped> {
        let mut entries = HashMap::new();
        let mut named = Vec::new();
        let mut first_that_names = 0;
        for (at, received) in batch.iter().enumerate() {
            match &received.content {
                Content::Item(JournalItem::Entry(entry)) => {
                    entries.insert(entry.id(), entry.clone());
                }
                Content::Item(JournalItem::Posted(posted)) => {
                    first_that_names = if named.is_empty() { at } else { first_that_names };
                    named.extend(&posted.entries);
                }
                Content::Item(JournalItem::Event(_)) | Content::Nothing | Content::Poisoned(_) => {}
            }
        }
        named.retain(|id| !entries.contains_key(id));
        let read = self.environment.store.entries_by_id(named).await;
        let read = read.map_err(|error| Stopped { at: first_that_names, error: error.into() })?;
        entries.extend(read.into_iter().map(|entry| (entry.id(), entry)));
        Ok(entries)
    }
}

/// The writes that keep what was poisoned.
fn quarantine(batch: &[Received]) -> Vec<BatchWrite> {
    let mut writes = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for received in batch {
        if let Content::Poisoned(quarantined) = &received.content
            && seen.insert(&quarantined.position)
        {
            tracing::error!(
                item = quarantined.position.topic,
                reason = quarantined.reason,
                "a record of the journal's stream is not what this system writes, and is in quarantine: {}",
                quarantined.message
            );
            writes.extend(quarantined.writes());
        }
    }
    writes
}
