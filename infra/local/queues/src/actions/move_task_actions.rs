//! Actions that move messages back out of a dead-letter queue.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::parameters::{in_range, required};
use crate::error::QueueError;
use crate::move_task::MoveTask;
use crate::service::QueueService;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StartMessageMoveTaskRequest {
    source_arn: Option<String>,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

pub(crate) fn start_message_move_task(
    service: &QueueService,
    request: StartMessageMoveTaskRequest,
) -> Result<Value, QueueError> {
    let source_arn = required("SourceArn", request.source_arn)?;
    let rate = in_range("MaxNumberOfMessagesPerSecond", request.max_number_of_messages_per_second, 1..=500)?;
    let task = service.with_queues(|queues, now_ms| {
        queues.start_move_task(now_ms, &source_arn, request.destination_arn.as_deref(), rate)
    })?;
    Ok(json!({ "TaskHandle": task.handle }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListMessageMoveTasksRequest {
    source_arn: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListMessageMoveTasksAnswer {
    results: Vec<MoveTaskShape>,
}

pub(crate) fn list_message_move_tasks(
    service: &QueueService,
    request: ListMessageMoveTasksRequest,
) -> Result<ListMessageMoveTasksAnswer, QueueError> {
    let source_arn = required("SourceArn", request.source_arn)?;
    let max_results = in_range("MaxResults", request.max_results, 1..=10)?.unwrap_or(1) as usize;
    service.with_queues(|queues, _| {
        let tasks = queues.move_tasks(&source_arn, max_results)?;
        let results = tasks.into_iter().map(|task| MoveTaskShape::new(task, queues.region())).collect();
        Ok(ListMessageMoveTasksAnswer { results })
    })
}

/// A task on the wire. Only a running task shows its handle, and no task here is ever found running.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MoveTaskShape {
    status: &'static str,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<u32>,
    approximate_number_of_messages_moved: usize,
    approximate_number_of_messages_to_move: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    started_timestamp: u64,
}

impl MoveTaskShape {
    fn new(task: MoveTask, region: &str) -> Self {
        Self {
            status: task.status(),
            source_arn: task.source.arn(region),
            destination_arn: task.destination.map(|name| name.arn(region)),
            max_number_of_messages_per_second: task.max_messages_per_second,
            approximate_number_of_messages_moved: task.messages_moved,
            approximate_number_of_messages_to_move: task.messages_to_move,
            failure_reason: task.failure_reason,
            started_timestamp: task.started_at_ms,
        }
    }
}
