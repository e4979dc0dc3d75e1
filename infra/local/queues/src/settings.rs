//! A queue's attributes: what can be set, to which values, and what it is by default.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::QueueError;

/// The largest message, and the largest batch: 1 MiB.
pub(crate) const MAXIMUM_REQUEST_BYTES: usize = 1_048_576;

/// Queue attributes by name, all as text, as they are on the wire.
pub(crate) type Attributes = BTreeMap<String, String>;

/// Everything about a queue that its owner can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueSettings {
    /// What only a FIFO queue has; a queue is FIFO from its creation on, or never.
    pub(crate) fifo: Option<FifoSettings>,
    pub(crate) visibility_timeout_seconds: u32,
    pub(crate) delay_seconds: u32,
    pub(crate) receive_wait_seconds: u32,
    pub(crate) retention_seconds: u32,
    pub(crate) maximum_message_bytes: usize,
    pub(crate) redrive_policy: Option<RedrivePolicy>,
    /// Attributes that are kept and shown, and change nothing here.
    without_effect: BTreeMap<&'static str, String>,
}

/// What only a FIFO queue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FifoSettings {
    pub(crate) content_based_deduplication: bool,
    pub(crate) deduplication_scope: DeduplicationScope,
    /// Whether throughput is limited per group: kept and shown, since nothing here is limited.
    throughput_limit_per_group: bool,
}

/// Within what a deduplication id stands for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeduplicationScope {
    /// The whole queue.
    Queue,
    /// Each message group on its own.
    MessageGroup,
}

/// Where a message goes that was received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RedrivePolicy {
    pub(crate) dead_letter_target_arn: String,
    pub(crate) max_receive_count: u32,
}

impl QueueSettings {
    const WITHOUT_EFFECT: [&str; 5] = [
        "KmsDataKeyReusePeriodSeconds",
        "KmsMasterKeyId",
        "Policy",
        "RedriveAllowPolicy",
        "SqsManagedSseEnabled",
    ];

    /// Returns the defaults of a standard queue.
    pub(crate) fn standard() -> Self {
        Self {
            fifo: None,
            visibility_timeout_seconds: 30,
            delay_seconds: 0,
            receive_wait_seconds: 0,
            retention_seconds: 4 * 24 * 60 * 60,
            maximum_message_bytes: MAXIMUM_REQUEST_BYTES,
            redrive_policy: None,
            without_effect: BTreeMap::new(),
        }
    }

    /// Returns the defaults of a FIFO queue.
    pub(crate) fn fifo() -> Self {
        let fifo = FifoSettings {
            content_based_deduplication: false,
            deduplication_scope: DeduplicationScope::Queue,
            throughput_limit_per_group: false,
        };
        Self { fifo: Some(fifo), ..Self::standard() }
    }

    /// Returns these settings with the given attributes changed: all of them, or none and an error.
    pub(crate) fn with(&self, attributes: &Attributes) -> Result<Self, QueueError> {
        let mut changed = self.clone();
        for (name, value) in attributes {
            changed.set(name, value)?;
        }
        match changed.fifo {
            Some(FifoSettings {
                throughput_limit_per_group: true,
                deduplication_scope: DeduplicationScope::Queue,
                ..
            }) => Err(invalid(
                "FifoThroughputLimit",
                "perMessageGroupId is only allowed with the DeduplicationScope messageGroup.",
            )),
            _ => Ok(changed),
        }
    }

