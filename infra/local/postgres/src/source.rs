//! Reads the source's tables on a PostgreSQL server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use reconcile::layout::{Catalog, Layout};
use reconcile::source::Load;
use reconcile::{Bucket, Moment, Source, SourceError, SourceRow, sql};
use store::BoxFuture;
use tokio_postgres::types::ToSql;

use crate::connection::Connection;

/// Rows of one digest.
const BUCKET_ROWS: u32 = 256;
/// The smallest page that is tried where statements take too long.
const PAGE_ROWS_MIN: u32 = 512;

/// A PostgreSQL server that has tables of the source.
#[derive(Debug)]
pub struct PostgresSource {
    connection: Connection,
    /// Rows that one statement reads at most. It becomes smaller when a statement is stopped.
    page_rows: AtomicU32,
}

impl PostgresSource {
    /// Returns the source behind a connection, which is asked for so many rows at once.
    #[must_use]
    pub fn new(connection: Connection, page_rows: u32) -> Self {
        Self { connection, page_rows: AtomicU32::new(page_rows.max(PAGE_ROWS_MIN)) }
    }

    /// Asks for a page; where that takes too long, for a smaller one.
    async fn page(
        &self,
        doing: &str,
        statement: impl Fn(u32) -> String,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Vec<Option<String>>>, SourceError> {
        loop {
            let page_rows = self.page_rows.load(Ordering::Relaxed);
            match self.connection.query(doing, &statement(page_rows), parameters).await {
                Err(SourceError::TooSlow { .. }) if page_rows > PAGE_ROWS_MIN => {
                    self.page_rows.store((page_rows / 4).max(PAGE_ROWS_MIN), Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
    }
}

/// Returns the parameters of the keys that are there.
fn parameters<'a>(bounds: &'a [&'a str]) -> Vec<&'a (dyn ToSql + Sync)> {
    bounds.iter().map(|bound| bound as &(dyn ToSql + Sync)).collect()
}

fn unexpected(doing: &str) -> SourceError {
    SourceError::Refused { doing: doing.to_owned(), message: "it answered something else".to_owned() }
}

impl Source for PostgresSource {
    fn catalog<'a>(
        &'a self,
        schema: Option<&'a str>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Catalog>, SourceError>> {
        Box::pin(async move {
            let doing = "to describe a table";
            let rows = self.connection.query(doing, sql::CATALOG, &[&table, &schema]).await?;
            let mut catalogs: BTreeMap<String, Catalog> = BTreeMap::new();
            let mut keys: BTreeMap<String, Vec<(u32, String)>> = BTreeMap::new();
            for row in rows {
                let [Some(schema), Some(table), Some(column), Some(of), place, Some(is_first)] =
                    row.as_slice()
                else {
                    return Err(unexpected(doing));
                };
                let catalog = catalogs.entry(schema.clone()).or_insert_with(|| Catalog {
                    schema: schema.clone(),
                    table: table.clone(),
                    columns: Vec::new(),
                    primary_key: Vec::new(),
                    indexed_first: Vec::new(),
                });
                catalog.columns.push((column.clone(), of.clone()));
                if is_first == "true" {
                    catalog.indexed_first.push(column.clone());
                }
                if let Some(place) = place.as_ref().and_then(|place| place.parse().ok()) {
                    keys.entry(schema.clone()).or_default().push((place, column.clone()));
                }
            }
            for (schema, mut columns) in keys {
                columns.sort();
                if let Some(catalog) = catalogs.get_mut(&schema) {
                    catalog.primary_key = columns.into_iter().map(|(_, column)| column).collect();
                }
            }
            Ok(catalogs.into_values().collect())
        })
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, SourceError>> {
        Box::pin(async move {
            let doing = "to tell its time";
            let rows = self.connection.query(doing, sql::MOMENT, &[]).await?;
            let Some([Some(at_ms), Some(position)]) = rows.first().map(Vec::as_slice) else {
                return Err(unexpected(doing));
            };
            let position = position.split('.').next().and_then(|position| position.parse().ok());
            match (at_ms.parse(), position) {
                (Ok(at_ms), Some(position)) => Ok(Moment { at_ms, position }),
                _ => Err(unexpected(doing)),
            }
        })
    }

    fn buckets<'a>(
        &'a self,
        layout: &'a Layout,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Bucket>, SourceError>> {
        Box::pin(async move {
            let doing = "to digest ranges";
            let statement = |page_rows| sql::buckets(layout, after.is_some(), page_rows, BUCKET_ROWS);
            let bounds: Vec<&str> = after.into_iter().collect();
            let rows = self.page(doing, statement, &parameters(&bounds)).await?;
            rows.into_iter()
                .map(|row| match row.as_slice() {
                    [Some(last), Some(rows), Some(sum)] => {
                        let (Ok(rows), Ok(sum)) = (rows.parse(), sum.parse()) else {
                            return Err(unexpected(doing));
                        };
                        Ok(Bucket { last: last.clone(), rows, sum })
                    }
                    _ => Err(unexpected(doing)),
                })
                .collect()
        })
    }

    fn fingerprints<'a>(
        &'a self,
        layout: &'a Layout,
        after: Option<&'a str>,
        through: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<(String, i64)>, SourceError>> {
        Box::pin(async move {
            let doing = "to digest rows";
            let statement =
                |page_rows| sql::fingerprints(layout, after.is_some(), through.is_some(), page_rows);
            let bounds: Vec<&str> = [after, through].into_iter().flatten().collect();
            let rows = self.page(doing, statement, &parameters(&bounds)).await?;
            rows.into_iter()
                .map(|row| match row.as_slice() {
                    [Some(key), Some(number)] => {
                        Ok((key.clone(), number.parse().map_err(|_| unexpected(doing))?))
                    }
                    _ => Err(unexpected(doing)),
                })
                .collect()
        })
    }

    fn rows<'a>(
        &'a self,
        layout: &'a Layout,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<SourceRow>, SourceError>> {
        Box::pin(async move {
            let doing = "to read rows";
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let rows = self.connection.query(doing, &sql::rows(layout), &[&keys]).await?;
            rows.into_iter()
                .map(|row| {
                    let mut values = row.into_iter();
                    let key = values.next().flatten().ok_or_else(|| unexpected(doing))?;
                    Ok(SourceRow { key, values: values.collect() })
                })
                .collect()
        })
    }

    fn load(&self) -> Load {
        self.connection.load()
    }
}
