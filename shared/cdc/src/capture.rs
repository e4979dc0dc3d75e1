//! A line of a capture: a Kafka record written as JSON.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::decode::KafkaRecord;

/// A Kafka record from a line of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedRecord {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// The timestamp in milliseconds since 1970, unless it has none.
    pub timestamp_ms: Option<i64>,
    /// The key's bytes, if it has one.
    pub key: Option<String>,
    /// The value's bytes, unless it is a tombstone.
    pub value: Option<String>,
}

impl CapturedRecord {
    /// Reads a line, unless it is blank. A byte order mark before it and a carriage return after it say
    /// nothing.
    ///
    /// Both `{"topic", "partition", "offset", "timestamp", "key", "value"}` and what `kcat -J` writes, with
    /// `ts` and `payload`, are read. A key or a value may be text, or JSON as it is.
    pub fn from_line(line: &str) -> Result<Option<Self>, InvalidLine> {
        let line = line.strip_prefix('\u{feff}').unwrap_or(line).trim();
        if line.is_empty() {
            return Ok(None);
        }
        let line: Line<'_> =
            serde_json::from_str(line).map_err(|error| InvalidLine::Json { problem: error.to_string() })?;
        let missing = |member| InvalidLine::Missing { member };
        Ok(Some(Self {
            topic: line.topic.ok_or_else(|| missing("topic"))?.into_owned(),
            partition: counted("partition", line.partition)?,
            offset: counted("offset", line.offset)?,
            timestamp_ms: line.timestamp.or(line.ts).and_then(milliseconds),
            key: line.key.map(bytes).transpose()?.flatten(),
            value: line.value.or(line.payload).map(bytes).ok_or_else(|| missing("value"))??,
        }))
    }

    /// Returns the record as the decoder takes it.
    #[must_use]
    pub fn as_kafka(&self) -> KafkaRecord<'_> {
        KafkaRecord {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref().map(str::as_bytes),
            value: self.value.as_deref().map(str::as_bytes),
        }
    }
}

/// Why a line of a capture cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLine {
    /// It is not JSON, or a member is of another type.
    #[error(
        "the line is not a Kafka record as JSON: {problem}; write one object a line with topic, partition, \
         offset, timestamp, key and value, or what `kcat -J` writes"
    )]
    Json {
        /// What the JSON reader says.
        problem: String,
    },
    /// It has no such member.
    #[error(
        "the line has no `{member}`; write one object a line with topic, partition, offset, timestamp, key \
         and value (null for a tombstone), or what `kcat -J` writes"
    )]
    Missing {
        /// The member's name.
        member: &'static str,
    },
    /// A partition or an offset is below zero.
    #[error(
        "the line's `{member}` is below zero; write where the record stands in Kafka, which counts from 0"
    )]
    Negative {
        /// The member's name.
        member: &'static str,
    },
}

/// A line as it is written. The outer `Option` of a key or value says whether the member is there.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    partition: Option<i32>,
    offset: Option<i64>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    ts: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    key: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

/// Returns a number that Kafka counts from 0.
fn counted<N: Default + PartialOrd>(member: &'static str, number: Option<N>) -> Result<N, InvalidLine> {
    let number = number.ok_or(InvalidLine::Missing { member })?;
    if number < N::default() { Err(InvalidLine::Negative { member }) } else { Ok(number) }
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Returns a timestamp, without what is smaller than a millisecond; -1 is Kafka's way to say that there is none.
fn milliseconds(raw: &RawValue) -> Option<i64> {
    let text = raw.get().trim_matches('"');
    text.split('.').next()?.parse().ok().filter(|timestamp| *timestamp >= 0)
}

/// Returns the bytes of a key or a value: those of a text, or of a JSON document written as it is.
fn bytes(raw: &RawValue) -> Result<Option<String>, InvalidLine> {
    match raw.get() {
        "null" => Ok(None),
        text if text.starts_with('"') => {
            serde_json::from_str(text).map_err(|error| InvalidLine::Json { problem: error.to_string() })
        }
        document => Ok(Some(document.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        r#"{"topic": "t", "partition": 1, "offset": 2, "timestamp": 3, "key": "{\"id\":1}", "value": null}"#;

    fn record() -> CapturedRecord {
        CapturedRecord {
            topic: "t".to_owned(),
            partition: 1,
            offset: 2,
            timestamp_ms: Some(3),
            key: Some(r#"{"id":1}"#.to_owned()),
            value: None,
        }
    }

    #[test]
    fn a_byte_order_mark_and_a_carriage_return_say_nothing() {
        for line in [PLAIN.to_owned(), format!("\u{feff}{PLAIN}\r"), format!("{PLAIN}\n")] {
            assert_eq!(CapturedRecord::from_line(&line), Ok(Some(record())));
        }
        for blank in ["", "\r", "\u{feff}", "  "] {
            assert_eq!(CapturedRecord::from_line(blank), Ok(None));
        }
    }

    #[test]
    fn what_kcat_writes_is_read() {
        let line = r#"{"topic":"t","partition":1,"offset":2,"tstype":"create","ts":3,"broker":0,"key":"{\"id\":1}","payload":null}"#;
        assert_eq!(CapturedRecord::from_line(line), Ok(Some(record())));
        let line = r#"{"topic":"t","partition":1,"offset":2,"ts":3,"key":{"id":1},"payload":{"a": 1}}"#;
        let value = Some(r#"{"a": 1}"#.to_owned());
        assert_eq!(CapturedRecord::from_line(line), Ok(Some(CapturedRecord { value, ..record() })));
    }

    #[test]
    fn a_missing_member_is_named() {
        for member in ["topic", "partition", "offset", "value"] {
            let line = PLAIN.replace(&format!("\"{member}\""), "\"other\"");
            assert_eq!(CapturedRecord::from_line(&line), Err(InvalidLine::Missing { member }));
        }
        for (member, number) in [("partition", 1), ("offset", 2)] {
            let line = PLAIN.replace(&format!("\"{member}\": {number}"), &format!("\"{member}\": -1"));
            assert_eq!(CapturedRecord::from_line(&line), Err(InvalidLine::Negative { member }));
        }
        assert!(matches!(CapturedRecord::from_line("{\"topic\""), Err(InvalidLine::Json { .. })));
        assert!(matches!(CapturedRecord::from_line("[]"), Err(InvalidLine::Json { .. })));
        let not_unicode = PLAIN.replace("\"value\": null", r#""value": "\ud800""#);
        assert!(matches!(CapturedRecord::from_line(&not_unicode), Err(InvalidLine::Json { .. })));
    }

    #[test]
    fn a_timestamp_that_is_missing_negative_or_fractional_breaks_nothing() {
        for (timestamp, expected) in [
            ("3.75", Some(3)),
            ("-1", None),
            ("null", None),
            ("99999999999999999999", None),
            ("\"3\"", Some(3)),
        ] {
            let line = PLAIN.replace("\"timestamp\": 3", &format!("\"timestamp\": {timestamp}"));
            let record = CapturedRecord::from_line(&line).expect("a record").expect("a line");
            assert_eq!(record.timestamp_ms, expected, "{timestamp}");
        }
        let without = PLAIN.replace("\"timestamp\": 3, ", "");
        assert_eq!(
            CapturedRecord::from_line(&without).expect("a record").expect("a line").timestamp_ms,
            None
        );
    }
}
