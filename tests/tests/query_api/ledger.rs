//! Ledgers to ask about.

use cdc::CapturedRecord;
use end_to_end::{Client, Harness, Options, Shuffle};
use serde_json::Value;
use tokio::sync::OnceCell;

/// Every scope there is.
pub(crate) const ALL_SCOPES: &str = "contribution:operate contribution:approve";

/// Returns the records of a capture.
pub(crate) fn records(text: &str) -> Vec<CapturedRecord> {
    text.lines().filter_map(|line| CapturedRecord::from_line(line).expect("a record")).collect()
}

/// Returns the ledger of the ordering incident, which no test may change.
pub(crate) async fn incident() -> &'static Harness {
    static LEDGER: OnceCell<Harness> = OnceCell::const_new();
    LEDGER.get_or_init(|| of(include_str!("../../../events/captures/ordering-incident.jsonl"))).await
}

/// Returns the ledger of a capture with regions, which no test may change.
pub(crate) async fn regions() -> &'static Harness {
    static LEDGER: OnceCell<Harness> = OnceCell::const_new();
    LEDGER.get_or_init(|| of(include_str!("../../../events/captures/flattened-regions.jsonl"))).await
}

/// Returns a small ledger of its own: accounts D1 and D2, which a test may change.
pub(crate) async fn small() -> Harness {
    of(include_str!("../../../events/cases/ledger/26-zero-trees-cancelled.plain.jsonl")).await
}

/// Returns every entry of a list.
pub(crate) async fn all(client: &Client<'_>, name: &str, first: &str) -> Vec<Value> {
    let path = first.split('?').next().expect("a path");
    let mut found = Vec::new();
    let mut next = first.to_owned();
    loop {
        let page = client.get(&next).await.good();
        found.extend(page[name].as_array().expect("a list").clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}?cursor={cursor}"),
            None => return found,
        }
    }
}

/// Returns the ledger of this capture.
pub(crate) async fn of(capture: &str) -> Harness {
    let harness = Harness::new(Options::default());
    harness.feed(&records(capture), Shuffle::AsCaptured).await;
    harness
}

/// Returns an operator who may do everything.
pub(crate) fn operator(harness: &Harness) -> Client<'_> {
    Client::operator(harness, ALL_SCOPES)
}

/// Returns amounts as units of ten decimals.
pub(crate) fn units(amount: &Value) -> i128 {
    amount.as_str().expect("an amount is text").replace('.', "").parse().expect("digits")
}
