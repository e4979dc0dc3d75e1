//! Talent levels by events as the service delivers them, on tables in memory.

mod arrival;
mod interleaved;
mod levels;
mod support;
