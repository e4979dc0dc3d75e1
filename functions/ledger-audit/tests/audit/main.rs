//! Digest, export, check and audit of ledgers that the functions themselves made.

mod audits;
mod digests;
mod exports;
mod moving;
mod plans;
mod repairs;
mod source;
mod stack;
mod talents;
