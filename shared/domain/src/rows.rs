//! The source's rows, as far as the rules read them.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AccountSequence, Amount, BusinessDate, RegionCode};

/// The longest key, in bytes of its table and primary key; a stored item's key has no room for more.
const KEY_BYTES_MAX: usize = 900;

/// A row of the source: its primary key as text, and the table it is of.
///
/// Keys that are numbers are ordered as numbers and come before all others, which are ordered as text: where
/// several rows name one account or one order, the greatest key counts (rules, section 6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RowKey {
    primary_key: String,
    table: String,
}

impl RowKey {
    /// Returns the key of the row with this primary key where there is one table.
    pub fn new(primary_key: impl Into<String>) -> Self {
        Self::in_table(primary_key, "")
    }

    /// Returns the key of the row with this primary key in a table: rows of two tables are two rows, whatever their
    /// keys.
    pub fn in_table(primary_key: impl Into<String>, table: impl Into<String>) -> Self {
        Self { primary_key: primary_key.into(), table: table.into() }
    }

    /// Returns the key of the row of a table with these values of its key's columns; `None` where they are all empty,
    /// or longer than a stored key has room for.
    ///
    /// A key is written by its values alone, so that it is the same whether a message has it bare, as an object or in a
    /// schema, and stays the same when a key column is renamed. A key of several columns is written as a JSON list.
    pub fn of_values<V: AsRef<str> + Serialize>(table: &str, values: &[V]) -> Option<Self> {
        let primary_key = match values {
            // What begins like a list is written as one, so that it is told from a key of several columns.
            [value] if !value.as_ref().starts_with('[') => value.as_ref().to_owned(),
            values => serde_json::to_string(values).expect("a list of texts is JSON"),
        };
        let is_usable = values.iter().any(|value| !value.as_ref().is_empty())
            && table.len() + primary_key.len() < KEY_BYTES_MAX;
        is_usable.then(|| Self::in_table(primary_key, table))
    }

    /// Returns the primary key. One of several columns is written as a JSON list.
    #[must_use]
    pub fn primary_key(&self) -> &str {
        &self.primary_key
    }

    /// Returns the table, by the topic that its rows come from.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the values of the key's columns, where there are several.
    fn columns(&self) -> Option<Vec<String>> {
        let is_list = self.primary_key.starts_with('[');
        is_list.then(|| serde_json::from_str(&self.primary_key).ok()).flatten()
    }
}

/// Keys are compared column by column, numbers as numbers and otherwise as text (rules, section 6).
impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_columns = match (self.columns(), other.columns()) {
            (Some(own), Some(others)) => {
                let columns = own.iter().zip(&others).map(|(own, other)| cmp_column(own, other));
                columns.fold(Ordering::Equal, Ordering::then).then(own.len().cmp(&others.len()))
            }
            _ => cmp_column(&self.primary_key, &other.primary_key),
        };
        let by_text = || self.primary_key.cmp(&other.primary_key).then_with(|| self.table.cmp(&other.table));
        by_columns.then_with(by_text)
    }
}

/// Compares two values of a key's column: a number comes before a text.
fn cmp_column(own: &str, other: &str) -> Ordering {
    match (number(own), number(other)) {
        (Some(own), Some(other)) => own.cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => own.cmp(other),
    }
}

/// A number with any number of digits.
#[derive(PartialEq, Eq)]
struct Number<'a> {
    is_negative: bool,
    integer: &'a str,
    fraction: &'a str,
}

/// Returns the value of a key's column as a number, if it is written as a number is.
fn number(column: &str) -> Option<Number<'_>> {
    let digits = column.strip_prefix('-').unwrap_or(column);
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let is_normal =
        is_digits(integer) && is_digits(fraction) && (integer == "0" || !integer.starts_with('0'));
    let is_negative = column.starts_with('-');
    is_normal.then(|| Number { is_negative, integer, fraction: fraction.trim_end_matches('0') })
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = |number: &Self| (number.integer.len(), number.integer, number.fraction);
        match (self.is_negative, other.is_negative) {
            (false, false) => magnitude(self).cmp(&magnitude(other)),
            (true, true) => magnitude(other).cmp(&magnitude(self)),
            (own, others) => others.cmp(&own),
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table.as_str() {
            "" => formatter.write_str(&self.primary_key),
            table => write!(formatter, "{} in {table}", self.primary_key),
        }
    }
}

/// A column that decides something: its value, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Column<T> {
    /// The row has a value that can be read.
    Value(T),
    /// The row has no value.
    Missing,
    /// The row has a value that cannot be read.
    Unreadable,
}

impl<T> Column<T> {
    /// Returns the value, or what is wrong with the column of this name.
    pub fn read(&self, column: TermsColumn) -> Result<&T, TermsFault> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Missing => Err(TermsFault::Missing(column)),
            Self::Unreadable => Err(TermsFault::Unreadable(column)),
        }
    }
}

/// A column of an adoption that its terms need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermsColumn {
    /// The adopter's account.
    Account,
    /// The number of trees.
    Trees,
    /// The contribution per tree.
    Price,
    /// The adoption date.
    Date,
}

impl TermsColumn {
    /// Returns the column's name on every wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Trees => "trees",
            Self::Price => "price",
            Self::Date => "date",
        }
    }
}

