//! For how long nothing is posted after one fault of the decider.

use super::figures::Standstill;
use super::run::{MeasureOptions, executor, load, run_adoptions, source};
use crate::bench::{Fate, FaultPlan, Once};
use crate::clock::Millis;

const ACCOUNTS: usize = 200;
const RATE: u64 = 100;
/// How long after the first adoption the fault comes.
const AFTER_MS: Millis = 15_000;

/// Measures a small network at a hundred adoptions a second: the longest pause between two postings, less the longest
/// that there is without a fault.
pub(super) fn standstill(options: &MeasureOptions) -> Standstill {
    let options = MeasureOptions { accounts: ACCOUNTS, rate: RATE, minutes: 1, ..options.clone() };
    let usual_ms = longest_pause_ms(&options, None);
    let beyond = |fate| Some(longest_pause_ms(&options, Some(fate)).saturating_sub(usual_ms));
    Standstill {
        transient_ms: beyond(Fate::Fails),
        lost_answer_ms: beyond(Fate::LosesAnswer),
        kill_ms: beyond(Fate::KilledBefore),
        hang_ms: beyond(Fate::Hangs),
    }
}

fn longest_pause_ms(options: &MeasureOptions, fate: Option<Fate>) -> Millis {
    let source = source(options);
    // The load takes the same time with and without the fault, which comes after it.
    let mut rehearsal = executor(options, FaultPlan::default());
    load(&mut rehearsal, &source);
    let from_ms = rehearsal.now_ms() + AFTER_MS;
    let once = fate.map(|fate| Once { function: "adoption-distribution".to_owned(), from_ms, fate });
    let mut executor = executor(options, FaultPlan { once, ..FaultPlan::default() });
    load(&mut executor, &source);
    let run = run_adoptions(&mut executor, &source, options.rate);
    let mut posted_ms: Vec<Millis> = run.posted.values().map(|posted| posted.at_ms).collect();
    posted_ms.sort_unstable();
    posted_ms.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}
