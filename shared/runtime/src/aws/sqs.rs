//! The queues of SQS.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry as Entry;
use store::BoxFuture;

use super::call::{Attempts, Failure, FailureKind, SMALL, repeat};
use crate::{Clock, Message, Queue, QueueError, QueueUrls, Queues};

/// Messages in one batch (a limit of SQS).
const BATCH_MESSAGES_MAX: usize = 10;
/// Bytes of the bodies in one batch (a limit of SQS).
const BATCH_BYTES_MAX: usize = 1_048_576;

/// The ledger's queues in SQS.
#[derive(Clone)]
pub struct SqsQueues {
    client: Client,
    urls: Arc<QueueUrls>,
    clock: Arc<dyn Clock>,
}

impl SqsQueues {
    /// Returns the queues of these URLs.
    pub fn new(sdk: &SdkConfig, urls: QueueUrls, clock: Arc<dyn Clock>) -> Self {
        Self { client: Client::new(sdk), urls: Arc::new(urls), clock }
    }

    fn url(&self, queue: Queue) -> Result<&str, QueueError> {
        self.urls.url(queue).map_err(|error| QueueError { queue, message: error.to_string() })
    }

    async fn send_all(&self, queue: Queue, messages: Vec<Message>) -> Result<(), QueueError> {
        let url = self.url(queue)?;
        for batch in batches(messages) {
            self.send_batch(url, batch)
                .await
                .map_err(|failure| QueueError { queue, message: failure.message })?;
        }
        Ok(())
    }

    /// Sends a batch, and what the queue did not take of it again.
    async fn send_batch(&self, url: &str, batch: Vec<Message>) -> Result<(), Failure> {
        let clock = self.clock.as_ref();
        let mut entries: Vec<Entry> = batch.into_iter().enumerate().map(entry).collect();
        let mut attempts = Attempts::new();
        loop {
            let request = self.client.send_message_batch().queue_url(url);
            let call = request.set_entries(Some(entries.clone())).send();
            let failure = match attempts.make(clock, SMALL, call).await {
                Err(attempted) => attempted.failure(),
                Ok(answer) => {
                    let Some(first) = answer.failed.first() else { return Ok(()) };
                    let kind = if first.sender_fault { FailureKind::Refused } else { FailureKind::NotNow };
                    let words = first.message.as_deref().unwrap_or_default();
                    let message = format!("{}: {words}", first.code);
                    entries.retain(|entry| answer.failed.iter().any(|failed| failed.id == entry.id));
                    Failure { kind, message }
                }
            };
            attempts.again(clock, failure).await?;
        }
    }

    async fn change_visibility_of(
        &self,
        queue: Queue,
        receipt_handle: String,
        seconds: u32,
    ) -> Result<(), QueueError> {
        let url = self.url(queue)?;
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        let call = || {
            self.client
                .change_message_visibility()
                .queue_url(url)
                .receipt_handle(&receipt_handle)
                .visibility_timeout(seconds)
                .send()
        };
        repeat(self.clock.as_ref(), SMALL, call)
            .await
            .map(drop)
            .map_err(|failure| QueueError { queue, message: failure.message })
    }
}

impl Queues for SqsQueues {
    fn send(&self, queue: Queue, messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(self.send_all(queue, messages))
    }

    fn change_visibility(
        &self,
        queue: Queue,
        receipt_handle: String,
        seconds: u32,
    ) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(self.change_visibility_of(queue, receipt_handle, seconds))
    }
}

fn entry((number, message): (usize, Message)) -> Entry {
    let (group, deduplication_id) = message.group.unzip();
    Entry::builder()
        .id(number.to_string())
        .message_body(message.body)
        .set_message_group_id(group)
        .set_message_deduplication_id(deduplication_id)
        .set_delay_seconds(message.delay_s.map(i32::from))
        .build()
        .expect("an id and a body are all that must be there")
}

/// Splits messages into batches that a queue takes, by number and by size.
fn batches(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut batches: Vec<Vec<Message>> = Vec::new();
    let mut last_bytes = 0;
    for message in messages {
        let bytes = message.body.len();
        match batches.last_mut() {
            Some(last) if last.len() < BATCH_MESSAGES_MAX && last_bytes + bytes <= BATCH_BYTES_MAX => {
                last_bytes += bytes;
                last.push(message);
            }
            _ => {
                last_bytes = bytes;
                batches.push(vec![message]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_at_most_ten_messages_and_a_megabyte() {
        let message = |bytes| Message { body: "x".repeat(bytes), group: None, delay_s: None };
        let sizes = |messages: Vec<Message>| batches(messages).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec![message(10); 23]), [10, 10, 3]);
        assert_eq!(sizes(vec![message(500_000); 5]), [2, 2, 1]);
        assert!(sizes(Vec::new()).is_empty());
    }
}
