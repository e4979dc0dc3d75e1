//! The independent judge of the contribution ledger.
//!
//! The rules say that the ledger is a function of its inputs. So the oracle forgets how they arrived: it takes the
//! source's tables as they finally are, sorts the orders and goes through them once. It is slow where the ledger
//! must be fast and has no state where the ledger has much, which is why it can be trusted. It shares no code
//! with the ledger: its arithmetic, its dates and its reading of captures are its own.
//!
//! - [`Judgement::of`] says what must be in the ledger for given [`Inputs`]; [`Judgement::golden`] writes that in
//!   the form of the golden files.
//! - [`reader::final_tables`] reads the tables from a capture.
//! - [`generate`] invents sources and their histories.
//! - [`compare::differences`] names what two ledgers differ in.
//!
//! It does not judge what depends on time: brakes, the guard, what waits, the cuts of closes.

mod accounts;
mod amount;
pub mod capture;
pub mod compare;
mod distribution;
mod facts;
mod forest;
pub mod generate;
mod golden;
mod held;
mod in_force;
mod judgement;
mod parties;
mod policy;
mod posted;
pub mod reader;
pub mod rows;
mod snapshot;
mod talent;
mod terms;

pub use self::accounts::{Account, SystemAccount, TEAM_LEVELS, Team};
pub use self::amount::{Amount, Rate, Ratio};
pub use self::distribution::{LegKind, Unallocated};
pub use self::golden::GOLDEN_PARTS;
pub use self::held::HoldReason;
pub use self::in_force::Shadowed;
pub use self::judgement::{Adjustment, Inputs, Judgement, OddRegion, Place};
pub use self::policy::{
    Backfill, Bounds, DepthStep, DirectAtLevel, Policy, PriceLadder, Rates, SystemKind, TalentRow,
    TalentTable, Version, Versions,
};
pub use self::posted::{Distribution, DistributionLeg};
pub use self::snapshot::{NegativeHeadquarters, Restated, Snapshot, SnapshotRow, restated};
pub use self::talent::Talent;
