//! Actions on whole queues.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::parameters::{QueueRequest, in_range, queue_of, required};
use crate::error::QueueError;
use crate::queue_name::QueueName;
use crate::service::QueueService;
use crate::settings::Attributes;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateQueueRequest {
    queue_name: Option<String>,
    #[serde(default)]
    attributes: Attributes,
}

pub(crate) fn create_queue(service: &QueueService, request: CreateQueueRequest) -> Result<Value, QueueError> {
    let name = QueueName::parse(&required("QueueName", request.queue_name)?)?;
    service.with_queues(|queues, now_ms| queues.create(now_ms, &name, &request.attributes))?;
    Ok(json!({ "QueueUrl": service.url_of(&name) }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetQueueUrlRequest {
    queue_name: Option<String>,
}

pub(crate) fn get_queue_url(
    service: &QueueService,
    request: GetQueueUrlRequest,
) -> Result<Value, QueueError> {
    let name = QueueName::parse(&required("QueueName", request.queue_name)?)?;
    service.with_queues(|queues, _| queues.get(&name).map(drop))?;
    Ok(json!({ "QueueUrl": service.url_of(&name) }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListQueuesRequest {
    #[serde(default)]
    queue_name_prefix: String,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListQueuesAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists at most 1000 queues; only a request that sets a limit is answered with how to go on, by the last
/// name it was given.
pub(crate) fn list_queues(
    service: &QueueService,
    request: ListQueuesRequest,
) -> Result<ListQueuesAnswer, QueueError> {
    let ListQueuesRequest { queue_name_prefix, max_results, next_token } = request;
    let limit = in_range("MaxResults", max_results, 1..=1_000)?;
    let page_length = limit.unwrap_or(1_000) as usize;
    let matches = |name: &&QueueName| {
        name.as_str().starts_with(&queue_name_prefix)
            && next_token.as_deref().is_none_or(|last| name.as_str() > last)
    };
    let mut names: Vec<_> = service
        .with_queues(|queues, _| queues.names().filter(matches).take(page_length + 1).cloned().collect());
    let has_more = names.len() > page_length;
    names.truncate(page_length);
    Ok(ListQueuesAnswer {
        next_token: names.last().filter(|_| has_more && limit.is_some()).map(QueueName::to_string),
        queue_urls: names.iter().map(|name| service.url_of(name)).collect(),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetQueueAttributesRequest {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetQueueAttributesAnswer {
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
}

pub(crate) fn get_queue_attributes(
    service: &QueueService,
    request: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesAnswer, QueueError> {
    let name = queue_of(request.queue_url)?;
    if let Some(unknown) =
        request.attribute_names.iter().find(|name| !ATTRIBUTE_NAMES.contains(&name.as_str()))
    {
        return Err(QueueError::InvalidAttributeName { name: unknown.clone() });
    }
    let mut attributes = service.with_queues(|queues, now_ms| queues.attributes(now_ms, &name))?;
    attributes.retain(|name, _| request.attribute_names.iter().any(|asked| asked == "All" || asked == name));
    Ok(GetQueueAttributesAnswer { attributes })
}

/// What may be asked for; a queue that does not have the attribute leaves it out.
const ATTRIBUTE_NAMES: [&str; 22] = [
    "All",
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SetQueueAttributesRequest {
    queue_url: Option<String>,
    attributes: Option<Attributes>,
}

pub(crate) fn set_queue_attributes(
    service: &QueueService,
    request: SetQueueAttributesRequest,
) -> Result<Value, QueueError> {
    let name = queue_of(request.queue_url)?;
    let attributes = required("Attributes", request.attributes)?;
    service.with_queues(|queues, now_ms| queues.set_attributes(now_ms, &name, &attributes))?;
    Ok(json!({}))
}

pub(crate) fn delete_queue(service: &QueueService, request: QueueRequest) -> Result<Value, QueueError> {
    let name = request.queue()?;
    service.with_queues(|queues, now_ms| queues.delete(now_ms, &name))?;
    Ok(json!({}))
}

pub(crate) fn purge_queue(service: &QueueService, request: QueueRequest) -> Result<Value, QueueError> {
    let name = request.queue()?;
    service.with_queues(|queues, now_ms| queues.purge(now_ms, &name))?;
    Ok(json!({}))
}
