//! Actions on messages.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::{self, BatchAnswer, DoneEntry, for_each_entry};
use super::message_shapes::{Digests, MessageToSend, ReceivedShape, SentShape, Wanted};
use super::parameters::{in_range, queue_of, required, visibility_timeout_seconds};
use crate::error::QueueError;
use crate::queues::ReceiveRequest;
use crate::service::QueueService;
use crate::settings::MAXIMUM_REQUEST_BYTES;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendMessageRequest {
    queue_url: Option<String>,
    #[serde(flatten)]
    message: MessageToSend,
}

/// Sends a message. `trace_header` is that of the request, for a message without one of its own.
pub(crate) fn send_message(
    service: &QueueService,
    request: SendMessageRequest,
    trace_header: Option<&str>,
) -> Result<SentShape, QueueError> {
    let name = queue_of(request.queue_url)?;
    let mut message = request.message.read()?;
    let digests = Digests::of(&message);
    message.trace_header = message.trace_header.or_else(|| trace_header.map(ToOwned::to_owned));
    let sent = service.with_queues(|queues, now_ms| queues.send(now_ms, &name, message))?;
    Ok(SentShape::new(sent, digests))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendMessageBatchRequest {
    queue_url: Option<String>,
    #[serde(default)]
    entries: Vec<SendEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEntry {
    #[serde(default)]
    id: String,
    #[serde(flatten)]
    message: MessageToSend,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SentEntry {
    id: String,
    #[serde(flatten)]
    sent: SentShape,
}

pub(crate) fn send_message_batch(
    service: &QueueService,
    request: SendMessageBatchRequest,
) -> Result<BatchAnswer<SentEntry>, QueueError> {
    let name = queue_of(request.queue_url)?;
    let messages: Vec<_> = request
        .entries
        .into_iter()
        .map(|entry| (entry.id, entry.message.read().map(|message| (Digests::of(&message), message))))
        .collect();
    let sent_bytes = messages.iter().filter_map(|(_, read)| Some(read.as_ref().ok()?.1.size_bytes())).sum();
    if sent_bytes > MAXIMUM_REQUEST_BYTES {
        return Err(QueueError::BatchRequestTooLong { limit_bytes: MAXIMUM_REQUEST_BYTES, sent_bytes });
    }
    let kind = "SendMessageBatchRequestEntry";
    batch::check(kind, messages.iter().map(|(id, _)| id.as_str()))?;
    // One hold of the queues for the whole batch, so that no other request receives or adds anything in its middle.
    service.with_queues(|queues, now_ms| {
        let readable = messages.iter().filter_map(|(_, read)| Some(&read.as_ref().ok()?.1));
        queues.check_batch(&name, readable)?;
        for_each_entry(
            kind,
            messages,
            |(id, _)| id,
            |(id, read)| {
                let (digests, message) = read?;
                let sent = queues.send(now_ms, &name, message)?;
                Ok(SentEntry { id, sent: SentShape::new(sent, digests) })
            },
        )
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReceiveMessageRequest {
    queue_url: Option<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    /// The older name of `message_system_attribute_names`; both count.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReceiveMessageAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<ReceivedShape>,
}

pub(crate) async fn receive_message(
    service: &QueueService,
    request: ReceiveMessageRequest,
) -> Result<ReceiveMessageAnswer, QueueError> {
    let name = queue_of(request.queue_url)?;
    let max_messages = in_range("MaxNumberOfMessages", request.max_number_of_messages, 1..=10)?;
    let receive = ReceiveRequest {
        max_messages: max_messages.unwrap_or(1) as usize,
        visibility_timeout_seconds: visibility_timeout_seconds(request.visibility_timeout)?,
        wait_seconds: in_range("WaitTimeSeconds", request.wait_time_seconds, 0..=20)?,
    };
    let deliveries = service.receive(&name, receive).await?;
    let wanted = Wanted {
        system_attributes: [request.attribute_names, request.message_system_attribute_names].concat(),
        message_attributes: request.message_attribute_names,
    };
    let messages = deliveries.iter().map(|delivery| ReceivedShape::new(delivery, &wanted)).collect();
    Ok(ReceiveMessageAnswer { messages })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteMessageRequest {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
}

pub(crate) fn delete_message(
    service: &QueueService,
    request: DeleteMessageRequest,
) -> Result<Value, QueueError> {
    let name = queue_of(request.queue_url)?;
    let receipt_handle = required("ReceiptHandle", request.receipt_handle)?;
    service.with_queues(|queues, now_ms| queues.delete_message(now_ms, &name, &receipt_handle))?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteMessageBatchRequest {
    queue_url: Option<String>,
    #[serde(default)]
    entries: Vec<ReceiptEntry>,
}

/// An entry of a batch that is about one delivery.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiptEntry {
    #[serde(default)]
    id: String,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

pub(crate) fn delete_message_batch(
    service: &QueueService,
    request: DeleteMessageBatchRequest,
) -> Result<BatchAnswer<DoneEntry>, QueueError> {
    let name = queue_of(request.queue_url)?;
    service.with_queues(|queues, now_ms| {
        queues.get(&name)?;
        for_each_entry(
            "DeleteMessageBatchRequestEntry",
            request.entries,
            |entry| &entry.id,
            |entry| {
                let receipt_handle = required("ReceiptHandle", entry.receipt_handle)?;
                queues.delete_message(now_ms, &name, &receipt_handle)?;
                Ok(DoneEntry { id: entry.id })
            },
        )
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChangeMessageVisibilityRequest {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

pub(crate) fn change_message_visibility(
    service: &QueueService,
    request: ChangeMessageVisibilityRequest,
) -> Result<Value, QueueError> {
    let name = queue_of(request.queue_url)?;
    let receipt_handle = required("ReceiptHandle", request.receipt_handle)?;
    let seconds = required("VisibilityTimeout", visibility_timeout_seconds(request.visibility_timeout)?)?;
    service
        .with_queues(|queues, now_ms| queues.change_visibility(now_ms, &name, &receipt_handle, seconds))?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChangeMessageVisibilityBatchRequest {
    queue_url: Option<String>,
    #[serde(default)]
    entries: Vec<ReceiptEntry>,
}

pub(crate) fn change_message_visibility_batch(
    service: &QueueService,
    request: ChangeMessageVisibilityBatchRequest,
) -> Result<BatchAnswer<DoneEntry>, QueueError> {
    let name = queue_of(request.queue_url)?;
    service.with_queues(|queues, now_ms| {
        queues.get(&name)?;
        for_each_entry(
            "ChangeMessageVisibilityBatchRequestEntry",
            request.entries,
            |entry| &entry.id,
            |entry| {
                let receipt_handle = required("ReceiptHandle", entry.receipt_handle)?;
                let seconds =
                    required("VisibilityTimeout", visibility_timeout_seconds(entry.visibility_timeout)?)?;
                queues.change_visibility(now_ms, &name, &receipt_handle, seconds)?;
                Ok(DoneEntry { id: entry.id })
            },
        )
    })
}
