//! The contribution of a tree.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Amount, AmountOverflow, Policy, Rate};

/// Returns the contribution of a tree where the source does not send one (rules, section 3).
///
/// `trees_before` is the number of trees that the whole network adopted with smaller order numbers. The last
/// digit is rounded down.
pub fn contribution_per_tree(
    trees_before: u64,
    policy: &Policy,
) -> Result<ContributionPerTree, AmountOverflow> {
    let ladder = policy.price_ladder();
    let units = match trees_before.checked_sub(ladder.start_tree_number) {
        Some(beyond) => 1 + i128::from(beyond / ladder.unit_size),
        None => 0,
    };
    let one = i128::from(Rate::ONE.millionths());
    let factor_millionths = one + units * i128::from(ladder.increment.millionths());
    // A product that i128 cannot hold is far beyond any amount, also after the division.
    let product = ladder.base.units().checked_mul(factor_millionths).ok_or(AmountOverflow)?;
    Amount::from_units(product / one)
        .ok()
        .filter(|price| *price <= Amount::TOTAL_MAX)
        .map(ContributionPerTree)
        .ok_or(AmountOverflow)
}

/// The contribution of one tree of an adoption: an amount that is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Amount", into = "Amount")]
pub struct ContributionPerTree(Amount);

impl ContributionPerTree {
    /// Returns the amount.
    #[must_use]
    pub fn amount(self) -> Amount {
        self.0
    }
}

impl TryFrom<Amount> for ContributionPerTree {
    type Error = NegativeContribution;

    fn try_from(amount: Amount) -> Result<Self, Self::Error> {
        if amount >= Amount::ZERO { Ok(Self(amount)) } else { Err(NegativeContribution { amount }) }
    }
}

impl From<ContributionPerTree> for Amount {
    fn from(contribution: ContributionPerTree) -> Self {
        contribution.0
    }
}

impl fmt::Display for ContributionPerTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A negative amount, which no tree contributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{amount} is negative, and the contribution of a tree must not be")]
pub struct NegativeContribution {
    amount: Amount,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn derived(trees_before: u64) -> String {
        contribution_per_tree(trees_before, &Policy::default()).expect("within the limit").to_string()
    }

    #[test]
    fn the_ladder_starts_with_the_thousandth_tree_and_rises_every_hundred() {
        assert_eq!(derived(0), "22617.0000000000");
        assert_eq!(derived(999), "22617.0000000000");
        assert_eq!(derived(1_000), "22684.8510000000");
        assert_eq!(derived(1_099), "22684.8510000000");
        assert_eq!(derived(1_100), "22752.7020000000");
        assert_eq!(derived(1_200), "22820.5530000000");
    }

    #[test]
    fn the_last_digit_is_rounded_down() {
        let policy: Policy = serde_json::from_value(json!({
            "price_ladder": { "base": "0.0000000999", "increment": "0.01", "start_tree_number": 0 },
        }))
        .expect("a valid policy");
        let price = contribution_per_tree(0, &policy).expect("within the limit");
        assert_eq!(price.to_string(), "0.0000001008");
    }

    #[test]
    fn a_ladder_beyond_every_amount_is_an_overflow() {
        let policy: Policy = serde_json::from_value(json!({
            "price_ladder": { "base": "999999999999999999.9999999999", "increment": "1", "unit_size": 1 },
        }))
        .expect("a valid policy");
        assert_eq!(contribution_per_tree(999, &policy).map(Amount::from), Ok(Amount::TOTAL_MAX));
        assert_eq!(contribution_per_tree(1_000, &policy), Err(AmountOverflow));
        assert_eq!(contribution_per_tree(u64::MAX, &policy), Err(AmountOverflow));
    }

    #[test]
    fn a_tree_cannot_take_contribution_away() {
        let read = |text: &str| serde_json::from_value::<ContributionPerTree>(json!(text));
        assert!(read("0").is_ok());
        assert!(read("-0.0000000001").expect_err("a refusal").to_string().contains("is negative"));
    }

    proptest! {
        #[test]
        fn more_trees_before_never_make_a_tree_contribute_less(
            before in 0..1_000_000_u64, more in 0..1_000_u64,
        ) {
            let policy = Policy::default();
            let derived = |before| contribution_per_tree(before, &policy).expect("within the limit");
            prop_assert!(derived(before) <= derived(before + more));
        }
    }
}
