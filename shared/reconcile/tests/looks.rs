//! The whole comparison over a source in memory that changes between looks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cdc::Profile;
use chrono::{DateTime, Utc};
use domain::RowKey;
use reconcile::fingerprint::{fingerprint, said};
use reconcile::layout::{Catalog, Layout};
use reconcile::ledger::{row_key, row_table};
use reconcile::record::{SourceRecord, image};
use reconcile::source::Load;
use reconcile::{
    Bucket, DifferenceKind, Ledger, Moment, Options, Report, Source, SourceError, SourceRow, Watch, reconcile,
};
use runtime::Clock;
use store::progress::{self, PartitionName};
use store::rows::{self, RowTable};
use store::{BoxFuture, Engine, MemoryEngine, Written};

const TOPIC: &str = "dbserver1.rwa_planting.planting_orders";
const BUCKET_ROWS: usize = 4;
const PAGE_BUCKETS: usize = 3;
/// Fewer than the ranges of a page have, as where pages had to become smaller.
const PAGE_ROWS: usize = 5;

/// A table of orders: what each row's `tree_count` is, by order.
#[derive(Default)]
struct Table {
    trees: Mutex<BTreeMap<i64, u32>>,
    now_ms: Mutex<i64>,
    catalog: Option<Catalog>,
    /// What is behind the key of each row.
    blanks: &'static str,
}

impl Table {
    fn of(orders: impl IntoIterator<Item = (i64, u32)>) -> Self {
        Self {
            trees: Mutex::new(orders.into_iter().collect()),
            now_ms: Mutex::new(1_000),
            catalog: Some(catalog()),
            blanks: "",
        }
    }

    /// Returns a table whose keys are texts with blanks at the end.
    fn with_padded_keys(orders: impl IntoIterator<Item = (i64, u32)>) -> Self {
        let mut table = Self { blanks: "  ", ..Self::of(orders) };
        "varchar".clone_into(&mut table.catalog.as_mut().expect("there").columns[0].1);
        table
    }

    fn row(&self, order: i64, trees: u32) -> SourceRow {
        SourceRow { key: format!("{order}{}", self.blanks), ..source_row(order, trees) }
    }

    fn trees(&self) -> std::sync::MutexGuard<'_, BTreeMap<i64, u32>> {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fingerprint(&self, layout: &Layout, order: i64, trees: u32) -> i64 {
        let row = self.row(order, trees);
        let image = image(&Profile::built_in(), layout, &row, Moment::default());
        image.map_or(0, |image| fingerprint(row.key.trim_end(), &said(&image), &layout.compared))
    }

    fn after(&self, after: Option<&str>) -> Vec<(i64, u32)> {
        let after: i64 = after.map_or(i64::MIN, |after| after.trim_end().parse().expect("a number"));
        self.trees()
            .iter()
            .filter(|(order, _)| **order > after)
            .map(|(order, trees)| (*order, *trees))
            .collect()
    }
}

fn catalog() -> Catalog {
    let columns = [
        ("order_id", "int8"),
        ("account_sequence", "varchar"),
        ("tree_count", "int4"),
        ("contribution_per_tree", "numeric"),
        ("adoption_date", "date"),
        ("status", "varchar"),
    ];
    Catalog {
        schema: "rwa_planting".to_owned(),
        table: "planting_orders".to_owned(),
        columns: columns.map(|(name, of)| (name.to_owned(), of.to_owned())).into(),
        primary_key: vec!["order_id".to_owned()],
        indexed_first: vec!["order_id".to_owned()],
    }
}

fn source_row(order: i64, trees: u32) -> SourceRow {
    let values = [
        order.to_string(),
        "D1".into(),
        trees.to_string(),
        "22617.0000000000".into(),
        "2026-01-09".into(),
        "PAID".into(),
    ];
    SourceRow { key: order.to_string(), values: values.map(Some).into() }
}

