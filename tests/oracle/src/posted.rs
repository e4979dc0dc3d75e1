//! A posted adoption as others see it.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::Amount;
use crate::distribution::{LegKind, Unallocated};
use crate::judgement::Judgement;
use crate::rows::OrderId;

/// A posted adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The adopter.
    pub account: Arc<str>,
    /// How many trees.
    pub trees: u64,
    /// What all legs sum to.
    pub total: Amount,
    /// The number of the version that judges it.
    pub version: u32,
    /// The first date on which it counts.
    pub effective_date: NaiveDate,
    /// The first date on which what expires of it no longer counts.
    pub expire_date: NaiveDate,
    /// Its legs, in the order of the rules, each where it finally is.
    pub legs: Vec<DistributionLeg>,
}

/// A leg of a posted adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionLeg {
    /// What it is for.
    pub kind: LegKind,
    /// The account or system account that has it.
    pub owner: Arc<str>,
    /// The ancestor that has not unlocked it.
    pub would_be: Option<Arc<str>>,
    /// Why headquarters has it instead of an ancestor.
    pub unallocated: Option<Unallocated>,
    /// How much it is.
    pub amount: Amount,
    /// The first date on which it no longer counts; that of an owner that never expires has none.
    pub expire_date: Option<NaiveDate>,
}

impl Judgement {
    /// Returns the numbers of the posted adoptions, ascending.
    pub fn posted(&self) -> impl Iterator<Item = OrderId> + '_ {
        self.postings.keys().copied()
    }

    /// Returns a posted adoption.
    #[must_use]
    pub fn distribution(&self, order_id: OrderId) -> Option<Distribution> {
        let posting = self.postings.get(&order_id)?;
        let name = |party| Arc::clone(self.parties.name(party));
        let legs = self.legs_of(posting).into_iter().map(|leg| DistributionLeg {
            kind: leg.kind,
            owner: name(leg.owner),
            would_be: leg.would_be.map(name),
            unallocated: leg.unallocated(),
            amount: leg.amount,
            expire_date: leg.until,
        });
        Some(Distribution {
            account: name(posting.account),
            trees: posting.trees,
            total: posting.total,
            version: posting.version,
            effective_date: posting.effective_date(),
            expire_date: posting.expire_date(self.policy_of(posting)),
            legs: legs.collect(),
        })
    }
}
