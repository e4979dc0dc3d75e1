//! Captures: Kafka records in the order of their arrival, one per line.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A Kafka record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The topic it arrived on.
    pub topic: String,
    /// The topic's partition.
    pub partition: i32,
    /// Its position in the partition.
    pub offset: i64,
    /// When it was written to the topic, in milliseconds since 1970.
    pub timestamp: i64,
    /// The key's bytes as text, if it has a key.
    pub key: Option<String>,
    /// The value's bytes as text; a tombstone has none.
    pub value: Option<String>,
}

/// Returns the records of a file. An error names the line that is not a record.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<Record>> {
    parse(&fs::read_to_string(path)?)
}

/// Returns the records of a text.
pub fn parse(text: &str) -> io::Result<Vec<Record>> {
    let record = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", index + 1))
        })
    };
    text.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let good = r#"{"topic":"t","partition":0,"offset":0,"timestamp":0,"key":null,"value":null}"#;
        assert_eq!(parse(good).expect("a record").len(), 1);
        let error = parse(&format!("{good}\n{{}}\n")).expect_err("no record");
        assert!(error.to_string().starts_with("line 2: missing field"));
    }
}
