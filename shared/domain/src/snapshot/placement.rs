//! The order in which accounts stand in what is carried from date to date, and in the proofs of a date.

use sha2::{Digest, Sha256};

use crate::Owner;

/// Where an account stands among all: accounts are ordered by the SHA-256 of their names.
///
/// The order spreads accounts evenly over pages, and says nothing about who stands beside whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placement([u8; 32]);

impl Placement {
    /// Returns the place of an account.
    #[must_use]
    pub fn of(owner: &Owner) -> Self {
        Self(Sha256::digest(owner.to_string()).into())
    }

    /// Returns the page that has this place, of 2 to the power of `pages_log2` pages.
    #[must_use]
    pub fn page(&self, pages_log2: u8) -> u32 {
        let first = u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]]);
        first.checked_shr(32 - u32::from(pages_log2)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_ranges_of_places_and_split_in_two() {
        let mut places: Vec<Placement> = (0..1_000)
            .map(|number| Placement::of(&format!("D{number}").parse().expect("an account")))
            .collect();
        places.sort_unstable();
        assert!(places.iter().all(|place| place.page(0) == 0));
        assert!(places.is_sorted_by_key(|place| place.page(4)));
        assert!(places.iter().all(|place| place.page(5) / 2 == place.page(4)));
        let counts = (0..16).map(|page| places.iter().filter(|place| place.page(4) == page).count());
        assert!(counts.clone().all(|count| (35..=95).contains(&count)), "{:?}", counts.collect::<Vec<_>>());
    }
}