impl Source for Table {
    fn catalog<'a>(
        &'a self,
        schema: Option<&'a str>,
        table: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Catalog>, SourceError>> {
        let is_meant = |catalog: &&Catalog| {
            catalog.table == table && schema.is_none_or(|schema| catalog.schema == schema)
        };
        let found = self.catalog.iter().filter(is_meant).cloned().collect();
        Box::pin(async { Ok(found) })
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, SourceError>> {
        let mut now = self.now_ms.lock().unwrap_or_else(PoisonError::into_inner);
        *now += 10;
        let moment = Moment { at_ms: *now, position: now.unsigned_abs() };
        Box::pin(async move { Ok(moment) })
    }

    fn buckets<'a>(
        &'a self,
        layout: &'a Layout,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Bucket>, SourceError>> {
        let rows = self.after(after);
        let buckets = rows.chunks(BUCKET_ROWS).take(PAGE_BUCKETS).map(|rows| Bucket {
            last: rows.last().expect("no chunk is empty").0.to_string(),
            rows: rows.len() as u64,
            sum: rows.iter().map(|(order, trees)| i128::from(self.fingerprint(layout, *order, *trees))).sum(),
        });
        let buckets = buckets.collect();
        Box::pin(async { Ok(buckets) })
    }

    fn fingerprints<'a>(
        &'a self,
        layout: &'a Layout,
        after: Option<&'a str>,
        through: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<(String, i64)>, SourceError>> {
        let through: i64 = through.map_or(i64::MAX, |through| through.parse().expect("a number"));
        let rows = self.after(after).into_iter().filter(|(order, _)| *order <= through);
        let rows = rows
            .take(PAGE_ROWS)
            .map(|(order, trees)| (self.row(order, trees).key, self.fingerprint(layout, order, trees)));
        let rows = rows.collect();
        Box::pin(async { Ok(rows) })
    }

    fn rows<'a>(
        &'a self,
        _: &'a Layout,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<SourceRow>, SourceError>> {
        let trees = self.trees();
        let rows = trees.iter().map(|(order, trees)| self.row(*order, *trees));
        let rows = rows.filter(|row| keys.contains(&row.key)).collect();
        Box::pin(async { Ok(rows) })
    }

    fn load(&self) -> Load {
        Load::default()
    }
}

/// A clock by which something happens while it is slept.
struct Sleeper<F>(F);

impl<F: Fn() + Send + Sync> Clock for Sleeper<F> {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        (self.0)();
        Box::pin(async {})
    }
}

fn layout() -> Layout {
    let profile = Profile::built_in();
    let (_, table) = profile.tables().find(|(topic, _)| *topic == TOPIC).expect("a topic of the profile");
    Layout::of(&profile, TOPIC, table, &catalog()).expect("comparable")
}

