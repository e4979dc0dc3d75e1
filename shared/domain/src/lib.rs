//! The business rules as pure functions over plain values.
//!
//! No clock, no storage and no AWS type is in sight here: everything the ledger computes can be
//! computed, and tested, from the values in this module alone.

mod account;
mod amount;
mod close;
mod date;
mod distribution;
mod ladder;
mod order;
mod policy;
mod talent;
mod unlock;

#[cfg(test)]
mod properties;

pub use account::{
    AccountSequence, InvalidAccount, InvalidRegionCode, Owner, RegionCode, SystemAccount, SystemAccountKind,
};
pub use amount::{Amount, AmountOverflow, InvalidNumber, Rate, Ratio};
pub use close::{Activation, CloseStep, Closing, LateAmount, ratio_remainder};
pub use date::{BusinessDate, InvalidDate, Term};
pub use distribution::{
    Adoption, Ancestor, Distribution, InvalidLeg, Leg, LegType, Recipient, Slot, Unallocated, distribute,
};
pub use ladder::{ContributionPerTree, NegativeContribution, contribution_per_tree};
pub use order::{InvalidOrderId, OrderId, TreeCount};
pub use policy::{Backfill, Bounds, DepthStep, InvalidPolicy, Policy, PriceLadder, Rates};
pub use talent::{
    Assessment, Condition, DirectAtLevel, InvalidTalentTable, Missing, NextLevel, Report, TALENT_DEPTH,
    TalentLevel, TalentRow, TalentTable, Team, TeamChange,
};
pub use unlock::{InvalidUnlockFacts, OrderRange, UnlockFacts, UnlockState, affected_orders};
