//! Error answers.

use serde_json::{Value, json};

use crate::error::{CancellationReason, Details, ErrorKind};
use crate::value::item_to_json;
use crate::world::CallError;

/// Returns the name of an error, without namespace; `timeout` where no answer arrived.
#[must_use]
pub fn error_name(error: &CallError) -> String {
    match error {
        CallError::Service(error) => error.kind.name(),
        CallError::TimedOut => "timeout".to_owned(),
    }
}

/// Returns what an error answer carries besides its name.
#[must_use]
pub fn error_output(error: &CallError) -> Value {
    let CallError::Service(error) = error else { return json!({}) };
    match &error.details {
        Details::None => json!({ "message": error.message }),
        Details::Item(item) => json!({ "message": error.message, "Item": item_to_json(item) }),
        Details::Cancellation(reasons) => {
            json!({ "message": error.message, "CancellationReasons": reasons.iter().map(reason).collect::<Vec<_>>() })
        }
        Details::Throttling(throttling) => {
            let list = json!([{ "reason": throttling.reason, "resource": throttling.resource }]);
            // One exception spells its list with a small letter, the others with a capital one.
            match error.kind {
                ErrorKind::ThrottlingException => {
                    json!({ "message": error.message, "throttlingReasons": list })
                }
                _ => json!({ "message": error.message, "ThrottlingReasons": list }),
            }
        }
    }
}

fn reason(reason: &CancellationReason) -> Value {
    let mut shown = json!({ "Code": format!("{:?}", reason.code) });
    if let Some(message) = reason.code.message() {
        shown["Message"] = message.into();
    }
    if let Some(item) = &reason.item {
        shown["Item"] = item_to_json(item);
    }
    shown
}
