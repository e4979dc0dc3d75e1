//! The first load: everything that a source has, as fast as the topics give it.

use serde_json::{Value, json};

use super::figures::{HotKey, keys_json};
use super::numbers::{as_f64, rounded};
use super::run::{MeasureOptions, consumption, executor, hottest_keys, kinds, posted, rest, source, sum_of};
use super::source::produce;
use crate::bench::FaultPlan;
use crate::clock::Millis;

/// What the first load came to.
#[derive(Clone, Debug)]
pub struct FirstLoad {
    accounts: usize,
    adoptions: usize,
    posted: usize,
    /// From the first record to the last page.
    took_ms: Millis,
    write_units: f64,
    talent_units: f64,
    pages: usize,
    dollars: f64,
    hottest_keys: Vec<HotKey>,
}

/// Measures a first load: all rows stand in the topics at the beginning, as a snapshot leaves them.
#[must_use]
pub fn first_load(options: &MeasureOptions) -> FirstLoad {
    let source = source(options);
    let mut executor = executor(options, FaultPlan::default());
    for record in source.accounts.iter().chain(source.adoptions.iter().map(|(_, record)| record)) {
        produce(&executor, record);
    }
    rest(&mut executor);
    let posted = posted(&mut executor);
    let took_ms = posted.values().map(|posted| posted.at_ms).max().unwrap_or_default();
    let consumed = consumption(&executor);
    FirstLoad {
        accounts: options.accounts,
        adoptions: source.adoptions.len(),
        posted: posted.len(),
        took_ms,
        write_units: consumed.write_units,
        talent_units: sum_of(&kinds(&executor), |kind| kind.starts_with("TALENT")).0,
        pages: executor.with_world(|world| world.database.tables()["Log"].count()),
        dollars: consumed.dollars_per_million(source.adoptions.len()).total(),
        hottest_keys: hottest_keys(&executor),
    }
}

impl FirstLoad {
    /// Returns the figures as JSON.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a load takes far less than 2^52 ms")]
    pub fn to_json(&self) -> Value {
        let seconds = self.took_ms as f64 / 1_000.0;
        let rows = as_f64(2 * self.accounts + self.adoptions);
        json!({
            "accounts": self.accounts,
            "adoptions": self.adoptions,
            "posted": self.posted,
            "seconds": rounded(seconds),
            "rows_per_second": rounded(rows / seconds.max(0.001)),
            "write_units_per_row": rounded((self.write_units - self.talent_units) / rows.max(1.0)),
            "talent_units_per_account": rounded(self.talent_units / as_f64(self.accounts.max(1))),
            "pages": self.pages,
            "dollars_per_million_adoptions": rounded(self.dollars),
            "hottest_keys": keys_json(&self.hottest_keys),
        })
    }
}
