//! Runs the model: conformance scripts, campaigns and measurements.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use model::bench::{Provoked, Touch};
use model::campaign::{
    CampaignOptions, Caught, HistoryOptions, MutateOptions, Progress, RUNS_MAX, Script, enumerate,
    finding_lines, known_seeds, mutate, run_campaign, run_history, shrink,
};
use model::conformance::{Suite, run_script};
use model::measure::{MeasureOptions, MoveOptions, Shape, close, first_load, measure, move_subtree};
use serde_json::Value;

/// A history makes and drops millions of small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        /// Shows failing histories as they are, without reducing them.
        #[arg(long)]
        whole: bool,
    },
    /// Runs one history again: a seed, or what a campaign says of a failing one.
    Again {
        /// The history.
        script: Script,
        /// Runs without faults by chance.
        #[arg(long)]
        no_faults: bool,
        /// Has the first attempt of each of these calls fail, as `mutate` does: a function, a table, a kind of item and
        /// an operation.
        #[arg(long, conflicts_with = "stands_still")]
        fails_first: Option<Touch>,
        /// Has environments stand still before these writes, as `mutate` does.
        #[arg(long)]
        stands_still: Option<Touch>,
        /// Reduces it, if it fails.
        #[arg(long)]
        shrink: bool,
        /// Writes everything that happens to this file, a line for each event.
        #[arg(long)]
        trace: Option<PathBuf>,
    },
    /// Takes each condition, fence, retry, kind of log entry and order of reads away in turn, and says which seed finds
    /// it.
    Mutate {
        /// In how many histories at most each is to be found, besides those that are known to find it.
        #[arg(long, default_value_t = 300)]
        histories: u64,
        /// How many histories show what there is to take away.
        #[arg(long, default_value_t = 500)]
        seen_in: u64,
        /// How many run side by side.
        #[arg(long, default_value_t = 2)]
        threads: usize,
        /// Only what has this in its name.
        #[arg(long)]
        only: Option<String>,
        /// Writes the seeds that find something to this file.
        #[arg(long)]
        learn: Option<PathBuf>,
    },
    /// Measures the functions: adoptions per second, delays, units.
    #[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
    Measure {
        /// What else is measured than a steady rate of adoptions.
        #[command(subcommand)]
        what: Option<Measured>,
        #[command(flatten)]
        arguments: MeasureArguments,
    },
}

/// What else is measured.
#[derive(Subcommand)]
enum Measured {
    /// The first load: everything that a source has, as fast as the topics give it.
    FirstLoad(MeasureArguments),
    /// The close of a date, from its midnight to what is published.
    Close(MeasureArguments),
    /// The move of a subtree below another root, while adoptions go on below it.
    Move(MoveArguments),
}

/// How a move is measured.
#[derive(Args)]
struct MoveArguments {
    /// How many accounts the subtree has.
    #[arg(long, default_value_t = 100_000)]
    accounts: usize,
    /// How many adoptions there are before it moves.
    #[arg(long, default_value_t = 300_000)]
    adoptions: usize,
    /// Adoptions per second below it while it moves.
    #[arg(long, default_value_t = 100)]
    rate: u64,
    /// The decider is killed after so many steps each; 0 leaves it alone.
    #[arg(long, default_value_t = 1_000)]
    kill_every: usize,
    /// The seed of everything.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The published latencies times this, in hundredths.
    #[arg(long, default_value_t = 100)]
    percent: u64,
    /// The units per second that every table is warm for.
    #[arg(long, default_value_t = 40_000)]
    warm: u64,
}

