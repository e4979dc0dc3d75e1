//! Feeds an invented capture to the functions, and says how long that takes and what the tables are asked for.
//!
//! `cargo run --release -p end-to-end --example bulk -- ACCOUNTS ADOPTIONS recent|uniform`

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use domain::Owner;
use domain::heads::lines_of;
use end_to_end::{CountedEngine, Harness, Options, Shuffle, captured};
use oracle::generate::{Plan, Shape, history};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| {
        arguments.get(index).map_or(default, |text| text.parse().expect("a number"))
    };
    let shape = match arguments.get(2).map(String::as_str) {
        Some("uniform") => Shape::Uniform,
        _ => Shape::Recent { of_last: 1_000 },
    };
    let adoptions = number(1, 5_500);
    let records = captured(&history(&Plan::large(1, number(0, 2_000), adoptions, shape)));
    println!("{} records", records.len());
    let tables = Arc::new(CountedEngine::default());
    let harness = Harness::over(tables.clone(), Options { records_per_event: 2_000, ..Options::default() });
    let start = Instant::now();
    harness.feed(&records, Shuffle::AsCaptured).await;
    println!("{:.2} s", start.elapsed().as_secs_f64());
    let counted = tables.take();
    let by_kind = tables.written_by_kind();
    for (kind, (items, units)) in &by_kind {
        println!("{kind:<12} {items:>9} written, {units:>9} write units");
    }
    let paid = accounts_paid(&harness).await;
    println!("{counted:?}");
    let ratio = |count: u64, of: u64| f64::from(u32::try_from(count * 1_000 / of).expect("small")) / 1_000.0;
    println!("{paid} accounts paid, {} for an adoption", ratio(paid, adoptions as u64));
    let of = |kind: &str| by_kind.get(kind).copied().unwrap_or_default();
    let (accounts, units) = (of("ACCOUNT").0, of("ACCOUNT").1 + of("LINES").1);
    println!("write units of heads and lines: {} for an account written", ratio(units, accounts));
    println!("write units of heads and lines: {} for an account paid", ratio(units, paid));
}

/// Returns to how many accounts the adoptions gave something, an account counted once for each adoption.
async fn accounts_paid(harness: &Harness) -> u64 {
    let network = store::network::read(harness.engine()).await.expect("memory").expect("it has begun");
    let (mut after, mut paid) = (0, 0);
    loop {
        let pages = store::log::read_after(harness.engine(), after, 100).await.expect("memory");
        let Some(last) = pages.last() else { return paid };
        after = last.position;
        for entry in pages.iter().flat_map(|page| &page.entries) {
            let lines = lines_of(entry, 0, 0, 0, &network.versions);
            let users = lines.iter().map(|(owner, _)| owner).filter(|owner| matches!(owner, Owner::User(_)));
            paid += users.collect::<BTreeSet<_>>().len() as u64;
        }
    }
}
