//! The ledger's queues inside this process, without a network.

use std::collections::BTreeMap;
use std::sync::Arc;

use runtime::{Clock, Message, Queue, QueueError, Queues};
use serde_json::{Value, json};
use store::BoxFuture;

use crate::digest::md5_of_body;
use crate::message::NewMessage;
use crate::message_store::MessageCounts;
use crate::queue::Delivery;
use crate::queue_name::QueueName;
use crate::queues::ReceiveRequest;
use crate::service::QueueService;

/// The ledger's queues inside this process: what functions send to, and what triggers receive from. Clones
/// share the queues.
#[derive(Debug, Clone)]
pub struct LocalQueues {
    service: QueueService,
    names: Arc<BTreeMap<Queue, QueueName>>,
}

/// A message that was received, and is hidden from other receivers for its visibility timeout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The id that the message keeps, however often it is delivered.
    pub message_id: String,
    /// The proof of this delivery, to delete the message or to change its visibility with.
    pub receipt_handle: String,
    /// What was sent.
    pub body: String,
    /// What the service says about it: `SentTimestamp`, `ApproximateReceiveCount` and others.
    pub attributes: BTreeMap<&'static str, String>,
}

impl LocalQueues {
    /// Returns no queues yet, by this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        // The address is part of URLs only, and is never called.
        Self::over(QueueService::new(([127, 0, 0, 1], 0).into()).with_clock(clock))
    }

    /// Returns the queues of a service that may also be served to other processes; none is known yet as one
    /// of the ledger's.
    #[must_use]
    pub fn over(service: QueueService) -> Self {
        Self { service, names: Arc::default() }
    }

    /// Creates one of the ledger's queues with the attributes of the `CreateQueue` request.
    ///
    /// # Errors
    ///
    /// As the service refuses a name or an attribute.
    pub fn with_queue<'a>(
        mut self,
        queue: Queue,
        name: &str,
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, crate::QueueError> {
        self.service.create_queue(name, attributes)?;
        Arc::make_mut(&mut self.names).insert(queue, QueueName::parse(name)?);
        Ok(self)
    }

    /// Returns the service that holds the queues: to create others, such as those for dead letters.
    #[must_use]
    pub fn service(&self) -> &QueueService {
        &self.service
    }

    /// Receives at most `max` messages, and hides them for `visibility_s` seconds or the queue's own timeout.
    /// Without any it waits for some for `wait_s` seconds, or until the queues are closed.
    ///
    /// # Errors
    ///
    /// [`QueueError`] if there is no such queue.
    pub async fn receive(
        &self,
        queue: Queue,
        max: usize,
        visibility_s: Option<u32>,
        wait_s: u32,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        let request = ReceiveRequest {
            max_messages: max,
            visibility_timeout_seconds: visibility_s,
            wait_seconds: Some(wait_s),
        };
        let received = self.service.receive(self.name(queue)?, request).await;
        let deliveries = received.map_err(|error| refused(queue, &error))?;
        Ok(deliveries.into_iter().map(ReceivedMessage::from).collect())
    }

    /// Deletes a received message.
    ///
    /// # Errors
    ///
    /// [`QueueError`] if the message was delivered again since.
    pub fn delete(&self, queue: Queue, receipt_handle: &str) -> Result<(), QueueError> {
        let name = self.name(queue)?;
        self.service
            .with_queues(|queues, now_ms| queues.delete_message(now_ms, name, receipt_handle))
            .map_err(|error| refused(queue, &error))
    }

    /// Returns how many messages a queue has, in which state.
    ///
    /// # Errors
    ///
    /// [`QueueError`] if there is no such queue.
    pub fn depth(&self, queue: Queue) -> Result<MessageCounts, QueueError> {
        let name = self.name(queue)?;
        self.service
            .with_queues(|queues, now_ms| queues.counts(now_ms, name))
            .map_err(|error| refused(queue, &error))
    }

    /// Deletes all messages of a queue.
    ///
    /// # Errors
    ///
    /// [`QueueError`] if there is no such queue.
    pub fn purge(&self, queue: Queue) -> Result<(), QueueError> {
        let name = self.name(queue)?;
        self.service.with_queues(|queues, _| queues.clear(name)).map_err(|error| refused(queue, &error))
    }

    /// Ends every wait for messages, and lets no further receive take any.
    pub fn close(&self) {
        self.service.close();
    }

    /// Returns the event that a trigger delivers these messages with.
    ///
    /// # Errors
    ///
    /// [`QueueError`] if there is no such queue.
    pub fn event(&self, queue: Queue, messages: &[ReceivedMessage]) -> Result<Value, QueueError> {
        let name = self.name(queue)?;
        let region = self.service.with_queues(|queues, _| queues.region().to_owned());
        let arn = name.arn(&region);
        let record = |message: &ReceivedMessage| {
            json!({
                "messageId": message.message_id,
                "receiptHandle": message.receipt_handle,
                "body": message.body,
                "attributes": message.attributes,
                "messageAttributes": {},
                "md5OfBody": md5_of_body(&message.body),
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": region,
            })
        };
        Ok(json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() }))
    }

    fn name(&self, queue: Queue) -> Result<&QueueName, QueueError> {
        let message = || format!("there is no queue {} here", queue.logical_name());
        self.names.get(&queue).ok_or_else(|| QueueError { queue, message: message() })
    }

    fn send_all(&self, queue: Queue, messages: Vec<Message>) -> Result<(), QueueError> {
        let name = self.name(queue)?;
        self.service.with_queues(|queues, now_ms| {
            for message in messages {
                let sent = queues.send(now_ms, name, NewMessage::from(message));
                sent.map_err(|error| refused(queue, &error))?;
            }
            Ok(())
        })
    }
}

