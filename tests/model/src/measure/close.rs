//! The close of a date: from its midnight to what is published, and what it takes.

use chrono::Days;
use serde_json::{Value, json};

use super::numbers::{as_f64, rounded};
use super::run::{Kinds, MeasureOptions, consumption, executor_from, kinds, load, rest, sum_of, today};
use super::source::{Dates, Plan, Source, produce, reach_ends};
use crate::bench::{Executor, FaultPlan};
use crate::clock::Millis;
use crate::table::Direction;

/// What a close came to.
#[derive(Clone, Debug)]
pub struct Closed {
    accounts: u64,
    rows: u64,
    /// From midnight to the entry that closes the date.
    entry_after_ms: Millis,
    /// From midnight to the manifest.
    published_after_ms: Millis,
    snapshot_units: f64,
    index_units: f64,
    read_units: f64,
    dollars: f64,
}

/// The items of a published date.
const OF_SNAPSHOT: [&str; 6] = ["ACCOUNTS", "RANKED", "RESTATED", "TREE", "DIRECTORY", "MANIFESTS"];
/// The items that say what turns when, and which dates are closed.
const OF_INDEXES: [&str; 3] = ["ACTIVATION", "EXPIRY", "CLOSES"];
/// A few minutes before a midnight of the business time zone.
const EPOCH: &str = "2026-12-01T15:40:00Z";
const MIDNIGHT_MS: Millis = 20 * 60_000;
const WAITS_MS_MAX: Millis = 60 * 60_000;

/// Measures the close of a date on which everything that was adopted becomes effective.
///
/// The rows are there well before midnight; at midnight the ends of the partitions are known to be reached.
#[must_use]
pub fn close(options: &MeasureOptions) -> Closed {
    let first = today() + Days::new(1);
    let source = Source::invent(&Plan {
        seed: options.seed,
        accounts: options.accounts,
        adoptions: usize::try_from(options.rate * options.minutes * 60).expect("it fits into memory"),
        shape: options.shape,
        trees: options.trees,
        dates: Dates::On(today()),
    });
    let mut executor = executor_from(options, FaultPlan::default(), EPOCH, Some(first));
    load(&mut executor, &source);
    for (_, record) in &source.adoptions {
        produce(&executor, record);
    }
    rest(&mut executor);
    // The load may have taken until after this midnight; the date that closes is then still this one.
    executor.run_until(executor.now_ms().max(MIDNIGHT_MS - 61_000));
    let (loaded, before) = (kinds(&executor), consumption(&executor));
    let from_ms = executor.now_ms().max(MIDNIGHT_MS);
    executor.run_until(from_ms);
    reach_ends(&mut executor);
    let (closed_ms, published_ms) = published(&mut executor, from_ms + WAITS_MS_MAX);
    let consumed = consumption(&executor).since(&before);
    let manifest = latest(&mut executor);
    let of = |kinds: &Kinds, names: &[&str]| sum_of(kinds, |kind| names.contains(&kind)).0;
    let after = kinds(&executor);
    Closed {
        accounts: manifest.0,
        rows: manifest.1,
        entry_after_ms: closed_ms.saturating_sub(from_ms),
        published_after_ms: published_ms.saturating_sub(from_ms),
        snapshot_units: of(&after, &OF_SNAPSHOT) - of(&loaded, &OF_SNAPSHOT),
        // The indexes are kept while adoptions are posted.
        index_units: of(&after, &OF_INDEXES),
        read_units: consumed.read_units,
        dollars: consumed.dollars_per_million(options.accounts).total(),
    }
}

/// Runs until a date is published, and returns when it was closed and when it was published.
fn published(executor: &mut Executor, until_ms: Millis) -> (Millis, Millis) {
    let mut closed_ms = None;
    while executor.now_ms() < until_ms {
        executor.run_until(executor.now_ms() + 20);
        let (is_closed, is_published) = executor.with_world(|world| {
            let tables = world.database.tables();
            let is_written =
                |table: &str, kind: &str| tables[table].capacity().kinds(Direction::Write).contains_key(kind);
            (is_written("Ledger", "CLOSES"), is_written("Snapshots", "MANIFESTS"))
        });
        if is_closed {
            closed_ms.get_or_insert(executor.now_ms());
        }
        if is_published {
            break;
        }
    }
    let now_ms = executor.now_ms();
    (closed_ms.unwrap_or(now_ms), now_ms)
}

/// Returns how many accounts the published date carries, and how many rows it has.
fn latest(executor: &mut Executor) -> (u64, u64) {
    let engine = executor.engine();
    let manifest = executor.run_client(async move { store::snapshots::latest(&engine).await });
    let manifest = manifest.expect("no fault for the bench");
    manifest.map_or((0, 0), |manifest| (manifest.accounts, manifest.totals.rows))
}

impl Closed {
    /// Returns the figures as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let accounts = as_f64(usize::try_from(self.accounts.max(1)).expect("it fits into memory"));
        json!({
            "accounts": self.accounts,
            "rows": self.rows,
            "closed_after_midnight_ms": self.entry_after_ms,
            "published_after_midnight_ms": self.published_after_ms,
            "write_units_per_account": {
                "all": rounded((self.snapshot_units + self.index_units) / accounts),
                "snapshot": rounded(self.snapshot_units / accounts),
                "indexes": rounded(self.index_units / accounts),
            },
            "read_units_per_account": rounded(self.read_units / accounts),
            "dollars_per_million_accounts": rounded(self.dollars),
        })
    }
}
