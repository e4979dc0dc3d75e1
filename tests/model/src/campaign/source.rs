//! A history's transactions without some of them.

use std::collections::BTreeMap;

use oracle::generate::{Change, History, Row, Transaction};
use oracle::rows::{PrimaryKey, Table, Tables};

/// Returns the history of which only these transactions are left.
///
/// A change of a row that is not there any more is left out, and a row that is there already is changed instead.
pub(super) fn reduced(history: &History, keep: &[usize]) -> History {
    let mut rows: BTreeMap<(Table, PrimaryKey), Row> = BTreeMap::new();
    let mut transactions = Vec::new();
    for number in keep {
        let Some(transaction) = history.transactions.get(*number) else { continue };
        let changes: Vec<Change> =
            transaction.changes.iter().filter_map(|change| applied(&mut rows, change)).collect();
        if !changes.is_empty() {
            transactions.push(Transaction { changes });
        }
    }
    let mut tables = Tables::default();
    for row in rows.into_values() {
        match row {
            Row::User(row) => tables.users.push(row),
            Row::Referral(row) => tables.referrals.push(row),
            Row::Adoption(row) => tables.adoptions.push(row),
        }
    }
    History { transactions, tables, order_key_column: history.order_key_column }
}

fn applied(rows: &mut BTreeMap<(Table, PrimaryKey), Row>, change: &Change) -> Option<Change> {
    let place = |row: &Row| (row.table(), row.key().clone());
    match change {
        Change::Insert(after) | Change::Update { after, .. } => {
            match rows.insert(place(after), after.clone()) {
                Some(before) => Some(Change::Update { before, after: after.clone() }),
                None if matches!(change, Change::Insert(_)) => Some(Change::Insert(after.clone())),
                None => {
                    rows.remove(&place(after));
                    None
                }
            }
        }
        Change::Delete(row) => rows.remove(&place(row)).map(Change::Delete),
    }
}

#[cfg(test)]
mod tests {
    use oracle::generate::{Plan, history};

    use super::reduced;

    #[test]
    fn all_transactions_give_the_same_tables_and_none_gives_none() {
        let whole = history(&Plan::small(5));
        let all: Vec<usize> = (0..whole.transactions.len()).collect();
        let same = reduced(&whole, &all);
        assert_eq!(same.tables, whole.tables);
        assert_eq!(same.transactions.len(), whole.transactions.len());
        assert_eq!(reduced(&whole, &[]).transactions.len(), 0);
    }

    #[test]
    fn a_change_of_a_row_that_was_never_inserted_is_left_out() {
        let whole = history(&Plan::small(5));
        let half: Vec<usize> = (0..whole.transactions.len()).filter(|number| number % 2 == 0).collect();
        let less = reduced(&whole, &half);
        assert!(less.transactions.len() <= half.len());
        assert!(!less.records().is_empty());
    }
}
