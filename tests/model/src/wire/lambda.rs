//! Calls and answers of the services that run functions, schedule them and keep topics.

use serde_json::{Value, json};

use super::input::Input;
use crate::error::ServiceError;
use crate::lambda::{Schedule, Target, parse_rate};
use crate::world::{Administration, LambdaRequest, Request};

/// Reads a call; nothing where the service has none of this name.
pub(super) fn decode(call: &str, json: &Value) -> Option<Request> {
    let input = Input::new(json);
    Some(Request::Lambda(match call {
        "CreateEventSourceMapping" => LambdaRequest::CreateMapping(json.clone()),
        "UpdateEventSourceMapping" => LambdaRequest::UpdateMapping(json.clone()),
        "Invoke" | "InvokeAsync" => {
            let name = input.text("FunctionName").unwrap_or_default();
            let function = name.rsplit(':').next().unwrap_or(name).to_owned();
            let payload = match input.member("Payload") {
                None => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            match input.text("InvocationType") {
                _ if call == "InvokeAsync" => LambdaRequest::InvokeAsynchronously { function, payload },
                Some("Event") => LambdaRequest::InvokeAsynchronously { function, payload },
                Some("DryRun") => LambdaRequest::DryRun { function },
                _ => LambdaRequest::Invoke { function, payload },
            }
        }
        _ => LambdaRequest::Administer { call: administration(call)?, input: json.clone() },
    }))
}

fn administration(call: &str) -> Option<Administration> {
    Some(match call {
        "GetEventSourceMapping" => Administration::GetEventSourceMapping,
        "ListEventSourceMappings" => Administration::ListEventSourceMappings,
        "DeleteEventSourceMapping" => Administration::DeleteEventSourceMapping,
        "GetFunctionConcurrency" => Administration::GetFunctionConcurrency,
        "PutFunctionConcurrency" => Administration::PutFunctionConcurrency,
        "DeleteFunctionConcurrency" => Administration::DeleteFunctionConcurrency,
        "PutFunctionEventInvokeConfig" => Administration::PutFunctionEventInvokeConfig,
        "UpdateFunctionEventInvokeConfig" => Administration::UpdateFunctionEventInvokeConfig,
        "GetFunctionConfiguration" => Administration::GetFunctionConfiguration,
        "UpdateFunctionConfiguration" => Administration::UpdateFunctionConfiguration,
        _ => return None,
    })
}

/// Reads a call that makes a schedule.
pub(super) fn create_schedule(json: &Value) -> Request {
    let input = Input::new(json);
    let schedule = || {
        let expression = input.required_text("ScheduleExpression")?;
        let every_ms = parse_rate(expression)
            .ok_or_else(|| ServiceError::validation(format!("Invalid Schedule Expression {expression}.")))?;
        let target = Input::new(input.member("Target").unwrap_or(&Value::Null));
        let arn = target.required_text("Arn")?;
        let function = arn.rsplit(':').next().unwrap_or(arn).to_owned();
        let on = input.text("State") != Some("DISABLED");
        Ok(Schedule { every_ms, target: Target::Function(function), on })
    };
    let name = input.text("Name").unwrap_or_default().to_owned();
    Request::CreateSchedule { name, schedule: schedule() }
}

/// Reads a record that is to be appended to a topic.
pub(super) fn produce(json: &Value) -> Option<Request> {
    let input = Input::new(json);
    let partition = input.member("partition").and_then(Value::as_u64).unwrap_or(0);
    Some(Request::Produce {
        topic: input.text("topic")?.to_owned(),
        partition: u32::try_from(partition).ok()?,
        key: input.text("key").map(str::to_owned),
        value: input.text("value").map(str::to_owned),
    })
}

/// Writes what a function answered.
pub(super) fn function_output(payload: Option<&str>, failed: bool) -> Value {
    if failed {
        json!({ "StatusCode": 200, "FunctionError": "Unhandled", "Payload": payload.unwrap_or("") })
    } else {
        json!({ "StatusCode": 200, "Payload": payload.unwrap_or("null") })
    }
}
