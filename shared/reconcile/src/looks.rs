//! Runs the comparison: asks source and ledger for digests of ranges, then for rows, then for the same rows again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cdc::{Profile, RowState, Table};
use runtime::Clock;
use store::rows;
use store::{BoxFuture, Engine, StoreError, progress};

use crate::judge::{Difference, Judgement, Seen};
use crate::layout::{Catalog, Layout, Obstacle};
use crate::ledger::{self, LedgerRows, ScannedLedger, row_key, row_table};
use crate::record;
use crate::report::{HotRow, Report, TableReport};
use crate::source::{Load, Moment, Source, SourceError};
use crate::watch::{Progress, Watch};

/// Rows asked for by their keys at once.
const KEYS_AT_ONCE: usize = 500;
/// How often the ledger's progress is looked at while it is waited for.
const LOOK_AT_PROGRESS: Duration = Duration::from_millis(500);

/// What is compared, and how long it may wait.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tables by topic, where the topic's name does not say it: schema and name.
    pub tables: BTreeMap<String, (Option<String>, String)>,
    /// Only these topics; all that the ledger has read if there are none.
    pub topics: BTreeSet<String>,
    /// How long to wait, at least, before a row is looked at again.
    pub pause: Duration,
    /// How long to wait, at most, for the ledger to read past a look.
    pub patience: Duration,
    /// How often a row is looked at that the source keeps changing.
    pub looks_max: u32,
    /// Who is told how far the comparison is.
    pub watch: Watch,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tables: BTreeMap::new(),
            topics: BTreeSet::new(),
            pause: Duration::from_secs(2),
            patience: Duration::from_secs(30),
            looks_max: 5,
            watch: Watch::default(),
        }
    }
}

/// The ledger's side.
#[derive(Clone, Copy)]
pub struct Ledger<'a> {
    /// Its tables.
    pub engine: &'a dyn Engine,
    /// What its topics carry.
    pub profile: &'a Profile,
    /// The clock by which to wait.
    pub clock: &'a dyn Clock,
}

/// The comparison could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares the tables that these databases have with the ledger's rows.
pub fn reconcile<'a>(
    sources: &'a [&'a dyn Source],
    ledger: Ledger<'a>,
    options: &'a Options,
) -> BoxFuture<'a, Result<Report, ReconcileError>> {
    Box::pin(async move {
        let started = ledger.clock.now();
        let mut report = Report::default();
        let mut tables = find_tables(sources, ledger, options, &mut report).await?;
        let mut scanned = scan(ledger, &mut tables, &mut report).await?;
        let rows = tables.iter().map(|table| scanned.tables[&table.layout.rows_of].count()).sum();
        let mut progress = Progress::new(&options.watch, rows);
        let mut suspects: Vec<(usize, Seen)> = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let rows = scanned.tables.get_mut(&table.layout.rows_of).expect("each table's rows were scanned");
            let (found, table_report) =
                first_look(table, ledger, rows, &mut report.obstacles, &mut progress).await?;
            suspects.extend(found.into_iter().map(|seen| (index, seen)));
            report.tables.push(table_report);
        }
        look_again(&tables, ledger, options, suspects, &mut report).await?;
        report.differences.sort_by(|one, other| (&one.topic, &one.key).cmp(&(&other.topic, &other.key)));
        for source in sources {
            let Load { statements, busy_ms, longest_ms, bytes } = source.load();
            report.load.statements += statements;
            report.load.busy_ms += busy_ms;
            report.load.longest_ms = report.load.longest_ms.max(longest_ms);
            report.load.bytes += bytes;
        }
        report.elapsed_ms =
            u64::try_from((ledger.clock.now() - started).num_milliseconds()).unwrap_or_default();
        Ok(report)
    })
}

/// A table, and the database that has it.
struct FoundTable<'a> {
    source: &'a dyn Source,
    table: &'a Table,
    layout: Arc<Layout>,
}

