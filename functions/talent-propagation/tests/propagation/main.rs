//! Talent levels by events as the service delivers them, on tables in memory.

mod arrival;
mod interleaved;
mod interrupted;
mod levels;
mod support;
