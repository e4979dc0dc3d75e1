//! What the ledger is judged by.
//!
//! - [`oracle`]: what must come of a capture, computed in one sorted pass over the source's last rows;
//! - [`calendar`]: days, counted without a calendar library;
//! - [`capture`]: reading and writing captures, and the ways a broker may deliver one;
//! - [`generate`]: invented captures of any size, and random histories of a source;
//! - [`golden`]: captures of a real connector, with what must come of them;
//! - [`lambda_runtime`]: compiled functions behind a Lambda Runtime API, over embedded services;
//! - [`services`]: embedded tables and queues as the template declares them;
//! - [`triggers`]: the events of `events/`, and what each is for;
//! - [`simulation`]: the functions over a real store, with redelivery, concurrency and crashes.
//!
//! The oracle and the generators share no code with the ledger. What judges must not repeat the mistakes of what it
//! judges, so the oracle decodes, calculates and counts days by itself, as plainly as it can.

pub mod calendar;
pub mod capture;
mod connector;
pub mod generate;
pub mod golden;
pub mod lambda_runtime;
pub mod oracle;
pub mod services;
pub mod simulation;
pub mod triggers;
