//! What the ledger keeps of the source's rows: every row's key and fingerprint, and the sums of ranges of them.

use std::collections::{BTreeMap, BTreeSet};

use cdc::{Column, RowState, SourceTable};
use domain::RowKey;
use store::rows::{self, RowTable};
use store::{BoxFuture, Engine, Key, Segment, StoreError};

use crate::fingerprint::{Said, fingerprint, said};
use crate::layout::{KeyKind, Layout};

/// The ledger's rows of one table of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRows {
    kind: KeyKind,
    /// Where keys have a known order, in that order.
    ordered: Vec<(u128, i64)>,
    /// Where they have none.
    by_text: BTreeMap<String, i64>,
    /// Keys that no row of the source can have.
    strays: Vec<String>,
    /// The columns that any row names.
    named: BTreeSet<&'static str>,
    columns: Vec<Column>,
}

impl LedgerRows {
    /// Returns no rows, with keys of this kind.
    #[must_use]
    pub fn new(kind: KeyKind) -> Self {
        Self {
            kind,
            ordered: Vec::new(),
            by_text: BTreeMap::new(),
            strays: Vec::new(),
            named: BTreeSet::new(),
            columns: Vec::new(),
        }
    }

    /// Adds a row that stands.
    pub fn add(&mut self, primary_key: &str, fingerprint: i64) {
        match self.kind.ordinal(primary_key) {
            Some(ordinal) => self.ordered.push((ordinal, fingerprint)),
            None if self.kind == KeyKind::Text => {
                self.by_text.insert(primary_key.to_owned(), fingerprint);
            }
            None => self.strays.push(primary_key.to_owned()),
        }
    }

    /// Sorts what was added.
    pub fn finish(&mut self) {
        self.ordered.sort_unstable();
    }

    /// Returns how many rows there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        (self.ordered.len() + self.by_text.len() + self.strays.len()) as u64
    }

    /// Returns the rows after one key, up to another or to the end.
    #[must_use]
    pub fn range(&self, after: Option<u128>, through: Option<u128>) -> &[(u128, i64)] {
        let from = after.map_or(0, |after| self.ordered.partition_point(|(key, _)| *key <= after));
        let to = through
            .map_or(self.ordered.len(), |through| self.ordered.partition_point(|(key, _)| *key <= through));
        &self.ordered[from..to.max(from)]
    }

    /// Returns whether a range of the source is the same here: as many rows, with the same sum.
    #[must_use]
    pub fn agrees(&self, after: Option<u128>, through: u128, rows: u64, sum: i128) -> bool {
        let range = self.range(after, Some(through));
        range.len() as u64 == rows && range.iter().map(|(_, own)| i128::from(*own)).sum::<i128>() == sum
    }

    /// Returns the keys of a range whose fingerprints differ, or that only one side has. `source` has the source's
    /// rows of the range, in any order.
    #[must_use]
    pub fn differing(
        &self,
        after: Option<u128>,
        through: Option<u128>,
        source: &[(String, i64)],
    ) -> Vec<String> {
        let mut own: BTreeMap<String, i64> = self
            .range(after, through)
            .iter()
            .map(|(ordinal, fingerprint)| (self.kind.key(*ordinal), *fingerprint))
            .collect();
        let mut differing: Vec<String> = source
            .iter()
            .filter(|(key, theirs)| own.remove(key) != Some(*theirs))
            .map(|(key, _)| key.clone())
            .collect();
        differing.extend(own.into_keys());
        differing
    }

    /// Takes the row with this text key out; returns whether the source's fingerprint is another one.
    pub fn take_differs(&mut self, key: &str, theirs: i64) -> bool {
        self.by_text.remove(key) != Some(theirs)
    }

    /// Returns the keys that are left after each of the source's was taken out, and those that it cannot have.
    #[must_use]
    pub fn left_over(&self) -> Vec<String> {
        self.by_text.keys().chain(&self.strays).cloned().collect()
    }

    /// Returns the columns that any row names.
    #[must_use]
    pub fn named(&self) -> &[Column] {
        &self.columns
    }

    fn note_named(&mut self, state: &RowState, columns: &[(Column, Said)]) {
        for (column, _) in columns {
            if !self.named.contains(column.name()) && state.names(*column) {
                self.named.insert(column.name());
                self.columns.push(*column);
            }
        }
    }
}

