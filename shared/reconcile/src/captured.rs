//! Compares a capture of a snapshot, which is in memory, with the ledger's rows, which it reads.

use std::collections::{BTreeMap, BTreeSet};

use cdc::{CapturedRecord, Column, Decoded, RowState, SourceTable};
use domain::RowKey;
use store::rows::{self, RowTable};
use store::{BoxFuture, Key, Segment};

use crate::fingerprint::{differing, said};
use crate::judge::{Difference, DifferenceKind, Seen};
use crate::ledger::row_table;
use crate::looks::{Ledger, ReconcileError};
use crate::report::{Report, TableReport};
use crate::source::Moment;

/// Compares the rows that a capture ends with, table by table, with the ledger's. Tables that the capture does not have
/// are not compared.
///
/// A row that the ledger knows a later version of is counted as caught up: the capture is older than it.
#[must_use]
pub fn reconcile_with_capture<'a>(
    records: &'a [CapturedRecord],
    ledger: Ledger<'a>,
) -> BoxFuture<'a, Result<Report, ReconcileError>> {
    Box::pin(async move {
        let started = ledger.clock.now();
        let mut captured: BTreeMap<(RowTable, RowKey), RowState> = BTreeMap::new();
        for record in records {
            if let Ok(Decoded::Change(change)) = cdc::decode(ledger.profile, record.as_kafka()) {
                let name = (row_table(change.table), change.row_key.clone());
                let before = captured.remove(&name);
                captured.insert(name, cdc::fold(before, &change).state);
            }
        }
        let topics: BTreeMap<String, SourceTable> =
            captured.iter().map(|((_, key), state)| (key.table().to_owned(), state.table())).collect();
        let mut comparison =
            Comparison { report: Report::default(), topics: BTreeMap::new(), latest_ms: BTreeMap::new() };
        for ((_, key), state) in &captured {
            let Some(committed_ms) = state.committed_ms() else { continue };
            let latest = comparison.latest_ms.entry(key.table().to_owned()).or_insert(committed_ms);
            *latest = committed_ms.max(*latest);
        }
        for topic in topics.keys() {
            let table = TableReport { topic: topic.clone(), table: topic.clone(), ..TableReport::default() };
            comparison.topics.insert(topic.clone(), table);
        }
        let mut seen: BTreeSet<(RowTable, RowKey)> = BTreeSet::new();
        let mut start: Option<Key> = None;
        loop {
            let (page, next) = rows::scan::<RowState>(ledger.engine, Segment::WHOLE, start).await?;
            for (name, stored) in page {
                comparison.add(&name.1, captured.get(&name), Some((stored.row, stored.revision)));
                seen.insert(name);
            }
            match next {
                Some(next) => start = Some(next),
                None => break,
            }
        }
        for (name, state) in captured.iter().filter(|(name, _)| !seen.contains(*name)) {
            comparison.add(&name.1, Some(state), None);
        }
        let Comparison { mut report, topics, .. } = comparison;
        report.tables = topics.into_values().collect();
        report.differences.sort_by(|one, other| (&one.topic, &one.key).cmp(&(&other.topic, &other.key)));
        report.elapsed_ms =
            u64::try_from((ledger.clock.now() - started).num_milliseconds()).unwrap_or_default();
        Ok(report)
    })
}

struct Comparison {
    report: Report,
    topics: BTreeMap<String, TableReport>,
    /// The latest commit that the capture has of each topic, in milliseconds since 1970.
    latest_ms: BTreeMap<String, i64>,
}

impl Comparison {
    fn add(&mut self, key: &RowKey, captured: Option<&RowState>, kept: Option<(RowState, u64)>) {
        let primary_key = key.primary_key();
        let Some(table) = self.topics.get_mut(key.table()) else { return };
        let source = captured.and_then(RowState::image);
        let ledger = kept.as_ref().and_then(|(state, _)| state.image());
        table.source_rows += u64::from(source.is_some());
        table.ledger_rows += u64::from(ledger.is_some());
        let (kind, columns) = match (&source, &ledger) {
            (None, None) => return,
            (Some(_), None) => (DifferenceKind::Lost, Vec::new()),
            (None, Some(_)) => (DifferenceKind::Extra, Vec::new()),
            (Some(source), Some(ledger)) => {
                let (source, ledger) = (said(source), said(ledger));
                let all: Vec<Column> = source.iter().map(|(column, _)| *column).collect();
                let columns = differing(&source, &ledger, &all);
                if columns.is_empty() {
                    return;
                }
                let shown =
                    columns.into_iter().map(|(column, one, other)| (column, one.shown(), other.shown()));
                (DifferenceKind::Stale, shown.collect())
            }
        };
        table.rows_looked_at += 1;
        let committed = |state: &RowState| state.committed_ms();
        let kept_ms = kept.as_ref().and_then(|(state, _)| committed(state));
        // A row that the capture does not have came after it, or is extra.
        let captured_ms = captured.map_or_else(|| self.latest_ms.get(key.table()).copied(), committed);
        if kept_ms > captured_ms {
            table.caught_up += 1;
            return;
        }
        let seen = Seen { key: primary_key.to_owned(), source: None, ledger: kept, read: Moment::default() };
        self.report.differences.push(Difference {
            kind,
            topic: key.table().to_owned(),
            layout: None,
            key: primary_key.to_owned(),
            columns,
            is_certain: true,
            first: seen.read,
            seen,
        });
    }
}
