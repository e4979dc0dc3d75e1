//! One test for each fault that was found in the first edition; `docs/faults.md` lists them.

mod messages;
mod price_book;
mod source_read;
mod storage;
mod versions;
mod wake_ups;

use end_to_end::source::Source;
use end_to_end::{Harness, Options, Shuffle, ledger};
use serde_json::{Value, json};

/// Returns the ledger of what a source wrote, which is the same in any order and with every record twice.
async fn in_any_order(source: &Source) -> Value {
    let expected = in_order(source).await;
    let shuffles = [
        Shuffle::Repeated,
        Shuffle::Scrambled { seed: 1 },
        Shuffle::Scrambled { seed: 2 },
        Shuffle::Scrambled { seed: 3 },
    ];
    for shuffle in shuffles {
        let harness = Harness::new(Options { records_per_event: 2, ..Options::default() });
        harness.feed(&source.records, shuffle).await;
        assert_eq!(ledger(harness.engine()).await, expected, "{shuffle:?}");
    }
    expected
}

/// Returns the ledger of what a source wrote, in one event and in its order.
async fn in_order(source: &Source) -> Value {
    fed(source, Options::default()).await.1
}

async fn fed(source: &Source, options: Options) -> (Harness, Value) {
    let harness = Harness::new(options);
    harness.feed(&source.records, Shuffle::AsCaptured).await;
    let ledger = ledger(harness.engine()).await;
    (harness, ledger)
}

/// Returns a source with an account without a referrer, and one below it.
fn two_accounts() -> Source {
    let mut source = Source::new();
    let changes = [source.referral("TOP", None), source.referral("BELOW", Some("TOP"))];
    for change in changes {
        source.write(&change);
    }
    source
}

/// Asserts which orders are posted, with the total of each.
fn assert_posted(ledger: &Value, expected: &[(u64, &str)]) {
    let posted = ledger["distributions"].as_object().expect("distributions");
    let posted: Vec<(u64, &str)> = posted
        .iter()
        .map(|(order, posting)| {
            (order.parse().expect("a number"), posting["total"].as_str().expect("an amount"))
        })
        .collect();
    assert_eq!(posted, expected, "{:#}", ledger["held"]);
}

/// Asserts which orders are held, and why.
fn assert_held(ledger: &Value, expected: &[(u64, &str)]) {
    let expected: Vec<Value> = expected.iter().map(|(order, reason)| json!([order, reason])).collect();
    assert_eq!(ledger["held"], json!(expected));
}