/// Every row of the ledger, by the topic that its keys begin with.
#[derive(Debug, Default)]
pub struct ScannedLedger {
    /// The rows of the tables that are compared, by [`Layout::rows_of`].
    pub tables: BTreeMap<String, LedgerRows>,
    /// How many rows there are of others.
    pub others: BTreeMap<String, u64>,
}

/// Returns the name of a kind of table in the store.
#[must_use]
pub fn row_table(holds: SourceTable) -> RowTable {
    match holds {
        SourceTable::Users => RowTable::Users,
        SourceTable::Referrals => RowTable::Referrals,
        SourceTable::Adoptions => RowTable::Adoptions,
    }
}

/// Returns the key of a row in the store, where blanks at its end mean nothing; `None` where the store has room for no
/// such row.
#[must_use]
pub fn row_key(layout: &Layout, primary_key: &str) -> Option<RowKey> {
    RowKey::of_values(&layout.rows_of, &[primary_key.trim_end()])
}

/// Reads every row that the ledger keeps, once.
pub fn scan<'a>(
    engine: &'a dyn Engine,
    layouts: &'a [Layout],
) -> BoxFuture<'a, Result<ScannedLedger, StoreError>> {
    Box::pin(async move {
        let mut scanned = ScannedLedger::default();
        for layout in layouts {
            scanned.tables.insert(layout.rows_of.clone(), LedgerRows::new(layout.key_kind));
        }
        let mut start: Option<Key> = None;
        loop {
            let (page, next) = rows::scan::<RowState>(engine, Segment::WHOLE, start).await?;
            for ((_, key), stored) in page {
                let Some(image) = stored.row.image() else { continue };
                let (topic, primary_key) = (key.table(), key.primary_key());
                let layout = layouts.iter().find(|layout| layout.rows_of == topic);
                let rows = scanned.tables.get_mut(topic);
                let (Some(layout), Some(rows)) = (layout, rows) else {
                    *scanned.others.entry(topic.to_owned()).or_default() += 1;
                    continue;
                };
                let columns = said(&image);
                rows.note_named(&stored.row, &columns);
                rows.add(primary_key, fingerprint(primary_key, &columns, &layout.compared));
            }
            match next {
                Some(next) => start = Some(next),
                None => break,
            }
        }
        scanned.tables.values_mut().for_each(LedgerRows::finish);
        Ok(scanned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(of: &[(i64, i64)]) -> LedgerRows {
        let mut rows = LedgerRows::new(KeyKind::Integer);
        for (key, fingerprint) in of {
            rows.add(&key.to_string(), *fingerprint);
        }
        rows.finish();
        rows
    }

    fn ordinal(key: i64) -> u128 {
        KeyKind::Integer.ordinal(&key.to_string()).expect("a number")
    }

    #[test]
    fn a_range_agrees_where_count_and_sum_are_the_sources() {
        let ledger = rows(&[(9, 7), (-1, i64::MAX), (10, i64::MAX), (20, 1)]);
        let sum = 7 + 2 * i128::from(i64::MAX);
        assert!(ledger.agrees(None, ordinal(10), 3, sum));
        assert!(ledger.agrees(Some(ordinal(-1)), ordinal(9), 1, 7));
        assert!(!ledger.agrees(None, ordinal(10), 2, sum));
        assert!(!ledger.agrees(None, ordinal(10), 3, sum - 1));
    }

    #[test]
    fn a_lost_an_extra_and_a_stale_row_of_a_range_are_named_and_equal_ones_are_not() {
        let ledger = rows(&[(1, 1), (2, 2), (4, 4), (9, 9)]);
        let source = [("1", 1), ("2", 20), ("3", 3)].map(|(key, number)| (key.to_owned(), number));
        let named = ledger.differing(None, Some(ordinal(4)), &source);
        assert_eq!(named, ["2", "3", "4"]);
    }

    #[test]
    fn a_key_that_the_sources_type_does_not_have_is_left_over() {
        let mut ledger = rows(&[(1, 1)]);
        ledger.add("x", 5);
        assert_eq!((ledger.left_over(), ledger.count()), (vec!["x".to_owned()], 2));
    }
}
