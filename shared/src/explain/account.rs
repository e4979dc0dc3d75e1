//! What one account has to do with one adoption.

use serde::{Deserialize, Serialize};

use super::adoption::{AdoptionExplanation, AncestorExplanation, EntryExplanation, LegExplanation, Standing};
use crate::rules::{AccountSequence, Amount, OrderId, Owner, Recipient};

/// Why an account received something of an adoption, or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountExplanation {
    /// The adoption.
    pub order: OrderId,
    /// The account.
    pub account: AccountSequence,
    /// What became of the adoption.
    pub standing: Standing,
    /// What the two have to do with each other.
    pub relation: Relation,
    /// What it had unlocked, if it is an ancestor that takes part.
    pub ancestor: Option<AncestorExplanation>,
    /// What it received, in sum.
    pub total: Amount,
    /// What it received.
    pub received: Vec<LegExplanation>,
    /// What would have been its own, and went to headquarters.
    pub missed: Vec<LegExplanation>,
    /// The entries that gave it something or took something away after the distribution.
    pub corrections: Vec<EntryExplanation>,
}

/// What an account has to do with an adoption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "relation", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Relation {
    /// It adopted.
    Adopter,
    /// It is an ancestor of the adopter, within the levels.
    Ancestor {
        /// How many levels above the adopter.
        level: u8,
    },
    /// It is an ancestor of the adopter, too far above.
    BeyondLevels {
        /// How many levels above the adopter.
        level: u32,
        /// How many take part.
        levels: u8,
    },
    /// It is no ancestor of the adopter.
    NotAnAncestor,
    /// Whether it is an ancestor is not known, because this account's referral row is missing.
    ChainUnknown {
        /// Whose row is missing.
        missing: AccountSequence,
    },
    /// The adopter is not known.
    Unknown,
}

impl AccountExplanation {
    pub(super) fn new(adoption: &AdoptionExplanation, account: &AccountSequence, relation: Relation) -> Self {
        let owner = Owner::User(account.clone());
        let legs = |is_wanted: &dyn Fn(&LegExplanation) -> bool| -> Vec<LegExplanation> {
            adoption.legs.iter().filter(|leg| is_wanted(leg)).cloned().collect()
        };
        let received = legs(&|leg| leg.owner == owner);
        let missed = legs(&|leg| leg.would_be.as_ref() == Some(account));
        let names = |recipient: &Option<Recipient>| {
            recipient
                .as_ref()
                .is_some_and(|recipient| recipient.owner() == owner || recipient.would_be() == Some(account))
        };
        let mut corrections: Vec<EntryExplanation> =
            adoption.entries.iter().filter(|entry| entry.number > 0).cloned().collect();
        corrections.retain_mut(|entry| {
            let concerns_every_share = entry.moves.is_empty();
            entry.moves.retain(|moved| names(&moved.from) || names(&moved.to));
            concerns_every_share || !entry.moves.is_empty()
        });
        let total = received.iter().map(|leg| leg.amount.units()).sum();
        Self {
            order: adoption.order,
            account: account.clone(),
            standing: adoption.standing.clone(),
            relation,
            ancestor: adoption.ancestors.iter().find(|ancestor| ancestor.account == *account).cloned(),
            total: Amount::from_units(total).unwrap_or_default(),
            corrections,
            received,
            missed,
        }
    }
}
