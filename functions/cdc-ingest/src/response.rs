//! The partial batch response of a Kafka trigger.

use std::collections::BTreeMap;

use ledger::store::RecordPosition;
use serde::{Serialize, Serializer};

/// Which partitions to deliver again, and from which offset. Empty if all records were dealt with.
///
/// Written as `{"batchItemFailures":[{"itemIdentifier":{"partition":"<topic>-<n>","offset":5}}]}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KafkaBatchResponse {
    first_failed_offset: BTreeMap<String, i64>,
}

impl KafkaBatchResponse {
    /// Asks for this record and all later ones of its partition again.
    pub fn fail_from(&mut self, position: &RecordPosition) {
        let offset = self.first_failed_offset.entry(identifier(position)).or_insert(position.offset);
        *offset = position.offset.min(*offset);
    }

    /// Whether this record will be delivered again.
    #[must_use]
    pub fn has_failed(&self, position: &RecordPosition) -> bool {
        self.first_failed_offset.get(&identifier(position)).is_some_and(|first| *first <= position.offset)
    }

    /// The partitions to deliver again (`<topic>-<n>`), each with the offset to begin at.
    pub fn failures(&self) -> impl Iterator<Item = (&str, i64)> {
        self.first_failed_offset.iter().map(|(partition, offset)| (partition.as_str(), *offset))
    }
}

fn identifier(position: &RecordPosition) -> String {
    format!("{}-{}", position.topic, position.partition)
}

impl Serialize for KafkaBatchResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let failures = self
            .failures()
            .map(|(partition, offset)| ItemFailure { item_identifier: Identifier { partition, offset } })
            .collect();
        Response { batch_item_failures: failures }.serialize(serializer)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    batch_item_failures: Vec<ItemFailure<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure<'a> {
    item_identifier: Identifier<'a>,
}

#[derive(Serialize)]
struct Identifier<'a> {
    partition: &'a str,
    offset: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_asked_for_from_its_first_failure_on() {
        let at = |topic: &str, offset| RecordPosition {
            source: "s".to_owned(),
            topic: topic.to_owned(),
            partition: 0,
            offset,
        };
        let mut response = KafkaBatchResponse::default();
        response.fail_from(&at("a", 7));
        response.fail_from(&at("a", 5));
        response.fail_from(&at("a", 6));
        assert!(!response.has_failed(&at("a", 4)));
        assert!(response.has_failed(&at("a", 8)));
        assert!(!response.has_failed(&at("b", 8)));
        assert_eq!(
            serde_json::to_value(&response).expect("serializable"),
            serde_json::json!({
                "batchItemFailures": [{"itemIdentifier": {"partition": "a-0", "offset": 5}}]
            })
        );
    }
}
