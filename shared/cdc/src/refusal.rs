//! Why a record was not decoded.

use domain::AccountSequence;

/// Why a record is not applied, and what to do about it.
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
        "the value is not JSON at line {line}, column {column}; use Kafka Connect's JsonConverter for \
         keys and values"
    )]
    MalformedJson {
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error, in bytes.
        column: usize,
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
    /// A whole table was emptied at once, and the message does not say of which rows.
    #[error(
        "a whole table was truncated, which cannot be applied row by row; delete the rows instead, or \
         reload the source from a new snapshot"
    )]
    Truncate,
    /// A deleted order whose number is neither in `before` nor in the key.
    #[error(
        "the delete names no order, neither before the change nor in the key; make the order number the \
         message key, or set REPLICA IDENTITY FULL on the table"
    )]
    DeleteWithoutKey,
    /// A deleted user or referral whose account is neither in `before` nor in the key.
    #[error(
        "the delete names no account; set REPLICA IDENTITY FULL on the table, because its primary key \
         does not name one"
    )]
    ReplicaIdentity,
    /// A referral of an account to itself.
    #[error("account {account} is its own referrer; correct the referral at the source")]
    SelfReferral {
        /// The account.
        account: AccountSequence,
    },
}

impl Refusal {
    /// The stable name of the reason, by which quarantined records are counted and listed.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownTopic { .. } => "UNKNOWN_TOPIC",
            Self::MalformedJson { .. } => "MALFORMED_JSON",
            Self::InvalidMessage { .. } => "INVALID_MESSAGE",
            Self::MissingField { .. } => "MISSING_FIELD",
            Self::InvalidField { .. } => "INVALID_FIELD",
            Self::Truncate => "TRUNCATE",
            Self::DeleteWithoutKey => "DELETE_WITHOUT_KEY",
            Self::ReplicaIdentity => "REPLICA_IDENTITY_FULL_NEEDED",
            Self::SelfReferral { .. } => "SELF_REFERRAL",
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
            Refusal::InvalidMessage { expected: "an object" },
            Refusal::MissingField { fields: "`status`".to_owned() },
            Refusal::InvalidField { field: "status".to_owned(), expected: "text" },
            Refusal::Truncate,
            Refusal::DeleteWithoutKey,
            Refusal::ReplicaIdentity,
            Refusal::SelfReferral { account: "D25122700001".parse().expect("an account") },
        ];
        let codes: BTreeSet<&str> = refusals.iter().map(Refusal::code).collect();
        assert_eq!(codes.len(), refusals.len());
        for refusal in refusals {
            assert!(refusal.to_string().contains("; "), "{refusal}");
        }
    }
}
