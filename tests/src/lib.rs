//! The functions together, in one process and without a service: what tests drive.

mod harness;
mod ledger;

pub use harness::{Harness, Options, Shuffle};
pub use ledger::{ledger, price_book};
