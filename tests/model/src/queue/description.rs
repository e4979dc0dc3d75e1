//! What a queue says of itself.

use std::collections::BTreeMap;

use super::ThroughputScope;
use super::store::Queue;
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};

const KNOWN_ATTRIBUTES: [&str; 21] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

/// Returns a queue's attributes: those that were given, and the service's own values for the others.
pub(super) fn described(queue: &Queue) -> BTreeMap<String, String> {
    let attributes = &queue.attributes;
    let mut described = attributes.given.clone();
    let mut set = |name: &str, value: String| _ = described.insert(name.to_owned(), value);
    let seconds = |ms: Millis| (ms / 1_000).to_string();
    set("VisibilityTimeout", seconds(attributes.visibility_ms));
    set("DelaySeconds", seconds(attributes.delay_ms));
    set("ReceiveMessageWaitTimeSeconds", seconds(attributes.wait_ms));
    set("MessageRetentionPeriod", seconds(attributes.retention_ms));
    set("MaximumMessageSize", attributes.max_message_bytes.to_string());
    set("QueueArn", format!("arn:aws:sqs:us-east-1:000000000000:{}", queue.name));
    set("ApproximateNumberOfMessages", queue.visible().to_string());
    set("ApproximateNumberOfMessagesNotVisible", queue.in_flight().to_string());
    set("ApproximateNumberOfMessagesDelayed", queue.delayed().to_string());
    set("CreatedTimestamp", seconds(queue.created_ms));
    set("LastModifiedTimestamp", seconds(queue.modified_ms));
    if queue.is_fifo() {
        let scope = if attributes.deduplicates_by_group { "messageGroup" } else { "queue" };
        let limit = match attributes.throughput {
            ThroughputScope::Queue => "perQueue",
            ThroughputScope::Group => "perMessageGroupId",
        };
        set("FifoQueue", "true".to_owned());
        set("ContentBasedDeduplication", attributes.content_based_deduplication.to_string());
        set("DeduplicationScope", scope.to_owned());
        set("FifoThroughputLimit", limit.to_owned());
    }
    described.entry("SqsManagedSseEnabled".to_owned()).or_insert_with(|| "true".to_owned());
    described
}

/// Returns whether a queue has every one of some attributes; an empty value is that of an attribute that is not set.
pub(super) fn has_all(queue: &Queue, wanted: &BTreeMap<String, String>) -> bool {
    let present = described(queue);
    wanted.iter().all(|(name, value)| present.get(name).map_or("", String::as_str) == value)
}

/// Returns the attributes that were asked for by name; `All` stands for every one.
pub(super) fn asked_for(
    mut described: BTreeMap<String, String>,
    names: &[String],
) -> Result<BTreeMap<String, String>, ServiceError> {
    let known = |name: &String| name == "All" || KNOWN_ATTRIBUTES.contains(&name.as_str());
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(ErrorKind::InvalidAttributeName.because(format!("Unknown Attribute {unknown}.")));
    }
    if !names.iter().any(|name| name == "All") {
        described.retain(|name, _| names.contains(name));
    }
    Ok(described)
}
