//! In how many parts what follows from the log is projected, and which part a thing belongs to. Pure.

use std::fmt;

/// One of the parts in which the log is projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u32);

impl Shard {
    /// Returns every one of `count` shards.
    pub fn all(count: u32) -> impl Iterator<Item = Self> {
        (0..count).map(Self)
    }

    /// Returns the shard of `count` that what has this name belongs to.
    ///
    /// The hash (FNV-1a, finished by a mixing step) spreads numbers that come from a snowflake as well.
    #[must_use]
    pub fn of(name: &str, count: u32) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let part = (mixed ^ (mixed >> 33)) % u64::from(count.max(1));
        Self(u32::try_from(part).expect("less than the number of shards"))
    }

    /// Returns its number, from 0.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:03}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snowflake_numbers_spread_over_all_shards() {
        let mut counts = [0_u32; 16];
        for order in 0..1_600_u64 {
            let shard = Shard::of(&(7_321_055_812_345_856 + order * 4_096).to_string(), 16);
            counts[shard.number() as usize] += 1;
        }
        assert!(counts.iter().all(|count| (50..=150).contains(count)), "{counts:?}");
    }
}
