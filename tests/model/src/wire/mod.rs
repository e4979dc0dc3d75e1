//! The form that calls and answers have on the wire: JSON as the service's own clients send and get it.

mod error;
mod input;
mod lambda;
mod sqs;
mod table_input;
mod table_output;

use serde_json::Value;

pub use error::{error_name, error_output};
pub use input::Input;
pub use sqs::queue_output;
pub use table_output::{ConsumedReport, table_output};

use crate::world::{Output, Request};

/// Reads a call; nothing where no service has such a call.
#[must_use]
pub fn decode(client: &str, call: &str, input: &Value) -> Option<Request> {
    match client {
        "dynamodb" => table_input::decode(call, input),
        "sqs" => sqs::decode(call, input),
        "lambda" => lambda::decode(call, input),
        "scheduler" if call == "CreateSchedule" => Some(lambda::create_schedule(input)),
        "kafka" if call == "Produce" => lambda::produce(input),
        _ => None,
    }
}

/// Writes an answer; `report` is what it says about the units consumed.
#[must_use]
pub fn encode(output: &Output, report: Option<ConsumedReport<'_>>) -> Value {
    match output {
        Output::Table(response) => table_output(response, report),
        Output::Queue(response) => queue_output(response),
        Output::Function { payload, failed } => lambda::function_output(payload.as_deref(), *failed),
        Output::Described(described) => described.clone(),
        Output::Done => Value::Object(serde_json::Map::new()),
    }
}
