//! How fast the deployed functions are, and what they cost, on published latencies.

mod figures;
mod run;
mod source;
mod standstill;

pub use figures::{Figures, HotKey, Standstill, WriteUnits};
pub use run::{MeasureOptions, Shape, measure};
