//! An item as a table keeps it.

use crate::value::Item;

/// An item as it is stored, with what is often asked of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    /// The item.
    pub item: Item,
    /// The bytes that it counts for.
    pub bytes: usize,
    /// The number of the write that stored it, within its table.
    pub version: u64,
}
