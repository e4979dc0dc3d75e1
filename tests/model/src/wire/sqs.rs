//! Calls and answers of the queue service.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::input::Input;
use crate::error::{ErrorKind, ServiceError};
use crate::queue::{BatchResult, Delivered, Entry, QueueRequest, QueueResponse, ReceiveOptions, Sent, hex};
use crate::world::Request;

/// Reads a call; nothing where the service has none of this name.
pub(super) fn decode(call: &str, json: &Value) -> Option<Request> {
    let input = Input::new(json);
    let request = match call {
        "SendMessage" => entry(input).map(QueueRequest::Send),
        "SendMessageBatch" => entries(input, entry).map(QueueRequest::SendBatch),
        "ReceiveMessage" => receive(input).map(QueueRequest::Receive),
        "DeleteMessage" => handle(input).map(QueueRequest::Delete),
        "DeleteMessageBatch" => entries(input, handle).map(QueueRequest::DeleteBatch),
        "ChangeMessageVisibility" => {
            visibility(input).map(|(handle, seconds)| QueueRequest::ChangeVisibility(handle, seconds))
        }
        "ChangeMessageVisibilityBatch" => entries(input, visibility).map(|entries| {
            let entries = entries.into_iter().map(|(id, (handle, seconds))| (id, handle, seconds)).collect();
            QueueRequest::ChangeVisibilityBatch(entries)
        }),
        "CreateQueue" => Ok(QueueRequest::Create(input.texts_by_name("Attributes"))),
        "DeleteQueue" => Ok(QueueRequest::Remove),
        "ListQueues" => {
            let prefix = input.text("QueueNamePrefix").unwrap_or_default().to_owned();
            let request = Ok(QueueRequest::List(prefix));
            return Some(Request::Queue { queue: String::new(), request });
        }
        "ListDeadLetterSourceQueues" => Ok(QueueRequest::DeadLetterSources),
        "StartMessageMoveTask" => {
            let queue = last_part(input.text("SourceArn").unwrap_or_default());
            let request = Ok(QueueRequest::MoveMessages(input.text("DestinationArn").map(last_part)));
            return Some(Request::Queue { queue, request });
        }
        "GetQueueAttributes" => {
            let names = input.list("AttributeNames").iter().filter_map(Value::as_str);
            Ok(QueueRequest::GetAttributes(names.map(str::to_owned).collect()))
        }
        "SetQueueAttributes" => Ok(QueueRequest::SetAttributes(input.texts_by_name("Attributes"))),
        "GetQueueUrl" => Ok(QueueRequest::GetUrl),
        "PurgeQueue" => Ok(QueueRequest::Purge),
        _ => return None,
    };
    let name = input.text("QueueUrl").or_else(|| input.text("QueueName"));
    Some(match name.and_then(|url| url.rsplit('/').next()) {
        Some(queue) => Request::Queue { queue: queue.to_owned(), request },
        None => Request::UnknownQueue,
    })
}

/// Writes an answer.
#[must_use]
pub fn queue_output(response: &QueueResponse) -> Value {
    match response {
        QueueResponse::Done => json!({}),
        QueueResponse::Sent(sent) => Value::Object(sent_output(sent)),
        QueueResponse::SentBatch(result) => batch_output(result, sent_output),
        QueueResponse::Received(messages) if messages.is_empty() => json!({}),
        QueueResponse::Received(messages) => {
            json!({ "Messages": messages.iter().map(message_output).collect::<Vec<_>>() })
        }
        QueueResponse::Batch(result) => batch_output(result, |()| Map::new()),
        QueueResponse::Attributes(attributes) => json!({ "Attributes": attributes }),
        QueueResponse::Url(url) => json!({ "QueueUrl": url }),
        QueueResponse::Urls(member, urls) => {
            Value::Object(Map::from_iter([((*member).to_owned(), json!(urls))]))
        }
        QueueResponse::Task(handle) => json!({ "TaskHandle": handle }),
    }
}

fn last_part(arn: &str) -> String {
    arn.rsplit(':').next().unwrap_or(arn).to_owned()
}

