//! Tests of the decider as a deployment drives it, without storage.
//!
//! `HISTORIES=1000 cargo test -p domain --test decide histories` runs so many random histories instead of a few.

mod bench;
mod closes;
mod commands;
mod corrections;
mod encodings;
mod expected;
mod histories;
mod holds;
mod invariants;
mod moves;
mod prices;
mod random;
mod source;
mod table;
