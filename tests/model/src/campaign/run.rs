//! Runs histories side by side.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::history::{HistoryOptions, HistoryOutcome, run_history};
use super::report::{Report, finding_lines};
use super::script::Script;

/// What a campaign runs.
#[derive(Clone, Debug)]
pub struct CampaignOptions {
    /// How many histories.
    pub histories: u64,
    /// The seed of the first; the others follow it.
    pub first_seed: u64,
    /// How many run side by side.
    pub threads: usize,
    /// How each is run.
    pub history: HistoryOptions,
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Histories that are done.
    pub done: u64,
    /// Histories of them with findings.
    pub with_findings: u64,
    /// All histories.
    pub of: u64,
}

/// Runs a campaign and tells after every history how far it is, and what was found in it. The first history is run
/// twice: what a seed gives must be the same each time.
#[must_use]
pub fn run_campaign(options: &CampaignOptions, progress: impl Fn(Progress, &[String]) + Sync) -> Report {
    let report = Mutex::new(Report::default());
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.histories {
                        return;
                    }
                    let outcome = run_one(options, number);
                    let found =
                        if outcome.findings.is_empty() { Vec::new() } else { finding_lines(&outcome) };
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    report.add(outcome);
                    let so_far = Progress {
                        done: report.histories,
                        with_findings: report.failed.len() as u64,
                        of: options.histories,
                    };
                    progress(so_far, &found);
                }
            });
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn run_one(options: &CampaignOptions, number: u64) -> HistoryOutcome {
    let script = Script::of(options.first_seed + number);
    let mut outcome = run_history(&script, &options.history);
    if number == 0 && run_history(&script, &options.history).trace_hash != outcome.trace_hash {
        outcome.findings.push("the same seed gave another trace".to_owned());
    }
    outcome
}
