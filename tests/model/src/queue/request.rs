//! Requests to the queues and their answers, without the form that they have on the wire.

use std::collections::BTreeMap;

use serde_json::Value;

use super::receive::Delivered;
use crate::clock::Millis;
use crate::error::ServiceError;

/// A request about one queue.
#[derive(Clone, Debug)]
pub enum QueueRequest {
    /// Sends a message.
    Send(Entry),
    /// Sends up to ten messages, each by itself.
    SendBatch(Vec<(String, Entry)>),
    /// Receives up to ten messages.
    Receive(ReceiveOptions),
    /// Deletes a received message.
    Delete(String),
    /// Deletes up to ten received messages, each by itself.
    DeleteBatch(Vec<(String, String)>),
    /// Sets when a received message becomes visible again, in seconds from now.
    ChangeVisibility(String, u64),
    /// The same for up to ten messages, each by itself.
    ChangeVisibilityBatch(Vec<(String, String, u64)>),
    /// Makes the queue.
    Create(BTreeMap<String, String>),
    /// Removes the queue with its messages.
    Remove,
    /// Asks for the URLs of all queues whose names begin so.
    List(String),
    /// Asks for the queues whose dead letters this queue gets.
    DeadLetterSources,
    /// Moves the messages of a dead-letter queue to where they came from, or to the named queue.
    MoveMessages(Option<String>),
    /// Asks for the named attributes of the queue, counts among them.
    GetAttributes(Vec<String>),
    /// Changes some of the queue's attributes.
    SetAttributes(BTreeMap<String, String>),
    /// Asks for the queue's URL.
    GetUrl,
    /// Deletes all messages.
    Purge,
}

/// A message to send.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// What it says.
    pub body: String,
    /// Its group.
    pub group: Option<String>,
    /// What repetitions of it are known by.
    pub deduplication_id: Option<String>,
    /// How many seconds it stays invisible, where it is not the queue that says so.
    pub delay_seconds: Option<u64>,
    /// Attributes of the sender, as on the wire.
    pub attributes: Value,
}

impl Entry {
    /// Returns the bytes that count towards the limits: the body, and each attribute's name, type and value.
    pub(super) fn bytes(&self) -> usize {
        let length = |value: &Value| value.as_str().map_or(0, str::len);
        let attribute = |(name, attribute): (&String, &Value)| {
            // Bytes are in base64, of which four characters stand for three bytes.
            let binary = attribute["BinaryValue"].as_str().unwrap_or_default().trim_end_matches('=');
            name.len()
                + length(&attribute["DataType"])
                + length(&attribute["StringValue"])
                + binary.len() * 3 / 4
        };
        self.body.len() + self.attributes.as_object().into_iter().flatten().map(attribute).sum::<usize>()
    }
}

/// How to receive.
#[derive(Clone, Debug, Default)]
pub struct ReceiveOptions {
    /// How many messages at most; one without.
    pub max_messages: Option<u64>,
    /// How many seconds what is received stays invisible, where it is not the queue that says so.
    pub visibility_seconds: Option<u64>,
    /// How many seconds to wait for a message, where it is not the queue that says so.
    pub wait_seconds: Option<u64>,
    /// What a repetition of this receive is known by.
    pub attempt_id: Option<String>,
}

/// How the queue answers in the moment in which it evaluates a request.
#[derive(Clone, Debug)]
pub enum QueueReply {
    /// With this.
    Now(Result<QueueResponse, ServiceError>),
    /// When a message becomes visible, or when the time is over.
    Waits {
        /// How long it waits at most.
        wait_ms: Millis,
    },
}

/// An answer without error.
#[derive(Clone, Debug)]
pub enum QueueResponse {
    /// To what answers nothing.
    Done,
    /// To a send.
    Sent(Sent),
    /// To a batch of sends.
    SentBatch(BatchResult<Sent>),
    /// To a receive.
    Received(Vec<Delivered>),
    /// To a batch of deletions or changes.
    Batch(BatchResult<()>),
    /// To a question about attributes.
    Attributes(BTreeMap<String, String>),
    /// To a question about the URL.
    Url(String),
    /// To a question about several URLs: the name of the answer's member, which differs from call to call.
    Urls(&'static str, Vec<String>),
    /// To the beginning of a task that moves messages.
    Task(String),
}

/// What a send answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message's id.
    pub message_id: String,
    /// Its number in a FIFO queue.
    pub sequence: Option<u64>,
    /// What it says, of which the answer shows a digest.
    pub body: String,
}

/// What a batch answers for each entry by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchResult<T> {
    /// Entries that were done, by id.
    pub successful: Vec<(String, T)>,
    /// Entries that were not.
    pub failed: Vec<FailedEntry>,
}

/// An entry of a batch that was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedEntry {
    /// The entry's id.
    pub id: String,
    /// The error.
    pub error: ServiceError,
}
