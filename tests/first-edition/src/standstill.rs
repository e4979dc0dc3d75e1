//! For how long nothing is posted after one fault, in the same network and at the same rate as today's heart.

use std::collections::BTreeMap;

use model::bench::{Executor, Fate, FaultPlan, Happened, Once};
use model::measure::{Run, Source};
use serde_json::{Value, json};

use crate::deployed::executor;
use crate::run::{Options, Pace, adopt, load, pauses};

const ACCOUNTS: usize = 200;
const RATE: u64 = 100;
/// How long after the first adoption the fault comes.
const AFTER_MS: u64 = 15_000;
/// How long after the last adoption is waited: longer than two visibility timeouts.
const WAITS_MS: u64 = 2_000_000;
/// How many adoptions a burst has whose last wake-up is lost.
const BURST: u64 = 100;
/// How long after the others the last of a burst comes: everything before it is posted by then.
const PAUSE_MS: u64 = 10_000;
/// For how long calls fail, where more than one attempt of the SDK is to.
const OUTAGE_MS: u64 = 4_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    function: &'static str,
    fate: Fate,
    /// For how long call after call meets it; only one call where this is nothing.
    for_ms: u64,
}

/// Measures, and returns the longest pause between two postings after each fault, with the longest without one.
pub(crate) fn standstill(options: &Options) -> Value {
    let options = Options { accounts: ACCOUNTS, rate: RATE, seconds: 60, trees: 1, ..options.clone() };
    let source = options.source();
    let mut answer = json!({ "usual": run(&options, &source, None) });
    let faults = [
        ("transient", Fate::Fails, 0),
        ("transient_for_4_s", Fate::Fails, OUTAGE_MS),
        ("throttled", Fate::Throttled, 0),
        ("lost_answer", Fate::LosesAnswer, 0),
        ("kill", Fate::KilledBefore, 0),
        ("kill_after", Fate::KilledAfter, 0),
        ("hang", Fate::Hangs, 0),
    ];
    for function in ["adoption-distribution", "adoption-sequencer", "cdc-ingest"] {
        for (name, fate, for_ms) in faults {
            let pause = run(&options, &source, Some(Trouble { function, fate, for_ms }));
            eprintln!("{function} {name} {pause}");
            answer[function][name] = pause;
        }
    }
    for function in ["cdc-ingest", "adoption-sequencer"] {
        let took = lost_message(&options, function);
        eprintln!("{function} lost_message {took}");
        answer[function]["lost_message"] = took;
    }
    answer
}

fn run(options: &Options, source: &Source, trouble: Option<Trouble>) -> Value {
    let mut executor = begin(options);
    load(&mut executor, source);
    let from_ms = executor.now_ms() + AFTER_MS;
    if let Some(trouble) = trouble {
        executor.meets(once(trouble, from_ms));
    }
    let mut seen = 0;
    let run = adopt(&mut executor, source, pace(options, 0), |executor| {
        let now_ms = executor.now_ms();
        let Some(trouble) = trouble.filter(|trouble| now_ms < from_ms + trouble.for_ms) else { return };
        let happened = executor.faults().len();
        if happened > std::mem::replace(&mut seen, happened) {
            executor.meets(once(trouble, now_ms));
        }
    });
    let mut answer = longest_pause(&run);
    answer["faults"] = faults_json(&executor.faults());
    answer["not_posted"] = json!(run.committed_ms.len() - run.posted.len());
    answer
}

/// Returns how long the last adoption of a burst takes from its commit to its posting when the first message that a
/// function sends for it is accepted and never delivered.
fn lost_message(options: &Options, function: &'static str) -> Value {
    let mut burst = options.source();
    burst.adoptions.truncate(usize::try_from(BURST).expect("a few"));
    let last = burst.adoptions.last().map(|(order, _)| *order).expect("a burst has a last adoption");
    let mut executor = begin(options);
    load(&mut executor, &burst);
    let from_ms = executor.now_ms() + (BURST - 1) * 1_000 / RATE + PAUSE_MS;
    executor.meets(once(Trouble { function, fate: Fate::LosesMessage, for_ms: 0 }, from_ms));
    let run = adopt(&mut executor, &burst, pace(options, PAUSE_MS), |_| ());
    let took_ms = run.posted.get(&last).map(|posted| posted.at_ms - run.committed_ms[&last]);
    json!({ "commit_to_posted_ms": took_ms, "faults": faults_json(&executor.faults()) })
}

fn begin(options: &Options) -> Executor {
    executor(options.seed, options.percent, options.warm, FaultPlan::default())
}

fn pace(options: &Options, pause_ms: u64) -> Pace {
    Pace { rate: options.rate, pause_ms, waits_ms: WAITS_MS }
}

fn once(trouble: Trouble, from_ms: u64) -> Once {
    Once { function: trouble.function.to_owned(), from_ms, fate: trouble.fate }
}

fn longest_pause(run: &Run) -> Value {
    let longest = pauses(run, 0).into_iter().max_by_key(|(_, pause_ms)| *pause_ms);
    let (began_ms, pause_ms) = longest.unwrap_or_default();
    json!({ "longest_pause_ms": pause_ms, "after_first_commit_ms": began_ms })
}

fn faults_json(faults: &[Happened]) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for happened in faults {
        *counts.entry(format!("{:?}", happened.fate)).or_default() += 1;
    }
    json!(counts)
}
