//! What storage calls cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts calls, sequential round trips and capacity units. Clones share their counts.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicU64,
    round_trips: AtomicU64,
    conflicts: AtomicU64,
    // In thousandths, because eventually consistent reads cost half units.
    read_units_milli: AtomicU64,
    write_units_milli: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Service calls, retries included.
    pub calls: u64,
    /// Steps that wait for storage; calls made at the same time for one step count once.
    pub round_trips: u64,
    /// Transactions tried again because another transaction had the same item.
    pub conflicts: u64,
    /// Read capacity units, as the service reported them.
    pub read_units: f64,
    /// Write capacity units, as the service reported them.
    pub write_units: f64,
}

impl Meter {
    /// The counts so far.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "unit counts stay far below 2^52")]
        let units = |count: &AtomicU64| load(count) as f64 / 1000.0;
        Cost {
            calls: load(&self.0.calls),
            round_trips: load(&self.0.round_trips),
            conflicts: load(&self.0.conflicts),
            read_units: units(&self.0.read_units_milli),
            write_units: units(&self.0.write_units_milli),
        }
    }

    pub(super) fn call(&self) {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one step that waits for a service.
    pub fn round_trip(&self) {
        self.0.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn conflict(&self) {
        self.0.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read_units(&self, units: f64) {
        self.0.read_units_milli.fetch_add(milli(units), Ordering::Relaxed);
    }

    pub(super) fn write_units(&self, units: f64) {
        self.0.write_units_milli.fetch_add(milli(units), Ordering::Relaxed);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "units are small and not negative"
)]
fn milli(units: f64) -> u64 {
    (units * 1000.0).round() as u64
}