fn ready<T>(future: BoxFuture<'_, T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

/// Gives the ledger a row as the source had it at a time.
async fn take_in(engine: &dyn Engine, order: i64, trees: Option<u32>, at_ms: i64) {
    let layout = layout();
    let read = Moment { at_ms, position: at_ms.unsigned_abs() };
    let record = match trees {
        Some(trees) => SourceRecord::of_row(&layout, &source_row(order, trees), read, at_ms),
        None => SourceRecord::of_deletion(&layout, &order.to_string(), read, at_ms),
    };
    let change = record.change(&Profile::built_in()).expect("a change");
    let name: (RowTable, RowKey) =
        (row_table(layout.holds), row_key(&layout, &order.to_string()).expect("a key"));
    let stored = rows::read::<cdc::RowState>(engine, vec![name.clone()]).await.expect("readable");
    let (before, revision) =
        stored.into_values().next().map_or((None, 0), |row| (Some(row.row), row.revision));
    let state = cdc::fold(before, &change).state;
    let written = engine.write(rows::put(name.0, &name.1, &state, revision)).await.expect("written");
    assert_eq!(written, Written::Done);
}

/// Records that the ledger has read the topic through this time.
async fn read_through(engine: &dyn Engine, at_ms: i64) {
    let name = PartitionName { source: "s".to_owned(), topic: TOPIC.to_owned(), partition: 0 };
    progress::reached_end(engine, name, Some(RowTable::Adoptions), at_ms, true).await.expect("recorded");
}

/// Returns a ledger that has these orders.
async fn ledger(orders: impl IntoIterator<Item = (i64, u32)>) -> MemoryEngine {
    let engine = MemoryEngine::default();
    for (order, trees) in orders {
        take_in(&engine, order, Some(trees), 500).await;
    }
    read_through(&engine, 500).await;
    engine
}

async fn compared(source: &Table, engine: &dyn Engine, meanwhile: impl Fn() + Send + Sync) -> Report {
    let profile = Profile::built_in();
    let clock = Sleeper(meanwhile);
    let ledger = Ledger { engine, profile: &profile, clock: &clock };
    let sources: [&dyn Source; 1] = [source];
    let options = Options { patience: Duration::from_secs(4), ..Options::default() };
    reconcile(&sources, ledger, &options).await.expect("a report")
}

fn named(report: &Report) -> BTreeSet<(DifferenceKind, String)> {
    report.differences.iter().map(|difference| (difference.kind, difference.key.clone())).collect()
}

#[tokio::test]
async fn a_lost_an_extra_and_a_stale_row_among_many_are_named_and_nothing_else() {
    let source = Table::of((1..=100).map(|order| (order, 2)));
    let orders = (1..=101).filter(|order| *order != 40).map(|order| (order, if order == 77 { 3 } else { 2 }));
    let engine = ledger(orders).await;
    read_through(&engine, 5_000).await;
    let report = compared(&source, &engine, || {}).await;
    let expected = [
        (DifferenceKind::Lost, "40".to_owned()),
        (DifferenceKind::Extra, "101".to_owned()),
        (DifferenceKind::Stale, "77".to_owned()),
    ];
    assert_eq!(named(&report), BTreeSet::from(expected));
    assert!(report.differences.iter().all(|difference| difference.is_certain));
    let table = &report.tables[0];
    assert_eq!((table.source_rows, table.ledger_rows, table.ranges), (100, 100, 25));
    assert_eq!(table.ranges_looked_into, 2, "the extra row lies behind the last range");
    let stale = report.differences.iter().find(|difference| difference.kind == DifferenceKind::Stale);
    let columns: Vec<&str> = stale.expect("named").columns.iter().map(|(column, ..)| column.name()).collect();
    assert_eq!(columns, ["tree_count"]);
}

#[tokio::test]
async fn a_lost_row_behind_the_first_page_of_a_range_is_named() {
    let source = Table::of((1..=12).map(|order| (order, 2)));
    // Each of the three ranges differs, so that they are read as one.
    let lost = [2, 7, 11, 12];
    let engine = ledger((1..=12).filter(|order| !lost.contains(order)).map(|order| (order, 2))).await;
    read_through(&engine, 5_000).await;
    let report = compared(&source, &engine, || {}).await;
    let expected = lost.map(|order: i64| (DifferenceKind::Lost, order.to_string()));
    assert_eq!(named(&report), BTreeSet::from(expected));
}

#[tokio::test]
async fn a_row_whose_key_ends_in_blanks_is_found() {
    let source = Table::with_padded_keys([(1, 2), (2, 9), (3, 2)]);
    let engine = ledger([(1, 2), (2, 2), (4, 2)]).await;
    read_through(&engine, 5_000).await;
    let report = compared(&source, &engine, || {}).await;
    let expected = [
        (DifferenceKind::Stale, "2  ".to_owned()),
        (DifferenceKind::Lost, "3  ".to_owned()),
        (DifferenceKind::Extra, "4".to_owned()),
    ];
    assert_eq!(named(&report), BTreeSet::from(expected), "{report}");
}

#[tokio::test]
async fn it_is_told_how_many_rows_were_compared_and_of_how_many() {
    let source = Table::of((1..=100).map(|order| (order, 2)));
    let engine = ledger((1..=100).map(|order| (order, 2))).await;
    read_through(&engine, 5_000).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    let watch = Watch::new(move |done, of| kept.lock().expect("no test panicked").push((done, of)));
    let profile = Profile::built_in();
    let clock = Sleeper(|| {});
    let ledger = Ledger { engine: &engine, profile: &profile, clock: &clock };
    let options = Options { watch, ..Options::default() };
    reconcile(&[&source], ledger, &options).await.expect("a report");
    let told = told.lock().expect("no test panicked");
    assert!(told.is_sorted() && told.iter().all(|(_, of)| *of == 100), "{told:?}");
    assert_eq!(told.last(), Some(&(100, 100)));
}

#[tokio::test]
async fn a_change_that_is_on_its_way_is_no_difference() {
    let source = Table::of((1..=20).map(|order| (order, 2)));
    let engine = ledger((1..=20).map(|order| (order, 2))).await;
    source.trees().insert(5, 9);
    source.trees().insert(21, 1);
    source.trees().remove(&6);
    let arrives = || {
        let engine: &dyn Engine = &engine;
        std::thread::scope(|scope| {
            let arrived = scope.spawn(|| {
                ready(Box::pin(async {
                    take_in(engine, 5, Some(9), 900).await;
                    take_in(engine, 21, Some(1), 900).await;
                    take_in(engine, 6, None, 900).await;
                    read_through(engine, 5_000).await;
                }));
            });
            arrived.join().expect("no panic");
        });
    };
    let report = compared(&source, &engine, arrives).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.tables[0].rows_looked_at, report.tables[0].caught_up), (3, 3));
}

