//! What a message says about each column that the ledger reads.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A column that the ledger reads, whatever the source calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The order number of an adoption.
    Order,
    /// The account: of a user, of who was referred, of who adopts.
    Account,
    /// The account that referred another.
    Referrer,
    /// How many trees.
    TreeCount,
    /// The contribution of each tree.
    ContributionPerTree,
    /// The day of the adoption.
    AdoptionDate,
    /// The status.
    Status,
    /// The province.
    Province,
    /// The city.
    City,
    /// When a user registered.
    CreatedAt,
    /// When a user was last seen.
    LastActivity,
}

impl Column {
    const ALL: [(Self, char, &'static str); 11] = [
        (Self::Order, 'o', "order"),
        (Self::Account, 'a', "account"),
        (Self::Referrer, 'r', "referrer"),
        (Self::TreeCount, 't', "tree_count"),
        (Self::ContributionPerTree, 'p', "contribution_per_tree"),
        (Self::AdoptionDate, 'd', "adoption_date"),
        (Self::Status, 's', "status"),
        (Self::Province, 'v', "province"),
        (Self::City, 'c', "city"),
        (Self::CreatedAt, 'b', "created_at"),
        (Self::LastActivity, 'l', "last_activity"),
    ];

    /// Returns the name that the profile has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().2
    }

    fn entry(self) -> (Self, char, &'static str) {
        let found = Self::ALL.into_iter().find(|(column, ..)| *column == self);
        found.expect("every column is in the list, which a test checks")
    }
}

/// One of the names that the profile lists for a column: the first has number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Alias {
    pub(crate) column: Column,
    pub(crate) number: u8,
}

impl fmt::Display for Alias {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, letter, _) = self.column.entry();
        if self.number == 0 {
            write!(formatter, "{letter}")
        } else {
            write!(formatter, "{letter}{}", self.number)
        }
    }
}

impl FromStr for Alias {
    type Err = UnknownAlias;

    fn from_str(text: &str) -> Result<Self, UnknownAlias> {
        let mut characters = text.chars();
        let letter = characters.next().ok_or(UnknownAlias)?;
        let number = characters.as_str();
        let (column, ..) = Column::ALL.into_iter().find(|entry| entry.1 == letter).ok_or(UnknownAlias)?;
        let number = if number.is_empty() { 0 } else { number.parse().map_err(|_| UnknownAlias)? };
        Ok(Self { column, number })
    }
}

/// A stored row names a column that this version of the decoder does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored row names an unknown column; rebuild it from the source")]
pub(crate) struct UnknownAlias;

impl TryFrom<String> for Alias {
    type Error = UnknownAlias;

    fn try_from(text: String) -> Result<Self, UnknownAlias> {
        text.parse()
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.to_string()
    }
}

/// The columns that a message names. One that it leaves out is not in the map.
pub(crate) type Cells = BTreeMap<Alias, Cell>;

/// What a message has in a column that it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    /// A value, in one normal form whatever way it was written.
    Value(String),
    /// Something that cannot be read.
    Unreadable(Unreadable),
    /// Null, or blanks where a text is expected.
    Null,
}

/// A value that cannot be read: where it stands and what is wrong with it. Never the value itself,
/// because a column that was mistaken for another may hold anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[error("the column `{column}` is not {}", .problem.expected())]
pub struct Unreadable {
    /// The column's name in the source.
    #[serde(rename = "c")]
    pub column: String,
    /// What is wrong.
    #[serde(rename = "p")]
    pub problem: Problem,
}

/// What a value should have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Problem {
    /// Not an order number.
    #[serde(rename = "order")]
    Order,
    /// Not an account.
    #[serde(rename = "account")]
    Account,
    /// Not a whole number.
    #[serde(rename = "number")]
    WholeNumber,
    /// Not a decimal number.
    #[serde(rename = "decimal")]
    Decimal,
    /// Text that could be the bytes of a decimal, but neither a schema nor the profile says so.
    #[serde(rename = "bytes")]
    BytesWithoutScale,
    /// Not a date or time.
    #[serde(rename = "date")]
    Date,
    /// Not a text, or too long.
    #[serde(rename = "text")]
    Text,
    /// Not a region: empty, longer than 64 characters, or not a text.
    #[serde(rename = "region")]
    Region,
}

impl Problem {
    /// Returns what was expected, to complete "the column is not".
    #[must_use]
    pub fn expected(self) -> &'static str {
        match self {
            Self::Order => "an order number: a whole number from 1 to 9223372036854775807",
            Self::Account => "an account: one to 40 letters, digits, '-' or '_'",
            Self::WholeNumber => "a whole number of at most 18 digits",
            Self::Decimal => "a decimal number of at most 28 integer digits",
            Self::BytesWithoutScale => {
                "a decimal number; where it is the bytes of one, give `decimal_scale` in the profile, or set \
                 decimal.handling.mode=string or value.converter.schemas.enable=true on the connector"
            }
            Self::Date => {
                "a date or time of the years 1970 to 9880, as ISO 8601 text or as a number whose unit the \
                 schema or the profile's `time_unit` gives"
            }
            Self::Text => "a text of one to 64 characters",
            Self::Region => "a region: a text of one to 64 characters",
        }
    }
}

/// What a row says about one column, as it finally stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// No version of the row since its insert names the column.
    Missing(Column),
    /// The column is null.
    Null(Column),
    /// The column has this value.
    Value(T),
    /// The column has something in it that cannot be read.
    Unreadable(Unreadable),
}

impl<T> Reading<T> {
    /// Returns the value, if there is a readable one.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    /// Returns whether there is something that cannot be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable(_))
    }

    /// Returns whether there is no value, because the column is null or was never named.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Null(_))
    }

    /// Returns why there is no value, in words for a listing, with the profile by which the column was looked
    /// for.
    #[must_use]
    pub fn why_not(&self, profile: &str) -> Option<String> {
        match self {
            Self::Value(_) => None,
            Self::Missing(column) => Some(format!(
                "no column of the row is the `{}` of profile {profile}; let the connector include it, or \
                 name it in the profile's `columns`",
                column.name()
            )),
            Self::Null(column) => Some(format!("the `{}` of profile {profile} is null", column.name())),
            Self::Unreadable(unreadable) => Some(format!("{unreadable} (profile {profile})")),
        }
    }

    /// Returns the same with another kind of value.
    #[must_use]
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Missing(column) => Reading::Missing(column),
            Self::Null(column) => Reading::Null(column),
            Self::Value(value) => Reading::Value(convert(value)),
            Self::Unreadable(unreadable) => Reading::Unreadable(unreadable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_letter_of_its_own_and_reads_back() {
        for (column, _, _) in Column::ALL {
            for number in [0, 1, 12] {
                let alias = Alias { column, number };
                assert_eq!(alias.to_string().parse(), Ok(alias));
            }
        }
        for text in ["", "z", "o-1", "o256"] {
            assert_eq!(text.parse::<Alias>(), Err(UnknownAlias));
        }
    }

    #[test]
    fn a_cell_is_stored_as_its_text_null_or_what_is_wrong_with_it() {
        let unreadable = Unreadable { column: "trees".to_owned(), problem: Problem::WholeNumber };
        for (cell, json) in [
            (Cell::Null, "null"),
            (Cell::Value("7".to_owned()), "\"7\""),
            (Cell::Unreadable(unreadable), r#"{"c":"trees","p":"number"}"#),
        ] {
            assert_eq!(serde_json::to_string(&cell).expect("JSON"), json);
            assert_eq!(serde_json::from_str::<Cell>(json).expect("a cell"), cell);
        }
    }
}