/// Finds the table of each topic that the ledger has read, or that was named.
async fn find_tables<'a>(
    sources: &'a [&'a dyn Source],
    ledger: Ledger<'a>,
    options: &Options,
    report: &mut Report,
) -> Result<Vec<FoundTable<'a>>, ReconcileError> {
    let known: BTreeSet<String> =
        progress::read(ledger.engine).await?.into_iter().map(|progress| progress.name.topic).collect();
    let mut found: Vec<FoundTable<'a>> = Vec::new();
    for (topic, table) in ledger.profile.tables() {
        let is_named = options.topics.contains(topic);
        if !options.topics.is_empty() && !is_named {
            continue;
        }
        let names: Vec<(Option<String>, String)> = match options.tables.get(topic) {
            Some(name) => vec![name.clone()],
            None => table
                .source_names(topic)
                .iter()
                .map(|name| (name.schema().map(str::to_owned), name.table().to_owned()))
                .collect(),
        };
        let mut catalogs: Vec<(&dyn Source, Catalog)> = Vec::new();
        for source in sources {
            for (schema, name) in &names {
                let of_source = source.catalog(schema.as_deref(), name).await?;
                catalogs.extend(of_source.into_iter().map(|catalog| (*source, catalog)));
            }
        }
        let has_been_read = known.contains(topic) || is_named;
        let full = |catalog: &Catalog| format!("{}.{}", catalog.schema, catalog.table);
        let obstacle = match catalogs.as_slice() {
            [] if has_been_read => {
                let looked_for = names.iter().map(|(schema, name)| match schema {
                    Some(schema) => format!("{schema}.{name}"),
                    None => name.clone(),
                });
                let looked_for = looked_for.collect::<Vec<_>>().join(" or ");
                Obstacle::NoTable { topic: topic.to_owned(), looked_for }
            }
            [] => continue,
            [(_, catalog)] if !has_been_read => {
                Obstacle::NeverRead { topic: topic.to_owned(), table: full(catalog) }
            }
            [(source, catalog)] => match Layout::of(ledger.profile, topic, table, catalog) {
                Ok(layout) => {
                    found.push(FoundTable { source: *source, table, layout: Arc::new(layout) });
                    continue;
                }
                Err(obstacle) => obstacle,
            },
            several => {
                let found = several.iter().map(|(_, catalog)| full(catalog)).collect::<Vec<_>>().join(", ");
                Obstacle::SeveralTables { topic: topic.to_owned(), found }
            }
        };
        report.obstacles.push(obstacle);
    }
    Ok(found)
}

