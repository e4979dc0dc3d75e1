//! In how many parts marks, intents and the lists of talent are kept.

use crate::shard::Shard;

/// The parts in which marks, intents and the lists of talent are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TalentShards(u32);

impl TalentShards {
    /// Returns the parts of a ledger whose accounts are in so many shards: twice as many, because a change of one
    /// referral raises and removes several marks.
    #[must_use]
    pub fn beside(account_shards: u32) -> Self {
        Self(account_shards.max(1).saturating_mul(2))
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0
    }

    /// Returns every one.
    pub fn all(self) -> impl Iterator<Item = Shard> {
        Shard::all(self.0)
    }

    pub(super) fn of(self, name: &str) -> Shard {
        Shard::of(name, self.0)
    }
}
