//! The ledger's tables in one SQLite file, for a ledger on one machine.
//!
//! - A data directory has one owner at a time: [`SqliteEngine::open`] takes a lock that ends with the process,
//!   however it ends.
//! - A write that was answered survives a killed process. After a power cut the latest writes may be gone;
//!   what is left is the state after one of them.
//! - The files are readable by their owner only, because they may hold what the source sent by mistake.
//! - The first write that the disk does not take makes every later write fail at once with the same
//!   message, which [`SqliteEngine::failure`] gives as well. The tables stay as they were, and the next start
//!   finds them so.

mod directory;
mod engine;
mod rows;

pub use directory::OpenError;
pub use engine::SqliteEngine;
