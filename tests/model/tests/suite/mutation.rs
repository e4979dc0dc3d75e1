//! What is taken away from the functions is missed: a few of what `model mutate` takes away, by the seeds that it
//! knows.

use model::campaign::{Candidate, HistoryOptions, MutateOptions, enumerate, mutate};

/// One of each kind.
const TAKEN_AWAY: [&str; 6] = [
    "without the condition: adoption-distribution Log LOG Put(Absent)",
    "without the condition: ledger-stream Ledger ACCOUNT Put(Revision)",
    "without the log's entries: Posted",
    "the other way round: adoption-distribution reads INBOX, then ROW",
    "without trying again: cdc-ingest Source ROW Put(Absent)",
    "as in the first edition: ShortenedList",
];

#[test]
fn what_is_taken_away_is_missed_by_a_known_seed() {
    // Where a function has changed, another of the first seeds finds it.
    let options =
        MutateOptions { seen_in: 2, histories: 4, threads: 2, history: HistoryOptions::usual(true) };
    let is_one = |candidate: &Candidate| TAKEN_AWAY.contains(&candidate.mutation.to_string().as_str());
    let candidates: Vec<Candidate> = enumerate(&options).into_iter().filter(is_one).collect();
    assert_eq!(candidates.len(), TAKEN_AWAY.len(), "{candidates:?}");
    for caught in mutate(&options, &candidates, |_| {}) {
        assert!(caught.by.is_some(), "{}: nothing was found, run `model mutate`", caught.mutation);
    }
}
