//! Order numbers and numbers of trees.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An adoption's order number: the primary key of the source's order table.
///
/// The ledger is defined by ascending order number (rules, section 5), never by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(NonZeroU64);

impl OrderId {
    /// The smallest order number.
    pub const MIN: Self = Self(NonZeroU64::MIN);
    /// The largest order number: that of a PostgreSQL `bigint`.
    pub const MAX: Self = Self(NonZeroU64::new(i64::MAX as u64).expect("not zero"));

    /// Returns the order with this number; `None` outside 1 to 2⁶³ − 1.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self).filter(|order| *order <= Self::MAX)
    }

    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for OrderId {
    type Err = InvalidOrderId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().and_then(Self::new).ok_or_else(|| InvalidOrderId { text: text.to_owned() })
    }
}

/// Text that is not an order number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an order number: a whole number from 1 to 9223372036854775807")]
pub struct InvalidOrderId {
    text: String,
}

/// The number of trees of an adoption: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeCount(NonZeroU32);

impl TreeCount {
    /// Returns the number of trees; `None` for zero.
    #[must_use]
    pub fn new(count: u32) -> Option<Self> {
        NonZeroU32::new(count).map(Self)
    }

    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for TreeCount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
