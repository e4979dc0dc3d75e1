//! Compares a large table with a ledger's rows while both change.
//!
//! `tests/postgres/reconcile_million` starts the server, fills the table, and calls it with the server's address, where
//! the ledger's rows are from, the number of rows and the ledger's directory. With `--through` they went through the
//! ledger. With `--seeded` they are put into that directory as `cdc-ingest` stores them. One row is lost, one is extra
//! and one is stale. A writer changes 200 rows a second at the source, which the ledger hears of up to a second and a
//! half later, and one row five times a second.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cdc::{Profile, SourceTable};
use chrono::TimeDelta;
use local_postgres::{ConnectOptions, Connection, PostgresSource};
use local_tables::SqliteEngine;
use reconcile::layout::Layout;
use reconcile::ledger::{row_key, row_table};
use reconcile::record::SourceRecord;
use reconcile::{DifferenceKind, Ledger, Moment, Options, Source, SourceRow};
use runtime::{Clock, Context, MemoryQueues, Settings, SystemClock};
use serde_json::value::RawValue;
use store::Engine;
use store::progress::{self, PartitionName};
use store::rows::{self, RowTable};
use tokio_postgres::{Client, NoTls};

const TOPIC: &str = "dbserver1.rwa_planting.planting_orders";
const CHANGES_PER_S: u64 = 200;
const HOT: i64 = 777;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn context(engine: &Arc<dyn Engine>, number: u64) -> Context {
    Context {
        clock: Arc::new(SystemClock),
        deadline: SystemClock.now() + TimeDelta::seconds(60),
        engine: Arc::clone(engine),
        queues: Arc::new(MemoryQueues::default()),
        request_id: format!("million-{number}"),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(from), Some(rows), Some(directory)) =
        (arguments.next(), arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(
            "give the server's address, --through or --seeded, the number of rows and the ledger's directory"
                .into(),
        );
    };
    let rows: i64 = rows.parse()?;
    let went_through = from == "--through";
    // What went through is all of it, so that the source has one row more and one less.
    let (lost, extra) = if went_through { (rows * 2, rows / 3) } else { (rows / 3, rows * 2) };
    let stale = rows / 2;
    let profile = Profile::built_in();
    let source = PostgresSource::new(Connection::open(&url, ConnectOptions::default()).await?, 20_000);
    let layout = layout(&profile, &source).await?;
    let engine: Arc<dyn Engine> = Arc::new(SqliteEngine::open(Path::new(&directory))?);
    if !went_through {
        let begun = Instant::now();
        seed(&engine, &source, &layout, &profile, rows, (lost, stale, extra)).await?;
        println!("{rows} rows put into the ledger in {:.1} s", begun.elapsed().as_secs_f64());
    }
    reached(&engine, source.moment().await?.at_ms).await?;
    let before = source.load();

    let (changes, ends) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writer = Writer {
        client: connect(&url).await?,
        engine: Arc::clone(&engine),
        layout: layout.clone(),
        rows,
        untouched: [lost, stale, extra],
        changes: Arc::clone(&changes),
        ends: Arc::clone(&ends),
    };
    let writer = tokio::spawn(writer.run());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (first, begun) = (changes.load(Ordering::Relaxed), Instant::now());
    let sources: [&dyn Source; 1] = [&source];
    let ledger = Ledger { engine: &*engine, profile: &profile, clock: &SystemClock };
    // The other tables are empty at the source: only the adoptions are compared.
    let options = Options { topics: BTreeSet::from([TOPIC.to_owned()]), ..Options::default() };
    let report = reconcile::reconcile(&sources, ledger, &options).await?;
    let took = begun.elapsed().as_secs_f64();
    let made = changes.load(Ordering::Relaxed) - first;
    ends.store(true, Ordering::Relaxed);
    writer.await??;

    print!("{report}");
    #[expect(clippy::cast_precision_loss, reason = "a rate to be shown")]
    let rate = made as f64 / took;
    println!("{made} changes at the source meanwhile, {rate:.0} a second");
    println!(
        "of which for reading: {} statements, {} ms, {} bytes",
        report.load.statements - before.statements,
        report.load.busy_ms - before.busy_ms,
        report.load.bytes - before.bytes
    );
    check(&report, (lost, stale, extra))
}

