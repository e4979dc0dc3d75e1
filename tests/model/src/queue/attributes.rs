//! The attributes of a queue, as `CreateQueue` takes them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::is_fifo;
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};

/// The most messages that may be in flight.
pub(super) const MAX_IN_FLIGHT: usize = 120_000;
const MIN_MESSAGE_BYTES: u64 = 1_024;
const MAX_MESSAGE_BYTES: u64 = 1_024 * 1_024;

/// The attributes that a call may set, the last of them only when it makes the queue.
const SETTABLE: [&str; 15] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
    "FifoQueue",
];

/// How a queue behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueAttributes {
    /// How long a received message stays invisible.
    pub visibility_ms: Millis,
    /// How long a sent message stays invisible.
    pub delay_ms: Millis,
    /// How long a receive waits for a message.
    pub wait_ms: Millis,
    /// How long a message is kept.
    pub retention_ms: Millis,
    /// The most bytes of a message.
    pub max_message_bytes: u64,
    /// Where messages go that were received too often.
    pub redrive: Option<RedrivePolicy>,
    /// Whether the body stands in for a missing deduplication id.
    pub content_based_deduplication: bool,
    /// Whether a deduplication id counts within its group only.
    pub deduplicates_by_group: bool,
    /// Whether sends are limited by group or all together.
    pub throughput: ThroughputScope,
    /// The attributes as they were given.
    pub given: BTreeMap<String, String>,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedrivePolicy {
    /// The name of the dead-letter queue.
    pub dead_letter_queue: String,
    /// How often a message is received at most.
    pub max_receive_count: u32,
}

/// What a FIFO queue's limit of sends applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThroughputScope {
    /// The whole queue.
    Queue,
    /// Each group by itself.
    Group,
}

impl QueueAttributes {
    /// Reads the attributes of a queue with this name.
    pub fn parse(name: &str, given: BTreeMap<String, String>) -> Result<Self, ServiceError> {
        let seconds = |attribute: &str, default: u64, range: std::ops::RangeInclusive<u64>| {
            let value = number(&given, attribute)?.unwrap_or(default);
            if range.contains(&value) { Ok(value * 1_000) } else { Err(invalid(attribute)) }
        };
        let max_message_bytes = number(&given, "MaximumMessageSize")?.unwrap_or(MAX_MESSAGE_BYTES);
        if !(MIN_MESSAGE_BYTES..=MAX_MESSAGE_BYTES).contains(&max_message_bytes) {
            return Err(invalid("MaximumMessageSize"));
        }
        let flag = |attribute: &str| given.get(attribute).is_some_and(|value| value == "true");
        let fifo_only = ["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];
        if !is_fifo(name)
            && let Some(attribute) = fifo_only.into_iter().find(|attribute| given.contains_key(*attribute))
        {
            return Err(ErrorKind::InvalidAttributeName.because(format!("Unknown Attribute {attribute}.")));
        }
        let throughput = match given.get("FifoThroughputLimit").map(String::as_str) {
            None | Some("perQueue") => ThroughputScope::Queue,
            Some("perMessageGroupId") => ThroughputScope::Group,
            Some(_) => return Err(invalid("FifoThroughputLimit")),
        };
        let deduplicates_by_group = match given.get("DeduplicationScope").map(String::as_str) {
            None | Some("queue") => false,
            Some("messageGroup") => true,
            Some(_) => return Err(invalid("DeduplicationScope")),
        };
        if throughput == ThroughputScope::Group && !deduplicates_by_group {
            return Err(ErrorKind::InvalidAttributeValue.because(
                "The value perMessageGroupId is allowed only when the value for DeduplicationScope is messageGroup.",
            ));
        }
        let redrive = given.get("RedrivePolicy").filter(|text| !text.is_empty());
        let redrive = redrive.map(|text| self::redrive(text)).transpose()?;
        if redrive.as_ref().is_some_and(|redrive| is_fifo(&redrive.dead_letter_queue) != is_fifo(name)) {
            return Err(ErrorKind::InvalidParameterValue.because(
                "Value for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type of queue as the source.",
            ));
        }
        Ok(Self {
            visibility_ms: seconds("VisibilityTimeout", 30, 0..=43_200)?,
            delay_ms: seconds("DelaySeconds", 0, 0..=900)?,
            wait_ms: seconds("ReceiveMessageWaitTimeSeconds", 0, 0..=20)?,
            retention_ms: seconds("MessageRetentionPeriod", 345_600, 60..=1_209_600)?,
            max_message_bytes,
            redrive,
            content_based_deduplication: flag("ContentBasedDeduplication"),
            deduplicates_by_group,
            throughput,
            given,
        })
    }

    /// Returns whether a queue may name this one as its dead-letter queue; without a policy every queue may.
    pub(super) fn allows_redrive_from(&self, source: &str) -> bool {
        let policy = self.given.get("RedriveAllowPolicy").map_or("", String::as_str);
        let policy: Value = serde_json::from_str(policy).unwrap_or(Value::Null);
        match policy["redrivePermission"].as_str() {
            Some("denyAll") => false,
            Some("byQueue") => {
                let arns = policy["sourceQueueArns"].as_array().into_iter().flatten();
                arns.filter_map(Value::as_str).any(|arn| arn.rsplit(':').next() == Some(source))
            }
            _ => true,
        }
    }
}

/// Refuses attributes that a call does not set; `creates` tells whether it makes the queue.
pub(super) fn check_names(given: &BTreeMap<String, String>, creates: bool) -> Result<(), ServiceError> {
    let settable = &SETTABLE[..SETTABLE.len() - usize::from(!creates)];
    match given.keys().find(|name| !settable.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(ErrorKind::InvalidAttributeName.because(format!("Unknown Attribute {name}."))),
    }
}

fn number(given: &BTreeMap<String, String>, attribute: &str) -> Result<Option<u64>, ServiceError> {
    given.get(attribute).map(|text| text.parse().map_err(|_| invalid(attribute))).transpose()
}

fn redrive(text: &str) -> Result<RedrivePolicy, ServiceError> {
    let policy: Value = serde_json::from_str(text).map_err(|_| unusable())?;
    let arn = policy["deadLetterTargetArn"].as_str().ok_or_else(unusable)?;
    let count = &policy["maxReceiveCount"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok());
    match count.and_then(|count| u32::try_from(count).ok()) {
        Some(max_receive_count @ 1..=1_000) => Ok(RedrivePolicy {
            dead_letter_queue: arn.rsplit(':').next().unwrap_or(arn).to_owned(),
            max_receive_count,
        }),
        _ => Err(unusable()),
    }
}

fn unusable() -> ServiceError {
    ErrorKind::InvalidParameterValue.because(
        "Value for parameter RedrivePolicy is invalid. Reason: It needs a deadLetterTargetArn, and a maxReceiveCount from 1 to 1000.",
    )
}

fn invalid(attribute: &str) -> ServiceError {
    ErrorKind::InvalidAttributeValue.because(format!("Invalid value for the parameter {attribute}."))
}
