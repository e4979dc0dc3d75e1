//! Talent levels from rows to every ancestor, on the real functions and embedded services.

mod arrival;
mod bulk;
mod failure;
mod faults;
mod forest;
mod lost_update;
mod support;
