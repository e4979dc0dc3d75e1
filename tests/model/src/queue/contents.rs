//! What a message may contain: characters, ids and attributes of its sender.

use serde_json::Value;

use crate::error::{ErrorKind, ServiceError};
use crate::value::Number;

const MAX_ID_BYTES: usize = 128;
const MAX_ATTRIBUTES: usize = 10;
const MAX_NAME_CHARACTERS: usize = 256;

/// Refuses a body with a character that XML does not allow.
pub(super) fn check_body(body: &str) -> Result<(), ServiceError> {
    if body.chars().all(is_allowed) {
        return Ok(());
    }
    Err(ErrorKind::InvalidMessageContents.because("Invalid characters found in the message body."))
}

/// Refuses a group or a deduplication id that is not made of letters, digits and punctuation.
pub(super) fn check_id(id: &str) -> Result<(), ServiceError> {
    if (1..=MAX_ID_BYTES).contains(&id.len()) && id.chars().all(|character| character.is_ascii_graphic()) {
        return Ok(());
    }
    Err(invalid(
        "A group or a deduplication id can only include alphanumeric and punctuation characters. 1 to 128 in length",
    ))
}

/// Refuses attributes of the sender with a wrong number, name, type or value.
pub(super) fn check_attributes(attributes: &Value) -> Result<(), ServiceError> {
    let attributes = attributes.as_object();
    if attributes.is_some_and(|attributes| attributes.len() > MAX_ATTRIBUTES) {
        return Err(invalid("Number of message attributes exceeds the allowed maximum [10]."));
    }
    attributes.into_iter().flatten().try_for_each(|(name, attribute)| {
        check_name(name)?;
        check_value(name, attribute)
    })
}

fn check_name(name: &str) -> Result<(), ServiceError> {
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let valid = |character: char| character.is_alphanumeric() || "_-.".contains(character);
    let length = name.chars().count();
    if reserved || dots || !name.chars().all(valid) || !(1..=MAX_NAME_CHARACTERS).contains(&length) {
        return Err(invalid(&format!("The message attribute name {name} is not valid.")));
    }
    Ok(())
}

fn check_value(name: &str, attribute: &Value) -> Result<(), ServiceError> {
    let kind = attribute["DataType"].as_str().unwrap_or_default();
    // What follows the first dot is a label of the sender's own.
    let kind = kind.split('.').next().unwrap_or_default();
    let text = attribute["StringValue"].as_str().unwrap_or_default();
    let valid = match kind {
        "String" => !text.is_empty() && text.chars().all(is_allowed),
        "Number" => Number::parse(text).is_ok(),
        "Binary" => attribute["BinaryValue"].as_str().is_some_and(|bytes| !bytes.is_empty()),
        _ => {
            return Err(invalid(&format!(
                "The type of message attribute '{name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String."
            )));
        }
    };
    if valid { Ok(()) } else { Err(invalid(&format!("Message attribute '{name}' has an invalid value."))) }
}

/// Returns whether a message may contain a character: those of XML.
fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn invalid(message: &str) -> ServiceError {
    ErrorKind::InvalidParameterValue.because(message)
}
