//! What invokes functions on AWS: event source mappings of Kafka and of queues.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use anyhow::{Context, Result};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::capture::{Capture, CaptureRecord};
use crate::functions::{Function, RETRY_PAUSE};

/// Delivers a queue's messages to a function until the task is dropped.
///
/// Messages that the function reports as failed, or all of them if the invocation fails, come again.
/// On AWS that is when their visibility timeout ends; here it is after a second, so that a person
/// need not wait for it.
pub async fn poll_queue(
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    queue_arn: String,
    batch_size: usize,
    function: Function,
) {
    loop {
        if let Err(error) = poll_once(&sqs, &queue_url, &queue_arn, batch_size, &function).await {
            tracing::warn!(queue_url, "a queue could not be polled, and will be again: {error:#}");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

async fn poll_once(
    sqs: &aws_sdk_sqs::Client,
    queue_url: &str,
    queue_arn: &str,
    batch_size: usize,
    function: &Function,
) -> Result<()> {
    let received = sqs
        .receive_message()
        .queue_url(queue_url)
        .max_number_of_messages(i32::try_from(batch_size.min(10)).expect("at most ten"))
        .wait_time_seconds(10)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await?;
    let messages = received.messages.unwrap_or_default();
    if messages.is_empty() {
        return Ok(());
    }
    let failed: Vec<String> = match function.invoke(sqs_event(queue_arn, &messages)).await {
        Ok(response) => failed_messages(&response),
        Err(error) => {
            tracing::warn!(function = function.logical_name, "an invocation failed: {error:#}");
            messages.iter().filter_map(|message| message.message_id.clone()).collect()
        }
    };
    let has_failed = |message: &&Message| {
        message.message_id.as_ref().is_some_and(|id| failed.iter().any(|failed| failed == id))
    };
    let handle =
        |message: &Message| message.receipt_handle.clone().context("a received message has a handle");
    let mut done = Vec::new();
    let mut again = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if has_failed(&message) {
            again.push(
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(handle(message)?)
                    .visibility_timeout(1)
                    .build()?,
            );
        } else {
            done.push(
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(handle(message)?)
                    .build()?,
            );
        }
    }
    if !done.is_empty() {
        sqs.delete_message_batch().queue_url(queue_url).set_entries(Some(done)).send().await?;
    }
    if !again.is_empty() {
        sqs.change_message_visibility_batch().queue_url(queue_url).set_entries(Some(again)).send().await?;
    }
    Ok(())
}

/// Messages as they stand in the event of a queue trigger.
#[must_use]
pub fn sqs_event(queue_arn: &str, messages: &[Message]) -> Value {
    json!({ "Records": messages.iter().map(|message| sqs_record(message, queue_arn)).collect::<Vec<_>>() })
}

fn sqs_record(message: &Message, queue_arn: &str) -> Value {
    let attributes: HashMap<&str, &str> =
        message.attributes.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": "us-east-1",
    })
}

fn failed_messages(response: &Value) -> Vec<String> {
    let failures = response["batchItemFailures"].as_array().into_iter().flatten();
    failures.filter_map(|failure| failure["itemIdentifier"].as_str().map(ToOwned::to_owned)).collect()
}

