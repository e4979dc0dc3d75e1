//! Takes each condition, fence, retry, kind of log entry and order of reads away, and looks whether a campaign finds
//! that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::history::{HistoryOptions, run_history};
use super::script::Script;
use crate::bench::{KnownFault, Mutation, ReadOrder, Touch};

/// What a mutation run does.
#[derive(Clone, Debug)]
pub struct MutateOptions {
    /// How many histories show what there is to take away.
    pub seen_in: u64,
    /// In how many histories at most each mutation may be found, besides those that are known to find it.
    pub histories: u64,
    /// How many run side by side.
    pub threads: usize,
    /// How each is run.
    pub history: HistoryOptions,
}

/// Something to take away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What is taken away.
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
    /// In how many histories it was taken away.
    pub histories: u64,
    /// Seeds that find something although nothing is taken away, each with what it finds first.
    pub found_without: BTreeMap<u64, String>,
}

/// The seeds that found each mutation: a line has its name, a bar, and the seeds.
const KNOWN_SEEDS: &str = include_str!("known_seeds.txt");

/// Where each call of a function and each kind of entry was seen.
#[derive(Default)]
struct Seen {
    touches: BTreeMap<Touch, BTreeSet<u64>>,
    fences: BTreeMap<Touch, BTreeSet<u64>>,
    kinds: BTreeMap<String, BTreeSet<u64>>,
}

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
        for touch in outcome.fences.into_keys() {
            seen.fences.entry(touch).or_default().insert(*seed);
        }
        for kind in outcome.entry_kinds.into_keys() {
            seen.kinds.entry(kind).or_default().insert(*seed);
        }
    });
    let Seen { touches, fences, kinds } = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let known = KnownFault::ALL.map(|fault| (Mutation::Known(fault), BTreeSet::new()));
    let conditions = touches.iter().filter(|(touch, _)| touch.has_condition());
    let conditions = conditions.map(|(touch, seeds)| (Mutation::Condition(touch.clone()), seeds.clone()));
    let fences = fences.into_iter().map(|(touch, seeds)| (Mutation::Fence(touch), seeds));
    let entries = kinds.into_iter().map(|(kind, seeds)| (Mutation::Entry(kind), seeds));
    let orders = ReadOrder::ALL.into_iter().filter(|order| order.is_seen(touches.keys()));
    let orders = orders.map(|order| (Mutation::Reads(order), BTreeSet::new()));
    let retries = touches.iter().map(|(touch, seeds)| (Mutation::Retry(touch.clone()), seeds.clone()));
    let all = known.into_iter().chain(conditions).chain(fences).chain(entries).chain(orders).chain(retries);
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
    let known = known_seeds();
    let caught: Mutex<Vec<(usize, Caught)>> = Mutex::default();
    let numbered: Vec<(usize, &Candidate)> = candidates.iter().enumerate().collect();
    side_by_side(options.threads, &numbered, |(number, candidate)| {
        let known = known.get(candidate.mutation.to_string().as_str());
        let one = take_away(options, candidate, known.map(Vec::as_slice).unwrap_or_default());
        progress(&one);
        caught.lock().unwrap_or_else(PoisonError::into_inner).push((*number, one));
    });
    let mut caught = caught.into_inner().unwrap_or_else(PoisonError::into_inner);
    caught.sort_by_key(|(number, _)| *number);
    caught.into_iter().map(|(_, one)| one).collect()
}

/// Returns the committed seeds that found each mutation, by its name.
#[must_use]
pub fn known_seeds() -> BTreeMap<&'static str, Vec<u64>> {
    seeds_in(KNOWN_SEEDS)
}

fn seeds_in(text: &str) -> BTreeMap<&str, Vec<u64>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let split = lines.filter_map(|line| line.split_once(" | "));
    let seeds = |text: &str| text.split_whitespace().filter_map(|seed| seed.parse().ok()).collect();
    split.map(|(name, text)| (name, seeds(text))).collect()
}

fn take_away(options: &MutateOptions, candidate: &Candidate, known: &[u64]) -> Caught {
    let Candidate { mutation, seen_in } = candidate;
    let with = HistoryOptions {
        mutation: Some(mutation.clone()),
        provoked: mutation.provoked(),
        ends_at_finding: true,
        ..options.history.clone()
    };
    let without = HistoryOptions { mutation: None, ..with.clone() };
    let mut caught =
        Caught { mutation: mutation.clone(), by: None, histories: 0, found_without: BTreeMap::new() };
    // Histories that use what is taken away come before others.
    let others = (1..=options.histories).filter(|seed| !seen_in.contains(seed));
    let fresh = seen_in.iter().copied().chain(others).filter(|seed| !known.contains(seed));
    let fresh = fresh.take(usize::try_from(options.histories).unwrap_or(usize::MAX));
    for seed in known.iter().copied().chain(fresh) {
        caught.histories += 1;
        let findings = run_history(&Script::of(seed), &with).findings;
        let Some(finding) = findings.into_iter().next() else { continue };
        let Some(found_without) = run_history(&Script::of(seed), &without).findings.into_iter().next() else {
            caught.by = Some((seed, finding));
            break;
        };
        caught.found_without.insert(seed, found_without);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::seeds_in;

    #[test]
    fn a_line_has_a_name_and_the_seeds_that_find_it() {
        let text = "# what it is\nwithout the condition: a Log LOG Put(Absent) | 3 17\nwithout b | 4\n";
        let expected =
            [("without the condition: a Log LOG Put(Absent)", vec![3, 17]), ("without b", vec![4])];
        assert_eq!(seeds_in(text), BTreeMap::from(expected));
    }
}