/// Reads the ledger's rows, and leaves out the columns that only one side has.
async fn scan(
    ledger: Ledger<'_>,
    tables: &mut [FoundTable<'_>],
    report: &mut Report,
) -> Result<ScannedLedger, ReconcileError> {
    let layouts = |tables: &[FoundTable<'_>]| -> Vec<Layout> {
        tables.iter().map(|table| (*table.layout).clone()).collect()
    };
    let scanned = ledger::scan(ledger.engine, &layouts(tables)).await?;
    let mut is_changed = false;
    for table in tables.iter_mut() {
        let rows = &scanned.tables[&table.layout.rows_of];
        let before = table.layout.compared.len();
        let layout = Arc::make_mut(&mut table.layout);
        report.obstacles.extend(layout.leave_out(table.table, rows.named(), rows.count() > 0));
        is_changed |= table.layout.compared.len() != before;
    }
    // The fingerprints are of other columns then.
    if is_changed { Ok(ledger::scan(ledger.engine, &layouts(tables)).await?) } else { Ok(scanned) }
}

/// Compares a table's ranges, and the rows of those that differ. Returns the rows that differ at this look.
async fn first_look(
    table: &FoundTable<'_>,
    ledger: Ledger<'_>,
    rows: &mut LedgerRows,
    obstacles: &mut Vec<Obstacle>,
    progress: &mut Progress<'_>,
) -> Result<(Vec<Seen>, TableReport), ReconcileError> {
    let layout = &table.layout;
    let mut report = TableReport {
        topic: layout.topic.clone(),
        table: layout.full_name(),
        ledger_rows: rows.count(),
        ..TableReport::default()
    };
    let suspects = if layout.key_kind.has_known_order() {
        compare_ranges(table, rows, &mut report, progress).await?
    } else {
        compare_rows(table, rows, &mut report, progress).await?
    };
    let mut differing = Vec::new();
    for keys in suspects.chunks(KEYS_AT_ONCE) {
        let seen = look(table, ledger, keys, obstacles).await?;
        differing.extend(seen.into_iter().flatten().filter(|seen| seen.difference(layout).is_some()));
    }
    report.rows_looked_at = differing.len() as u64;
    Ok((differing, report))
}

/// Keys after one, up to another.
struct Range {
    after: Option<String>,
    last: String,
}

/// Compares the digests of ranges; returns the keys whose fingerprints differ.
async fn compare_ranges(
    table: &FoundTable<'_>,
    rows: &LedgerRows,
    report: &mut TableReport,
    progress: &mut Progress<'_>,
) -> Result<Vec<String>, ReconcileError> {
    let layout = &table.layout;
    let ordinal = |key: &String| layout.key_kind.ordinal(key);
    let mut suspects = rows.left_over();
    let mut after: Option<String> = None;
    loop {
        let buckets = table.source.buckets(layout, after.as_deref()).await?;
        if buckets.is_empty() {
            break;
        }
        let mut differing: Vec<Range> = Vec::new();
        for bucket in buckets {
            let through = ordinal(&bucket.last).expect("the database's keys are of its type");
            report.ranges += 1;
            report.source_rows += bucket.rows;
            progress.add(bucket.rows);
            if !rows.agrees(after.as_ref().and_then(ordinal), through, bucket.rows, bucket.sum) {
                report.ranges_looked_into += 1;
                // Ranges that follow each other are asked for at once.
                match differing.last_mut().filter(|range| Some(&range.last) == after.as_ref()) {
                    Some(range) => range.last.clone_from(&bucket.last),
                    None => differing.push(Range { after: after.clone(), last: bucket.last.clone() }),
                }
            }
            after = Some(bucket.last);
        }
        for range in differing {
            suspects.extend(compare_range(table, rows, range).await?);
        }
    }
    // What the ledger has after the source's last row.
    suspects.extend(rows.differing(after.as_ref().and_then(ordinal), None, &[]));
    Ok(suspects)
}

/// Compares the fingerprint of each row of a range, page by page: rows may have come since the range was digested, or
/// pages have become smaller.
async fn compare_range(
    table: &FoundTable<'_>,
    rows: &LedgerRows,
    Range { mut after, last }: Range,
) -> Result<Vec<String>, ReconcileError> {
    let layout = &table.layout;
    let ordinal = |key: &String| layout.key_kind.ordinal(key);
    let mut suspects = Vec::new();
    loop {
        let page = table.source.fingerprints(layout, after.as_deref(), Some(&last)).await?;
        let through = page.last().map_or_else(|| last.clone(), |(key, _)| key.clone());
        suspects.extend(rows.differing(after.as_ref().and_then(ordinal), ordinal(&through), &page));
        if through == last {
            return Ok(suspects);
        }
        after = Some(through);
    }
}

/// Compares the fingerprint of each row, where only the database knows the order of keys.
async fn compare_rows(
    table: &FoundTable<'_>,
    rows: &mut LedgerRows,
    report: &mut TableReport,
    progress: &mut Progress<'_>,
) -> Result<Vec<String>, ReconcileError> {
    let mut suspects = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = table.source.fingerprints(&table.layout, after.as_deref(), None).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        report.ranges += 1;
        report.source_rows += page.len() as u64;
        progress.add(page.len() as u64);
        let differing = page.into_iter().filter(|(key, theirs)| rows.take_differs(key.trim_end(), *theirs));
        // As the source writes it, because it is asked for the row by it.
        suspects.extend(differing.map(|(key, _)| key));
    }
    suspects.extend(rows.left_over());
    Ok(suspects)
}

/// Reads rows on both sides, the source first. Returns `None` for each row that cannot be read, which is an obstacle.
async fn look(
    table: &FoundTable<'_>,
    ledger: Ledger<'_>,
    keys: &[String],
    obstacles: &mut Vec<Obstacle>,
) -> Result<Vec<Option<Seen>>, ReconcileError> {
    let layout = &table.layout;
    // Keys that the source's type does not have would make the statement fail.
    let askable: Vec<String> = keys.iter().filter(|key| layout.key_kind.has(key)).cloned().collect();
    let read = table.source.moment().await?;
    let mut at_source = BTreeMap::new();
    let mut unreadable = BTreeSet::new();
    for row in table.source.rows(layout, &askable).await? {
        match record::image(ledger.profile, layout, &row, read) {
            Ok(image) => drop(at_source.insert(row.key.clone(), (row, image))),
            Err(refusal) => {
                let (table, refusal) = (layout.full_name(), refusal.to_string());
                obstacles.push(Obstacle::UnreadableRow { table, key: row.key.clone(), refusal });
                unreadable.insert(row.key);
            }
        }
    }
    let holds = row_table(layout.holds);
    let names = keys.iter().filter_map(|key| Some((holds, row_key(layout, key)?))).collect();
    let mut kept = rows::read::<RowState>(ledger.engine, names).await?;
    let seen = keys.iter().map(|key| {
        if unreadable.contains(key) {
            return None;
        }
        let kept = row_key(layout, key).and_then(|key| kept.remove(&(holds, key)));
        Some(Seen {
            key: key.clone(),
            source: at_source.remove(key),
            ledger: kept.map(|stored| (stored.row, stored.revision)),
            read,
        })
    });
    Ok(seen.collect())
}

