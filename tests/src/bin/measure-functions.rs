//! Measures the compiled functions: initialisation, first and later invocations, peak memory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use end_to_end::lambda_runtime::{Answer, Process};
use end_to_end::services::Services;
use end_to_end::triggers::{self, STEPS, Step};
use tokio::time::Instant;

/// Starts each function's binary behind a Lambda Runtime API, over embedded tables and queues, and
/// prints what its initialisation, its first invocation and its memory come to.
#[derive(Parser)]
struct Arguments {
    /// Where the binaries are, for example target/release
    binaries: PathBuf,
    /// How often each is started; the median is printed
    #[arg(long, default_value_t = 11)]
    times: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.times > 0, "nothing is measured in no time");
    println!("{:<24} {:<24} {:>10} {:>12} {:>12}", "function", "event", "init ms", "first ms", "peak MiB");
    let mut measured: Vec<Vec<Measured>> = (0..STEPS.len()).map(|_| Vec::new()).collect();
    for _ in 0..arguments.times {
        let services = Services::start(&triggers::parameters()).await?;
        for (step, of_step) in STEPS.iter().zip(&mut measured) {
            of_step.push(measure(&services, step, &arguments.binaries).await?);
        }
    }
    for (step, mut of_step) in STEPS.iter().zip(measured) {
        let mut median = |of: fn(&Measured) -> u128| {
            of_step.sort_unstable_by_key(of);
            of(&of_step[of_step.len() / 2])
        };
        println!(
            "{:<24} {:<24} {:>10} {:>12} {:>12}",
            step.package,
            step.event,
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

async fn measure(services: &Services, step: &Step, binaries: &Path) -> Result<Measured> {
    let variables = services.variables(step.function)?;
    let mut process = Process::start(&binaries.join(step.package), &variables).await?;
    let event = triggers::read(step.event)?;
    let started = Instant::now();
    let answer = process.invoke(event).await?;
    let first = started.elapsed();
    ensure!(matches!(answer, Answer::Response(_)), "{} failed: {answer:?}", step.package);
    let id = process.id().context("the process runs")?;
    Ok(Measured { initialisation: process.initialisation, first, peak_kib: peak_memory_kib(id)? })
}

/// The most memory the process ever had resident, as Linux counts it.
fn peak_memory_kib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("Linux counts it")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