fn entry(input: Input<'_>) -> Result<Entry, ServiceError> {
    Ok(Entry {
        body: input.text("MessageBody").unwrap_or_default().to_owned(),
        group: input.text("MessageGroupId").map(str::to_owned),
        deduplication_id: input.text("MessageDeduplicationId").map(str::to_owned),
        delay_seconds: seconds(input, "DelaySeconds")?,
        attributes: input.member("MessageAttributes").cloned().unwrap_or(Value::Null),
    })
}

fn receive(input: Input<'_>) -> Result<ReceiveOptions, ServiceError> {
    Ok(ReceiveOptions {
        max_messages: seconds(input, "MaxNumberOfMessages")?,
        visibility_seconds: seconds(input, "VisibilityTimeout")?,
        wait_seconds: seconds(input, "WaitTimeSeconds")?,
        attempt_id: input.text("ReceiveRequestAttemptId").map(str::to_owned),
    })
}

fn handle(input: Input<'_>) -> Result<String, ServiceError> {
    input.text("ReceiptHandle").map(str::to_owned).ok_or_else(|| {
        ErrorKind::MissingParameter.because("The request must contain the parameter ReceiptHandle.")
    })
}

fn visibility(input: Input<'_>) -> Result<(String, u64), ServiceError> {
    let timeout = seconds(input, "VisibilityTimeout")?.ok_or_else(|| {
        ErrorKind::MissingParameter.because("The request must contain the parameter VisibilityTimeout.")
    })?;
    Ok((handle(input)?, timeout))
}

fn entries<T>(
    input: Input<'_>,
    read: fn(Input<'_>) -> Result<T, ServiceError>,
) -> Result<Vec<(String, T)>, ServiceError> {
    let entry = |json: &Value| {
        let input = Input::new(json);
        Ok((input.text("Id").unwrap_or_default().to_owned(), read(input)?))
    };
    input.list("Entries").iter().map(entry).collect()
}

fn seconds(input: Input<'_>, name: &str) -> Result<Option<u64>, ServiceError> {
    match input.member(name) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| {
            ErrorKind::InvalidParameterValue
                .because(format!("Value {value} for parameter {name} is invalid."))
        }),
    }
}

fn sent_output(sent: &Sent) -> Map<String, Value> {
    let mut output = Map::from_iter([
        ("MessageId".to_owned(), sent.message_id.clone().into()),
        ("MD5OfMessageBody".to_owned(), md5(&sent.body).into()),
    ]);
    if let Some(sequence) = sent.sequence {
        output.insert("SequenceNumber".to_owned(), format!("{sequence:020}").into());
    }
    output
}

fn batch_output<T>(result: &BatchResult<T>, each: impl Fn(&T) -> Map<String, Value>) -> Value {
    let successful = |(id, done): &(String, T)| {
        let mut output = each(done);
        output.insert("Id".to_owned(), id.clone().into());
        Value::Object(output)
    };
    let failed = |entry: &crate::queue::FailedEntry| {
        let (code, message) = (entry.error.kind.name(), &entry.error.message);
        json!({ "Id": entry.id, "Code": code, "Message": message, "SenderFault": true })
    };
    json!({
        "Successful": result.successful.iter().map(successful).collect::<Vec<_>>(),
        "Failed": result.failed.iter().map(failed).collect::<Vec<_>>(),
    })
}

fn message_output(delivered: &Delivered) -> Value {
    let message = &delivered.message;
    let mut attributes = BTreeMap::from([
        ("ApproximateReceiveCount", message.receive_count.to_string()),
        ("SentTimestamp", message.sent_ms.to_string()),
    ]);
    if let Some(first_ms) = message.first_received_ms {
        attributes.insert("ApproximateFirstReceiveTimestamp", first_ms.to_string());
    }
    if let Some(group) = &message.group {
        attributes.insert("MessageGroupId", group.clone());
    }
    if let Some(id) = &message.deduplication_id {
        attributes.insert("MessageDeduplicationId", id.clone());
        attributes.insert("SequenceNumber", format!("{:020}", message.sequence));
    }
    let mut output = json!({
        "MessageId": message.id,
        "ReceiptHandle": delivered.receipt.to_string(),
        "Body": message.body,
        "MD5OfBody": md5(&message.body),
        "Attributes": attributes,
    });
    if !message.attributes.is_null() {
        output["MessageAttributes"] = message.attributes.clone();
    }
    output
}

/// Returns the digest by which a client recognizes the body of a message.
fn md5(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}
