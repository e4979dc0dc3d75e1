//! The actions that SQS clients ask for by name.

mod batch;
mod message_actions;
mod message_shapes;
mod move_task_actions;
mod parameters;
mod queue_actions;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::QueueError;
use crate::service::QueueService;

/// Performs the action of this name on a request in JSON, and returns the answer in JSON.
///
/// `trace_header` is what the request says about the trace it belongs to.
pub(crate) async fn perform(
    service: &QueueService,
    action: &str,
    trace_header: Option<&str>,
    request: &[u8],
) -> Result<Vec<u8>, QueueError> {
    match action {
        "ChangeMessageVisibility" => run(service, request, message_actions::change_message_visibility),
        "ChangeMessageVisibilityBatch" => {
            run(service, request, message_actions::change_message_visibility_batch)
        }
        "CreateQueue" => run(service, request, queue_actions::create_queue),
        "DeleteMessage" => run(service, request, message_actions::delete_message),
        "DeleteMessageBatch" => run(service, request, message_actions::delete_message_batch),
        "DeleteQueue" => run(service, request, queue_actions::delete_queue),
        "GetQueueAttributes" => run(service, request, queue_actions::get_queue_attributes),
        "GetQueueUrl" => run(service, request, queue_actions::get_queue_url),
        "ListMessageMoveTasks" => run(service, request, move_task_actions::list_message_move_tasks),
        "ListQueues" => run(service, request, queue_actions::list_queues),
        "PurgeQueue" => run(service, request, queue_actions::purge_queue),
        "ReceiveMessage" => Ok(write(&message_actions::receive_message(service, read(request)?).await?)),
        "SendMessage" => run(service, request, |service, request| {
            message_actions::send_message(service, request, trace_header)
        }),
        "SendMessageBatch" => run(service, request, message_actions::send_message_batch),
        "SetQueueAttributes" => run(service, request, queue_actions::set_queue_attributes),
        "StartMessageMoveTask" => run(service, request, move_task_actions::start_message_move_task),
        _ => Err(QueueError::UnknownAction { action: action.to_owned() }),
    }
}

fn run<Request: DeserializeOwned, Answer: Serialize>(
    service: &QueueService,
    request: &[u8],
    action: impl FnOnce(&QueueService, Request) -> Result<Answer, QueueError>,
) -> Result<Vec<u8>, QueueError> {
    Ok(write(&action(service, read(request)?)?))
}

fn read<Request: DeserializeOwned>(request: &[u8]) -> Result<Request, QueueError> {
    // A request without parameters may have no body at all.
    let request = if request.is_empty() { b"{}" } else { request };
    serde_json::from_slice(request)
        .map_err(|error| QueueError::MalformedRequest { reason: error.to_string() })
}

fn write<Answer: Serialize>(answer: &Answer) -> Vec<u8> {
    serde_json::to_vec(answer).expect("answers have nothing but text keys")
}
