//! Published latencies as distributions, from which the seed draws.

use crate::clock::Millis;
use crate::random::Random;

/// A distribution by some of its quantiles: parts in a thousand with microseconds, ascending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distribution {
    quantiles: [(u64, u64); 6],
}

impl Distribution {
    const fn new(quantiles: [(u64, u64); 6]) -> Self {
        Self { quantiles }
    }

    /// Draws a duration in microseconds: linear between the quantiles.
    pub(super) fn draw_us(&self, random: &mut Random) -> u64 {
        let part = random.below(1_000_000);
        let place = |(thousandths, _): &(u64, u64)| thousandths * 1_000;
        let above = self.quantiles.iter().position(|quantile| place(quantile) > part).unwrap_or(5).max(1);
        let (low, high) = (self.quantiles[above - 1], self.quantiles[above]);
        let (from, to) = (place(&low), place(&high));
        low.1 + (high.1 - low.1) * (part - from) / (to - from).max(1)
    }

    /// Draws a duration in whole milliseconds, at least one.
    pub(super) fn draw_ms(&self, random: &mut Random) -> Millis {
        rounded_ms(self.draw_us(random))
    }
}

/// Rounds microseconds to milliseconds, at least one.
pub(super) fn rounded_ms(microseconds: u64) -> Millis {
    ((microseconds + 500) / 1_000).max(1)
}

/// Draws for a number of parts from what was published for five and for twenty-five of them.
pub(super) fn draw_by_parts(
    five: &Distribution,
    twenty_five: &Distribution,
    parts: u64,
    random: &mut Random,
) -> Millis {
    let same_place = random.next();
    let small = five.draw_us(&mut Random::new(same_place)).cast_signed();
    let large = twenty_five.draw_us(&mut Random::new(same_place)).cast_signed();
    let parts = i64::try_from(parts).expect("at most a hundred parts");
    let drawn = small + (large - small) * (parts - 5) / 20;
    rounded_ms(drawn.max(small / 2).cast_unsigned())
}

// DeBrie 2020, put-batch-transaction-performance: 50 %, 90 %, 99 % and the maximum. The minimum is published for
// transactions only; elsewhere it is three quarters of the median.

/// A put of one item. No figure for single reads was found: they take the same.
pub(super) const SINGLE: Distribution = Distribution::new([
    (0, 5_660),
    (500, 7_550),
    (900, 11_300),
    (990, 16_200),
    (999, 24_000),
    (1_000, 29_000),
]);
/// A batch of five writes; batches of reads and of statements take the same.
pub(super) const BATCH_OF_5: Distribution = Distribution::new([
    (0, 6_100),
    (500, 8_140),
    (900, 13_300),
    (990, 25_500),
    (999, 45_000),
    (1_000, 56_800),
]);
/// A batch of twenty-five writes.
pub(super) const BATCH_OF_25: Distribution = Distribution::new([
    (0, 7_650),
    (500, 10_200),
    (900, 16_000),
    (990, 27_600),
    (999, 60_000),
    (1_000, 76_400),
]);
/// A transaction of five writes.
pub(super) const TRANSACTION_OF_5: Distribution = Distribution::new([
    (0, 19_400),
    (500, 25_300),
    (900, 30_700),
    (990, 92_500),
    (999, 180_000),
    (1_000, 218_000),
]);
/// A transaction of twenty-five writes.
pub(super) const TRANSACTION_OF_25: Distribution = Distribution::new([
    (0, 23_500),
    (500, 32_100),
    (900, 40_500),
    (990, 97_500),
    (999, 210_000),
    (1_000, 258_000),
]);

// Bite-Sized Serverless 2022, send to handler. Half is the call that sends, half the trigger that polls: an assumption.

/// Half of the way from a send to a standard queue to the handler.
pub(super) const HALF_OF_STANDARD: Distribution = Distribution::new([
    (0, 5_500),
    (100, 6_850),
    (500, 8_100),
    (900, 16_900),
    (990, 52_500),
    (1_000, 105_000),
]);
/// Half of the way from a send to a FIFO queue to the handler.
pub(super) const HALF_OF_FIFO: Distribution = Distribution::new([
    (0, 8_800),
    (100, 10_950),
    (500, 14_050),
    (900, 30_600),
    (990, 322_500),
    (1_000, 500_000),
]);
/// From a write to the poll that reads it from the stream.
pub(super) const STREAM: Distribution = Distribution::new([
    (0, 60_000),
    (100, 118_000),
    (500, 213_000),
    (900, 341_000),
    (990, 552_000),
    (1_000, 800_000),
]);

// Assumptions within what is published.

/// From the log to a poller. Published: consistently below 100 ms with provisioned pollers and a window of 0.
pub(super) const FETCH: Distribution = Distribution::new([
    (0, 10_000),
    (100, 20_000),
    (500, 45_000),
    (900, 75_000),
    (990, 95_000),
    (1_000, 99_000),
]);
/// A cold start. Published: 112 ms for a Rust function with its client at 128 MB, one sample.
pub(super) const COLD_START: Distribution = Distribution::new([
    (0, 80_000),
    (100, 95_000),
    (500, 112_000),
    (900, 160_000),
    (990, 250_000),
    (1_000, 400_000),
]);
/// From the queue of asynchronous invocations to the function.
pub(super) const ASYNCHRONOUS: Distribution = Distribution::new([
    (0, 5_000),
    (100, 8_000),
    (500, 20_000),
    (900, 50_000),
    (990, 150_000),
    (1_000, 300_000),
]);
/// A schedule calls from 0 to 59 s after its minute begins (published).
pub(super) const SCHEDULE_MS: Millis = 59_000;

#[cfg(test)]
mod tests {
    use super::{BATCH_OF_5, BATCH_OF_25, SINGLE, draw_by_parts};
    use crate::random::Random;

    #[test]
    fn draws_have_the_published_quantiles() {
        let mut random = Random::new(1);
        let mut drawn: Vec<u64> = (0..20_000).map(|_| SINGLE.draw_us(&mut random)).collect();
        drawn.sort_unstable();
        let near = |position: usize, expected: u64| drawn[position].abs_diff(expected) < expected / 20;
        assert!(near(10_000, 7_550) && near(18_000, 11_300) && near(19_800, 16_200));
        assert!(*drawn.last().expect("some") <= 29_000);
    }

    #[test]
    fn more_parts_take_longer() {
        let median = |parts| {
            let mut random = Random::new(2);
            let mut drawn: Vec<u64> =
                (0..999).map(|_| draw_by_parts(&BATCH_OF_5, &BATCH_OF_25, parts, &mut random)).collect();
            drawn.sort_unstable();
            drawn[499]
        };
        assert_eq!((median(5), median(25)), (8, 10));
        assert!(median(1) <= median(5));
    }
}
