//! The business rules as pure functions over plain values.
//!
//! This crate has no clock, no storage and no AWS type. Everything that the ledger computes can be computed
//! and tested from these values alone. `docs/rules.md` states the rules; comments cite it by section.

mod account;
mod amount;
mod date;
pub mod decide;
pub mod digest;
mod distribution;
pub mod events;
pub mod heads;
mod hmac;
mod ladder;
pub mod log;
mod order;
mod policy;
mod posting;
pub mod proof;
pub mod recalculate;
mod rows;
mod slot;
pub mod snapshot;
mod talent;
mod team;
mod unlock;
mod versions;
pub mod webhooks;

#[cfg(test)]
mod properties;

pub use account::{
    AccountSequence, InvalidAccount, InvalidRegionCode, Owner, RegionCode, SystemAccount, SystemAccountKind,
};
pub use amount::{Amount, AmountOverflow, InvalidNumber, Rate, Ratio};
pub use date::{BusinessDate, InvalidDate, Term};
pub use distribution::{Adoption, Ancestor, Distribution, Leg, LegType, Recipient, Unallocated, distribute};
pub use ladder::{ContributionPerTree, NegativeContribution, contribution_per_tree};
pub use order::{InvalidOrderId, OrderId, TreeCount};
pub use policy::{Backfill, Bounds, DepthStep, InvalidPolicy, Policy, PriceLadder, Rates};
pub use posting::{Posting, UnlockedLegs};
pub use rows::{AdoptionRow, Column, Link, LinkRef, ReferralRow, RowKey, TermsColumn, TermsFault};
pub use slot::{InvalidLeg, Slot};
pub use talent::{
    Assessment, Condition, DirectAtLevel, InvalidTalentTable, Missing, NextLevel, TalentRow, TalentTable,
};
pub use team::{Report, TALENT_DEPTH, TalentLevel, Team, TeamChange};
pub use unlock::{InvalidUnlockFacts, OrderRange, UnlockFacts, UnlockState, affected_orders};
pub use versions::{InvalidVersion, Version, VersionNumber, VersionTerms, Versions};
