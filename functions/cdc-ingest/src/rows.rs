//! Tables whose rows stand alone: read them, fold the batch's changes over them, write what changed.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use ledger::store::{Action, RowVersion, RowWrite, Store, StoreError, Written};

use crate::outcome::Outcome;

/// How often rows that others change at the same time are read and tried again.
pub(crate) const ATTEMPTS_MAX: usize = 8;

/// A change, with its position in the batch and its version.
pub(crate) type Indexed<C> = (usize, RowVersion, C);

/// A table whose rows stand alone.
pub(crate) trait Table {
    /// What names a row.
    type Key: Ord + Hash + Clone;
    /// What may happen to a row.
    type Change;
    /// A row as stored.
    type Record: Clone + PartialEq;

    /// The row a change is about.
    fn key(change: &Self::Change) -> &Self::Key;

    /// The stored rows of these keys.
    async fn load(
        &self,
        store: &Store,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Record>, StoreError>;

    /// What a change makes of a row. `Err` is a duplicate or a refusal, which leaves the row alone.
    fn fold(
        &self,
        before: Option<&Self::Record>,
        version: &RowVersion,
        change: &Self::Change,
    ) -> Result<Self::Record, Outcome>;

    /// The writes that replace what was read by the outcome of all folds.
    fn write(&self, before: Option<&Self::Record>, after: &Self::Record) -> Result<Vec<Action>, StoreError>;
}

/// Applies changes. What became of each, by its position in the batch.
pub(crate) async fn apply<T: Table>(
    table: &T,
    store: &Store,
    changes: Vec<Indexed<T::Change>>,
) -> Vec<(usize, Outcome)> {
    let mut pending: BTreeMap<T::Key, Vec<Indexed<T::Change>>> = BTreeMap::new();
    for change in changes {
        pending.entry(T::key(&change.2).clone()).or_default().push(change);
    }
    let mut outcomes = Vec::new();
    for _ in 0..ATTEMPTS_MAX {
        if pending.is_empty() {
            break;
        }
        let stored = match table.load(store, pending.keys().cloned().collect()).await {
            Ok(stored) => stored,
            Err(error) => {
                let failed = |(index, ..): Indexed<T::Change>| (index, Outcome::Failed(error.clone()));
                outcomes.extend(pending.into_values().flatten().map(failed));
                return outcomes;
            }
        };
        let mut writes = Vec::new();
        for (key, changes) in std::mem::take(&mut pending) {
            let before = stored.get(&key);
            let (after, decided) = fold_all(table, before, &changes);
            match after.filter(|after| before != Some(after)).map(|after| table.write(before, &after)) {
                None => outcomes.extend(decided),
                Some(Ok(actions)) => writes.push(RowWrite { row: (key, changes, decided), actions }),
                Some(Err(error)) => outcomes.extend(all_failed(decided, &error)),
            }
        }
        for ((key, changes, decided), written) in store.write_rows(writes).await {
            match written {
                Written::Committed => outcomes.extend(decided),
                Written::Outdated => {
                    pending.insert(key, changes);
                }
                Written::Failed(error) => outcomes.extend(all_failed(decided, &error)),
            }
        }
    }
    let contended = pending.into_values().flatten().map(|(index, ..)| (index, Outcome::contended()));
    outcomes.extend(contended);
    outcomes
}

/// The row after all changes, if any took effect, and what became of each change.
fn fold_all<T: Table>(
    table: &T,
    before: Option<&T::Record>,
    changes: &[Indexed<T::Change>],
) -> (Option<T::Record>, Vec<(usize, Outcome)>) {
    let mut record = before.cloned();
    let mut decided = Vec::with_capacity(changes.len());
    for (index, version, change) in changes {
        match table.fold(record.as_ref(), version, change) {
            Ok(after) => {
                record = Some(after);
                decided.push((*index, Outcome::Applied));
            }
            Err(outcome) => decided.push((*index, outcome)),
        }
    }
    (record, decided)
}

fn all_failed(decided: Vec<(usize, Outcome)>, error: &StoreError) -> impl Iterator<Item = (usize, Outcome)> {
    decided.into_iter().map(move |(index, _)| (index, Outcome::Failed(error.clone())))
}
