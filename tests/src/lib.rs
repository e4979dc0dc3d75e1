//! What the ledger is judged by.
//!
//! - [`oracle`]: what must come of a capture, computed in one sorted pass over the source's last rows;
//! - [`capture`]: reading and writing captures, and the ways a broker may deliver one;
//! - [`generate`]: invented captures of any size, and random histories of a source.
//!
//! None of these shares code with the ledger. What judges must not repeat the mistakes of what it
//! judges, so the oracle decodes, calculates and counts days by itself, as plainly as it can.

pub mod calendar;
pub mod capture;
mod connector;
pub mod generate;
pub mod oracle;
