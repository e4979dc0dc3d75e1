//! What a run costs by the published prices of us-east-1, without what is free and without the cluster of the source.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::numbers::rounded;
use crate::bench::Usage;

/// On-demand tables: a million write request units, and a million read request units (DynamoDB pricing, since
/// November 2024).
const WRITE_UNITS_DOLLARS: f64 = 0.625;
const READ_UNITS_DOLLARS: f64 = 0.125;
/// Lambda on arm64: a million requests, and a GB second (Lambda pricing, first tier).
const INVOCATIONS_DOLLARS: f64 = 0.20;
const GB_SECOND_DOLLARS: f64 = 0.000_013_333_4;
/// A million calls of a FIFO queue (SQS pricing, first tier); polls of triggers are calls, too, and are not counted.
const QUEUE_CALLS_DOLLARS: f64 = 0.50;
/// The memory of each function in MB, as the template has it.
const MEMORY_MB: [(&str, f64); 7] = [
    ("cdc-ingest", 1_024.0),
    ("adoption-distribution", 1_769.0),
    ("ledger-stream", 1_769.0),
    ("contribution-expiry", 1_024.0),
    ("daily-snapshot", 1_769.0),
    ("talent-propagation", 1_024.0),
    ("query-api", 1_024.0),
];

/// What a million adoptions cost, by what is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dollars {
    /// Write units of the tables.
    pub write_units: f64,
    /// Read units of the tables.
    pub read_units: f64,
    /// Invocations and the time they took.
    pub functions: f64,
    /// Calls of the queues.
    pub queues: f64,
}

/// What a run consumed.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumption {
    pub(super) write_units: f64,
    pub(super) read_units: f64,
    pub(super) usage: BTreeMap<String, Usage>,
    pub(super) requests: BTreeMap<&'static str, u64>,
}

impl Consumption {
    /// Returns what was consumed since an earlier moment.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let usage = |name: &String, now: &Usage| {
            let then = earlier.usage.get(name).copied().unwrap_or_default();
            Usage { invocations: now.invocations - then.invocations, ran_ms: now.ran_ms - then.ran_ms }
        };
        let requests =
            |name: &&'static str, now: &u64| now - earlier.requests.get(name).copied().unwrap_or_default();
        Self {
            write_units: self.write_units - earlier.write_units,
            read_units: self.read_units - earlier.read_units,
            usage: self.usage.iter().map(|(name, now)| (name.clone(), usage(name, now))).collect(),
            requests: self.requests.iter().map(|(name, now)| (*name, requests(name, now))).collect(),
        }
    }

    /// Returns what a million of something costs, if this was consumed for so many.
    #[expect(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
    pub(super) fn dollars_per_million(&self, of: usize) -> Dollars {
        let millions = of.max(1) as f64;
        let function = |(name, memory_mb): &(&str, f64)| {
            let usage = self.usage.get(*name).copied().unwrap_or_default();
            let gb_seconds = usage.ran_ms as f64 / 1_000.0 * memory_mb / 1_024.0;
            gb_seconds * GB_SECOND_DOLLARS + usage.invocations as f64 * INVOCATIONS_DOLLARS / 1_000_000.0
        };
        let sends = ["SendMessageBatch", "ChangeMessageVisibility"];
        let sends: u64 = sends.iter().filter_map(|name| self.requests.get(name)).sum();
        Dollars {
            write_units: self.write_units * WRITE_UNITS_DOLLARS / millions,
            read_units: self.read_units * READ_UNITS_DOLLARS / millions,
            functions: MEMORY_MB.iter().map(function).sum::<f64>() * 1_000_000.0 / millions,
            queues: sends as f64 * QUEUE_CALLS_DOLLARS / millions,
        }
    }
}

impl Dollars {
    /// Returns the sum.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.write_units + self.read_units + self.functions + self.queues
    }

    /// Returns the amounts as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "total": rounded(self.total()),
            "write_units": rounded(self.write_units),
            "read_units": rounded(self.read_units),
            "functions": rounded(self.functions),
            "queues": rounded(self.queues),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_of_what_takes_ten_write_units_costs_six_and_a_quarter() {
        let usage = BTreeMap::from([("cdc-ingest".to_owned(), Usage { invocations: 10, ran_ms: 1_000 })]);
        let consumption = Consumption { write_units: 1_000.0, usage, ..Consumption::default() };
        let dollars = consumption.dollars_per_million(100);
        assert!((dollars.write_units - 6.25).abs() < 1e-9, "{dollars:?}");
        // A GB second and ten requests for a hundred, so ten thousand GB seconds for a million.
        assert!((dollars.functions - (0.133_334 + 0.02)).abs() < 1e-9, "{dollars:?}");
    }
}
