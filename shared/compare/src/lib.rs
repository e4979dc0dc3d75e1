//! Says what differs between the ledger and the service that ran before, account by account, and why.
//!
//! Both shared each adoption out into the same parts: the adopter's own, three for system accounts, fifteen levels and
//! three bonuses. So a difference is looked for part by part ([`legs`]), and each gets a [`Reason`]. What an account
//! has less or more is the sum of its differences, to the last digit, and all of them together are the difference of
//! the two totals; [`Comparison::check`] proves it.
//!
//! The earlier service has one account for all provinces and one for all cities. The ledger's are added up to compare.

pub mod comparison;
pub mod csv;
pub mod earlier;
mod language;
pub mod legs;
pub mod mining;
pub mod ours;
pub mod page;
mod reason;
mod unlocks;

pub use comparison::{AccountComparison, Comparison, compare};
pub use earlier::{EarlierLeg, EarlierService, EarlierSnapshotRow};
pub use language::Language;
pub use legs::LegDifference;
pub use mining::{MiningDate, MiningRow, compare_mining};
pub use ours::{OurAccount, OurAdoption, OurDate, Ours};
pub use reason::Reason;
