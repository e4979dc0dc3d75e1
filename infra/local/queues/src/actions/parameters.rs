//! Checks parameters that several requests have.

use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::error::QueueError;
use crate::queue_name::QueueName;

/// A request that says nothing but which queue it is about.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct QueueRequest {
    queue_url: Option<String>,
}

impl QueueRequest {
    /// Returns the queue it is about.
    pub(crate) fn queue(self) -> Result<QueueName, QueueError> {
        queue_of(self.queue_url)
    }
}

/// Returns the queue of a `QueueUrl` parameter.
pub(crate) fn queue_of(queue_url: Option<String>) -> Result<QueueName, QueueError> {
    QueueName::from_url(&required("QueueUrl", queue_url)?)
}

/// Returns a parameter that must be there.
pub(crate) fn required<T>(name: &'static str, value: Option<T>) -> Result<T, QueueError> {
    value.ok_or(QueueError::MissingParameter { name })
}

/// Returns a parameter that must lie in a range if it is there.
pub(crate) fn in_range(
    name: &str,
    value: Option<i64>,
    range: RangeInclusive<u32>,
) -> Result<Option<u32>, QueueError> {
    let Some(value) = value else { return Ok(None) };
    match u32::try_from(value) {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(QueueError::InvalidParameterValue {
            name: name.to_owned(),
            value: value.to_string(),
            reason: format!("Must be between {} and {}, if provided.", range.start(), range.end()),
        }),
    }
}

/// Returns a visibility timeout: up to twelve hours.
pub(crate) fn visibility_timeout_seconds(value: Option<i64>) -> Result<Option<u32>, QueueError> {
    in_range("VisibilityTimeout", value, 0..=43_200)
}