/// A row that is looked at until it is the same, or stays different, or was looked at often enough.
struct Suspect {
    table: usize,
    first_revision: u64,
    seen: Seen,
}

/// Looks at rows again, once the ledger has read past the look before.
async fn look_again(
    tables: &[FoundTable<'_>],
    ledger: Ledger<'_>,
    options: &Options,
    suspects: Vec<(usize, Seen)>,
    report: &mut Report,
) -> Result<(), ReconcileError> {
    let revision = |seen: &Seen| seen.ledger.as_ref().map_or(0, |(_, revision)| *revision);
    let mut open: Vec<Suspect> = suspects
        .into_iter()
        .map(|(table, seen)| Suspect { table, first_revision: revision(&seen), seen })
        .collect();
    for number in 2..=options.looks_max {
        if open.is_empty() {
            break;
        }
        let topics: BTreeSet<&str> =
            open.iter().map(|suspect| tables[suspect.table].layout.topic.as_str()).collect();
        let latest = open.iter().map(|suspect| suspect.seen.read).max().unwrap_or_default();
        let through = wait_past(ledger, options, &topics, latest).await?;
        let mut still_open = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let of_table: Vec<Suspect> = open.extract_if(.., |suspect| suspect.table == index).collect();
            let mut of_table = of_table.into_iter();
            loop {
                let chunk: Vec<Suspect> = of_table.by_ref().take(KEYS_AT_ONCE).collect();
                if chunk.is_empty() {
                    break;
                }
                let keys: Vec<String> = chunk.iter().map(|suspect| suspect.seen.key.clone()).collect();
                let later = look(table, ledger, &keys, &mut report.obstacles).await?;
                for (suspect, later) in chunk.into_iter().zip(later) {
                    let Some(later) = later else { continue };
                    match suspect.seen.judge(&later, &table.layout) {
                        Judgement::Gone => report.tables[index].caught_up += 1,
                        Judgement::Stays => {
                            let read_through = through.get(table.layout.topic.as_str()).copied().flatten();
                            let is_certain = read_through >= Some(suspect.seen.read.at_ms);
                            report.differences.push(difference(table, suspect.seen.read, later, is_certain));
                        }
                        Judgement::Moves if number == options.looks_max => report.hot.push(HotRow {
                            topic: table.layout.topic.clone(),
                            key: later.key.clone(),
                            looks: number,
                            ledger_changes: revision(&later).saturating_sub(suspect.first_revision),
                        }),
                        Judgement::Moves => still_open.push(Suspect { seen: later, ..suspect }),
                    }
                }
            }
        }
        open = still_open;
    }
    let through = read_through(ledger.engine).await?;
    for table in &mut report.tables {
        table.read_through_ms = through.get(&table.topic).copied().flatten();
    }
    Ok(())
}

fn difference(table: &FoundTable<'_>, first: Moment, seen: Seen, is_certain: bool) -> Difference {
    let (kind, columns) = seen.difference(&table.layout).expect("it was just judged to differ");
    Difference {
        kind,
        topic: table.layout.topic.clone(),
        layout: Some(Arc::clone(&table.layout)),
        key: seen.key.clone(),
        columns,
        is_certain,
        first,
        seen,
    }
}

/// Waits for a pause, and then until the ledger has read these topics past `look`, or patience is over. Returns how
/// far it has read each topic.
async fn wait_past(
    ledger: Ledger<'_>,
    options: &Options,
    topics: &BTreeSet<&str>,
    look: Moment,
) -> Result<BTreeMap<String, Option<i64>>, ReconcileError> {
    ledger.clock.sleep(options.pause).await;
    let mut waited = options.pause;
    loop {
        let through = read_through(ledger.engine).await?;
        let is_past = |topic: &&str| through.get(*topic).is_some_and(|through| *through >= Some(look.at_ms));
        if topics.iter().all(is_past) || waited >= options.patience {
            return Ok(through);
        }
        ledger.clock.sleep(LOOK_AT_PROGRESS).await;
        waited += LOOK_AT_PROGRESS;
    }
}

/// Returns through which commit each topic was read: that of its partition that is furthest behind.
async fn read_through(engine: &dyn Engine) -> Result<BTreeMap<String, Option<i64>>, StoreError> {
    let mut through: BTreeMap<String, Option<i64>> = BTreeMap::new();
    for progress in progress::read(engine).await? {
        let of_partition = progress.read_through_ms();
        through
            .entry(progress.name.topic)
            .and_modify(|least| *least = (*least).min(of_partition))
            .or_insert(of_partition);
    }
    Ok(through)
}
