//! What a closed date ends with (rules, section 8): computed from the date before and from pages of the log.
//!
//! [`CarriedState`] is what goes from date to date: every account with something, negative ones too, its place in
//! the forest, and its team. [`DayChanges`] is what pages of the log change in it. The published rows are a view of
//! it: [`Totals`] says what each account's [`Row`] is.
//!
//! Nothing here depends on how the pages are stored, or in how many steps they are read.

mod carried;
mod changes;
mod manifest;
mod page_ranges;
mod placement;
mod restated;
mod rows;
mod teams;
#[cfg(test)]
mod tests;
mod turns;

pub use carried::{CarriedAccount, CarriedPage, CarriedState};
pub use changes::{DayChanges, PreviousClose, TreesChange, Window};
pub use manifest::Manifest;
pub use page_ranges::PageRanges;
pub use placement::Placement;
pub use restated::Restated;
pub use rows::{Row, RowsDigest, Totals, Unpublishable, ranked};
pub use teams::{TEAM_LEVELS, TeamTrees};
pub use turns::{Turn, turns_of};
