//! Why a record was not decoded.

/// Why a record cannot be read as a row, and what to do about it.
///
/// A column that cannot be read is not a reason: the row stands with what is wrong in it.
///
/// The text names fields, never what they hold: it goes to logs and listings, and a field that is
/// not what the profile takes it for may hold anything, a phone number included. Who needs the value
/// finds it in the quarantined record itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The profile does not know the topic.
    #[error(
        "no table is configured for topic {topic:?}; add it to the profile's `tables`, or stop reading it"
    )]
    UnknownTopic {
        /// The record's topic.
        topic: String,
    },
    /// The value is not JSON.
    #[error(
        "the key or the value is not JSON at line {line}, column {column}; use Kafka Connect's JsonConverter \
         for keys and values"
    )]
    MalformedJson {
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, in bytes.
        column: usize,
    },
    /// The value is a `CloudEvent`.
    #[error(
        "the value is a CloudEvent, whose row is wrapped; let the connector write plain JSON with \
         value.converter=org.apache.kafka.connect.json.JsonConverter"
    )]
    CloudEvent,
    /// A whole row without any column that the profile names.
    #[error(
        "the row has none of the columns that the profile names for the table of {table}; name them in the \
         profile's `columns`, or check the connector's converter and transforms"
    )]
    NoColumn {
        /// What the table holds.
        table: &'static str,
    },
    /// The value is JSON, but no message of Debezium's.
    #[error("the value is not {expected}; check the connector's converter and transforms")]
    InvalidMessage {
        /// What it should have been.
        expected: &'static str,
    },
    /// A field the ledger cannot do without is absent, null or empty.
    #[error(
        "there is no value in {fields}; let the connector include it, or name the right one in the \
         profile's `columns`"
    )]
    MissingField {
        /// The field, or the names that were tried.
        fields: String,
    },
    /// A field holds something else than it should.
    #[error(
        "the field `{field}` is not {expected}; correct the row at the source, or the profile if it \
         means another column"
    )]
    InvalidField {
        /// The field's name in the message.
        field: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// The record is about another table than its topic's.
    #[error(
        "the record is of table {table}, which is not the one that the profile has for its topic; stop \
         routing it there, or name it in the topic's `source_tables`"
    )]
    OtherTable {
        /// The table as the message names it.
        table: String,
    },
    /// A tombstone whose key is that of another table.
    #[error(
        "the record is a tombstone whose key column `{column}` is of another table than its topic's; stop \
         routing that table there, or let deletes be rewritten instead of being tombstones alone"
    )]
    OtherKey {
        /// The key's column.
        column: String,
    },
    /// Neither the message key nor the row has the columns that make the row's key.
    #[error(
        "the record does not say which row it is about; make the primary key the message key, or name its \
         columns in the `key` of the topic in the profile"
    )]
    NoKey,
    /// The row stands, and has nothing by which the rules could know it.
    #[error("the row cannot take part: {why}; correct it at the source")]
    Unusable {
        /// Which column is at fault, and what helps.
        why: String,
    },
    /// The value is in Avro's JSON encoding.
    #[error(
        "the field `{field}` is a union in Avro's JSON encoding; let the connector write JSON with \
         value.converter=org.apache.kafka.connect.json.JsonConverter, or convert with Avro's records \
         unwrapped"
    )]
    AvroJson {
        /// The first such field.
        field: String,
    },
}

impl Refusal {
    /// Returns the stable name of the reason, by which quarantined records are counted and listed.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownTopic { .. } => "UNKNOWN_TOPIC",
            Self::MalformedJson { .. } => "MALFORMED_JSON",
            Self::CloudEvent => "CLOUD_EVENT",
            Self::NoColumn { .. } => "NO_COLUMN",
            Self::InvalidMessage { .. } => "INVALID_MESSAGE",
            Self::MissingField { .. } => "MISSING_FIELD",
            Self::InvalidField { .. } => "INVALID_FIELD",
            Self::OtherTable { .. } => "OTHER_TABLE",
            Self::OtherKey { .. } => "OTHER_KEY",
            Self::NoKey => "NO_KEY",
            Self::Unusable { .. } => "UNUSABLE_ROW",
            Self::AvroJson { .. } => "AVRO_JSON",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_its_own_code_and_says_what_to_do() {
        let refusals = [
            Refusal::UnknownTopic { topic: "other".to_owned() },
            Refusal::MalformedJson { line: 1, column: 2 },
            Refusal::CloudEvent,
            Refusal::NoColumn { table: "users" },
            Refusal::InvalidMessage { expected: "an object" },
            Refusal::MissingField { fields: "`status`".to_owned() },
            Refusal::InvalidField { field: "status".to_owned(), expected: "text" },
            Refusal::OtherTable { table: "public.other".to_owned() },
            Refusal::OtherKey { column: "order_id".to_owned() },
            Refusal::NoKey,
            Refusal::Unusable { why: "the `order` of profile guide is null".to_owned() },
            Refusal::AvroJson { field: "after".to_owned() },
        ];
        let codes: BTreeSet<&str> = refusals.iter().map(Refusal::code).collect();
        assert_eq!(codes.len(), refusals.len());
        for refusal in refusals {
            assert!(refusal.to_string().contains("; "), "{refusal}");
        }
    }
}
