//! Runs the model: conformance scripts, campaigns and measurements.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use model::bench::FaultRates;
use model::campaign::{CampaignOptions, HistoryOptions, Progress, run_campaign, run_history};
use model::conformance::{Suite, run_script};
use model::measure::{MeasureOptions, Shape, measure};
use model::world::Profile;

/// A model of the service in virtual time.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the scripts of a file and says how many hold.
    Conformance {
        /// The file.
        file: PathBuf,
        /// Runs only the scripts with these ids.
        #[arg(long)]
        only: Vec<String>,
    },
    /// Runs random histories of a source through the functions, with faults, and judges each.
    Campaign {
        /// How many histories.
        #[arg(long)]
        histories: u64,
        /// The seed of the first; the others follow it.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many run side by side.
        #[arg(long, default_value_t = 2)]
        threads: usize,
        /// Runs without faults.
        #[arg(long)]
        no_faults: bool,
        /// Writes everything that happens in the first history to this file, a line for each event.
        #[arg(long)]
        trace: Option<PathBuf>,
    },
    /// Measures the functions: adoptions per second, delays, units.
    Measure {
        /// Who refers whom.
        #[arg(long, value_enum)]
        shape: ShapeArgument,
        /// How many accounts there are before the first adoption.
        #[arg(long, default_value_t = 200_000)]
        accounts: usize,
        /// Adoptions per second.
        #[arg(long, default_value_t = 1_000)]
        rate: u64,
        /// For how many minutes.
        #[arg(long, default_value_t = 2)]
        minutes: u64,
        /// The seed of everything.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The published latencies times this, in hundredths.
        #[arg(long, default_value_t = 100)]
        percent: u64,
        /// The units per second that every table is warm for.
        #[arg(long, default_value_t = 40_000)]
        warm: u64,
        /// Leaves out the standstill after each kind of fault.
        #[arg(long)]
        no_standstill: bool,
        /// Prints the figures as one line of JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Who refers whom.
#[derive(Clone, Copy, ValueEnum)]
enum ShapeArgument {
    /// Each account is referred by one of the last thousand.
    Recent,
    /// Each account is referred by any before it.
    Uniform,
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let result = match command {
        Command::Conformance { file, only } => conformance(&file, &only),
        Command::Campaign { histories, seed, threads, no_faults, trace } => {
            let rates = if no_faults { FaultRates::default() } else { FaultRates::usual() };
            let history =
                HistoryOptions { profile: Profile::Measured { percent: 100 }, rates, trace_lines: false };
            campaign(&CampaignOptions { histories, first_seed: seed, threads, history }, trace.as_deref())
        }
        Command::Measure { shape, accounts, rate, minutes, seed, percent, warm, no_standstill, json } => {
            let shape = match shape {
                ShapeArgument::Recent => Shape::Recent,
                ShapeArgument::Uniform => Shape::Uniform,
            };
            let with_standstill = !no_standstill;
            let options =
                MeasureOptions { shape, accounts, rate, minutes, seed, percent, warm, with_standstill };
            print_figures(&options, json);
            Ok(true)
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs scripts, prints each expectation that does not hold, and tells whether all held.
fn conformance(file: &Path, only: &[String]) -> anyhow::Result<bool> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut suite = Suite::parse(&text)?;
    if !only.is_empty() {
        suite.scripts.retain(|script| only.contains(&script.id));
    }
    let mut passed = 0;
    for script in &suite.scripts {
        let failures = run_script(script);
        passed += usize::from(failures.is_empty());
        for failure in failures {
            println!("{failure}");
        }
    }
    println!("{passed} of {}", suite.scripts.len());
    Ok(passed == suite.scripts.len())
}

/// Measures and prints the figures, and how long it took on standard error.
fn print_figures(options: &MeasureOptions, as_line: bool) {
    let began = Instant::now();
    let figures = measure(options).to_json();
    if as_line {
        println!("{figures}");
    } else {
        println!("{figures:#}");
    }
    eprintln!("measured in {:.1} s", began.elapsed().as_secs_f64());
}

/// Runs a campaign with its progress on standard error, prints what was found, and tells whether nothing was.
fn campaign(options: &CampaignOptions, trace: Option<&Path>) -> anyhow::Result<bool> {
    if let Some(file) = trace {
        let history = HistoryOptions { trace_lines: true, ..options.history.clone() };
        let lines = run_history(options.first_seed, &history).trace;
        std::fs::write(file, lines.join("\n")).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let began = Instant::now();
    let report = run_campaign(options, |progress| show(progress, began));
    eprintln!();
    for line in report.lines() {
        println!("{line}");
    }
    println!("{:.1} histories per second", per_second(report.histories, began));
    Ok(report.findings.is_empty())
}

fn show(progress: Progress, began: Instant) {
    let Progress { done, with_findings, of } = progress;
    let rate = per_second(done, began).max(f64::MIN_POSITIVE);
    #[expect(clippy::cast_precision_loss, reason = "a campaign has far fewer than 2^52 histories")]
    let left_s = (of - done) as f64 / rate;
    eprint!(
        "\r{done} of {of} histories, {with_findings} with findings, {rate:.1} per second, {left_s:.0} s left   "
    );
}

#[expect(clippy::cast_precision_loss, reason = "a campaign has far fewer than 2^52 histories")]
fn per_second(done: u64, began: Instant) -> f64 {
    done as f64 / began.elapsed().as_secs_f64()
}
