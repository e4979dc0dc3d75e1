//! The functions together, in one process and without a service: what tests drive.

mod calls;
mod captured;
mod client;
mod counted_engine;
mod faulty_engine;
mod harness;
pub mod large_network;
mod ledger;
pub mod source;

pub use calls::{Calls, Permission};
pub use captured::captured;
pub use client::{Client, Reply};
pub use counted_engine::{Counted, CountedEngine};
pub use faulty_engine::{Afterwards, Fault, FaultyEngine};
pub use harness::{Harness, Options, Shuffle, kafka_event};
pub use ledger::{everything, everything_in, ledger, ledger_on, price_book};
