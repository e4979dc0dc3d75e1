//! A JSON document, with or without the schema that Kafka Connect writes beside it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::{Fields, fields, is_avro_union};
use super::profile::Columns;
use super::refusal::Refusal;
use super::schema::Schema;
use super::value::{Field, Scalar};

/// A key or a value, taken out of its schema wrapper if it has one.
#[derive(Debug)]
pub(super) struct Document<'a> {
    payload: Payload<'a>,
    schema: Option<Schema>,
}

#[derive(Debug)]
enum Payload<'a> {
    Object(Fields<'a>),
    Other(&'a RawValue),
}

impl<'a> Document<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        // A byte order mark, which some tools write before the text, says nothing.
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let whole: &RawValue = serde_json::from_slice(bytes)
            .map_err(|error| Refusal::MalformedJson { line: error.line(), column: error.column() })?;
        let payload = Payload::of(whole);
        let Some((schema, payload)) = payload.unwrapped() else { return Ok(Self { payload, schema: None }) };
        let schema = serde_json::from_str(schema.map_or("null", RawValue::get)).map_err(|_| {
            Refusal::InvalidField {
                field: "schema".to_owned(),
                expected: "a schema as Kafka Connect's JsonConverter writes it",
            }
        })?;
        Ok(Self { payload: Payload::of(payload), schema })
    }

    /// Returns whether there is nothing in it, which is how a converter with schemas writes a tombstone.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.payload, Payload::Other(raw) if raw.get() == "null")
    }

    /// Returns the name of the schema, if there is one with a name.
    pub(super) fn schema_name(&self) -> Option<&str> {
        self.schema.as_ref()?.name.as_deref()
    }

    /// Its fields in order of their names, or its single value without a name.
    pub(super) fn values(&self) -> Vec<(Option<&str>, Field<'_>)> {
        match &self.payload {
            Payload::Object(fields) => fields
                .iter()
                .map(|(name, raw)| {
                    let name = name.0.as_ref();
                    let schema = self.schema.as_ref().and_then(|schema| schema.child(name));
                    (Some(name), Field { name: Cow::Borrowed(name), value: Scalar::of(raw), schema })
                })
                .collect(),
            Payload::Other(raw) => {
                let name = Cow::Borrowed("the key");
                vec![(None, Field { name, value: Scalar::of(raw), schema: self.schema.as_ref() })]
            }
        }
    }

    pub(super) fn into_record(self) -> Result<Record<'a>, Refusal> {
        match self.payload {
            Payload::Object(fields) => Ok(Record { fields, schema: self.schema }),
            Payload::Other(_) => {
                Err(Refusal::InvalidMessage { expected: "an object with a field per column" })
            }
        }
    }
}

impl<'a> Payload<'a> {
    fn of(raw: &'a RawValue) -> Self {
        fields(raw).map_or(Self::Other(raw), Self::Object)
    }

    /// Returns the schema, if there is one, and what it describes, if this is a wrapper of the two. Some producers
    /// leave the schema out.
    fn unwrapped(&self) -> Option<(Option<&'a RawValue>, &'a RawValue)> {
        let Self::Object(fields) = self else { return None };
        // These fields and no other: a flattened row has its key, its account and more.
        let payload = *fields.get("payload")?;
        let schema = fields.get("schema").copied();
        (fields.len() == 1 + usize::from(schema.is_some())).then_some((schema, payload))
    }
}

/// An object, and its schema if the message came with one.
#[derive(Debug)]
pub(super) struct Record<'a> {
    fields: Fields<'a>,
    schema: Option<Schema>,
}

impl<'a> Record<'a> {
    /// Returns those of these columns that the row has, each with its number in the list.
    pub(super) fn all<'r>(&'r self, columns: &'r Columns) -> impl Iterator<Item = (u8, Field<'r>)> {
        columns.names().zip(0..).filter_map(|(name, number)| Some((number, self.field(name)?)))
    }

    /// Returns the field of this name.
    pub(super) fn field<'r>(&'r self, name: &'r str) -> Option<Field<'r>> {
        let value = Scalar::of(self.fields.get(name)?);
        let schema = self.schema.as_ref().and_then(|schema| schema.child(name));
        Some(Field { name: Cow::Borrowed(name), value, schema })
    }

    /// Returns the field of this name with a prefix.
    pub(super) fn prefixed(&self, prefix: &str, name: &str) -> Option<Field<'_>> {
        let name = format!("{prefix}{name}");
        let value = Scalar::of(self.fields.get(name.as_str())?);
        Some(Field { name: Cow::Owned(name), value, schema: None })
    }

    /// Returns the value of a field as its JSON text.
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.get(name).copied()
    }

    /// Returns whether this is a change wrapped as a `CloudEvent`, whose row is somewhere inside.
    pub(super) fn is_cloud_event(&self) -> bool {
        let has = |name: &str| self.fields.contains_key(name);
        // One without a row has no `data`, and one in another format has `data_base64`.
        has("specversion") && has("type") && (has("source") || has("data"))
    }

    /// Returns the names of its fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(|name| name.0.as_ref())
    }

    /// Returns whether the field is there and holds an object or null, as the rows in an envelope do.
    pub(super) fn holds_row(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| raw.get().starts_with(['{', 'n']))
    }

    /// Returns the object in this field, unless it is null or there is none.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<Record<'a>>, Refusal> {
        let raw = match self.fields.remove(name) {
            None => return Ok(None),
            Some(raw) if raw.get() == "null" => return Ok(None),
            Some(raw) => raw,
        };
        if is_avro_union(raw.get()) {
            return Err(Refusal::AvroJson { field: name.to_owned() });
        }
        let fields = fields(raw).ok_or_else(|| Refusal::InvalidField {
            field: name.to_owned(),
            expected: "an object with a field per column",
        })?;
        let schema = self.schema.as_mut().and_then(|schema| schema.remove_child(name));
        Ok(Some(Record { fields, schema }))
    }
}
