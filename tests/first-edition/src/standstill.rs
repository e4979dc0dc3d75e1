//! For how long nothing is posted after one fault, of the same network and at the same rate as today's heart.

use model::bench::{Executor, Fate, FaultPlan, Once};
use model::measure::{Run, Source};
use serde_json::{Value, json};

use crate::deployed::executor;
use crate::run::{Options, adopt, load};

const ACCOUNTS: usize = 200;
const RATE: u64 = 100;
/// How long after the first adoption the fault comes.
const AFTER_MS: u64 = 15_000;
/// How long after the last adoption is waited: longer than two visibility timeouts.
const WAITS_MS: u64 = 2_000_000;

/// Measures, and returns the longest pause between two postings after each fault, less the longest without one.
pub(crate) fn standstill(options: &Options) -> Value {
    let options = Options { accounts: ACCOUNTS, rate: RATE, seconds: 60, trees: 1, ..options.clone() };
    let source = options.source();
    let loaded_ms = {
        let mut rehearsal = begin(&options, FaultPlan::default());
        load(&mut rehearsal, &source);
        rehearsal.now_ms()
    };
    let usual = longest_pause(&run(&options, &source, None).0);
    let mut answer = json!({ "usual": usual });
    let faults = [
        ("transient", Fate::Fails),
        ("lost_answer", Fate::LosesAnswer),
        ("throttled", Fate::Throttled),
        ("kill", Fate::KilledBefore),
        ("kill_after", Fate::KilledAfter),
        ("hang", Fate::Hangs),
        ("lost_message", Fate::LosesMessage),
    ];
    for function in ["adoption-distribution", "adoption-sequencer", "cdc-ingest"] {
        for (name, fate) in faults {
            let once = Once { function: function.to_owned(), from_ms: loaded_ms + AFTER_MS, fate };
            let (run, happened) = run(&options, &source, Some(once));
            let mut pause = longest_pause(&run);
            pause["happened"] = json!(happened);
            pause["committed"] = json!(run.committed_ms.len());
            pause["posted"] = json!(run.posted.len());
            answer[function][name] = pause;
        }
    }
    answer
}

fn begin(options: &Options, faults: FaultPlan) -> Executor {
    executor(options.seed, options.percent, options.warm, faults)
}

fn run(options: &Options, source: &Source, once: Option<Once>) -> (Run, usize) {
    let mut executor = begin(options, FaultPlan { once, ..FaultPlan::default() });
    load(&mut executor, source);
    let run = adopt(&mut executor, source, options.rate, Some(WAITS_MS));
    (run, executor.faults().len())
}

/// Returns the longest pause between two postings, and when it began, from the first commit on.
fn longest_pause(run: &Run) -> Value {
    let mut posted_ms: Vec<u64> = run.posted.values().map(|posted| posted.at_ms).collect();
    posted_ms.sort_unstable();
    let pauses = posted_ms.windows(2).map(|pair| (pair[1] - pair[0], pair[0] - run.began_ms));
    let (pause_ms, began_ms) = pauses.max().unwrap_or_default();
    json!({ "longest_pause_ms": pause_ms, "after_first_commit_ms": began_ms })
}
