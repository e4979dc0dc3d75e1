//! The shares that an adoption is divided into (rules, section 4).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::account::text_form;

/// The share of an adoption that a leg is. Slots ascend in the order in which legs are written.
///
/// Written `PERSONAL`, `OPERATION`, `PROVINCE`, `CITY`, `L1` to `L15`, `B1` to `B3`, `ROUNDING`:
/// readable where it is stored, and short where there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Slot {
    /// The adopter's own share.
    Personal,
    /// The operation account's share.
    Operation,
    /// The province's share.
    Province,
    /// The city's share.
    City,
    /// The share of the ancestor this many levels up; 1 is the referrer.
    TeamLevel(u8),
    /// The referrer's bonus of this tier, counted from 1.
    TeamBonus(u8),
    /// What rounding left over.
    Rounding,
}

impl Slot {
    /// Returns the ancestor whose unlocks decide the owner of this share. `ancestors` are the adopter's,
    /// referrer first. Returns `None` if no unlock decides the share, or the chain ends below that ancestor.
    #[must_use]
    pub fn decider<T>(self, ancestors: &[T]) -> Option<&T> {
        match self {
            Self::TeamLevel(level) => ancestors.get(usize::from(level) - 1),
            Self::TeamBonus(_) => ancestors.first(),
            Self::Personal | Self::Operation | Self::Province | Self::City | Self::Rounding => None,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Personal => formatter.write_str("PERSONAL"),
            Self::Operation => formatter.write_str("OPERATION"),
            Self::Province => formatter.write_str("PROVINCE"),
            Self::City => formatter.write_str("CITY"),
            Self::TeamLevel(level) => write!(formatter, "L{level}"),
            Self::TeamBonus(tier) => write!(formatter, "B{tier}"),
            Self::Rounding => formatter.write_str("ROUNDING"),
        }
    }
}

impl FromStr for Slot {
    type Err = InvalidLeg;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let index = |digits: &str| digits.parse().ok().filter(|index| *index >= 1);
        let slot = match text {
            "PERSONAL" => Some(Self::Personal),
            "OPERATION" => Some(Self::Operation),
            "PROVINCE" => Some(Self::Province),
            "CITY" => Some(Self::City),
            "ROUNDING" => Some(Self::Rounding),
            _ => match text.split_at_checked(1) {
                Some(("L", level)) => index(level).map(Self::TeamLevel),
                Some(("B", tier)) => index(tier).map(Self::TeamBonus),
                _ => None,
            },
        };
        // One slot has one spelling, although `parse` also reads `+1` and `01`.
        slot.filter(|slot| slot.to_string() == text).ok_or_else(|| InvalidLeg::new(text, "a leg's slot"))
    }
}

/// Text that is not part of a leg.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct InvalidLeg {
    text: String,
    expected: &'static str,
}

impl InvalidLeg {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

text_form!(Slot);
