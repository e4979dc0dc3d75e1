//! How much throughput a table and each of its partition keys take in a second.

use std::collections::{BTreeMap, VecDeque};

use super::units::Units;
use crate::clock::{Millis, WINDOW_MS};

/// What one partition key takes in a second.
pub(super) const KEY_WRITE_UNITS: Units = Units::whole(1_000);
/// What one partition key gives in a second.
pub(super) const KEY_READ_UNITS: Units = Units::whole(3_000);
const ACCOUNT_UNITS: Units = Units::whole(40_000);
const NEW_TABLE_WRITE_UNITS: Units = Units::whole(4_000);
const NEW_TABLE_READ_UNITS: Units = Units::whole(12_000);
/// How long after a peak the table takes twice as much.
const PEAK_AGE_MS: Millis = 30 * 60 * 1_000;

/// How a table is paid for, which decides its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billing {
    /// By request; the table grows with its use and is warm from the beginning for so much.
    OnDemand {
        /// Units that the table takes at once.
        warm: Throughput,
    },
    /// By what is provisioned.
    Provisioned(Throughput),
}

/// Units in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throughput {
    /// Write units.
    pub write: Units,
    /// Read units.
    pub read: Units,
}

/// Whether a request reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It reads.
    Read,
    /// It writes.
    Write,
}

/// The limit that refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// That of one partition key.
    Key,
    /// That of the table.
    Table,
    /// That of the account for each table.
    Account,
}

/// The throughput of one table: what was taken in the present second, and what may be.
#[derive(Debug)]
pub struct Capacity {
    billing: Billing,
    write: Meter,
    read: Meter,
}

#[derive(Debug, Default)]
struct Meter {
    window: u64,
    table: Units,
    keys: BTreeMap<String, Units>,
    /// Ends of past windows with their units, none of them old enough to count yet.
    recent: VecDeque<(Millis, Units)>,
    /// The most units of any window that ended long enough ago.
    peak: Units,
    total: Units,
    /// What each key took in its busiest second, so that the hottest keys can be named.
    hottest: BTreeMap<String, Units>,
    /// What each kind of partition key took, and in how many requests.
    kinds: BTreeMap<String, (Units, u64)>,
}

impl Capacity {
    /// Returns the throughput of a table that nothing was taken from yet.
    #[must_use]
    pub fn new(billing: Billing) -> Self {
        Self { billing, write: Meter::default(), read: Meter::default() }
    }

    /// Returns how the table is paid for.
    #[must_use]
    pub fn billing(&self) -> Billing {
        self.billing
    }

    /// Takes units for some partition keys, or names the limit that does not let it and takes nothing.
    /// `total` is what the table is charged: a query rounds once, so it may be less than the sum.
    pub fn take(
        &mut self,
        now_ms: Millis,
        direction: Direction,
        total: Units,
        by_key: &[(&str, Units)],
    ) -> Result<(), Limit> {
        self.meter_mut(direction).advance(now_ms);
        let (key_limit, table_limits) = self.limits(direction);
        let meter = self.meter_mut(direction);
        for (key, units) in by_key {
            if meter.key(key) + *units > key_limit {
                return Err(Limit::Key);
            }
        }
        for (limit, units) in table_limits.into_iter().flatten() {
            if meter.table + total > units {
                return Err(limit);
            }
        }
        meter.table += total;
        meter.total += total;
        for (key, units) in by_key {
            match meter.keys.get_mut(*key) {
                Some(taken) => *taken += *units,
                None => {
                    meter.keys.insert((*key).to_owned(), *units);
                }
            }
            meter.count_kind(key, *units);
        }
        Ok(())
    }

    /// Gives back units that were taken in the same moment.
    pub fn give_back(&mut self, direction: Direction, key: &str, units: Units) {
        let meter = self.meter_mut(direction);
        meter.table -= units;
        meter.total -= units;
        *meter.keys.get_mut(key).expect("the key took these units before") -= units;
        meter.uncount_kind(key, units);
    }

    /// Counts units that no limit applies to.
    pub fn count(&mut self, direction: Direction, units: Units) {
        self.meter_mut(direction).total += units;
    }

    /// Returns all units since the beginning.
    #[must_use]
    pub fn total(&self, direction: Direction) -> Units {
        self.meter(direction).total
    }

    /// Returns the units of each kind of partition key, which is what stands before its first `#`, and the number of
    /// requests that took them.
    #[must_use]
    pub fn kinds(&self, direction: Direction) -> &BTreeMap<String, (Units, u64)> {
        &self.meter(direction).kinds
    }

    /// Returns each key's units in its busiest second.
    #[must_use]
    pub fn busiest_seconds(&self, direction: Direction) -> BTreeMap<String, Units> {
        let meter = self.meter(direction);
        let mut busiest = meter.hottest.clone();
        merge_maxima(&mut busiest, meter.keys.clone());
        busiest
    }

    /// Returns the limits in the second to which the meter was advanced.
    fn limits(&self, direction: Direction) -> (Units, [Option<(Limit, Units)>; 2]) {
        let (key, new_table) = match direction {
            Direction::Read => (KEY_READ_UNITS, NEW_TABLE_READ_UNITS),
            Direction::Write => (KEY_WRITE_UNITS, NEW_TABLE_WRITE_UNITS),
        };
        let of = |throughput: Throughput| match direction {
            Direction::Read => throughput.read,
            Direction::Write => throughput.write,
        };
        match self.billing {
            Billing::Provisioned(provisioned) => (key, [Some((Limit::Table, of(provisioned))), None]),
            Billing::OnDemand { warm } => {
                let table = new_table.max(of(warm)).max(self.meter(direction).peak * 2);
                (key, [Some((Limit::Account, ACCOUNT_UNITS)), Some((Limit::Table, table))])
            }
        }
    }

