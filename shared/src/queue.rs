//! The queues: wake-up calls between the functions.

use std::collections::{BTreeMap, VecDeque};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::rules::{AccountSequence, BusinessDate, CloseStep, OrderId};
use crate::store::{TalentMark, TreeId};

/// Messages in one batch (a limit of SQS).
const BATCH_MESSAGES_MAX: usize = 10;
/// Bytes in one batch: the limit of SQS is 1 MiB, attributes included.
const BATCH_BYTES_MAX: usize = 1_000_000;
/// Batches under way at a time.
const CONCURRENT_BATCHES_MAX: usize = 8;

/// Says that a run of adoptions of a referral tree was released. The work itself is in the store,
/// so a lost message loses nothing, and a repeated one repeats nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReleased {
    /// The tree, which is also the message group.
    pub tree: TreeId,
    /// The run; absent where the tree is woken again for whatever is not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// Adoptions of one tree, released together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The first order.
    pub first_order: OrderId,
    /// The last order.
    pub last_order: OrderId,
    /// How many there are.
    pub adoptions: usize,
}

/// Says that there may be something for the sequencer to release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencerTick {
    /// What brought it about; for the log.
    pub cause: String,
}

impl SequencerTick {
    /// The message that wakes the sequencer.
    ///
    /// The queue delivers after a delay of one second or more and drops repetitions, so that however
    /// many call within one second, the sequencer wakes once, after all of them.
    #[must_use]
    pub fn message(cause: &str, now: DateTime<Utc>) -> GroupMessage<Self> {
        GroupMessage {
            group: "sequencer".to_owned(),
            deduplication_id: now.timestamp().to_string(),
            content: Self { cause: cause.to_owned() },
        }
    }
}

/// A call of one of the functions that close business dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CloseMessage {
    /// There may be a date to close.
    Begin(CloseRequest),
    /// A part of a step is to be worked on.
    Segment {
        /// The date that closes.
        date: BusinessDate,
        /// The step.
        step: CloseStep,
        /// Which part of it.
        segment: u32,
    },
}

/// Asks to close whatever dates are due. The schedule sends it empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseRequest {
    /// Up to which date; without it, all dates that have begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<BusinessDate>,
    /// What these dates, or without `until` the one that waits, need not wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

/// What an operator lets a close go on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Release {
    /// The source has nothing more to say about earlier dates, whatever its partitions prove.
    SourceIsComplete,
    /// Whatever is not distributed yet may enter with a later date.
    Everything,
}

/// Says that changes of talent levels have to be carried up from an account. The mark that says so
/// too is in the store, so a lost message loses nothing, and a repeated one repeats nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalentRaised {
    /// The account.
    pub account: AccountSequence,
    /// The tree under which its mark is, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeId>,
}

impl From<TalentMark> for TalentRaised {
    fn from(mark: TalentMark) -> Self {
        Self { account: mark.account, tree: mark.tree }
    }
}

/// Sends messages.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
}

/// A message that could not be sent. Sending it again is safe.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the queue {queue_url} did not take a message: {message}")]
pub struct QueueError {
    queue_url: String,
    message: String,
}