/// How is measured.
#[derive(Args)]
struct MeasureArguments {
    /// Who refers whom.
    #[arg(long, value_enum, default_value = "uniform")]
    shape: ShapeArgument,
    /// How many accounts there are before the first adoption.
    #[arg(long, default_value_t = 200_000)]
    accounts: usize,
    /// In how many trees they hang, each with a root.
    #[arg(long, default_value_t = 1)]
    trees: usize,
    /// Adoptions per second.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// For how many minutes; of a first load and a close, how many adoptions there are in all: rate times this.
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
        Command::Campaign { histories, seed, threads, no_faults, whole } => {
            let history = HistoryOptions::usual(!no_faults);
            Ok(campaign(&CampaignOptions { histories, first_seed: seed, threads, history }, whole))
        }
        Command::Again { script, no_faults, fails_first, stands_still, shrink, trace } => {
            let fails_first = fails_first.map(Provoked::FailsFirst);
            let provoked = fails_first.or(stands_still.map(Provoked::StandsStill));
            let options = HistoryOptions { provoked, ..HistoryOptions::usual(!no_faults) };
            again(&script, &options, shrink, trace.as_deref())
        }
        Command::Mutate { histories, seen_in, threads, only, learn } => {
            let history = HistoryOptions::usual(true);
            let options = MutateOptions { seen_in, histories, threads, history };
            mutations(&options, only.as_deref(), learn.as_deref())
        }
        Command::Measure { what: Some(Measured::Move(arguments)), .. } => Ok(print_move(&arguments)),
        Command::Measure { what, arguments } => {
            match what {
                Some(Measured::Move(_)) => unreachable!("it was matched before"),
                None => print_figures(&arguments, |options| measure(options).to_json()),
                Some(Measured::FirstLoad(arguments)) => {
                    print_figures(&arguments, |options| first_load(options).to_json());
                }
                Some(Measured::Close(arguments)) => {
                    print_figures(&arguments, |options| close(options).to_json());
                }
            }
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

/// Runs scripts, prints each expectation that does not hold, and returns whether all held.
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
fn print_figures(arguments: &MeasureArguments, measured: impl Fn(&MeasureOptions) -> Value) {
    let began = wall_clock();
    let figures = measured(&arguments.options());
    if arguments.json {
        println!("{figures}");
    } else {
        println!("{figures:#}");
    }
    eprintln!("measured in {:.1} s", began.elapsed().as_secs_f64());
}

/// Moves a subtree, prints what it came to, and returns whether all was as it must be.
fn print_move(arguments: &MoveArguments) -> bool {
    let began = wall_clock();
    let MoveArguments { accounts, adoptions, rate, kill_every, seed, percent, warm } = *arguments;
    let moved = move_subtree(&MoveOptions { accounts, adoptions, rate, kill_every, seed, percent, warm });
    println!("{:#}", moved.to_json());
    eprintln!("measured in {:.1} s", began.elapsed().as_secs_f64());
    moved.is_good()
}

impl MeasureArguments {
    fn options(&self) -> MeasureOptions {
        MeasureOptions {
            shape: match self.shape {
                ShapeArgument::Recent => Shape::Recent,
                ShapeArgument::Uniform => Shape::Uniform,
            },
            accounts: self.accounts,
            rate: self.rate,
            minutes: self.minutes,
            seed: self.seed,
            percent: self.percent,
            warm: self.warm,
            with_standstill: !self.no_standstill,
            trees: self.trees,
        }
    }
}

/// How the file of known seeds begins.
const KNOWN_SEEDS_HEADER: &str = "# What is taken away, a bar, and the seeds of histories that find it. `mutate --learn FILE` writes this.";

/// How many failing histories are reduced.
const REDUCED_MAX: usize = 3;

/// Runs a campaign with its progress on standard error, prints what was found, and returns whether it was good.
fn campaign(options: &CampaignOptions, whole: bool) -> bool {
    let began = wall_clock();
    let mut report = run_campaign(options, |progress, found| {
        for line in found {
            eprintln!("\r{line}");
        }
        show(progress, began);
    });
    let took = per_second(report.histories, began);
    eprintln!();
    if !whole {
        for outcome in report.failed.values_mut().take(REDUCED_MAX) {
            eprintln!("reducing seed {} ...", outcome.script.seed);
            *outcome = shrink(outcome, &options.history, RUNS_MAX);
        }
    }
    for line in report.lines() {
        println!("{line}");
    }
    println!("{took:.1} histories per second, {} with findings", report.failed.len());
    report.is_good()
}

/// Runs one history, prints what was found, and returns whether nothing was.
fn again(
    script: &Script,
    options: &HistoryOptions,
    reduces: bool,
    trace: Option<&Path>,
) -> anyhow::Result<bool> {
    let options = HistoryOptions { trace_lines: trace.is_some(), ..options.clone() };
    let mut outcome = run_history(script, &options);
    if let Some(file) = trace {
        std::fs::write(file, outcome.trace.join("\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if reduces && !outcome.findings.is_empty() {
        outcome = shrink(&outcome, &options, RUNS_MAX);
    }
    for line in finding_lines(&outcome) {
        println!("{line}");
    }
    println!("trace {:016x}", outcome.trace_hash);
    Ok(outcome.findings.is_empty())
}

/// Takes everything away in turn, prints which seed finds it, and returns whether all was found.
fn mutations(options: &MutateOptions, only: Option<&str>, learn: Option<&Path>) -> anyhow::Result<bool> {
    let began = wall_clock();
    let mut mutations = enumerate(options);
    let names: BTreeSet<String> = mutations.iter().map(|one| one.mutation.to_string()).collect();
    mutations.retain(|one| only.is_none_or(|only| one.mutation.to_string().contains(only)));
    let caught = mutate(options, &mutations, |one| match &one.by {
        Some((seed, finding)) => println!("{}: seed {seed}: {finding}", one.mutation),
        None => println!("{}: NOT FOUND in {} histories", one.mutation, one.histories),
    });
    let found = caught.iter().filter(|one| one.by.is_some()).count();
    for one in &caught {
        for (seed, finding) in &one.found_without {
            println!("seed {seed} finds something where nothing is taken away, {}: {finding}", one.mutation);
        }
    }
    for name in known_seeds().into_keys().filter(|name| !names.contains(*name)) {
        println!("not seen any more: {name}");
    }
    for one in caught.iter().filter(|one| one.by.is_none()) {
        println!("not found: {}", one.mutation);
    }
    println!("{found} of {}", caught.len());
    eprintln!("taken away in {:.0} s", began.elapsed().as_secs_f64());
    if let Some(file) = learn {
        std::fs::write(file, learned(&caught)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(found == caught.len())
}

/// Returns the seeds that find something, as they are kept beside the campaign: those that were known stay.
fn learned(caught: &[Caught]) -> String {
    let known = known_seeds().into_iter().map(|(name, seeds)| (name.to_owned(), seeds));
    let mut seeds: BTreeMap<String, Vec<u64>> = known.collect();
    let found = caught.iter().filter_map(|one| Some((one.mutation.to_string(), one.by.as_ref()?.0)));
    seeds.extend(found.map(|(name, seed)| (name, vec![seed])));
    let text = |seeds: Vec<u64>| seeds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let lines = seeds.into_iter().map(|(name, seeds)| format!("{name} | {}\n", text(seeds)));
    [format!("{KNOWN_SEEDS_HEADER}\n")].into_iter().chain(lines).collect()
}

/// Returns the time, for how long something takes: nothing that is modelled depends on it.
#[expect(clippy::disallowed_methods, reason = "a person waits for the end, not a function")]
fn wall_clock() -> Instant {
    Instant::now()
}

/// Shows how far a campaign is: on a terminal all the time, elsewhere after every hundredth part.
fn show(progress: Progress, began: Instant) {
    let Progress { done, with_findings, of } = progress;
    if !std::io::stderr().is_terminal() && done % (of / 100).max(1) != 0 {
        return;
    }
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
