//! Measures the compiled functions: initialisation, first and later invocations, peak memory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use end_to_end::lambda_runtime::{Answer, Process};
use end_to_end::services::Services;
use serde_json::Value;
use tokio::time::Instant;

/// Each function with the event it is measured with, in an order in which they follow from each other.
const MEASURED: [(&str, &str, &str); 4] = [
    ("CdcIngest", "cdc-ingest", "kafka-referrals"),
    ("CdcIngest", "cdc-ingest", "kafka-adoptions"),
    ("AdoptionSequencer", "adoption-sequencer", "sqs-ticks"),
    ("AdoptionDistribution", "adoption-distribution", "sqs-released-runs"),
];

/// Starts each function's binary behind a Lambda Runtime API, over embedded tables and queues, and
/// prints what its initialisation, its first invocation and its memory come to.
#[derive(Parser)]
struct Arguments {
    /// Where the binaries are, for example target/release
    binaries: PathBuf,
    /// The directory of the events
    #[arg(long, default_value = "events")]
    events: PathBuf,
    /// How often each is started; the median is printed
    #[arg(long, default_value_t = 11)]
    times: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.times > 0, "nothing is measured in no time");
    println!("{:<24} {:<20} {:>10} {:>12} {:>12}", "function", "event", "init ms", "first ms", "peak MiB");
    let mut measured: Vec<Vec<Measured>> = (0..MEASURED.len()).map(|_| Vec::new()).collect();
    for _ in 0..arguments.times {
        let parameters = [("ReorderWindowMs", "0".to_owned()), ("SnapshotQuietPeriodMs", "0".to_owned())];
        let services = Services::start(&parameters).await?;
        for ((function, package, event), of_case) in MEASURED.into_iter().zip(&mut measured) {
            let event = read(&arguments.events, event)?;
            of_case.push(measure(&services, function, &arguments.binaries.join(package), event).await?);
        }
    }
    for ((_, package, event), mut of_case) in MEASURED.into_iter().zip(measured) {
        let mut median = |of: fn(&Measured) -> u128| {
            of_case.sort_unstable_by_key(of);
            of(&of_case[of_case.len() / 2])
        };
        println!(
            "{package:<24} {event:<20} {:>10} {:>12} {:>12}",
            median(|measured| measured.initialisation.as_millis()),
            median(|measured| measured.first.as_millis()),
            median(|measured| u128::from(measured.peak_kib / 1024)),
        );
    }
    Ok(())
}

/// One start of a function.
struct Measured {
    initialisation: Duration,
    first: Duration,
    peak_kib: u64,
}

async fn measure(services: &Services, function: &str, binary: &Path, event: Value) -> Result<Measured> {
    let mut process = Process::start(binary, &services.variables(function)?).await?;
    let started = Instant::now();
    let answer = process.invoke(event).await?;
    let first = started.elapsed();
    ensure!(matches!(answer, Answer::Response(_)), "{function} failed: {answer:?}");
    let id = process.id().context("the process runs")?;
    Ok(Measured { initialisation: process.initialisation, first, peak_kib: peak_memory_kib(id)? })
}

/// The most memory the process ever had resident, as Linux counts it.
fn peak_memory_kib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("Linux counts it")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn read(directory: &Path, event: &str) -> Result<Value> {
    let path = directory.join(format!("{event}.json"));
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}
