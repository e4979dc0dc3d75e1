//! Worked examples of the rules, each with numbers worked out by hand.

mod adjustments;
mod backfill;
mod cycles;
mod holds;
mod legs;
mod prices;
mod shadowed;
mod snapshots;
mod source;
mod talent;
mod terms;
mod unlocking;
mod versions;
