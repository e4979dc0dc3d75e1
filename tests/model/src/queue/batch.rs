//! Calls with several entries, each of which succeeds or fails by itself.

use std::collections::BTreeSet;

use super::request::{BatchResult, FailedEntry};
use crate::error::{ErrorKind, ServiceError};

const MAX_BATCH: usize = 10;

/// Does something for each entry of a batch by itself.
pub(super) fn batch<T, R>(
    entries: Vec<(String, T)>,
    mut each: impl FnMut(T) -> Result<R, ServiceError>,
) -> Result<BatchResult<R>, ServiceError> {
    check_batch(entries.iter().map(|(id, _)| id.as_str()))?;
    let mut successful = Vec::new();
    let mut failed = Vec::new();
    for (id, entry) in entries {
        match each(entry) {
            Ok(done) => successful.push((id, done)),
            Err(error) => failed.push(FailedEntry { id, error }),
        }
    }
    Ok(BatchResult { successful, failed })
}

/// Refuses a batch with too few or too many entries, or with ids that are malformed or not distinct.
pub(super) fn check_batch<'id>(ids: impl Iterator<Item = &'id str>) -> Result<(), ServiceError> {
    let ids: Vec<&str> = ids.collect();
    let valid = |id: &&str| {
        !id.is_empty()
            && id.len() <= 80
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if ids.is_empty() {
        return Err(
            ErrorKind::EmptyBatchRequest.because("There should be at least one entry in the request.")
        );
    }
    if ids.len() > MAX_BATCH {
        return Err(
            ErrorKind::TooManyEntriesInBatchRequest.because("Maximum number of entries per request are 10.")
        );
    }
    if !ids.iter().all(valid) {
        return Err(ErrorKind::InvalidBatchEntryId.because("A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."));
    }
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return Err(
            ErrorKind::BatchEntryIdsNotDistinct.because("Two or more batch entries have the same id.")
        );
    }
    Ok(())
}
