//! The captures of a real connector, with the ledger that must come of them.

use std::path::PathBuf;

use serde_json::Value;

/// Every capture, by name.
pub const NAMES: [&str; 4] =
    ["ordering-incident.snapshot", "ordering-incident", "flattened-regions.snapshot", "flattened-regions"];

/// The fields of an account that postings decide; the others follow from closes.
const POSTED_FIELDS: [&str; 8] = [
    "personal",
    "team_level",
    "team_bonus",
    "total",
    "has_adopted",
    "direct_referral_adopted_count",
    "unlocked_level_depth",
    "unlocked_bonus_tiers",
];

/// The file of a capture.
#[must_use]
pub fn capture_path(name: &str) -> PathBuf {
    directory().join(format!("{name}.jsonl"))
}

/// The ledger that must come of a capture.
///
/// # Panics
///
/// If the file is not there or not JSON.
#[must_use]
pub fn expected(name: &str) -> Value {
    let path = directory().join(format!("{name}.expected.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares everything that postings decide; `what` names the case in the failure.
///
/// # Panics
///
/// If anything differs.
pub fn assert_same_postings(actual: &Value, expected: &Value, what: &str) {
    for part in ["orders", "held", "distributed_total", "system", "distributions"] {
        assert_eq!(actual[part], expected[part], "{part} differs: {what}");
    }
    let accounts = |document: &Value| document["accounts"].as_object().cloned().unwrap_or_default();
    let (actual, expected) = (accounts(actual), accounts(expected));
    assert!(actual.keys().eq(expected.keys()), "the accounts differ: {what}");
    for (account, expected) in expected {
        for field in POSTED_FIELDS {
            assert_eq!(actual[&account][field], expected[field], "{field} of {account} differs: {what}");
        }
    }
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events/captures")
}