    fn meter(&self, direction: Direction) -> &Meter {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    fn meter_mut(&mut self, direction: Direction) -> &mut Meter {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }
}

impl Meter {
    /// Begins the window of this time, where it has not begun.
    fn advance(&mut self, now_ms: Millis) {
        let window = now_ms / WINDOW_MS;
        if window == self.window {
            return;
        }
        if self.table > Units::ZERO {
            self.recent.push_back(((self.window + 1) * WINDOW_MS, self.table));
        }
        merge_maxima(&mut self.hottest, std::mem::take(&mut self.keys));
        self.window = window;
        self.table = Units::ZERO;
        // Windows and the age of a peak are whole seconds, so that no peak becomes old enough within a window.
        while let Some((end_ms, units)) = self.recent.front().copied()
            && end_ms + PEAK_AGE_MS <= now_ms
        {
            self.recent.pop_front();
            self.peak = self.peak.max(units);
        }
    }

    fn count_kind(&mut self, key: &str, units: Units) {
        let kind = kind_of(key);
        if let Some((total, requests)) = self.kinds.get_mut(kind) {
            *total += units;
            *requests += 1;
        } else {
            self.kinds.insert(kind.to_owned(), (units, 1));
        }
    }

    /// Takes back what `count_kind` counted, as if the request had never been made.
    fn uncount_kind(&mut self, key: &str, units: Units) {
        let kind = kind_of(key);
        let (total, requests) = self.kinds.get_mut(kind).expect("the kind took these units before");
        *total -= units;
        *requests -= 1;
        if *requests == 0 {
            self.kinds.remove(kind);
        }
    }

    fn key(&self, key: &str) -> Units {
        self.keys.get(key).copied().unwrap_or_default()
    }
}

/// Returns the kind of a partition key, which is what stands before its first `#`.
fn kind_of(key: &str) -> &str {
    // Rows are told apart by their table.
    let parts = if key.starts_with("ROW#") { 2 } else { 1 };
    let end = key.match_indices('#').nth(parts - 1).map_or(key.len(), |(end, _)| end);
    &key[..end]
}

fn merge_maxima(maxima: &mut BTreeMap<String, Units>, window: BTreeMap<String, Units>) {
    for (key, units) in window {
        let maximum = maxima.entry(key).or_default();
        *maximum = units.max(*maximum);
    }
}

#[cfg(test)]
mod tests {
    use super::{Billing, Capacity, Direction, Limit, Throughput};
    use crate::table::units::Units;

    fn take(capacity: &mut Capacity, now_ms: u64, key: &str, units: u64) -> Result<(), Limit> {
        capacity.take(now_ms, Direction::Write, Units::whole(units), &[(key, Units::whole(units))])
    }

    #[test]
    fn a_key_is_refused_before_the_table_and_takes_nothing_then() {
        let mut capacity =
            Capacity::new(Billing::Provisioned(Throughput { write: Units::whole(1_500), read: Units::ZERO }));
        assert_eq!(take(&mut capacity, 0, "a", 900), Ok(()));
        assert_eq!(take(&mut capacity, 1, "a", 101), Err(Limit::Key));
        assert_eq!(take(&mut capacity, 2, "a", 100), Ok(()));
        assert_eq!(take(&mut capacity, 3, "b", 501), Err(Limit::Table));
        assert_eq!(take(&mut capacity, 1_000, "a", 1_000), Ok(()));
        assert_eq!(capacity.total(Direction::Write), Units::whole(2_000));
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let mut capacity = Capacity::new(Billing::OnDemand { warm: Throughput::default() });
        assert_eq!(take(&mut capacity, 0, "A#1", 600), Ok(()));
        assert_eq!(take(&mut capacity, 0, "A#1", 400), Ok(()));
        assert_eq!(take(&mut capacity, 0, "B#1", 10), Ok(()));
        capacity.give_back(Direction::Write, "A#1", Units::whole(400));
        capacity.give_back(Direction::Write, "B#1", Units::whole(10));
        assert_eq!(capacity.total(Direction::Write), Units::whole(600));
        let kinds: Vec<_> = capacity.kinds(Direction::Write).iter().collect();
        assert_eq!(kinds, [(&"A".to_owned(), &(Units::whole(600), 1))]);
        assert_eq!(take(&mut capacity, 0, "A#1", 400), Ok(()));
    }

    #[test]
    fn a_table_doubles_half_an_hour_after_the_end_of_its_peak() {
        let mut capacity = Capacity::new(Billing::OnDemand { warm: Throughput::default() });
        for key in ["a", "b", "c", "d"] {
            assert_eq!(take(&mut capacity, 0, key, 1_000), Ok(()));
        }
        let mut fill = |now_ms| {
            ["e", "f", "g", "h", "i"]
                .map(|key| take(&mut capacity, now_ms, key, 1_000).is_ok())
                .iter()
                .filter(|ok| **ok)
                .count()
        };
        assert_eq!(fill(1_800_999), 4);
        assert_eq!(fill(1_801_000), 5);
    }
}