/// Delivers a capture's records to a function, in file order, until all are dealt with.
///
/// `committed` is the last offset of each partition that an earlier run dealt with; `progress` is
/// told how many records were dealt with.
pub async fn feed_capture(
    capture: &Capture,
    committed: &BTreeMap<(String, i64), i64>,
    batch_size: usize,
    function: &Function,
    mut progress: impl FnMut(usize),
) -> Result<()> {
    let mut waiting = not_dealt_with(capture, committed);
    progress(capture.records.len() - waiting.len());
    while !waiting.is_empty() {
        let batch: Vec<&CaptureRecord> = waiting.drain(..batch_size.min(waiting.len())).collect();
        let records: Vec<KafkaRecord<'_>> = batch.iter().map(|record| record.as_kafka()).collect();
        let failed = deliver(&capture.source, &records, function).await;
        let has_failed = |record: &&CaptureRecord| {
            failed.get(&record.as_kafka().partition_name()).is_some_and(|from| record.offset >= *from)
        };
        let (again, done): (Vec<&CaptureRecord>, Vec<&CaptureRecord>) =
            batch.into_iter().partition(has_failed);
        progress(done.len());
        if !again.is_empty() {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        for record in again.into_iter().rev() {
            waiting.push_front(record);
        }
    }
    Ok(())
}

/// What of a capture an earlier run did not deal with, as far as `committed` says.
fn not_dealt_with<'a>(
    capture: &'a Capture,
    committed: &BTreeMap<(String, i64), i64>,
) -> VecDeque<&'a CaptureRecord> {
    // A broker's offsets ascend. In a file they may not, and then they do not say what was dealt with.
    let mut last_in_file: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    let mut unordered: BTreeSet<(&str, i64)> = BTreeSet::new();
    for record in &capture.records {
        let partition = (record.topic.as_str(), record.partition);
        let before = last_in_file.insert(partition, record.offset);
        if before.is_some_and(|before| before > record.offset) {
            unordered.insert(partition);
        }
    }
    let is_new = |record: &&CaptureRecord| {
        let last = committed.get(&(record.topic.clone(), record.partition));
        last.is_none_or(|last| record.offset > *last)
            || unordered.contains(&(record.topic.as_str(), record.partition))
    };
    capture.records.iter().filter(is_new).collect()
}

/// A record as a broker holds it.
#[derive(Debug, Clone, Copy)]
pub struct KafkaRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i64,
    /// The offset.
    pub offset: i64,
    /// When the record was written. Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes.
    pub value: Option<&'a [u8]>,
}

impl KafkaRecord<'_> {
    /// The partition as events and their responses name it.
    #[must_use]
    pub fn partition_name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }
}

/// Invokes a function with records of Kafka. What it answers are the partitions to deliver again,
/// each with its first offset; after an invocation that failed, all of them from their beginning.
pub async fn deliver(source: &str, batch: &[KafkaRecord<'_>], function: &Function) -> HashMap<String, i64> {
    match function.invoke(kafka_event(source, batch)).await {
        Ok(response) => failed_partitions(&response),
        Err(error) => {
            tracing::warn!(function = function.logical_name, "an invocation failed: {error:#}");
            batch.iter().map(|record| (record.partition_name(), i64::MIN)).collect()
        }
    }
}

/// Records as they stand in the event of a Kafka trigger.
#[must_use]
pub fn kafka_event(source: &str, batch: &[KafkaRecord<'_>]) -> Value {
    let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in batch {
        let encode = |bytes: Option<&[u8]>| bytes.map(|bytes| STANDARD.encode(bytes));
        records.entry(record.partition_name()).or_default().push(json!({
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp_ms,
            "timestampType": "CREATE_TIME",
            "key": encode(record.key),
            "value": encode(record.value),
            "headers": [],
        }));
    }
    json!({
        "eventSource": "aws:kafka",
        "eventSourceArn": format!("arn:aws:kafka:us-east-1:000000000000:cluster/{source}"),
        "bootstrapServers": "127.0.0.1:9092",
        "records": records,
    })
}

fn failed_partitions(response: &Value) -> HashMap<String, i64> {
    let failures = response["batchItemFailures"].as_array().into_iter().flatten();
    failures
        .filter_map(|failure| {
            let identifier = &failure["itemIdentifier"];
            Some((identifier["partition"].as_str()?.to_owned(), identifier["offset"].as_i64()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dealt_with_is_passed_over_only_where_offsets_ascend() {
        let record = |partition, offset| CaptureRecord {
            topic: "t".to_owned(),
            partition,
            offset,
            timestamp: 0,
            key: None,
            value: None,
        };
        let capture = Capture {
            source: "s".to_owned(),
            records: vec![record(0, 1), record(1, 9), record(0, 1), record(1, 8), record(0, 2)],
        };
        let committed = BTreeMap::from([(("t".to_owned(), 0), 1), (("t".to_owned(), 1), 9)]);
        let left: Vec<(i64, i64)> =
            not_dealt_with(&capture, &committed).iter().map(|left| (left.partition, left.offset)).collect();
        assert_eq!(left, [(1, 9), (1, 8), (0, 2)]);
    }
}
