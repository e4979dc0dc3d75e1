//! Unique ids without a hidden source of randomness.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Hands out ids that look random, and are the same again for the same seed.
///
/// The seed comes from outside, as the time does, so that the state of the queues depends on
/// nothing but what they are given.
#[derive(Debug)]
pub(crate) struct IdSource {
    seed: Uuid,
    given_out: u64,
}

impl IdSource {
    pub(crate) fn new(seed: Uuid) -> Self {
        Self { seed, given_out: 0 }
    }

    pub(crate) fn next(&mut self) -> Uuid {
        let digest =
            Sha256::new().chain_update(self.seed).chain_update(self.given_out.to_be_bytes()).finalize();
        self.given_out += 1;
        let (random_bytes, _) = digest.split_first_chunk().expect("a SHA-256 digest has 32 bytes");
        uuid::Builder::from_random_bytes(*random_bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_distinct_and_follow_from_the_seed() {
        let ids = |seed| {
            let mut source = IdSource::new(Uuid::from_u128(seed));
            std::iter::repeat_with(move || source.next()).take(100).collect::<Vec<_>>()
        };
        assert_eq!(ids(1), ids(1));
        assert_eq!(ids(1).into_iter().chain(ids(2)).collect::<HashSet<_>>().len(), 200);
    }
}
