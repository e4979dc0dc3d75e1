//! For how long nothing is posted after one fault of the decider, and after a wake-up that was lost.

use super::figures::Standstill;
use super::run::{MeasureOptions, Run, executor, load, run_adoptions, run_adoptions_and_last, source};
use crate::bench::{Fate, FaultPlan, Once};
use crate::clock::Millis;

const ACCOUNTS: usize = 200;
const RATE: u64 = 100;
/// How long after the first adoption the fault comes.
const AFTER_MS: Millis = 15_000;
/// How many adoptions a burst has whose last wake-up is lost.
const BURST: u64 = 100;

/// Measures a small network at a hundred adoptions a second: the longest pause between two postings, less the longest
/// that there is without a fault.
pub(super) fn standstill(options: &MeasureOptions) -> Standstill {
    let options = MeasureOptions { accounts: ACCOUNTS, rate: RATE, minutes: 1, trees: 1, ..options.clone() };
    let loaded_ms = loaded_ms(&options);
    let usual_ms = longest_pause_ms(&run(&options, None));
    let beyond = |fate| {
        let once = Once { function: "adoption-distribution".to_owned(), from_ms: loaded_ms + AFTER_MS, fate };
        Some(longest_pause_ms(&run(&options, Some(once))).saturating_sub(usual_ms))
    };
    Standstill {
        transient_ms: beyond(Fate::Fails),
        lost_answer_ms: beyond(Fate::LosesAnswer),
        kill_ms: beyond(Fate::KilledBefore),
        hang_ms: beyond(Fate::Hangs),
        lost_message_ms: Some(lost_message_ms(&options, loaded_ms)),
    }
}

/// Returns how long the load takes: the same with and without a fault, which comes after it.
fn loaded_ms(options: &MeasureOptions) -> Millis {
    let mut rehearsal = executor(options, FaultPlan::default());
    load(&mut rehearsal, &source(options));
    rehearsal.now_ms()
}

fn run(options: &MeasureOptions, once: Option<Once>) -> Run {
    let source = source(options);
    let mut executor = executor(options, FaultPlan { once, ..FaultPlan::default() });
    load(&mut executor, &source);
    run_adoptions(&mut executor, &source, options.rate)
}

fn longest_pause_ms(run: &Run) -> Millis {
    let mut posted_ms: Vec<Millis> = run.posted.values().map(|posted| posted.at_ms).collect();
    posted_ms.sort_unstable();
    posted_ms.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

/// Returns how long the last adoption of a burst takes from its commit to its posting when the message that should
/// wake the decider for it is accepted and never delivered.
fn lost_message_ms(options: &MeasureOptions, loaded_ms: Millis) -> Millis {
    let mut burst = source(options);
    burst.adoptions.truncate(usize::try_from(BURST).expect("a few"));
    let last = burst.adoptions.last().map(|(order, _)| *order).expect("a burst has a last adoption");
    // The last adoption comes once everything before it is posted, so that nothing else wakes the decider.
    let pause_ms = 2_000;
    let from_ms = loaded_ms + BURST * 1_000 / RATE + pause_ms;
    let once = Once { function: "cdc-ingest".to_owned(), from_ms, fate: Fate::LosesMessage };
    let mut executor = executor(options, FaultPlan { once: Some(once), ..FaultPlan::default() });
    load(&mut executor, &burst);
    let run = run_adoptions_and_last(&mut executor, &burst, RATE, pause_ms);
    run.posted.get(&last).map_or(Millis::MAX, |posted| posted.at_ms - run.committed_ms[&last])
}