/// What is wrong with the terms of an adoption (rules, section 6: `INVALID_TERMS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
pub enum TermsFault {
    /// The row has no value in this column.
    #[error("the {} is missing", .0.name())]
    Missing(TermsColumn),
    /// The row has a value in this column that cannot be read.
    #[error("the {} cannot be read", .0.name())]
    Unreadable(TermsColumn),
    /// The value of this column is outside the policy's bounds.
    #[error("the {} is outside the bounds of the policy", .0.name())]
    OutOfBounds(TermsColumn),
    /// Trees times price needs more than 18 integer digits.
    #[error("the total needs more than 18 integer digits")]
    TotalTooLarge,
}

/// A row of the adoptions' table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionRow {
    /// The adopter.
    pub account: Column<AccountSequence>,
    /// The number of trees, whatever the source says.
    pub trees: Column<i64>,
    /// The contribution per tree; `Value(None)` where the source has none.
    pub price: Column<Option<Amount>>,
    /// The adoption date.
    pub date: Column<BusinessDate>,
    /// The status, without blanks at its end.
    pub status: String,
    /// The province, where it is usable as a code.
    pub province: Option<RegionCode>,
    /// The city, where it is usable as a code.
    pub city: Option<RegionCode>,
}

/// A row of the referrals' table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferralRow {
    /// The account that was referred.
    pub account: AccountSequence,
    /// Its referrer; `None` makes it a root.
    pub referrer: Option<AccountSequence>,
}

/// Where an account hangs in the referral forest, as far as decisions are concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// No referral row names the account.
    #[default]
    Missing,
    /// Its row has no referrer.
    Root,
    /// Its row names this referrer.
    Under(AccountSequence),
}

impl Link {
    /// Returns the referrer, if there is one.
    #[must_use]
    pub fn referrer(&self) -> Option<&AccountSequence> {
        self.borrowed().referrer()
    }

    /// Returns the link without its own copy of the referrer.
    #[must_use]
    pub fn borrowed(&self) -> LinkRef<'_> {
        match self {
            Self::Missing => LinkRef::Missing,
            Self::Root => LinkRef::Root,
            Self::Under(referrer) => LinkRef::Under(referrer),
        }
    }
}

/// A [`Link`] that borrows the referrer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRef<'a> {
    /// No referral row names the account.
    Missing,
    /// Its row has no referrer.
    Root,
    /// Its row names this referrer.
    Under(&'a AccountSequence),
}

impl<'a> LinkRef<'a> {
    /// Returns the referrer, if there is one.
    #[must_use]
    pub fn referrer(self) -> Option<&'a AccountSequence> {
        match self {
            Self::Under(referrer) => Some(referrer),
            Self::Missing | Self::Root => None,
        }
    }
}

impl From<LinkRef<'_>> for Link {
    fn from(link: LinkRef<'_>) -> Self {
        match link {
            LinkRef::Missing => Self::Missing,
            LinkRef::Root => Self::Root,
            LinkRef::Under(referrer) => Self::Under(referrer.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_numbers_where_they_are_numbers() {
        let long = "123456789012345678901234567890123456789012";
        let mut keys: Vec<RowKey> =
            ["b", "10", long, "10.5", "a", "9", "9.5", "-10", "-3", "-3.25", "0", "007", "1."]
                .map(RowKey::new)
                .into();
        keys.sort();
        let texts: Vec<&str> = keys.iter().map(RowKey::primary_key).collect();
        assert_eq!(texts, ["-10", "-3.25", "-3", "0", "9", "9.5", "10", "10.5", long, "007", "1.", "a", "b"]);
    }

    #[test]
    fn keys_of_several_columns_are_ordered_column_by_column() {
        let key = |values: &[&str]| RowKey::of_values("s.t", values).expect("a key");
        let mut keys =
            [&["10", "a"], &["9", "b"], &["9", "a"], &["x", "1"], &["9", "-1"]].map(|values| key(values));
        keys.sort();
        let texts: Vec<&str> = keys.iter().map(RowKey::primary_key).collect();
        let expected = [r#"["9","-1"]"#, r#"["9","a"]"#, r#"["9","b"]"#, r#"["10","a"]"#, r#"["x","1"]"#];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_key_of_several_columns_is_told_from_one_that_looks_like_it() {
        let written = |values: &[&str]| {
            RowKey::of_values("s.t", values).map(|key| (key.primary_key().to_owned(), key.table().to_owned()))
        };
        for (values, expected) in [
            (&["55"][..], "55"),
            (&["a/b"], "a/b"),
            (&["7", "x"], r#"["7","x"]"#),
            (&[r#"["7","x"]"#], r#"["[\"7\",\"x\"]"]"#),
        ] {
            assert_eq!(written(values), Some((expected.to_owned(), "s.t".to_owned())));
        }
        for values in [&[][..], &[""], &[&"x".repeat(900)]] {
            assert_eq!(written(values), None);
        }
    }

    #[test]
    fn keys_of_two_tables_are_ordered_by_the_primary_key_and_then_by_the_table() {
        let mut keys: Vec<RowKey> =
            [("10", "s"), ("9", "t"), ("a", "s"), ("9", "s"), ("a b", "s"), ("a", "t")]
                .map(|(primary_key, table)| RowKey::in_table(primary_key, table))
                .into();
        keys.sort();
        let texts: Vec<String> = keys.iter().map(RowKey::to_string).collect();
        assert_eq!(texts, ["9 in s", "9 in t", "10 in s", "a in s", "a in t", "a b in s"]);
    }
}
