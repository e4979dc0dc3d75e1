//! Measurements of the deployed functions: what they take, how fast they are, and for how long they stand still.

mod close;
mod dollars;
mod figures;
mod first_load;
mod measurement;
mod moved;
mod numbers;
mod run;
mod source;
mod standstill;

pub use close::{Closed, close};
pub use dollars::Dollars;
pub use figures::{Figures, HotKey, Standstill, WriteUnits};
pub use first_load::{FirstLoad, first_load};
pub use measurement::{figures, measure};
pub use moved::{MoveOptions, Moved, move_subtree};
pub use run::{MeasureOptions, Posted, Run};
pub use source::{Dates, Plan, Record, Shape, Source, produce};
