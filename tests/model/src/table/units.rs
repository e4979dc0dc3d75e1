//! Units of throughput.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, SubAssign};

const WRITE_UNIT_BYTES: usize = 1_024;
const READ_UNIT_BYTES: usize = 4_096;

/// An amount of read or write units, counted in halves so that it is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units {
    halves: u64,
}

impl Units {
    /// Nothing.
    pub const ZERO: Self = Self { halves: 0 };

    /// Returns a whole number of units.
    #[must_use]
    pub const fn whole(units: u64) -> Self {
        Self { halves: units * 2 }
    }

    /// Returns what a write of so many bytes costs: one for each started kilobyte, at least one.
    #[must_use]
    pub fn write(bytes: usize) -> Self {
        Self::whole(bytes.div_ceil(WRITE_UNIT_BYTES).max(1) as u64)
    }

    /// Returns what a read of so many bytes costs: one for each started four kilobytes, at least one;
    /// half of it when it may be stale.
    #[must_use]
    pub fn read(bytes: usize, consistent: bool) -> Self {
        let units = bytes.div_ceil(READ_UNIT_BYTES).max(1) as u64;
        Self { halves: if consistent { units * 2 } else { units } }
    }

    /// Returns the amount as a number.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a run meters far fewer than 2^52 units")]
    pub fn as_f64(self) -> f64 {
        self.halves as f64 / 2.0
    }
}

impl Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { halves: self.halves + other.halves }
    }
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.halves += other.halves;
    }
}

impl SubAssign for Units {
    fn sub_assign(&mut self, other: Self) {
        self.halves -= other.halves;
    }
}

impl Mul<u64> for Units {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self { halves: self.halves * times }
    }
}

impl Sum for Units {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// What a call consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Read units.
    pub read: Units,
    /// Write units.
    pub write: Units,
}

impl Consumed {
    /// Returns a consumption of read units only.
    #[must_use]
    pub fn read(units: Units) -> Self {
        Self { read: units, write: Units::ZERO }
    }

    /// Returns a consumption of write units only.
    #[must_use]
    pub fn write(units: Units) -> Self {
        Self { read: Units::ZERO, write: units }
    }

    /// Returns read and write units together.
    #[must_use]
    pub fn total(self) -> Units {
        self.read + self.write
    }
}

impl AddAssign for Consumed {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.write += other.write;
    }
}

#[cfg(test)]
mod tests {
    use super::Units;

    #[test]
    fn writes_round_up_to_kilobytes_and_reads_to_four() {
        assert_eq!(Units::write(0), Units::whole(1));
        assert_eq!(Units::write(1_024), Units::whole(1));
        assert_eq!(Units::write(1_025), Units::whole(2));
        assert_eq!(Units::read(4_097, true), Units::whole(2));
        assert!((Units::read(0, false).as_f64() - 0.5).abs() < f64::EPSILON);
    }
}