    /// Returns these settings as attributes.
    pub(crate) fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        let mut put = |name: &str, value: String| attributes.insert(name.to_owned(), value);
        put("VisibilityTimeout", self.visibility_timeout_seconds.to_string());
        put("DelaySeconds", self.delay_seconds.to_string());
        put("ReceiveMessageWaitTimeSeconds", self.receive_wait_seconds.to_string());
        put("MessageRetentionPeriod", self.retention_seconds.to_string());
        put("MaximumMessageSize", self.maximum_message_bytes.to_string());
        if let Some(policy) = &self.redrive_policy {
            put("RedrivePolicy", policy.to_json());
        }
        if let Some(fifo) = self.fifo {
            let scope = match fifo.deduplication_scope {
                DeduplicationScope::Queue => "queue",
                DeduplicationScope::MessageGroup => "messageGroup",
            };
            let limit = if fifo.throughput_limit_per_group { "perMessageGroupId" } else { "perQueue" };
            put("FifoQueue", "true".to_owned());
            put("ContentBasedDeduplication", fifo.content_based_deduplication.to_string());
            put("DeduplicationScope", scope.to_owned());
            put("FifoThroughputLimit", limit.to_owned());
        }
        // Messages are encrypted by the service itself unless the queue says otherwise, or by whose key.
        let own_key = self.without_effect.contains_key("KmsMasterKeyId");
        put("SqsManagedSseEnabled", (!own_key).to_string());
        for (name, value) in &self.without_effect {
            put(name, value.clone());
        }
        attributes
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), QueueError> {
        match name {
            "VisibilityTimeout" => self.visibility_timeout_seconds = number(name, value, 0..=43_200)?,
            "DelaySeconds" => self.delay_seconds = number(name, value, 0..=900)?,
            "ReceiveMessageWaitTimeSeconds" => self.receive_wait_seconds = number(name, value, 0..=20)?,
            "MessageRetentionPeriod" => self.retention_seconds = number(name, value, 60..=1_209_600)?,
            "MaximumMessageSize" => {
                self.maximum_message_bytes = number(name, value, 1_024..=MAXIMUM_REQUEST_BYTES)?;
            }
            // An empty policy takes the policy away.
            "RedrivePolicy" if value.is_empty() => self.redrive_policy = None,
            "RedrivePolicy" => self.redrive_policy = Some(RedrivePolicy::from_json(value)?),
            _ => {
                if let Some(known) = Self::WITHOUT_EFFECT.iter().find(|known| **known == name) {
                    // An empty value takes the attribute away.
                    self.without_effect.remove(known);
                    if !value.is_empty() {
                        self.without_effect.insert(known, value.to_owned());
                    }
                } else if let Some(fifo) = &mut self.fifo {
                    fifo.set(name, value)?;
                } else {
                    return Err(QueueError::InvalidAttributeName { name: name.to_owned() });
                }
            }
        }
        Ok(())
    }
}

impl FifoSettings {
    fn set(&mut self, name: &str, value: &str) -> Result<(), QueueError> {
        let truth = [true, false].into_iter().find(|truth| truth.to_string().eq_ignore_ascii_case(value));
        match (name, value) {
            ("FifoQueue", _) if truth == Some(true) => {}
            ("FifoQueue", _) => return Err(invalid(name, "A FIFO queue cannot become a standard queue.")),
            ("ContentBasedDeduplication", _) => {
                self.content_based_deduplication =
                    truth.ok_or_else(|| invalid(name, "Must be true or false."))?;
            }
            ("DeduplicationScope", "queue") => self.deduplication_scope = DeduplicationScope::Queue,
            ("DeduplicationScope", "messageGroup") => {
                self.deduplication_scope = DeduplicationScope::MessageGroup;
            }
            ("DeduplicationScope", _) => return Err(invalid(name, "Must be queue or messageGroup.")),
            ("FifoThroughputLimit", "perQueue") => self.throughput_limit_per_group = false,
            ("FifoThroughputLimit", "perMessageGroupId") => self.throughput_limit_per_group = true,
            ("FifoThroughputLimit", _) => {
                return Err(invalid(name, "Must be perQueue or perMessageGroupId."));
            }
            _ => return Err(QueueError::InvalidAttributeName { name: name.to_owned() }),
        }
        Ok(())
    }
}

impl RedrivePolicy {
    fn from_json(text: &str) -> Result<Self, QueueError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Document {
            dead_letter_target_arn: String,
            max_receive_count: Value,
        }
        let document: Document =
            serde_json::from_str(text).map_err(|error| invalid("RedrivePolicy", &error.to_string()))?;
        // Deployment tools write the count as a number or as text, and both are accepted.
        let count = match document.max_receive_count {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(Self {
            dead_letter_target_arn: document.dead_letter_target_arn,
            max_receive_count: number("RedrivePolicy", &count, 1..=1_000)?,
        })
    }

