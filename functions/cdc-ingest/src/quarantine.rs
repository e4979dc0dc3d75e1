//! Keeps the records that were refused, for operators to look at.
//!
//! Touches: `Source` (writes).

use store::Engine;
use store::quarantine::{self, Quarantined, RefusedBytes};

use crate::batch::{Batch, Received};
use crate::outcome::Outcome;

/// The reason of an order that is booked without the region that its row names. The record is applied.
const REGION_DROPPED: &str = "REGION_DROPPED";

/// The reason of a change and another one of its row of which no message shows the newer one.
const AMBIGUOUS: &str = "AMBIGUOUS_VERSION";
const AMBIGUOUS_MESSAGE: &str = "nothing in the change says whether it is newer than another one of its row that says \
                                 something else; reconcile the row with the source";

/// Keeps every refused record of the batch, and lists those that were taken and are to be looked at. What could not
/// be kept is a failure.
pub(crate) async fn keep(engine: &dyn Engine, batch: &Batch, outcomes: &mut [Outcome], now_ms: i64) {
    let mut records: Vec<usize> = Vec::new();
    let mut writes = Vec::new();
    for (index, (record, outcome)) in batch.records.iter().zip(outcomes.iter()).enumerate() {
        let (code, message) = match outcome {
            Outcome::Refused { code, message } => (*code, message.as_str()),
            Outcome::WithoutRegion { message } => (REGION_DROPPED, message.as_str()),
            Outcome::Ambiguous => (AMBIGUOUS, AMBIGUOUS_MESSAGE),
            _ => continue,
        };
        let refused = Quarantined {
            name: record.name.clone(),
            offset: record.offset,
            code: code.to_owned(),
            message: message.to_owned(),
            order: named(record, &["order_id", "id"]),
            account: named(record, &["account_sequence"]).filter(|account| is_account(account)),
            hash: record.as_read().hash().to_string(),
            bytes: [&record.key, &record.value].into_iter().flatten().map(|part| part.len() as u64).sum(),
            refused_at_ms: now_ms,
        };
        let bytes = RefusedBytes { key: record.key.clone(), value: record.value.clone() };
        let kept = match code {
            REGION_DROPPED | AMBIGUOUS => vec![quarantine::list(&refused)],
            _ => quarantine::put(&refused, bytes),
        };
        for write in kept {
            records.push(index);
            writes.push(write);
        }
    }
    // A capture may hold a record twice, and one call may not write an item twice.
    let mut keys = std::collections::BTreeSet::new();
    let (records, writes): (Vec<usize>, Vec<_>) =
        records.into_iter().zip(writes).filter(|(_, write)| keys.insert(write.key().clone())).unzip();
    for (index, written) in records.into_iter().zip(engine.write_many(writes).await) {
        if let Err(error) = written {
            outcomes[index] = Outcome::Failed(error.to_string());
        }
    }
}

/// Returns the first of these members that the record's key or value has as a number or text, at any depth.
fn named(record: &Received, names: &[&str]) -> Option<String> {
    let documents = [&record.key, &record.value].into_iter().flatten();
    let mut documents = documents.filter_map(|bytes| serde_json::from_slice(bytes).ok());
    documents.find_map(|document: serde_json::Value| names.iter().find_map(|name| member(&document, name)))
}

fn member(document: &serde_json::Value, name: &str) -> Option<String> {
    match document {
        serde_json::Value::Object(members) => match members.get(name) {
            Some(serde_json::Value::String(text)) => Some(text.trim_end().to_owned()),
            Some(serde_json::Value::Number(number)) => Some(number.to_string()),
            _ => members.values().find_map(|value| member(value, name)),
        },
        _ => None,
    }
}

/// Returns whether text is an account; anything else in such a column may be what must not be shown.
fn is_account(text: &str) -> bool {
    text.parse::<domain::AccountSequence>().is_ok()
}
