//! Which parameters of an event source mapping its kind of source does not have.

use serde_json::Value;

use super::mapping::{Source, refused};
use crate::error::ServiceError;

const MAX_POLLERS: u64 = 200;
const MAX_TUMBLING_SECONDS: u64 = 900;
/// What only topics and streams have.
const NOT_OF_QUEUES: [&str; 7] = [
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "StartingPosition",
    "TumblingWindowInSeconds",
];
/// What only streams have.
const NOT_OF_TOPICS: [&str; 2] = ["ParallelizationFactor", "TumblingWindowInSeconds"];

/// Refuses parameters of another kind of source, and values that no source takes.
pub fn check_parameters(source: &Source, input: &Value) -> Result<(), ServiceError> {
    let foreign: &[&str] = match source {
        Source::Queue(_) => &NOT_OF_QUEUES,
        Source::Topic(_) => &NOT_OF_TOPICS,
        Source::Stream(_) => &[],
    };
    let given = |name: &&&str| !matches!(input[**name], Value::Null | Value::Bool(false));
    if let Some(name) = foreign.iter().find(given) {
        return Err(refused(&format!("{name} is not supported for this event source")));
    }
    if input["Topics"].as_array().is_some_and(|topics| topics.len() > 1) {
        return Err(refused("Topics must have exactly one member"));
    }
    let pollers = input["ProvisionedPollerConfig"]["MinimumPollers"].as_u64();
    if pollers.is_some_and(|pollers| !(1..=MAX_POLLERS).contains(&pollers)) {
        return Err(refused("MinimumPollers must be from 1 to 200"));
    }
    if input["TumblingWindowInSeconds"].as_u64().is_some_and(|seconds| seconds > MAX_TUMBLING_SECONDS) {
        return Err(refused("TumblingWindowInSeconds must be from 0 to 900"));
    }
    let mut types = input["FunctionResponseTypes"].as_array().into_iter().flatten();
    if types.any(|kind| kind != "ReportBatchItemFailures") {
        return Err(refused("FunctionResponseTypes must be ReportBatchItemFailures"));
    }
    Ok(())
}
