//! Numbers that look random and are the same in every run.

/// Numbers that look random, from a seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Returns the dice of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03);
        // Seeds that are close to each other differ after a few steps.
        for _ in 0..4 {
            dice.next();
        }
        dice
    }

    /// Returns a number below `end`, which is above zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Returns true once in `times`, on average.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Returns one of these.
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let end = u64::try_from(items.len()).expect("a length fits");
        if end == 0 { None } else { items.get(usize::try_from(self.below(end)).expect("below a length")) }
    }

    /// Puts items into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let end = u64::try_from(last + 1).expect("a length fits");
            items.swap(last, usize::try_from(self.below(end)).expect("below a length"));
        }
    }

    // Xorshift: good enough for histories, and needs no crate.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
