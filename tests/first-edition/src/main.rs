//! Measures the heart of the first edition on the bench, in virtual time.

mod deployed;
mod functions;
mod measurement;
mod run;
mod services;
mod standstill;

use clap::{Args, Parser, Subcommand, ValueEnum};
use model::measure::Shape;

/// Measures the functions of 0177ed0, as they are, on the modelled services.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Adoptions at a steady rate: speed, delays and units
    Measure(RunArguments),
    /// For how long nothing is posted after one fault
    Standstill(RunArguments),
}

#[derive(Args)]
struct RunArguments {
    /// Who refers whom
    #[arg(long, value_enum, default_value_t = ShapeName::Recent)]
    shape: ShapeName,
    /// How many accounts there are before the first adoption
    #[arg(long, default_value_t = 2_000)]
    accounts: usize,
    /// Adoptions per second
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// For how many seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// In how many trees the accounts hang
    #[arg(long, default_value_t = 1)]
    trees: usize,
    /// The seed of everything
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The published latencies times this, in hundredths
    #[arg(long, default_value_t = 100)]
    percent: u64,
    /// The write and read units per second that every table is warm for
    #[arg(long, default_value_t = 40_000)]
    warm: u64,
    /// For how many seconds after the last adoption a measurement waits for what is still to be posted
    #[arg(long, default_value_t = 20)]
    waits: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShapeName {
    Recent,
    Uniform,
}

fn main() {
    let (arguments, stands_still) = match Arguments::parse().command {
        Command::Measure(arguments) => (arguments, false),
        Command::Standstill(arguments) => (arguments, true),
    };
    let options = run::Options {
        shape: match arguments.shape {
            ShapeName::Recent => Shape::Recent,
            ShapeName::Uniform => Shape::Uniform,
        },
        accounts: arguments.accounts,
        rate: arguments.rate,
        seconds: arguments.seconds,
        trees: arguments.trees,
        seed: arguments.seed,
        percent: arguments.percent,
        warm: arguments.warm,
        waits_ms: arguments.waits * 1_000,
    };
    if std::env::var_os("RUST_LOG").is_some() {
        ledger::telemetry::init();
    }
    ledger::waiting::replace(Box::new(services::InVirtualTime::new(options.seed)));
    let figures =
        if stands_still { standstill::standstill(&options) } else { measurement::measure(&options) };
    println!("{figures:#}");
}
