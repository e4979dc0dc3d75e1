//! Reduces a failing history to little: few changes at the source, few faults, and nothing else that it can do without.

use std::collections::BTreeMap;

use oracle::generate::{Plan, history};

use super::history::{HistoryOptions, HistoryOutcome, run_history};
use super::script::{Script, Without};
use crate::bench::{CallPlace, Fate};

/// How many histories are run to reduce one.
pub const RUNS_MAX: usize = 400;

/// Reduces what came out of a history, as long as something is still found.
#[must_use]
pub fn shrink(failed: &HistoryOutcome, options: &HistoryOptions, runs_max: usize) -> HistoryOutcome {
    let options = HistoryOptions { trace_lines: false, ..options.clone() };
    let mut shrinker = Shrinker { best: failed.clone(), options, runs_left: runs_max };
    // With the faults as they happened it fails again, or it was not the seed that decided.
    let script = shrinker.best.script.clone();
    shrinker.keeps_failing(script);
    shrinker.leave_out_parts();
    shrinker.leave_out_faults();
    shrinker.leave_out_transactions();
    shrinker.leave_out_faults();
    shrinker.leave_out_parts();
    shrinker.best
}

struct Shrinker {
    best: HistoryOutcome,
    options: HistoryOptions,
    runs_left: usize,
}

impl Shrinker {
    /// Runs a smaller history, and keeps it if it fails.
    fn keeps_failing(&mut self, script: Script) -> bool {
        if self.runs_left == 0 {
            return false;
        }
        self.runs_left -= 1;
        let outcome = run_history(&script, &self.options);
        let fails = !outcome.findings.is_empty();
        if fails {
            // The script says what was wanted; not every fault of it happened.
            self.best = HistoryOutcome { script, ..outcome };
        }
        fails
    }

    fn leave_out_parts(&mut self) {
        let parts: [fn(&mut Without); 5] = [
            |without| without.disorder = true,
            |without| without.repetition = true,
            |without| without.commands = true,
            |without| without.readers = true,
            |without| without.subscribers = true,
        ];
        for part in parts {
            let mut script = self.best.script.clone();
            part(&mut script.without);
            if script.without != self.best.script.without {
                self.keeps_failing(script);
            }
        }
        if self.best.script.duplicates.as_ref().is_some_and(|duplicates| !duplicates.is_empty()) {
            let script = Script { duplicates: Some(BTreeMap::new()), ..self.best.script.clone() };
            self.keeps_failing(script);
        }
    }

    fn leave_out_faults(&mut self) {
        let fates: Vec<(CallPlace, Fate)> = self.best.script.fates.clone().into_iter().flatten().collect();
        self.leave_out(&fates, |script, fates| script.fates = Some(fates.iter().cloned().collect()));
    }

    fn leave_out_transactions(&mut self) {
        let all = history(&Plan::small(self.best.script.seed)).transactions.len();
        let keep = self.best.script.keep.clone().unwrap_or_else(|| (0..all).collect());
        self.leave_out(&keep, |script, keep| script.keep = Some(keep.to_vec()));
    }

    /// Leaves out halves, quarters and so on of a list, then single ones.
    fn leave_out<T: Clone>(&mut self, list: &[T], set: impl Fn(&mut Script, &[T])) {
        let mut list = list.to_vec();
        let mut length = list.len();
        while length > 0 && !list.is_empty() {
            let mut from = 0;
            while from < list.len() && self.runs_left > 0 {
                let mut less = list.clone();
                less.drain(from..(from + length).min(list.len()));
                let mut script = self.best.script.clone();
                set(&mut script, &less);
                if self.keeps_failing(script) {
                    list = less;
                } else {
                    from += length;
                }
            }
            length = if length == 1 { 0 } else { length.div_ceil(2) };
        }
    }
}
