//! Reads members of a request.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::ServiceError;
use crate::expression::Placeholders;
use crate::value::{AttributeValue, Item, item_from_json, value_bytes, value_from_json};

/// How long the placeholder of a name or a value may be.
const MAX_PLACEHOLDER_BYTES: usize = 255;
/// How long all placeholders may be together with what they stand for.
const MAX_PLACEHOLDERS_BYTES: usize = 2 * 1_024 * 1_024;

/// The input of a call, whose members are asked for by name.
#[derive(Clone, Copy)]
pub struct Input<'json> {
    json: &'json Value,
}

impl<'json> Input<'json> {
    /// Returns the input of a call.
    #[must_use]
    pub fn new(json: &'json Value) -> Self {
        Self { json }
    }

    /// Returns a member as it is.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'json Value> {
        self.json.get(name).filter(|value| !value.is_null())
    }

    /// Returns a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'json str> {
        self.member(name).and_then(Value::as_str)
    }

    /// Returns a text that must be there.
    pub fn required_text(&self, name: &str) -> Result<&'json str, ServiceError> {
        self.text(name).ok_or_else(|| missing(name))
    }

    /// Returns a truth value; false where it is missing.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.member(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Returns an item that must be there.
    pub fn item(&self, name: &str) -> Result<Item, ServiceError> {
        Ok(item_from_json(self.member(name).ok_or_else(|| missing(name))?)?)
    }

    /// Returns a list; an empty one where it is missing.
    #[must_use]
    pub fn list(&self, name: &str) -> &'json [Value] {
        self.member(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Returns an object; an empty one where it is missing.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&'json Map<String, Value>> {
        self.member(name).and_then(Value::as_object)
    }

    /// Returns texts by name; none where they are missing.
    #[must_use]
    pub fn texts_by_name(&self, name: &str) -> BTreeMap<String, String> {
        self.object(name)
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect()
    }

    /// Returns the names and values that the call's expressions refer to.
    pub fn placeholders(&self) -> Result<Placeholders, ServiceError> {
        let names = self.texts_by_name("ExpressionAttributeNames");
        let values: BTreeMap<String, AttributeValue> = self
            .object("ExpressionAttributeValues")
            .into_iter()
            .flatten()
            .map(|(name, value)| Ok((name.clone(), value_from_json(value)?)))
            .collect::<Result<_, ServiceError>>()?;
        if self.object("ExpressionAttributeValues").is_some_and(Map::is_empty) {
            return Err(ServiceError::validation("ExpressionAttributeValues must not be empty"));
        }
        if self.object("ExpressionAttributeNames").is_some_and(Map::is_empty) {
            return Err(ServiceError::validation("ExpressionAttributeNames must not be empty"));
        }
        if let Some(name) = names.keys().chain(values.keys()).find(|name| name.len() > MAX_PLACEHOLDER_BYTES)
        {
            return Err(ServiceError::validation(format!(
                "The name or value placeholder {name} has more than {MAX_PLACEHOLDER_BYTES} bytes"
            )));
        }
        let names_bytes: usize = names.iter().map(|(name, meant)| name.len() + meant.len()).sum();
        let values_bytes: usize = values.iter().map(|(name, value)| name.len() + value_bytes(value)).sum();
        if names_bytes + values_bytes > MAX_PLACEHOLDERS_BYTES {
            return Err(ServiceError::validation(
                "ExpressionAttributeNames and ExpressionAttributeValues exceed the maximum allowed size of 2 MB",
            ));
        }
        Ok(Placeholders::new(names, values))
    }
}

/// Returns the error of a call without a member that it must have.
pub(super) fn missing(name: &str) -> ServiceError {
    ServiceError::validation(format!(
        "Value at '{name}' failed to satisfy constraint: Member must not be null"
    ))
}
