//! The report of a campaign: its sums, and which situations its histories met.

use std::collections::BTreeMap;

use super::history::HistoryOutcome;
use super::situations::{NAMED, RARE, Situations};
use crate::bench::{Fate, Interruptions};
use crate::deployed::{FUNCTIONS, WEBHOOKS};

/// A campaign of at least so many histories must have been in every named situation.
pub const EVERY_SITUATION_FROM: u64 = 300;
/// So many histories meet what is rarest: two invocations at once of a function that only the minute's schedule calls,
/// an audit, which every fourth history has, and subscriptions, which every tenth has.
const RAREST_FROM: u64 = 2_000;

/// The sums of a campaign.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many histories were run.
    pub histories: u64,
    /// Records that the connectors wrote.
    pub records: u64,
    /// Invocations.
    pub invocations: u64,
    /// How many transactions, changed rows, closes and faults each history had.
    sizes: Vec<[usize; 4]>,
    /// How often each function met each kind of fault.
    pub faults: BTreeMap<(String, &'static str), u64>,
    /// How often each situation was met.
    pub situations: Situations,
    /// Which functions were interrupted inside a call, and by which.
    pub interruptions: Interruptions,
    /// Histories with findings, by seed.
    pub failed: BTreeMap<u64, HistoryOutcome>,
}

impl Report {
    /// Takes in what came out of a history.
    pub fn add(&mut self, outcome: HistoryOutcome) {
        self.histories += 1;
        self.records += outcome.records as u64;
        self.invocations += outcome.invocations;
        self.sizes.push([outcome.transactions, outcome.changes, outcome.closes, outcome.faults.len()]);
        for fault in &outcome.faults {
            let name = fault_name(fault.fate);
            *self.faults.entry((fault.call.function.clone(), name)).or_default() += 1;
        }
        for (what, times) in outcome.situations.counts() {
            self.situations.add(what, *times);
        }
        for (pair, times) in &outcome.interruptions {
            *self.interruptions.entry(pair.clone()).or_default() += times;
        }
        if !outcome.findings.is_empty() {
            self.failed.insert(outcome.script.seed, outcome);
        }
    }

    /// Returns the named situations that no history was in, and the pairs of functions of which the first was never
    /// interrupted inside a call by the second.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        let counts = self.situations.counts();
        let may_miss = |name: &str| self.histories < RAREST_FROM && RARE.contains(&name);
        let situations = NAMED.iter().filter(|name| !counts.contains_key(*name) && !may_miss(name));
        let mut missed: Vec<String> = situations.map(|name| format!("never: {name}")).collect();
        for interrupted in FUNCTIONS {
            for by in FUNCTIONS.into_iter().filter(|by| writes(by)) {
                let is_rare = (interrupted == "contribution-expiry" && by == interrupted)
                    || ["ledger-audit", WEBHOOKS].iter().any(|rare| interrupted == *rare || by == *rare);
                if is_rare && self.histories < RAREST_FROM {
                    continue;
                }
                if self.interrupted(interrupted, by) == 0 {
                    missed.push(format!("never: {interrupted} interrupted inside a call by {by}"));
                }
            }
        }
        missed
    }

    /// Returns whether the campaign was good: nothing was found, and it was long enough to miss nothing, or short.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let may_miss = self.histories < EVERY_SITUATION_FROM;
        self.failed.is_empty() && (may_miss || self.missed().is_empty())
    }

    /// Returns the report as lines for a person.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} histories, {} records, {} invocations, {} faults",
            self.histories,
            self.records,
            self.invocations,
            self.faults.values().sum::<u64>()
        )];
        let [transactions, changes, closes, faults] = [0, 1, 2, 3].map(|part| self.median(part));
        lines.push(format!(
            "at the median: {transactions} transactions with {changes} changed rows, {closes} closes, {faults} faults"
        ));
        lines.push("faults that happened:".to_owned());
        for ((function, fault), count) in &self.faults {
            lines.push(format!("{count:>10} {function}: {fault}"));
        }
        lines.push("situations that happened:".to_owned());
        for (what, count) in self.situations.counts() {
            lines.push(format!("{count:>10} {what}"));
        }
        lines.extend(self.matrix());
        lines.extend(self.missed());
        for outcome in self.failed.values() {
            lines.extend(finding_lines(outcome));
        }
        lines
    }

    fn median(&self, part: usize) -> usize {
        let mut sizes: Vec<usize> = self.sizes.iter().map(|sizes| sizes[part]).collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied().unwrap_or(0)
    }

    fn interrupted(&self, interrupted: &str, by: &str) -> u64 {
        let pair = (interrupted.into(), by.into());
        self.interruptions.get(&pair).copied().unwrap_or_default()
    }

    fn matrix(&self) -> Vec<String> {
        let mut lines =
            vec!["interrupted inside a call (a row) by a write of another invocation (a column):".to_owned()];
        let names = FUNCTIONS.iter().filter(|name| writes(name)).map(|name| format!("{name:>22}"));
        lines.push(format!("{:>22}{}", "", names.collect::<String>()));
        for interrupted in FUNCTIONS {
            let by = FUNCTIONS.into_iter().filter(|by| writes(by));
            let counts = by.map(|by| format!("{:>22}", self.interrupted(interrupted, by)));
            lines.push(format!("{interrupted:>22}{}", counts.collect::<String>()));
        }
        lines
    }
}

/// Returns what was found in a history, with the command that runs it again.
#[must_use]
pub fn finding_lines(outcome: &HistoryOutcome) -> Vec<String> {
    let seed = outcome.script.seed;
    let mut lines: Vec<String> =
        outcome.findings.iter().map(|finding| format!("seed {seed}: {finding}")).collect();
    lines.push(format!(
        "  {} transactions, {} faults; again: cargo run --release -p model -- again '{}'",
        outcome.transactions,
        outcome.faults.len(),
        outcome.script
    ));
    lines
}

/// Returns whether a function writes to the tables: the API does not, unless an operator asks it to.
fn writes(function: &str) -> bool {
    function != "query-api"
}

fn fault_name(fate: Fate) -> &'static str {
    match fate {
        Fate::Works => "works",
        Fate::Fails => "transient error",
        Fate::LosesAnswer => "lost answer",
        Fate::LosesMessage => "lost message",
        Fate::Throttled => "throttle",
        Fate::KilledBefore | Fate::KilledAfter => "kill",
        Fate::Hangs => "hang",
        Fate::StandsStillBefore { .. } | Fate::StandsStillAfter { .. } => "stands still",
    }
}
