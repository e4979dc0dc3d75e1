//! Feeds an invented capture to the functions and says how long each part takes.
//!
//! `cargo run --release -p end-to-end --example bulk -- ACCOUNTS ADOPTIONS recent|uniform`

use std::time::Instant;

use end_to_end::{Harness, Options, Shuffle, captured};
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
    let plan = Plan::large(1, number(0, 2_000), number(1, 5_500), shape);
    let records = captured(&history(&plan));
    println!("{} records", records.len());
    let harness = Harness::new(Options { records_per_event: 2_000, ..Options::default() });
    let start = Instant::now();
    harness.feed(&records, Shuffle::AsCaptured).await;
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds:.2} s");
}
