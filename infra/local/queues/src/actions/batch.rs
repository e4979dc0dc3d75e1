//! What all batch actions have in common: limits, and an answer per entry.

use std::collections::HashSet;

use serde::Serialize;

use crate::error::QueueError;

/// The most entries of one batch.
const MAXIMUM_ENTRIES: usize = 10;

/// What became of each entry of a batch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BatchAnswer<Success> {
    successful: Vec<Success>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<FailedEntry>,
}

/// An entry that was done, of which there is nothing more to say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DoneEntry {
    pub(crate) id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

/// Checks a batch as a whole, then does its entries one after the other.
///
/// `kind` is what AWS calls such an entry in its error messages.
pub(crate) fn for_each_entry<Entry, Success>(
    kind: &'static str,
    entries: Vec<Entry>,
    id_of: impl Fn(&Entry) -> &str,
    mut act: impl FnMut(Entry) -> Result<Success, QueueError>,
) -> Result<BatchAnswer<Success>, QueueError> {
    check(kind, entries.iter().map(&id_of))?;
    let mut answer = BatchAnswer { successful: Vec::new(), failed: Vec::new() };
    for entry in entries {
        let id = id_of(&entry).to_owned();
        match act(entry) {
            Ok(success) => answer.successful.push(success),
            Err(error) => answer.failed.push(FailedEntry {
                id,
                sender_fault: true,
                code: error.query_code(),
                message: error.to_string(),
            }),
        }
    }
    Ok(answer)
}

/// Checks the number of a batch's entries and their ids.
pub(super) fn check<'a>(
    kind: &'static str,
    ids: impl ExactSizeIterator<Item = &'a str>,
) -> Result<(), QueueError> {
    match ids.len() {
        0 => return Err(QueueError::EmptyBatchRequest { entries: kind }),
        1..=MAXIMUM_ENTRIES => {}
        sent => return Err(QueueError::TooManyEntriesInBatchRequest { sent }),
    }
    let mut seen = HashSet::new();
    for id in ids {
        let well_formed = (1..=80).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !well_formed {
            return Err(QueueError::InvalidBatchEntryId);
        }
        if !seen.insert(id) {
            return Err(QueueError::BatchEntryIdsNotDistinct { id: id.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_ids(ids: &[&str]) -> Result<(), QueueError> {
        check("Entry", ids.iter().copied())
    }

    #[test]
    fn a_batch_has_one_to_ten_entries_with_distinct_proper_ids() {
        assert_eq!(check_ids(&["1", "a-b_C"]), Ok(()));
        assert_eq!(check_ids(&[]), Err(QueueError::EmptyBatchRequest { entries: "Entry" }));
        assert_eq!(check_ids(&["x"; 11]), Err(QueueError::TooManyEntriesInBatchRequest { sent: 11 }));
        assert_eq!(check_ids(&["x", "x"]), Err(QueueError::BatchEntryIdsNotDistinct { id: "x".to_owned() }));
        assert_eq!(check_ids(&["a b"]), Err(QueueError::InvalidBatchEntryId));
        assert_eq!(check_ids(&[""]), Err(QueueError::InvalidBatchEntryId));
    }
}