    fn to_json(&self) -> String {
        json!({
            "deadLetterTargetArn": self.dead_letter_target_arn,
            "maxReceiveCount": self.max_receive_count,
        })
        .to_string()
    }
}

fn number<N: FromStr + PartialOrd + std::fmt::Display>(
    name: &str,
    value: &str,
    range: RangeInclusive<N>,
) -> Result<N, QueueError> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let reason =
            format!("Must be a whole number from {} to {}, not {value}.", range.start(), range.end());
        invalid(name, &reason)
    })
}

fn invalid(name: &str, reason: &str) -> QueueError {
    QueueError::InvalidAttributeValue { name: name.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn attributes_read_back_as_they_were_set() {
        let set = attributes(&[
            ("ContentBasedDeduplication", "true"),
            ("DeduplicationScope", "messageGroup"),
            ("DelaySeconds", "900"),
            ("FifoQueue", "true"),
            ("FifoThroughputLimit", "perMessageGroupId"),
            ("MaximumMessageSize", "1024"),
            ("MessageRetentionPeriod", "60"),
            ("Policy", "{}"),
            ("ReceiveMessageWaitTimeSeconds", "20"),
            ("RedrivePolicy", r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":3}"#),
            ("SqsManagedSseEnabled", "false"),
            ("VisibilityTimeout", "43200"),
        ]);
        let settings = QueueSettings::fifo().with(&set).unwrap();
        assert_eq!(settings.attributes(), set);
    }

    #[test]
    fn truths_are_read_in_either_case_and_an_empty_policy_is_none() {
        let set = attributes(&[("FifoQueue", "True"), ("ContentBasedDeduplication", "TRUE"), ("Policy", "")]);
        let shown = QueueSettings::fifo().with(&set).unwrap().attributes();
        assert_eq!(shown.get("FifoQueue").map(String::as_str), Some("true"));
        assert_eq!(shown.get("ContentBasedDeduplication").map(String::as_str), Some("true"));
        assert_eq!(shown.get("Policy"), None);
        assert_eq!(shown.get("SqsManagedSseEnabled").map(String::as_str), Some("true"));
        let refused = attributes(&[("ContentBasedDeduplication", "yes")]);
        assert!(QueueSettings::fifo().with(&refused).is_err());
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (name, value) in [
            ("VisibilityTimeout", "43201"),
            ("VisibilityTimeout", "-1"),
            ("DelaySeconds", "901"),
            ("ReceiveMessageWaitTimeSeconds", "21"),
            ("MessageRetentionPeriod", "59"),
            ("MaximumMessageSize", "1048577"),
            ("RedrivePolicy", "not JSON"),
            ("RedrivePolicy", r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":0}"#),
        ] {
            let refused = QueueSettings::standard().with(&attributes(&[(name, value)]));
            assert!(matches!(refused, Err(QueueError::InvalidAttributeValue { .. })), "{name}={value}");
        }
    }

    #[test]
    fn a_standard_queue_has_no_fifo_attributes() {
        for name in
            ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit", "Color"]
        {
            assert_eq!(
                QueueSettings::standard().with(&attributes(&[(name, "true")])),
                Err(QueueError::InvalidAttributeName { name: name.to_owned() })
            );
        }
    }

    #[test]
    fn throughput_per_group_requires_deduplication_per_group() {
        let alone = attributes(&[("FifoThroughputLimit", "perMessageGroupId")]);
        assert!(matches!(QueueSettings::fifo().with(&alone), Err(QueueError::InvalidAttributeValue { .. })));
    }

    #[test]
    fn a_redrive_policy_may_write_its_count_as_text_and_is_removed_by_an_empty_one() {
        let policy =
            attributes(&[("RedrivePolicy", r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":"5"}"#)]);
        let settings = QueueSettings::standard().with(&policy).unwrap();
        assert_eq!(settings.redrive_policy.as_ref().map(|policy| policy.max_receive_count), Some(5));
        let removed = settings.with(&attributes(&[("RedrivePolicy", "")])).unwrap();
        assert_eq!(removed.redrive_policy, None);
    }
}
