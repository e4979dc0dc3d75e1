//! The key of a row.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::decimal;
use super::value::{Field, Scalar};

/// Which row of the source a change is about: the topic of its table and its primary key, for example
/// `dbserver1.rwa_planting.planting_orders/55`.
///
/// The key is written by its values alone, so that it is the same whether the message has it bare, as an
/// object or in a schema, and stays the same when a key column is renamed. A key of several columns is
/// written as a JSON list.
///
/// The order is that in which rows of one business key take precedence (rules, section 6): by primary key,
/// numbers as numbers and before texts, and then by topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RowKey {
    topic: String,
    values: Vec<String>,
}

impl RowKey {
    /// The longest key, in bytes of its text; a stored item's key has no room for more.
    pub const MAX_BYTES: usize = 900;

    /// Returns the key of these values in the table of this topic, unless it is empty or too long.
    pub(super) fn new(topic: &str, values: Vec<String>) -> Option<Self> {
        let key = Self { topic: topic.to_owned(), values };
        let is_usable =
            key.values.iter().any(|value| !value.is_empty()) && key.to_string().len() <= Self::MAX_BYTES;
        is_usable.then_some(key)
    }

    /// Returns the topic of the table.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Returns the primary key as text.
    #[must_use]
    pub fn primary_key(&self) -> String {
        match self.values.as_slice() {
            // What begins like a list is written as one, so that it reads back.
            [value] if !value.starts_with('[') => value.clone(),
            values => serde_json::to_string(values).expect("a list of texts is JSON"),
        }
    }
}

/// Returns a value of a key in its normal form; nothing, where it is null.
pub(super) fn key_value(field: &Field<'_>) -> Option<String> {
    if let Some(number) = decimal::number_in_bytes(&field.value, field.schema) {
        return Some(number);
    }
    match &field.value {
        Scalar::Null => None,
        Scalar::Boolean(value) => Some(value.to_string()),
        Scalar::Number(number) => Some(decimal::without_point(number).into_owned()),
        // Blanks at the end mean nothing (`char(n)`).
        Scalar::Text(text) => Some(text.trim_end().to_owned()),
        Scalar::Other(json) => {
            let value: serde_json::Value = serde_json::from_str(json).ok()?;
            Some(value.to_string())
        }
    }
}

/// Returns the values of a key that Kafka Connect's `StringConverter` wrote, in order of their names: a bare text such as
/// `cccccccc-0000-4000-8000-000000000011`, or `Struct{order_id=11}`. Nothing, where it is half a JSON document, or binary.
pub(super) fn values_in_text(key: &[u8]) -> Option<Vec<(Option<&str>, String)>> {
    let text = std::str::from_utf8(key).ok()?.trim_end();
    if text.is_empty() || text.starts_with(['{', '[', '"']) || text.contains(char::is_control) {
        return None;
    }
    let Some(fields) = text.strip_prefix("Struct{").and_then(|rest| rest.strip_suffix('}')) else {
        return Some(vec![(None, text.to_owned())]);
    };
    let mut values: Vec<_> = fields.split(',').map(|field| field.split_once('=')).collect::<Option<_>>()?;
    values.sort();
    Some(values.into_iter().map(|(name, value)| (Some(name), value.trim_end().to_owned())).collect())
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_value = |(this, other): (&String, &String)| match (this.parse::<i128>(), other.parse::<i128>())
        {
            (Ok(this), Ok(other)) => this.cmp(&other),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => this.cmp(other),
        };
        let first_difference =
            self.values.iter().zip(&other.values).map(by_value).find(|order| order.is_ne());
        first_difference
            .unwrap_or(Ordering::Equal)
            .then_with(|| self.values.len().cmp(&other.values.len()))
            .then_with(|| self.values.cmp(&other.values))
            .then_with(|| self.topic.cmp(&other.topic))
    }
}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.topic, self.primary_key())
    }
}

impl FromStr for RowKey {
    type Err = InvalidRowKey;

    fn from_str(text: &str) -> Result<Self, InvalidRowKey> {
        let (topic, key) = text.split_once('/').ok_or(InvalidRowKey)?;
        let values = if key.starts_with('[') {
            serde_json::from_str(key).map_err(|_| InvalidRowKey)?
        } else {
            vec![key.to_owned()]
        };
        Self::new(topic, values).ok_or(InvalidRowKey)
    }
}

impl TryFrom<String> for RowKey {
    type Error = InvalidRowKey;

    fn try_from(text: String) -> Result<Self, InvalidRowKey> {
        text.parse()
    }
}

impl From<RowKey> for String {
    fn from(key: RowKey) -> Self {
        key.to_string()
    }
}

/// Text that is not the key of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the key of a row: a topic, '/' and the row's primary key")]
pub struct InvalidRowKey;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&str]) -> RowKey {
        RowKey::new("s.t", values.iter().map(|&value| value.to_owned()).collect()).expect("a key")
    }

    #[test]
    fn a_key_reads_back_as_written() {
        for values in [&["55"][..], &["a/b"], &["7", "x"], &["[1]"], &["[\"a\",\"b\"]"], &["a", "", "c"]] {
            let key = key(values);
            assert_eq!(key.to_string().parse(), Ok(key.clone()), "{key}");
        }
        assert_eq!(key(&["55"]).to_string(), "s.t/55");
        assert_eq!(key(&["7", "x"]).to_string(), r#"s.t/["7","x"]"#);
        assert!("no table".parse::<RowKey>().is_err());
    }

    #[test]
    fn keys_that_are_no_json_are_the_text_that_a_string_converter_wrote() {
        let values = |key: &[u8]| -> Option<Vec<String>> {
            Some(values_in_text(key)?.into_iter().map(|(_, value)| value).collect())
        };
        for (key, expected) in [
            ("D26010100001", &["D26010100001"][..]),
            ("cccccccc-0000-4000-8000-000000000011", &["cccccccc-0000-4000-8000-000000000011"]),
            ("Struct{order_id=11}", &["11"]),
            ("Struct{tenant=7,id=a=b }", &["a=b", "7"]),
        ] {
            assert_eq!(values(key.as_bytes()).expect("a key"), expected, "{key}");
        }
        for key in
            [&b""[..], b"{\"id\":1", b"[1", b"\"x", b"\0\0\0\x0b", b"\xff", b"Struct{a,b}", b"Struct{}"]
        {
            assert_eq!(values(key), None, "{key:?}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_come_before_texts() {
        let ascending =
            [key(&["-3"]), key(&["9"]), key(&["10"]), key(&["10", "2"]), key(&["10", "11"]), key(&["9a"])];
        assert!(ascending.is_sorted());
    }

    #[test]
    fn a_key_without_a_value_or_with_too_long_a_one_is_none() {
        assert!(RowKey::new("s.t", vec![]).is_none());
        assert!(RowKey::new("s.t", vec![String::new()]).is_none());
        assert!(RowKey::new("s.t", vec!["x".repeat(900)]).is_none());
    }
}
