//! The functions together, in one process and without a service: what tests drive.

mod calls;
mod client;
mod faulty_engine;
mod harness;
mod ledger;
pub mod source;

pub use calls::{Calls, Permission};
pub use client::{Client, Reply};
pub use faulty_engine::{Afterwards, Fault, FaultyEngine};
pub use harness::{Harness, Options, Shuffle, kafka_event};
pub use ledger::{everything, everything_in, ledger, price_book};
