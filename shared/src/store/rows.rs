//! Writing many rows, each under its own condition, in few transactions.

use super::client::{Store, TRANSACTION_ACTIONS_MAX, Transacted};
use super::{Action, StoreError};
use futures::stream::{self, StreamExt};

/// Transactions under way at a time.
const CONCURRENT_TRANSACTIONS_MAX: usize = 8;

/// The writes of one row, which take effect together.
#[derive(Debug)]
pub struct RowWrite<T> {
    /// Names the row for the caller.
    pub row: T,
    /// Its writes.
    pub actions: Vec<Action>,
}

/// What became of a row's writes.
#[derive(Debug)]
pub enum Written {
    /// They took effect.
    Committed,
    /// Somebody changed the row, or a row written with it, since it was read: read it and try again.
    Outdated,
    /// Storage failed.
    Failed(StoreError),
}

impl Store {
    /// Writes all rows, several per transaction. Rows must not share an item.
    pub async fn write_rows<T>(&self, rows: Vec<RowWrite<T>>) -> Vec<(T, Written)> {
        let mut chunks: Vec<(Vec<T>, Vec<Action>)> = Vec::new();
        for RowWrite { row, actions } in rows {
            match chunks.last_mut() {
                Some((chunk, together)) if together.len() + actions.len() <= TRANSACTION_ACTIONS_MAX => {
                    chunk.push(row);
                    together.extend(actions);
                }
                _ => chunks.push((vec![row], actions)),
            }
        }
        let written: Vec<Vec<(T, Written)>> = stream::iter(chunks)
            .map(async |(rows, actions)| {
                let outcome = self.transact(actions).await;
                rows.into_iter()
                    .map(|row| {
                        let written = match &outcome {
                            Ok(Transacted::Committed) => Written::Committed,
                            Ok(Transacted::ConditionsFailed(_)) => Written::Outdated,
                            Err(error) => Written::Failed(error.clone()),
                        };
                        (row, written)
                    })
                    .collect()
            })
            .buffered(CONCURRENT_TRANSACTIONS_MAX)
            .collect()
            .await;
        written.into_iter().flatten().collect()
    }
}
