//! A whole date's snapshot, as CSV or as JSON lines.

use std::io::Write;

use crate::rules::BusinessDate;
use crate::store::{SnapshotPosition, SnapshotRow, Store, StoreError};

/// Rows read at a time, so that an export needs the same memory for any number of accounts.
const PAGE_ROWS: usize = 1_000;

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A line of column names, then a line per row.
    Csv,
    /// A JSON object per line.
    JsonLines,
}

/// What keeps an export from being written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no snapshot of this date yet.
    #[error("{date} is not closed")]
    NotClosed {
        /// The date.
        date: BusinessDate,
    },
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rows could not be written.
    #[error("the export could not be written: {0}")]
    Write(#[from] std::io::Error),
}

/// Writes every row of a closed date, always in the same order. How many there were.
pub async fn export_snapshot(
    store: &Store,
    date: BusinessDate,
    format: ExportFormat,
    output: impl Write,
) -> Result<u64, ExportError> {
    let totals = store.snapshot_totals(date).await?.ok_or(ExportError::NotClosed { date })?;
    let mut writer = RowWriter::new(format, output)?;
    let mut rows = 0;
    let mut position = Some(SnapshotPosition::default());
    while let Some(start) = position {
        let page = store.snapshot_page(&totals, start, PAGE_ROWS).await?;
        for row in &page.rows {
            writer.write(row)?;
        }
        rows += page.rows.len() as u64;
        position = page.next;
    }
    writer.finish()?;
    Ok(rows)
}

enum RowWriter<W: Write> {
    Csv(Box<csv::Writer<W>>),
    JsonLines(W),
}

impl<W: Write> RowWriter<W> {
    fn new(format: ExportFormat, output: W) -> Result<Self, ExportError> {
        Ok(match format {
            ExportFormat::Csv => {
                // Written here rather than with the first row, so that an empty date has a header too.
                let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(output);
                let columns = [
                    "snapshot_date",
                    "account",
                    "effective_contribution",
                    "network_total_contribution",
                    "contribution_ratio",
                ];
                writer.write_record(columns).map_err(std::io::Error::from)?;
                Self::Csv(Box::new(writer))
            }
            ExportFormat::JsonLines => Self::JsonLines(output),
        })
    }

    fn write(&mut self, row: &SnapshotRow) -> Result<(), ExportError> {
        match self {
            Self::Csv(writer) => writer.serialize(row).map_err(std::io::Error::from)?,
            Self::JsonLines(output) => {
                serde_json::to_writer(&mut *output, row).map_err(std::io::Error::from)?;
                output.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), ExportError> {
        match self {
            Self::Csv(mut writer) => writer.flush()?,
            Self::JsonLines(mut output) => output.flush()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: ExportFormat, rows: &[SnapshotRow]) -> String {
        let mut output = Vec::new();
        let mut writer = RowWriter::new(format, &mut output).expect("memory can be written to");
        for row in rows {
            writer.write(row).expect("memory can be written to");
        }
        writer.finish().expect("memory can be written to");
        String::from_utf8(output).expect("UTF-8")
    }

    #[test]
    fn rows_are_written_with_every_digit_and_as_text() {
        let row = SnapshotRow {
            snapshot_date: "2026-02-10".parse().expect("a date"),
            account: "CITY:430100".parse().expect("an account"),
            effective_contribution: "904.68".parse().expect("an amount"),
            network_total_contribution: "9046.8".parse().expect("an amount"),
            contribution_ratio: "0.1".parse().expect("a ratio"),
        };
        assert_eq!(
            written(ExportFormat::Csv, std::slice::from_ref(&row)),
            "snapshot_date,account,effective_contribution,network_total_contribution,contribution_ratio\n\
             2026-02-10,CITY:430100,904.6800000000,9046.8000000000,0.100000000000000000\n"
        );
        assert_eq!(
            written(ExportFormat::JsonLines, &[row]),
            "{\"snapshot_date\":\"2026-02-10\",\"account\":\"CITY:430100\",\
             \"effective_contribution\":\"904.6800000000\",\
             \"network_total_contribution\":\"9046.8000000000\",\
             \"contribution_ratio\":\"0.100000000000000000\"}\n"
        );
    }

    #[test]
    fn a_date_without_rows_has_its_column_names() {
        assert_eq!(written(ExportFormat::Csv, &[]).lines().count(), 1);
        assert_eq!(written(ExportFormat::JsonLines, &[]), "");
    }
}
