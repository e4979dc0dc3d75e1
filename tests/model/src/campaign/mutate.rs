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

/// What became of a mutation.
#[derive(Clone, Debug)]
pub struct Caught {
    /// What was taken away.
    pub mutation: Mutation,
    /// The seed that finds it with the first finding; none where no history did.
    pub by: Option<(u64, String)>,
}

/// Returns everything that there is to take away: what functions do in some histories, by what they do it to.
#[must_use]
pub fn enumerate(options: &MutateOptions) -> Vec<Mutation> {
    let seen: Mutex<(BTreeSet<Touch>, BTreeMap<String, u64>)> = Mutex::default();
    let numbers: Vec<u64> = (1..=options.seen_in).collect();
    side_by_side(options.threads, &numbers, |seed| {
        let history = HistoryOptions { counts_touches: true, ..options.history.clone() };
        let outcome = run_history(&Script::of(*seed), &history);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0.extend(outcome.touches.into_keys());
        for (kind, times) in outcome.entry_kinds {
            *seen.1.entry(kind).or_default() += times;
        }
    });
    let (touches, kinds) = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let conditions = touches.iter().filter(|touch| touch.has_condition()).cloned();
    let readers: BTreeSet<String> =
        touches.iter().filter(|touch| touch.kind == "MARKS").map(|touch| touch.function.clone()).collect();
    let mut mutations: Vec<Mutation> = KnownFault::ALL.map(Mutation::Known).into();
    mutations.extend(conditions.map(Mutation::Condition));
    mutations.extend(kinds.into_keys().map(Mutation::Entry));
    mutations.extend(readers.into_iter().map(Mutation::HeadsBeforeMarks));
    mutations.extend(touches.into_iter().map(Mutation::Retry));
    mutations
}

/// Takes each of these away in turn; tells after each what became of it.
pub fn mutate(
    options: &MutateOptions,
    mutations: &[Mutation],
    progress: impl Fn(&Caught) + Sync,
) -> Vec<Caught> {
    let caught: Mutex<Vec<(usize, Caught)>> = Mutex::default();
    let numbered: Vec<(usize, &Mutation)> = mutations.iter().enumerate().collect();
    side_by_side(options.threads, &numbered, |(number, mutation)| {
        let history = HistoryOptions { mutation: Some((*mutation).clone()), ..options.history.clone() };
        let find = |seed: u64| {
            let findings = run_history(&Script::of(seed), &history).findings;
            findings.into_iter().next().map(|finding| (seed, finding))
        };
        let one = Caught { mutation: (*mutation).clone(), by: (1..=options.histories).find_map(find) };
        progress(&one);
        caught.lock().unwrap_or_else(PoisonError::into_inner).push((*number, one));
    });
    let mut caught = caught.into_inner().unwrap_or_else(PoisonError::into_inner);
    caught.sort_by_key(|(number, _)| *number);
    caught.into_iter().map(|(_, one)| one).collect()
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