/// Checks that the three rows that differ were named, and no other.
fn check(report: &reconcile::Report, (lost, stale, extra): (i64, i64, i64)) -> Result<()> {
    let named: BTreeSet<(DifferenceKind, String)> =
        report.differences.iter().map(|difference| (difference.kind, difference.key.clone())).collect();
    let expected = BTreeSet::from([
        (DifferenceKind::Lost, lost.to_string()),
        (DifferenceKind::Stale, stale.to_string()),
        (DifferenceKind::Extra, extra.to_string()),
    ]);
    if named != expected || report.differences.iter().any(|difference| !difference.is_certain) {
        return Err("other rows were named than those that differ".into());
    }
    println!("the lost, the extra and the stale row were named, and no other");
    Ok(())
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn layout(profile: &Profile, source: &PostgresSource) -> Result<Layout> {
    let (topic, table) = profile.tables().find(|(topic, _)| *topic == TOPIC).ok_or("no such topic")?;
    let catalogs = source.catalog(Some("rwa_planting"), "planting_orders").await?;
    let catalog = catalogs.first().ok_or("the table is missing")?;
    let layout = Layout::of(profile, topic, table, catalog)?;
    assert_eq!(layout.holds, SourceTable::Adoptions);
    Ok(layout)
}

/// Puts the table's rows into the ledger, but for one that is lost, one that is stale, and one more that is extra. Each
/// is what `cdc-ingest` stores of such a row: the first as it does, the others written like it.
async fn seed(
    engine: &Arc<dyn Engine>,
    source: &PostgresSource,
    layout: &Layout,
    profile: &Profile,
    rows: i64,
    (lost, stale, extra): (i64, i64, i64),
) -> Result<()> {
    const ORDER: i64 = 987_654_321;
    const TREES: i64 = 77_777_777_777;

    let read = source.moment().await?;
    let change = record(layout, &seeded(ORDER, TREES), read).change(profile)?;
    let pattern = serde_json::to_string(&cdc::fold(None, &change).state)?;
    let account = format!("\"D{}\"", ORDER % 100_000);
    let holds = row_table(layout.holds);
    for first in (1..=rows).step_by(10_000) {
        let orders = (first..=rows.min(first + 9_999)).filter(|order| *order != lost);
        let writes = orders.chain((first == 1).then_some(extra)).map(|order| {
            let trees = if order == stale { 99 } else { 1 + order % 9 };
            let row = pattern
                .replace(&account, &format!("\"D{}\"", order % 100_000))
                .replace(&ORDER.to_string(), &order.to_string())
                .replace(&TREES.to_string(), &trees.to_string());
            let row = RawValue::from_string(row).expect("JSON like the pattern's");
            let key = row_key(layout, &order.to_string()).expect("a number is a key");
            rows::put(holds, &key, &row, 0)
        });
        for written in engine.write_many(writes.collect()).await {
            let _ = written?;
        }
    }
    Ok(())
}

/// The columns of an order, in the order of [`ROW`].
type Row = BTreeMap<&'static str, Option<String>>;

/// What SQL shows of a row, each value as the source's rows are read.
const ROW: [(&str, &str); 9] = [
    ("order_id", "order_id::text"),
    ("account_sequence", "account_sequence::text"),
    ("tree_count", "tree_count::text"),
    ("contribution_per_tree", "contribution_per_tree::text"),
    ("adoption_date", "adoption_date::text"),
    ("status", "status::text"),
    ("selected_province", "selected_province::text"),
    ("selected_city", "selected_city::text"),
    ("created_at", "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
];

/// Returns a row as the script puts it directly.
fn seeded(order: i64, trees: i64) -> Row {
    BTreeMap::from([
        ("order_id", Some(order.to_string())),
        ("account_sequence", Some(format!("D{}", order % 100_000))),
        ("tree_count", Some(trees.to_string())),
        ("contribution_per_tree", Some("22617.0000000000".to_owned())),
        ("adoption_date", Some("2026-01-09".to_owned())),
        ("created_at", Some("2026-01-09T01:00:00.000000Z".to_owned())),
        ("status", Some("PAID".to_owned())),
    ])
}

fn record(layout: &Layout, row: &Row, read: Moment) -> SourceRecord {
    let value = |name: &str| row.get(name).cloned().flatten();
    let values = layout.columns.iter().map(|column| value(&column.name)).collect();
    let key = value("order_id").expect("every row has its number");
    SourceRecord::of_row(layout, &SourceRow { key, values }, read, read.at_ms)
}

/// Notes that everything was read which the source committed before a time.
async fn reached(engine: &Arc<dyn Engine>, at_ms: i64) -> Result<()> {
    let known = progress::read(&**engine).await?.into_iter().map(|progress| progress.name);
    let mut names: Vec<PartitionName> = known.filter(|name| name.topic == TOPIC).collect();
    if names.is_empty() {
        names.push(PartitionName { source: "million".to_owned(), topic: TOPIC.to_owned(), partition: 0 });
    }
    for name in names {
        progress::reached_end(&**engine, name, Some(RowTable::Adoptions), at_ms, true).await?;
    }
    Ok(())
}

/// Changes rows at the source, and lets the ledger know somewhat later.
struct Writer {
    client: Client,
    engine: Arc<dyn Engine>,
    layout: Layout,
    rows: i64,
    untouched: [i64; 3],
    changes: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
}

impl Writer {
    async fn run(self) -> Result<()> {
        let profile = Profile::built_in();
        let columns: Vec<&str> = ROW.iter().map(|(_, shown)| *shown).collect();
        let update = format!(
            "UPDATE rwa_planting.planting_orders SET tree_count = $2 WHERE order_id = $1 \
             RETURNING floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
             (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint, {}",
            columns.join(", ")
        );
        let update = self.client.prepare(&update).await?;
        let mut random = 88_172_645_463_325_252_u64;
        let mut on_their_way: Vec<(Instant, Row, Moment)> = Vec::new();
        let begun = Instant::now();
        let mut number = 0_u64;
        while !self.ends.load(Ordering::Relaxed) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let any = 1 + i64::try_from(random % self.rows.unsigned_abs())?;
            let order = if number.is_multiple_of(CHANGES_PER_S / 5) { HOT } else { any };
            if self.untouched.contains(&order) {
                continue;
            }
            let trees = i64::try_from(number % 1_000)? + 10;
            // Not every number is that of an order.
            let Some(answer) = self.client.query_opt(&update, &[&order, &i32::try_from(trees)?]).await?
            else {
                continue;
            };
            let position: i64 = answer.get(1);
            let read = Moment { at_ms: answer.get(0), position: position.unsigned_abs() };
            let late = Duration::from_millis(500 + random % 1_000);
            let row = ROW.iter().enumerate().map(|(place, (name, _))| (*name, answer.get(place + 2)));
            on_their_way.push((Instant::now() + late, row.collect(), read));
            number += 1;
            self.changes.fetch_add(1, Ordering::Relaxed);
            if number.is_multiple_of(20) {
                self.deliver(&mut on_their_way, &profile, number).await?;
            }
            tokio::time::sleep_until((begun + Duration::from_millis(number * 1_000 / CHANGES_PER_S)).into())
                .await;
        }
        Ok(())
    }

    /// Takes in what has arrived; what the source committed before the oldest that has not was read.
    async fn deliver(
        &self,
        on_their_way: &mut Vec<(Instant, Row, Moment)>,
        profile: &Profile,
        number: u64,
    ) -> Result<()> {
        let now = Instant::now();
        let arrived: Vec<_> = on_their_way.extract_if(.., |(at, ..)| *at <= now).collect();
        let changes = arrived
            .iter()
            .map(|(_, row, read)| record(&self.layout, row, *read).change(profile))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let context = context(&self.engine, 1_000_000_000 + number);
        cdc_ingest::take_in(&context, profile, Settings::default().account_shards, changes).await?;
        let oldest = on_their_way.iter().map(|(.., read)| read.at_ms - 1).min();
        match oldest {
            Some(at_ms) => reached(&self.engine, at_ms).await,
            None => Ok(()),
        }
    }
}
