//! Maps of heads: many look-ups by short names, none in any order.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map that is asked by key and never iterated, so that its order cannot decide anything.
pub(super) type WordMap<K, V> = HashMap<K, V, BuildHasherDefault<WordHasher>>;

/// Mixes eight bytes at a time. The same on every machine; the default one takes several times as long.
#[derive(Debug, Default, Clone)]
pub(super) struct WordHasher(u64);

impl WordHasher {
    /// An odd number without a pattern: the fraction of the golden ratio.
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

    fn mix(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(Self::FACTOR);
        self.0 = mixed ^ (mixed >> 29);
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(last));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(Self::FACTOR)
    }
}
