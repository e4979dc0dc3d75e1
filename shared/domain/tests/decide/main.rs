//! Tests of the decider as a deployment drives it, without storage.
//!
//! `HISTORIES=1000 cargo test -p domain --test decide histories` runs so many random histories instead of a few.

mod bench;
mod expected;
mod histories;
mod invariants;
mod random;
mod source;
