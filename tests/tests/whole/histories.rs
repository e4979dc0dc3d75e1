//! Random histories of a source, in any order of arrival, judged by the oracle.

use chrono::NaiveDate;
use end_to_end::{Harness, Options, Shuffle, captured, ledger, price_book};
use oracle::generate::{Plan, history};
use oracle::{Inputs, Judgement};
use serde_json::Value;

/// How many histories are run; `HISTORIES` asks for another number.
const HISTORIES: u64 = 20;

/// Returns what differs between the ledger and what the oracle makes of the source's tables.
async fn differences(seed: u64, shuffle: Shuffle) -> Vec<String> {
    let history = history(&Plan::small(seed));
    let harness = Harness::new(Options { records_per_event: 7, ..Options::default() });
    harness.feed(&captured(&history), shuffle).await;
    let actual = ledger(harness.engine()).await;
    let today = NaiveDate::from_ymd_opt(2026, 12, 1).expect("a date");
    let inputs = Inputs {
        price_book: price_book(harness.engine()).await,
        ..Inputs::new(history.tables.clone(), today)
    };
    let judgement = Judgement::of(&inputs);
    let expected: Value = judgement.golden(today);
    let mut differences = Vec::new();
    for part in ["orders", "held", "distributed_total", "system", "distributions"] {
        if actual[part] != expected[part] {
            differences.push(format!(
                "seed {seed} {shuffle:?} {part}: {} instead of {}",
                actual[part], expected[part]
            ));
        }
    }
    differences
}

#[tokio::test]
async fn random_histories_in_any_order_of_arrival_end_as_the_oracle_says() {
    let histories = std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES);
    let mut found = Vec::new();
    for seed in 0..histories {
        for shuffle in [Shuffle::AsCaptured, Shuffle::Scrambled { seed: seed + 1 }] {
            found.extend(differences(seed, shuffle).await);
        }
    }
    let shown: Vec<&String> = found.iter().take(5).collect();
    assert!(found.is_empty(), "{} differences, the first: {shown:#?}", found.len());
}
