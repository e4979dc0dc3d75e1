//! Takes each condition, each retry, each kind of log entry and each order of reads away, and looks whether a campaign
//! finds that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::history::{HistoryOptions, run_history};
use super::script::Script;
use crate::bench::{KnownFault, Mutation, Touch};

/// What a mutation run does.
#[derive(Clone, Debug)]
pub struct MutateOptions {
    /// How many histories show what there is to take away.
    pub seen_in: u64,
    /// In how many histories at most each mutation may be found.
    pub histories: u64,
    /// How many run side by side.
    pub threads: usize,
    /// How each is run.
    pub history: HistoryOptions,
}

/// Something to take away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What.
    pub mutation: Mutation,
    /// The seeds of histories in which it was seen to be used.
    pub seen_in: BTreeSet<u64>,
}

/// What became of a mutation.
#[derive(Clone, Debug)]
pub struct Caught {
    /// What was taken away.
    pub mutation: Mutation,
    /// The seed that finds it with the first finding; none where no history did.
    pub by: Option<(u64, String)>,
    /// Seeds that find something although nothing is taken away.
    pub found_without: BTreeSet<u64>,
}

/// Where each call of a function and each kind of entry was seen.
#[derive(Default)]
struct Seen {
    touches: BTreeMap<Touch, BTreeSet<u64>>,
    kinds: BTreeMap<String, BTreeSet<u64>>,
}

/// Functions that go by what they read after marks, without a condition that would tell them that it was old.
const GO_BY_MARKS: [&str; 3] = ["adoption-distribution", "daily-snapshot", "query-api"];

/// Returns everything that there is to take away: what functions do in some histories, by what they do it to.
#[must_use]
pub fn enumerate(options: &MutateOptions) -> Vec<Candidate> {
    let seen: Mutex<Seen> = Mutex::default();
    let numbers: Vec<u64> = (1..=options.seen_in).collect();
    side_by_side(options.threads, &numbers, |seed| {
        let history = HistoryOptions { counts_touches: true, ..options.history.clone() };
        let outcome = run_history(&Script::of(*seed), &history);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        for touch in outcome.touches.into_keys() {
            seen.touches.entry(touch).or_default().insert(*seed);
        }
        for kind in outcome.entry_kinds.into_keys() {
            seen.kinds.entry(kind).or_default().insert(*seed);
        }
    });
    let Seen { touches, kinds } = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let known = KnownFault::ALL.map(|fault| (Mutation::Known(fault), BTreeSet::new()));
    let conditions = touches.iter().filter(|(touch, _)| touch.has_condition());
    let conditions = conditions.map(|(touch, seeds)| (Mutation::Condition(touch.clone()), seeds.clone()));
    let entries = kinds.into_iter().map(|(kind, seeds)| (Mutation::Entry(kind), seeds));
    let reads = |function: &&str| touches.keys().any(|t| t.function == **function && t.reads_after_marks());
    let orders = GO_BY_MARKS.into_iter().filter(reads);
    let orders = orders.map(|function| (Mutation::HeadsBeforeMarks(function.to_owned()), BTreeSet::new()));
    let retries = touches.iter().map(|(touch, seeds)| (Mutation::Retry(touch.clone()), seeds.clone()));
    let all = known.into_iter().chain(conditions).chain(entries).chain(orders).chain(retries);
    all.map(|(mutation, seen_in)| Candidate { mutation, seen_in }).collect()
}

/// Takes each of these away in turn; tells after each what became of it.
///
/// A history counts only if nothing is found in it when nothing is taken away, and the same is provoked.
pub fn mutate(
    options: &MutateOptions,
    candidates: &[Candidate],
    progress: impl Fn(&Caught) + Sync,
) -> Vec<Caught> {
    let caught: Mutex<Vec<(usize, Caught)>> = Mutex::default();
    let numbered: Vec<(usize, &Candidate)> = candidates.iter().enumerate().collect();
    side_by_side(options.threads, &numbered, |(number, candidate)| {
        let one = take_away(options, candidate);
        progress(&one);
        caught.lock().unwrap_or_else(PoisonError::into_inner).push((*number, one));
    });
    let mut caught = caught.into_inner().unwrap_or_else(PoisonError::into_inner);
    caught.sort_by_key(|(number, _)| *number);
    caught.into_iter().map(|(_, one)| one).collect()
}

fn take_away(options: &MutateOptions, candidate: &Candidate) -> Caught {
    let Candidate { mutation, seen_in } = candidate;
    let with = HistoryOptions {
        mutation: Some(mutation.clone()),
        provoked: mutation.provoked(),
        ..options.history.clone()
    };
    let without = HistoryOptions { mutation: None, ..with.clone() };
    let mut caught = Caught { mutation: mutation.clone(), by: None, found_without: BTreeSet::new() };
    // Histories that use what is taken away come first.
    let others = (1..=options.histories).filter(|seed| !seen_in.contains(seed));
    let seeds: Vec<u64> = seen_in.iter().copied().chain(others).collect();
    for seed in seeds.into_iter().take(usize::try_from(options.histories).unwrap_or(usize::MAX)) {
        let findings = run_history(&Script::of(seed), &with).findings;
        let Some(finding) = findings.into_iter().next() else { continue };
        if run_history(&Script::of(seed), &without).findings.is_empty() {
            caught.by = Some((seed, finding));
            break;
        }
        caught.found_without.insert(seed);
    }
    caught
}

fn side_by_side<T: Sync>(threads: usize, list: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some(one) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(one);
                }
            });
        }
    });
}
