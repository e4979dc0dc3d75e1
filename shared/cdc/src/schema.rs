//! The schema that Kafka Connect writes beside a value.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What Kafka Connect says about a value: its type, and its meaning if it is a logical type.
#[derive(Debug, Deserialize)]
pub(super) struct Schema {
    /// The primitive type, for example `string` or `bytes`.
    #[serde(rename = "type")]
    pub(super) primitive: Option<String>,
    /// The logical type, for example `io.debezium.time.Date`.
    pub(super) name: Option<String>,
    /// More about the logical type, for example the scale of a decimal.
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, String>,
    /// Which field of the enclosing struct this is.
    field: Option<String>,
    #[serde(default)]
    fields: Vec<Schema>,
}

impl Schema {
    /// Returns the schema of a field of this struct.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.fields.iter().find(|schema| schema.field.as_deref() == Some(name))
    }

    /// Takes the schema of a field of this struct out of it.
    pub(super) fn remove_child(&mut self, name: &str) -> Option<Self> {
        let index = self.fields.iter().position(|schema| schema.field.as_deref() == Some(name))?;
        Some(self.fields.swap_remove(index))
    }
}
