//! Writes an invented capture to the standard output.

use std::io;

use clap::Parser;
use end_to_end::capture::{self, CaptureRecord};
use end_to_end::generate;

/// Invents a capture: Kafka records as Debezium writes them, one JSON object per line.
///
/// By default that is the snapshot of a large source. With --history it is the random history of a
/// small one, in which orders are inserted, cancelled, revived and deleted, and rows come late and twice.
/// The same arguments always give the same capture.
#[derive(Parser)]
#[command(after_help = "Examples:\n  \
    generate-capture --accounts 2000 --adoptions 5500 --seed 1 > large.jsonl\n  \
    generate-capture --history 42 --accounts 100 > history.jsonl")]
struct Arguments {
    /// How many accounts there are [default: 2000, or 60 with --history]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    accounts: Option<u32>,
    /// How many adoptions there are
    #[arg(long, value_name = "N", default_value_t = 5500)]
    adoptions: u32,
    /// What the large source is made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write a random history made from this seed instead
    #[arg(long, value_name = "SEED", conflicts_with_all = ["adoptions", "seed"])]
    history: Option<u64>,
    /// Leave out the price of a tree, as a source does that has no such column
    #[arg(long, conflicts_with = "history")]
    without_prices: bool,
    /// Put everybody below one account
    #[arg(long, conflicts_with = "history")]
    one_root: bool,
}

fn main() -> io::Result<()> {
    match capture::write(&records(&Arguments::parse()), io::stdout().lock()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn records(arguments: &Arguments) -> Vec<CaptureRecord> {
    let accounts = |default| arguments.accounts.unwrap_or(default) as usize;
    if let Some(seed) = arguments.history {
        return generate::history(seed, accounts(60));
    }
    let mut records = generate::bulk(accounts(2000), arguments.adoptions as usize, arguments.seed);
    if arguments.without_prices {
        records = generate::without_prices(&records);
    }
    if arguments.one_root {
        records = generate::below_one_root(&records);
    }
    records
}
