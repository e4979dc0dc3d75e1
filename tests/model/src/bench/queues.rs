//! The queues of a world as functions know them.

use std::collections::BTreeMap;

use runtime::{Message, Queue, QueueError, Queues};
use store::BoxFuture;

use super::attempts::{Attempts, Failure};
use super::shared::{Caller, Shared};
use crate::queue::{BatchResult, Entry, QueueRequest, QueueResponse, Sent, is_fifo};
use crate::world::{Output, Request};

/// Messages in one batch.
const BATCH_MESSAGES_MAX: usize = 10;

/// The queues of a world, for one invocation or for a client without faults.
#[derive(Clone)]
pub struct ModelQueues {
    shared: Shared,
    caller: Option<Caller>,
    names: BTreeMap<Queue, String>,
}

impl ModelQueues {
    /// Returns the queues of a world, which have these names there.
    #[must_use]
    pub(super) fn new(shared: Shared, caller: Option<Caller>, names: BTreeMap<Queue, String>) -> Self {
        Self { shared, caller, names }
    }

    async fn send_all(&self, queue: Queue, messages: Vec<Message>) -> Result<(), QueueError> {
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            let batch = messages.by_ref().take(BATCH_MESSAGES_MAX).map(entry).enumerate();
            let batch = batch.map(|(number, entry)| (number.to_string(), entry)).collect();
            self.send_batch(queue, batch).await?;
        }
        Ok(())
    }

    /// Sends a batch, and what the queue did not take of it again.
    async fn send_batch(&self, queue: Queue, mut entries: Vec<(String, Entry)>) -> Result<(), QueueError> {
        let mut attempts = Attempts::new(true, self.caller.as_ref());
        loop {
            let failure =
                match self.call(queue, QueueRequest::SendBatch(entries.clone()), &mut attempts).await? {
                    Err(failure) => failure,
                    Ok(QueueResponse::SentBatch(BatchResult::<Sent> { failed, .. })) => {
                        let Some(first) = failed.first() else {
                            self.duplicate_by_chance(queue, &entries);
                            return Ok(());
                        };
                        let failure = Failure::of(&crate::world::CallError::Service(first.error.clone()));
                        entries.retain(|(id, _)| failed.iter().any(|entry| entry.id == *id));
                        failure
                    }
                    Ok(_) => return Ok(()),
                };
            self.again(queue, &mut attempts, failure).await?;
        }
    }

    fn duplicate_by_chance(&self, queue: Queue, entries: &[(String, Entry)]) {
        let Some(name) = self.names.get(&queue).filter(|name| !is_fifo(name)) else { return };
        let mut state = self.shared.lock();
        for (_, entry) in entries {
            state.duplicate_by_chance(name, &entry.body);
        }
    }

    async fn change_visibility_of(
        &self,
        queue: Queue,
        handle: String,
        seconds: u32,
    ) -> Result<(), QueueError> {
        let stalls = self.caller.is_some() && self.shared.lock().seam.stalls();
        if stalls {
            return Ok(());
        }
        let mut attempts = Attempts::new(true, self.caller.as_ref());
        loop {
            let request = QueueRequest::ChangeVisibility(handle.clone(), u64::from(seconds));
            match self.call(queue, request, &mut attempts).await? {
                Ok(_) => return Ok(()),
                Err(failure) => self.again(queue, &mut attempts, failure).await?,
            }
        }
    }

    async fn call(
        &self,
        queue: Queue,
        request: QueueRequest,
        attempts: &mut Attempts,
    ) -> Result<Result<QueueResponse, Failure>, QueueError> {
        let Some(name) = self.names.get(&queue).cloned() else {
            return Err(QueueError { queue, message: "the deployment has no such queue".to_owned() });
        };
        let request = Request::Queue { queue: name, request: Ok(request) };
        Ok(match self.shared.call(self.caller.as_ref(), request).await {
            Ok(Output::Queue(response)) => Ok(response),
            Ok(_) => Ok(QueueResponse::Done),
            Err(error) => {
                attempts.count(&error);
                Err(Failure::of(&error))
            }
        })
    }

    async fn again(&self, queue: Queue, attempts: &mut Attempts, failure: Failure) -> Result<(), QueueError> {
        let again = attempts.again(&self.shared, failure).await;
        again.map_err(|failure| QueueError { queue, message: failure.message })
    }
}

impl Queues for ModelQueues {
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

fn entry(message: Message) -> Entry {
    let (group, deduplication_id) = message.group.unzip();
    Entry {
        body: message.body,
        group,
        deduplication_id,
        delay_seconds: message.delay_s.map(u64::from),
        attributes: serde_json::Value::Null,
    }
}
