//! What a campaign came to.

use std::collections::BTreeMap;

use super::history::HistoryOutcome;
use crate::bench::Fate;

/// The sums of a campaign.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many histories were run.
    pub histories: u64,
    /// Records that the sources wrote.
    pub records: u64,
    /// Invocations.
    pub invocations: u64,
    /// How often each function met each kind of fault.
    pub faults: BTreeMap<(String, &'static str), u64>,
    /// Histories with findings, by seed.
    pub findings: BTreeMap<u64, Vec<String>>,
}

impl Report {
    /// Takes in what came out of a history.
    pub fn add(&mut self, outcome: &HistoryOutcome) {
        self.histories += 1;
        self.records += outcome.records as u64;
        self.invocations += outcome.invocations;
        for fault in &outcome.faults {
            *self.faults.entry((fault.function.clone(), fault_name(fault.fate))).or_default() += 1;
        }
        if !outcome.findings.is_empty() {
            self.findings.insert(outcome.seed, outcome.findings.clone());
        }
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
        for ((function, fault), count) in &self.faults {
            lines.push(format!("  {function} x {fault}: {count}"));
        }
        for (seed, findings) in &self.findings {
            for finding in findings {
                lines.push(format!("seed {seed}: {finding}"));
            }
            lines.push(format!(
                "  again: cargo run --release -p model -- campaign --histories 1 --seed {seed} --trace trace.txt"
            ));
        }
        lines
    }
}

fn fault_name(fate: Fate) -> &'static str {
    match fate {
        Fate::Works => "works",
        Fate::Fails => "transient error",
        Fate::LosesAnswer => "lost answer",
        Fate::Throttled => "throttle",
        Fate::KilledBefore | Fate::KilledAfter => "kill",
        Fate::Hangs => "hang",
        Fate::StandsStillBefore { .. } | Fate::StandsStillAfter { .. } => "stands still",
    }
}
