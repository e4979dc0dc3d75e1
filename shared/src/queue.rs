//! The queues: wake-up calls between the functions.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::rules::{AccountSequence, OrderId};
use crate::store::TreeId;

/// Messages in one batch (a limit of SQS).
const BATCH_MESSAGES_MAX: usize = 10;
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
        let entries = messages
            .into_iter()
            .enumerate()
            .map(|(position, message)| {
                SendMessageBatchRequestEntry::builder()
                    .id((position % BATCH_MESSAGES_MAX).to_string())
                    .message_body(body(&message))
                    .build()
                    .expect("id and body are set")
            })
            .collect();
        self.send_entries(queue_url, entries).await
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
            .map(|(position, message)| {
                SendMessageBatchRequestEntry::builder()
                    .id((position % BATCH_MESSAGES_MAX).to_string())
                    .message_group_id(message.group)
                    .message_deduplication_id(message.deduplication_id)
                    .message_body(body(&message.content))
                    .build()
                    .expect("id and body are set")
            })
            .collect();
        self.send_entries(queue_url, entries).await
    }

    async fn send_entries(
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

fn body<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("messages are structs of plain fields")
}