impl Queues {
    /// Queues behind this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends a message to a standard queue, to be delivered after a delay of at most 15 minutes.
    pub async fn send<T: Serialize>(
        &self,
        queue_url: &str,
        message: &T,
        delay_seconds: u16,
    ) -> Result<(), QueueError> {
        self.client
            .send_message()
            .queue_url(queue_url)
            .message_body(body(message))
            .delay_seconds(i32::from(delay_seconds))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| QueueError {
                queue_url: queue_url.to_owned(),
                message: DisplayErrorContext(error).to_string(),
            })
    }

    /// Sends messages to a standard queue, to be delivered after the queue's own delay.
    pub async fn send_all<T: Serialize>(
        &self,
        queue_url: &str,
        messages: impl IntoIterator<Item = T>,
    ) -> Result<(), QueueError> {
        let entry = |(position, message): (usize, T)| {
            SendMessageBatchRequestEntry::builder()
                .id((position % BATCH_MESSAGES_MAX).to_string())
                .message_body(body(&message))
                .build()
                .expect("id and body are set")
        };
        self.send_batches(queue_url, messages.into_iter().enumerate().map(entry).collect()).await
    }

    /// Sends messages to a FIFO queue, each with its group and its deduplication id.
    pub async fn send_in_groups<T: Serialize>(
        &self,
        queue_url: &str,
        messages: impl IntoIterator<Item = GroupMessage<T>>,
    ) -> Result<(), QueueError> {
        let entries = messages
            .into_iter()
            .enumerate()
            .map(|(position, message)| entry(&(position % BATCH_MESSAGES_MAX).to_string(), &message))
            .collect();
        self.send_batches(queue_url, entries).await
    }

    async fn send_batches(
        &self,
        queue_url: &str,
        entries: Vec<SendMessageBatchRequestEntry>,
    ) -> Result<(), QueueError> {
        stream::iter(entries.chunks(BATCH_MESSAGES_MAX).map(<[_]>::to_vec).collect::<Vec<_>>())
            .map(|batch| self.send_batch(queue_url, batch))
            .buffered(CONCURRENT_BATCHES_MAX)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    /// Sends messages to a FIFO queue so that each group's arrive in the order given, whatever fails: a
    /// group's next message is sent when the one before was taken, and none after one that was not.
    ///
    /// Answers the positions of the first message of each group that was not taken.
    pub async fn send_each_group_in_order<T: Serialize>(
        &self,
        queue_url: &str,
        messages: impl IntoIterator<Item = GroupMessage<T>>,
    ) -> Vec<(usize, QueueError)> {
        let mut groups: BTreeMap<String, VecDeque<(usize, SendMessageBatchRequestEntry)>> = BTreeMap::new();
        for (position, message) in messages.into_iter().enumerate() {
            let entry = entry(&position.to_string(), &message);
            groups.entry(message.group).or_default().push_back((position, entry));
        }
        let mut failed = Vec::new();
        while !groups.is_empty() {
            // At most one of each group at a time.
            let heads: Vec<(usize, SendMessageBatchRequestEntry)> =
                groups.values().filter_map(|waiting| waiting.front().cloned()).collect();
            let refused: Vec<(usize, QueueError)> = stream::iter(batches(heads))
                .map(|batch| self.send_as_far_as_taken(queue_url, batch))
                .buffer_unordered(CONCURRENT_BATCHES_MAX)
                .concat()
                .await;
            groups.retain(|_, waiting| {
                let sent = waiting.pop_front();
                let is_refused = sent.is_none_or(|(sent, _)| refused.iter().any(|(at, _)| *at == sent));
                !is_refused && !waiting.is_empty()
            });
            failed.extend(refused);
        }
        failed
    }

    /// Sends a batch. Answers the positions of the messages that were not taken.
    async fn send_as_far_as_taken(
        &self,
        queue_url: &str,
        batch: Vec<(usize, SendMessageBatchRequestEntry)>,
    ) -> Vec<(usize, QueueError)> {
        let error = |message| QueueError { queue_url: queue_url.to_owned(), message };
        let (positions, entries): (Vec<usize>, Vec<SendMessageBatchRequestEntry>) = batch.into_iter().unzip();
        let sent =
            self.client.send_message_batch().queue_url(queue_url).set_entries(Some(entries)).send().await;
        match sent {
            Ok(output) => output
                .failed
                .into_iter()
                .filter_map(|failed| {
                    Some((failed.id.parse().ok()?, error(failed.message.unwrap_or(failed.code))))
                })
                .collect(),
            Err(failure) => {
                let message = DisplayErrorContext(failure).to_string();
                positions.into_iter().map(|position| (position, error(message.clone()))).collect()
            }
        }
    }

    async fn send_batch(
        &self,
        queue_url: &str,
        batch: Vec<SendMessageBatchRequestEntry>,
    ) -> Result<(), QueueError> {
        let failed = |message| QueueError { queue_url: queue_url.to_owned(), message };
        let output = self
            .client
            .send_message_batch()
            .queue_url(queue_url)
            .set_entries(Some(batch))
            .send()
            .await
            .map_err(|error| failed(DisplayErrorContext(error).to_string()))?;
        match output.failed.first() {
            None => Ok(()),
            Some(entry) => Err(failed(entry.message.clone().unwrap_or_else(|| entry.code.clone()))),
        }
    }
}

/// A message of a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMessage<T> {
    /// Messages of one group are delivered in order, one batch at a time.
    pub group: String,
    /// The same id again within five minutes is dropped.
    pub deduplication_id: String,
    /// The body.
    pub content: T,
}

fn entry<T: Serialize>(id: &str, message: &GroupMessage<T>) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_group_id(&message.group)
        .message_deduplication_id(&message.deduplication_id)
        .message_body(body(&message.content))
        .build()
        .expect("id and body are set")
}

/// Entries in batches that a queue takes: by number, and by size.
fn batches(
    entries: Vec<(usize, SendMessageBatchRequestEntry)>,
) -> Vec<Vec<(usize, SendMessageBatchRequestEntry)>> {
    let mut batches: Vec<Vec<(usize, SendMessageBatchRequestEntry)>> = Vec::new();
    let mut last_bytes = 0;
    for entry in entries {
        let bytes = entry.1.message_body().len();
        match batches.last_mut() {
            Some(last) if last.len() < BATCH_MESSAGES_MAX && last_bytes + bytes <= BATCH_BYTES_MAX => {
                last_bytes += bytes;
                last.push(entry);
            }
            _ => {
                last_bytes = bytes;
                batches.push(vec![entry]);
            }
        }
    }
    batches
}

fn body<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("messages are structs of plain fields")
}
