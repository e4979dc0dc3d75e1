//! A field of a message: its value as JSON has it, and what the message says about it. What it means in a column of a
//! row is for `cell.rs` to say.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::is_avro_union;
use super::refusal::Refusal;
use super::schema::Schema;

/// A JSON value, with numbers as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    /// An object or an array, or text that is not Unicode; as its JSON text.
    Other(&'a str),
}

impl<'a> Scalar<'a> {
    pub(super) fn of(raw: &'a RawValue) -> Self {
        #[derive(Deserialize)]
        struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

        let json = raw.get();
        match json.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Boolean(true),
            Some(b'f') => Self::Boolean(false),
            Some(b'-' | b'0'..=b'9') => Self::Number(json),
            Some(b'"') => {
                serde_json::from_str(json).map_or(Self::Other(json), |Borrowed(text)| Self::Text(text))
            }
            _ => Self::Other(json),
        }
    }
}

/// A value together with what the message says about it.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Scalar<'a>,
    pub(super) schema: Option<&'a Schema>,
}

impl Field<'_> {
    pub(super) fn is_null(&self) -> bool {
        self.value == Scalar::Null
    }

    /// Returns the same field, with the name of the object it is in.
    pub(super) fn inside(mut self, object: &str) -> Self {
        self.name = Cow::Owned(format!("{object}.{}", self.name));
        self
    }

    pub(super) fn invalid(&self, expected: &'static str) -> Refusal {
        Refusal::InvalidField { field: self.name.clone().into_owned(), expected }
    }

    /// Returns a number that is not negative, unless there is none: what says nothing about the order is no reason
    /// to refuse a row.
    pub(super) fn log_position(&self) -> Option<u64> {
        match &self.value {
            Scalar::Number(number) => number.parse().ok(),
            Scalar::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Returns a time in milliseconds, without what is smaller.
    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        let text = match &self.value {
            Scalar::Number(number) => *number,
            Scalar::Text(text) => text,
            _ => return None,
        };
        text.split('.').next()?.parse().ok()
    }

    /// Returns a boolean, also as text, which is how `__deleted` is written.
    pub(super) fn flag(&self) -> Result<bool, Refusal> {
        match &self.value {
            Scalar::Boolean(flag) => Ok(*flag),
            Scalar::Text(text) if text == "true" => Ok(true),
            Scalar::Text(text) if text == "false" => Ok(false),
            _ => Err(self.invalid("true or false")),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Scalar::Text(text) = &self.value { Some(text) } else { None }
    }

    /// Returns whether this is a value of a union in Avro's JSON encoding, such as `{"string": "PAID"}`.
    pub(super) fn is_avro_union(&self) -> bool {
        let Scalar::Other(json) = self.value else { return false };
        is_avro_union(json)
    }
}
