//! What a comparison found. Plain values.

use std::fmt;

use serde::Serialize;

use crate::judge::{Difference, DifferenceKind};
use crate::layout::Obstacle;
use crate::source::Load;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Report {
    /// Each table that was compared.
    pub tables: Vec<TableReport>,
    /// Every row that differs.
    pub differences: Vec<Difference>,
    /// Rows that the source changes faster than they can be compared.
    pub hot: Vec<HotRow>,
    /// What could not be compared.
    pub obstacles: Vec<Obstacle>,
    /// What it cost the source.
    pub load: Load,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// A table that was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// The topic that carries it.
    pub topic: String,
    /// Its name in the source.
    pub table: String,
    /// Rows that were digested at the source.
    pub source_rows: u64,
    /// Rows that the ledger has.
    pub ledger_rows: u64,
    /// Ranges that were compared.
    pub ranges: u64,
    /// Ranges whose digests differed.
    pub ranges_looked_into: u64,
    /// Rows that differed at the first look.
    pub rows_looked_at: u64,
    /// Rows of these that were the same once the ledger had caught up.
    pub caught_up: u64,
    /// Through which commit of the source the ledger has read the table, in milliseconds since 1970.
    pub read_through_ms: Option<i64>,
}

/// A row that the source changed between all looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HotRow {
    /// The topic that carries it.
    pub topic: String,
    /// Its primary key.
    pub key: String,
    /// How often it was looked at.
    pub looks: u32,
    /// How often the ledger changed its row meanwhile.
    pub ledger_changes: u64,
}

/// A difference as it is written out.
#[derive(Serialize)]
struct WrittenDifference<'a> {
    kind: DifferenceKind,
    topic: &'a str,
    key: &'a str,
    is_certain: bool,
    columns: Vec<WrittenColumn<'a>>,
}

#[derive(Serialize)]
struct WrittenColumn<'a> {
    column: &'static str,
    source: &'a str,
    ledger: &'a str,
}

impl Report {
    /// Returns how many rows differ in this way.
    #[must_use]
    pub fn count(&self, kind: DifferenceKind) -> usize {
        self.differences.iter().filter(|difference| difference.kind == kind).count()
    }

    /// Returns whether every table was compared entirely and no row differs.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.obstacles.is_empty() && self.hot.is_empty()
    }

    /// Returns the report as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let differences: Vec<WrittenDifference<'_>> = self
            .differences
            .iter()
            .map(|difference| WrittenDifference {
                kind: difference.kind,
                topic: &difference.topic,
                key: &difference.key,
                is_certain: difference.is_certain,
                columns: difference
                    .columns
                    .iter()
                    .map(|(column, source, ledger)| WrittenColumn { column: column.name(), source, ledger })
                    .collect(),
            })
            .collect();
        serde_json::json!({
            "tables": self.tables,
            "differences": differences,
            "hot": self.hot,
            "obstacles": self.obstacles,
            "load": self.load,
            "elapsed_ms": self.elapsed_ms,
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:<6} {}/{}", self.kind.name(), self.topic, self.key)?;
        for (column, source, ledger) in &self.columns {
            write!(formatter, "  {}: source {source}, ledger {ledger}", column.name())?;
        }
        if !self.is_certain {
            write!(formatter, "  (may be on its way: the ledger has not read past this look)")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            writeln!(
                formatter,
                "{}: {} rows at the source, {} in the ledger; {} of {} ranges looked into, {} rows looked at again, \
                 {} of them the same by then",
                table.table,
                table.source_rows,
                table.ledger_rows,
                table.ranges_looked_into,
                table.ranges,
                table.rows_looked_at,
                table.caught_up
            )?;
        }
        for difference in &self.differences {
            writeln!(formatter, "{difference}")?;
        }
        for hot in &self.hot {
            writeln!(
                formatter,
                "HOT    {}/{}: the source changed it between each of {} looks, the ledger {} times; compare it again \
                 when it rests",
                hot.topic, hot.key, hot.looks, hot.ledger_changes
            )?;
        }
        for obstacle in &self.obstacles {
            writeln!(formatter, "{obstacle}")?;
        }
        let kinds =
            [DifferenceKind::Lost, DifferenceKind::Extra, DifferenceKind::Stale].map(|kind| self.count(kind));
        let [lost, extra, stale] = kinds;
        writeln!(formatter, "{lost} lost, {extra} extra, {stale} stale, {} too hot to say", self.hot.len())?;
        let Load { statements, busy_ms, longest_ms, bytes } = self.load;
        writeln!(
            formatter,
            "{} ms; the source ran {statements} statements for {busy_ms} ms together, the longest {longest_ms} ms, and \
             sent {bytes} bytes",
            self.elapsed_ms
        )
    }
}
