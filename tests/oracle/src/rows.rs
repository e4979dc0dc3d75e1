//! The source's tables as they finally are.

use std::fmt;

use chrono::NaiveDate;

use crate::Amount;

/// The live rows of the three tables, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// Users, which decide only whose talent level is published.
    pub users: Vec<UserRow>,
    /// Who referred whom.
    pub referrals: Vec<ReferralRow>,
    /// Orders of trees.
    pub adoptions: Vec<AdoptionRow>,
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Users.
    Users,
    /// Referrals.
    Referrals,
    /// Adoptions.
    Adoptions,
}

impl Table {
    /// Returns its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Referrals => "referrals",
            Self::Adoptions => "adoptions",
        }
    }
}

/// A row's primary key: the parts of one that spans several columns, in the order of the columns' names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrimaryKey(pub Vec<KeyPart>);

impl PrimaryKey {
    /// Returns the key of a table that numbers its rows.
    #[must_use]
    pub fn number(number: i64) -> Self {
        Self(vec![KeyPart::Number(number.into())])
    }

    /// Returns the key that a text states: a whole number is one, anything else is text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(vec![KeyPart::of_text(text)])
    }
}

/// A part of a primary key. Numbers compare as numbers, text as text, and a number is less than text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPart {
    /// A whole number.
    Number(i128),
    /// Anything else.
    Text(String),
}

impl KeyPart {
    /// Returns the part that a text states. `0012` is text, because no number is written so.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let text = text.trim_end_matches(' ');
        match text.parse::<i128>() {
            Ok(number) if number.to_string() == text => Self::Number(number),
            _ => Self::Text(text.to_owned()),
        }
    }
}

/// An order's number in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub(crate) u64);

impl OrderId {
    /// Returns the order of this number, if it is positive.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A column that decides, as the source has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Term<T> {
    /// Null, or no such column.
    #[default]
    Missing,
    /// There, and not a value of its kind.
    Unreadable,
    /// A value.
    Given(T),
}

impl<T> Term<T> {
    /// Returns the value, if there is one.
    pub fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Missing | Self::Unreadable => None,
        }
    }

    /// Returns the term with a reference to its value.
    pub fn as_ref(&self) -> Term<&T> {
        match self {
            Self::Missing => Term::Missing,
            Self::Unreadable => Term::Unreadable,
            Self::Given(value) => Term::Given(value),
        }
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Its primary key.
    pub key: PrimaryKey,
    /// The account; a row without one decides nothing.
    pub account: String,
}

/// A referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferralRow {
    /// Its primary key.
    pub key: PrimaryKey,
    /// The account that was referred; a row without one decides nothing.
    pub account: String,
    /// The account's referrer; a root has none, or an empty one.
    pub referrer: Option<String>,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptionRow {
    /// Its primary key.
    pub key: PrimaryKey,
    /// Its number.
    pub order_id: OrderId,
    /// Who adopts.
    pub account: Term<String>,
    /// How many trees.
    pub trees: Term<i64>,
    /// What a tree contributes, where the source says so.
    pub price: Term<Amount>,
    /// The date of the adoption.
    pub adoption_date: Term<NaiveDate>,
    /// The date that counts if the adoption has none of its own.
    pub created_on: Term<NaiveDate>,
    /// The status as written.
    pub status: String,
    /// The province's code as written.
    pub province: Option<String>,
    /// The city's code as written.
    pub city: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_compare_as_numbers_where_they_are_numbers_and_as_text_otherwise() {
        assert!(PrimaryKey::text("9") < PrimaryKey::text("10"));
        assert!(PrimaryKey::number(9) < PrimaryKey::text("10"));
        assert!(PrimaryKey::text("bbbb-9") > PrimaryKey::text("bbbb-10"));
        assert!(PrimaryKey::text("0012") > PrimaryKey::text("9"), "text is greater than a number");
        assert_eq!(PrimaryKey::text("12  "), PrimaryKey::number(12));
    }
}