#[tokio::test]
async fn what_the_ledger_has_not_read_past_may_be_on_its_way() {
    let source = Table::of([(1, 2), (2, 2)]);
    let engine = ledger([(1, 2)]).await;
    let report = compared(&source, &engine, || {}).await;
    assert_eq!(named(&report), BTreeSet::from([(DifferenceKind::Lost, "2".to_owned())]));
    assert!(!report.differences[0].is_certain);
    assert!(report.to_string().contains("may be on its way"));
}

#[tokio::test]
async fn a_row_that_changes_between_all_looks_is_hot_and_no_difference() {
    let source = Table::of([(1, 2), (2, 2)]);
    let engine = ledger([(1, 1), (2, 2)]).await;
    read_through(&engine, 5_000).await;
    let report = compared(&source, &engine, || {
        *source.trees().get_mut(&1).expect("there") += 1;
    })
    .await;
    assert!(report.differences.is_empty(), "{report}");
    assert_eq!(report.hot.len(), 1);
    assert_eq!((report.hot[0].key.as_str(), report.hot[0].looks), ("1", 5));
}

#[tokio::test]
async fn taking_in_each_difference_makes_source_and_ledger_the_same() {
    let source = Table::of([(1, 2), (2, 2), (3, 3)]);
    let engine = ledger([(1, 2), (3, 1), (4, 4)]).await;
    read_through(&engine, 5_000).await;
    let report = compared(&source, &engine, || {}).await;
    assert_eq!(report.differences.len(), 3);
    for difference in &report.differences {
        let change = SourceRecord::repairing(difference, &Profile::built_in(), 6_000).expect("a change");
        let name = (row_table(layout().holds), row_key(&layout(), &difference.key).expect("a key"));
        let (before, revision) =
            difference.seen.ledger.clone().map_or((None, 0), |(row, at)| (Some(row), at));
        let state = cdc::fold(before, &change).state;
        let written = engine.write(rows::put(name.0, &name.1, &state, revision)).await.expect("written");
        assert_eq!(written, Written::Done);
    }
    assert!(compared(&source, &engine, || {}).await.is_clean());
}

#[tokio::test]
async fn a_table_without_an_index_a_missing_table_and_another_schema_are_said() {
    let engine = ledger([(1, 2)]).await;
    let text = |table: Table| {
        let engine = &engine;
        async move { compared(&table, engine, || {}).await.to_string() }
    };
    let mut table = Table::of([(1, 2)]);
    table.catalog.as_mut().expect("there").indexed_first.clear();
    assert!(text(table).await.contains("CREATE INDEX CONCURRENTLY"));
    let mut table = Table::of([(1, 2)]);
    table.catalog = None;
    assert!(text(table).await.contains("the source has no table rwa_planting.planting_orders"));
    let mut table = Table::of([(1, 2)]);
    table.catalog.as_mut().expect("there").columns.retain(|(name, _)| name != "status");
    assert!(text(table).await.contains("the schema has changed"));
}
