//! Folds a batch's changes into the stored rows, and stores what is another row then.
//!
//! Touches: `Source` (reads, writes).

use std::collections::BTreeMap;

use cdc::{Profile, RowState, SourceTable, Truncate};
use domain::RowKey;
use store::rows::{self, RowTable};
use store::truncates::{self, StoredTruncate};
use store::{Engine, StoreError, Written};

use crate::batch::{Batch, Content};
use crate::outcome::Outcome;

/// How often rows are read and folded again that another batch changed at the same time.
const ATTEMPTS_MAX: usize = 8;

/// A row after the batch was folded into it.
#[derive(Debug)]
pub(crate) struct FoldedRow {
    pub(crate) state: RowState,
    pub(crate) revision: u64,
}

/// Rows by table and key.
pub(crate) type FoldedRows = BTreeMap<(RowTable, RowKey), FoldedRow>;

/// Returns the ledger's name of a table of the decoder.
pub(crate) fn table_of(table: SourceTable) -> RowTable {
    match table {
        SourceTable::Users => RowTable::Users,
        SourceTable::Referrals => RowTable::Referrals,
        SourceTable::Adoptions => RowTable::Adoptions,
    }
}

/// Returns the places of the rows that a change is about: mostly one.
pub(crate) fn rows_of(change: &cdc::Change) -> impl Iterator<Item = (RowTable, RowKey)> {
    change.row_keys().map(|row_key| (table_of(change.table), row_key.clone()))
}

/// Folds and stores every row that the batch names, and notes what became of each record.
///
/// A record whose row stands and can take part in nothing is refused as well, so that it is listed.
pub(crate) async fn fold_and_store(
    engine: &dyn Engine,
    profile: &Profile,
    batch: &Batch,
    outcomes: &mut [Outcome],
) -> FoldedRows {
    let mut pending = by_row(batch);
    let mut folded = FoldedRows::new();
    if pending.is_empty() {
        return folded;
    }
    let truncates = match truncates::read::<Truncate>(engine).await {
        Ok(truncates) => truncates,
        Err(error) => {
            fail(pending.values(), outcomes, &error);
            return folded;
        }
    };
    for _ in 0..ATTEMPTS_MAX {
        if pending.is_empty() {
            break;
        }
        let stored = match rows::read::<RowState>(engine, pending.keys().cloned().collect()).await {
            Ok(stored) => stored,
            Err(error) => {
                fail(pending.values(), outcomes, &error);
                return folded;
            }
        };
        let (mut names, mut writes) = (Vec::new(), Vec::new());
        for (name, records) in std::mem::take(&mut pending) {
            let before = stored.get(&name);
            let (before_state, revision) = match before {
                Some(stored) => (Some(stored.row.clone()), stored.revision),
                None => (None, 0),
            };
            let mut state = before_state.clone();
            for index in &records {
                let Content::Change(change) = &batch.records[*index].content else { continue };
                let fold = cdc::fold(state, &change.in_row(&name.1));
                if name.1 == change.row_key && !matches!(outcomes[*index], Outcome::Failed(_)) {
                    outcomes[*index] = Outcome::of(&fold, change, profile);
                }
                state = Some(fold.state);
            }
            let state = state.expect("a row is named by at least one change");
            let state = truncated(state, &name.1, &truncates);
            if before_state.as_ref() == Some(&state) {
                folded.insert(name, FoldedRow { state, revision });
            } else {
                writes.push(rows::put(name.0, &name.1, &state, revision));
                names.push((name, records, FoldedRow { state, revision: revision + 1 }));
            }
        }
        for ((name, records, row), written) in names.into_iter().zip(engine.write_many(writes).await) {
            match written {
                Ok(Written::Done) => {
                    folded.insert(name, row);
                }
                Ok(Written::ConditionFailed(_)) => {
                    pending.insert(name, records);
                }
                Err(error) => fail([&records], outcomes, &error),
            }
        }
    }
    let contended = StoreError::Unavailable { message: "rows kept changing under another batch".to_owned() };
    fail(pending.values(), outcomes, &contended);
    folded
}

/// Returns the row without what an operator let a truncate remove.
fn truncated(mut state: RowState, name: &RowKey, truncates: &[StoredTruncate<Truncate>]) -> RowState {
    for stored in truncates.iter().filter(|stored| stored.in_force_ms.is_some()) {
        if let Some(delete) = stored.truncate.delete_in(name) {
            state = cdc::fold(Some(state), &delete).state;
        }
    }
    state
}

/// Returns the rows that a batch names, each with the places of its records.
fn by_row(batch: &Batch) -> BTreeMap<(RowTable, RowKey), Vec<usize>> {
    let mut rows: BTreeMap<(RowTable, RowKey), Vec<usize>> = BTreeMap::new();
    for (index, record) in batch.records.iter().enumerate() {
        if let Content::Change(change) = &record.content {
            rows_of(change).for_each(|row| rows.entry(row).or_default().push(index));
        }
    }
    rows
}

fn fail<'a>(records: impl IntoIterator<Item = &'a Vec<usize>>, outcomes: &mut [Outcome], error: &StoreError) {
    for index in records.into_iter().flatten() {
        outcomes[*index] = Outcome::Failed(error.to_string());
    }
}
