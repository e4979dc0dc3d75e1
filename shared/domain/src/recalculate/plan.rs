//! What introducing other rules would change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compare::Compared;
use crate::{Amount, Owner};

/// What introducing other rules would change: who gains and who loses, and which adoptions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Adoptions that would be posted, taken back, corrected or held otherwise.
    pub adoptions: u64,
    /// What each owner would gain, or lose where it is negative. Who would have the same is left out.
    pub gains: Vec<Gain>,
    /// What all together would gain.
    pub network_gain: Amount,
}

/// What an owner gains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gain {
    /// The owner.
    pub owner: Owner,
    /// How much; negative where it loses.
    pub amount: Amount,
}

impl Plan {
    pub(super) fn of(compared: Compared) -> Self {
        let gains: BTreeMap<Owner, Amount> = compared.gains;
        let network_gain = Amount::sum(gains.values().copied()).expect("a sum of differences of sums");
        let gains = gains.into_iter().filter(|(_, amount)| !amount.is_zero());
        Self {
            adoptions: compared.adoptions_that_differ,
            gains: gains.map(|(owner, amount)| Gain { owner, amount }).collect(),
            network_gain,
        }
    }
}