impl Queues for LocalQueues {
    fn send(&self, queue: Queue, messages: Vec<Message>) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async move { self.send_all(queue, messages) })
    }

    fn change_visibility(
        &self,
        queue: Queue,
        receipt_handle: String,
        seconds: u32,
    ) -> BoxFuture<'_, Result<(), QueueError>> {
        Box::pin(async move {
            let name = self.name(queue)?;
            self.service
                .with_queues(|queues, now_ms| {
                    queues.change_visibility(now_ms, name, &receipt_handle, seconds)
                })
                .map_err(|error| refused(queue, &error))
        })
    }
}

impl From<Message> for NewMessage {
    fn from(message: Message) -> Self {
        let (group_id, deduplication_id) = message.group.unzip();
        Self {
            body: message.body,
            group_id,
            deduplication_id,
            delay_seconds: message.delay_s.map(u32::from),
            ..Self::default()
        }
    }
}

impl From<Delivery> for ReceivedMessage {
    fn from(delivery: Delivery) -> Self {
        Self {
            attributes: delivery.system_attributes(),
            message_id: delivery.message.id,
            receipt_handle: delivery.receipt_handle.to_string(),
            body: delivery.message.content.body.clone(),
        }
    }
}

fn refused(queue: Queue, error: &crate::QueueError) -> QueueError {
    QueueError { queue, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runtime::SystemClock;

    use super::*;

    fn queues() -> LocalQueues {
        LocalQueues::new(Arc::new(SystemClock))
            .with_queue(Queue::Decisions, "decisions.fifo", [("FifoQueue", "true")])
            .unwrap()
            .with_queue(Queue::Talent, "talent", [("VisibilityTimeout", "1")])
            .unwrap()
    }

    fn decision(number: u32) -> Message {
        let group = Some(("decider".to_owned(), number.to_string()));
        Message { body: format!("{{\"wake\":{number}}}"), group, delay_s: None }
    }

    fn work(body: &str, delay_s: Option<u16>) -> Message {
        Message { body: body.to_owned(), group: None, delay_s }
    }

    fn bodies(messages: &[ReceivedMessage]) -> Vec<&str> {
        messages.iter().map(|message| message.body.as_str()).collect()
    }

    #[tokio::test]
    async fn a_group_is_received_in_order_given_back_and_deleted() {
        let queues = queues();
        queues.send(Queue::Decisions, vec![decision(1), decision(2)]).await.unwrap();
        let received = queues.receive(Queue::Decisions, 10, None, 0).await.unwrap();
        assert_eq!(bodies(&received), ["{\"wake\":1}", "{\"wake\":2}"]);
        queues.delete(Queue::Decisions, &received[0].receipt_handle).unwrap();
        let handle = received[1].receipt_handle.clone();
        queues.change_visibility(Queue::Decisions, handle.clone(), 0).await.unwrap();
        let again = queues.receive(Queue::Decisions, 10, None, 0).await.unwrap();
        assert_eq!(bodies(&again), ["{\"wake\":2}"]);
        assert_eq!(again[0].attributes["ApproximateReceiveCount"], "2");
        assert!(queues.delete(Queue::Decisions, &handle).is_err(), "it was delivered again");
        assert_eq!(queues.depth(Queue::Decisions).unwrap().in_flight, 1);
    }

    #[tokio::test]
    async fn an_event_is_what_the_service_delivers() {
        let queues = queues();
        queues.send(Queue::Decisions, vec![decision(1)]).await.unwrap();
        let received = queues.receive(Queue::Decisions, 10, None, 0).await.unwrap();
        let event = queues.event(Queue::Decisions, &received).unwrap();
        let record = &event["Records"][0];
        assert_eq!(record["body"], "{\"wake\":1}");
        assert_eq!(record["eventSource"], "aws:sqs");
        assert_eq!(record["eventSourceARN"], "arn:aws:sqs:us-east-1:000000000000:decisions.fifo");
        assert_eq!(record["attributes"]["MessageGroupId"], "decider");
        assert!(record["attributes"]["SentTimestamp"].as_str().unwrap().parse::<u64>().is_ok());
    }

    #[tokio::test]
    async fn a_wait_ends_with_a_message_or_when_the_queues_are_closed() {
        let queues = queues();
        let waiting = |queues: LocalQueues| {
            tokio::spawn(async move { queues.receive(Queue::Talent, 10, None, 20).await })
        };
        let wait = waiting(queues.clone());
        tokio::task::yield_now().await;
        queues.send(Queue::Talent, vec![work("now", None), work("later", Some(900))]).await.unwrap();
        assert_eq!(bodies(&wait.await.unwrap().unwrap()), ["now"]);
        let depth = queues.depth(Queue::Talent).unwrap();
        assert_eq!((depth.visible, depth.in_flight, depth.delayed), (0, 1, 1));
        let wait = waiting(queues.clone());
        tokio::task::yield_now().await;
        queues.close();
        let ended = tokio::time::timeout(Duration::from_secs(5), wait).await.expect("it ends at once");
        assert!(ended.unwrap().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_purge_empties_a_queue_as_often_as_it_is_asked_to() {
        let queues = queues();
        for _ in 0..2 {
            queues.send(Queue::Talent, vec![work("m", None)]).await.unwrap();
            queues.purge(Queue::Talent).unwrap();
            assert_eq!(queues.depth(Queue::Talent).unwrap(), MessageCounts::default());
        }
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_allowed_is_said() {
        let queues = queues();
        let missing = queues.send(Queue::Closings, vec![work("m", None)]).await.unwrap_err();
        assert_eq!(missing.message, "there is no queue ClosingsQueue here");
        let refused = queues.send(Queue::Decisions, vec![work("m", None)]).await.unwrap_err();
        assert!(refused.message.contains("MessageGroupId"), "{refused}");
    }
}
