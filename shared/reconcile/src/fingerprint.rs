//! Works out what a row says, column by column, and the number that stands for all of it. Pure.

use std::fmt::Write as _;

use cdc::{Column, Reading, Referrer, Region, RowImage};
use chrono::{DateTime, Utc};
use md5::{Digest, Md5};

/// What a row says in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// This, in the decoder's normal form.
    Value(String),
    /// Nothing: the column is null.
    Null,
    /// Nothing: no version of the row names the column.
    Missing,
    /// Something that cannot be read.
    Unreadable(cdc::Problem),
}

impl Said {
    fn of<T: ToString>(reading: &Reading<T>) -> Self {
        match reading {
            Reading::Value(value) => Self::Value(value.to_string()),
            Reading::Null(_) => Self::Null,
            Reading::Missing(_) => Self::Missing,
            Reading::Unreadable(unreadable) => Self::Unreadable(unreadable.problem),
        }
    }

    fn of_option(value: Option<String>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }

    fn of_region(region: &Region) -> Self {
        match region {
            Region::Code(code) => Self::Value(code.as_str().to_owned()),
            Region::None => Self::Null,
            Region::Dropped(unreadable) => Self::Unreadable(unreadable.problem),
        }
    }

    /// Returns whether both mean the same to the rules: only for a referrer is a column that was never named something
    /// else than a null one.
    #[must_use]
    pub fn means(&self, other: &Self, column: Column) -> bool {
        let is_absent = |said: &Self| matches!(said, Self::Null | Self::Missing);
        self == other || (column != Column::Referrer && is_absent(self) && is_absent(other))
    }

    /// Returns it as it is shown to an operator.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Value(value) => value.clone(),
            Self::Null => "null".to_owned(),
            Self::Missing => "never named".to_owned(),
            Self::Unreadable(_) => "unreadable".to_owned(),
        }
    }
}

/// Returns what a row says in each column, in the order in which the columns are digested.
#[must_use]
pub fn said(image: &RowImage) -> Vec<(Column, Said)> {
    match image {
        RowImage::User(user) => vec![
            (Column::Account, Said::of(&user.account)),
            (Column::Status, Said::of_option(user.status.clone())),
            (Column::CreatedAt, milliseconds(user.created_at)),
            (Column::LastActivity, milliseconds(user.last_activity)),
        ],
        RowImage::Referral(referral) => {
            let referrer = match &referral.referrer {
                Referrer::Account(account) => Said::Value(account.to_string()),
                Referrer::None => Said::Null,
                Referrer::Unknown(reading) => Said::of(reading),
            };
            vec![(Column::Account, Said::of(&referral.account)), (Column::Referrer, referrer)]
        }
        RowImage::Adoption(adoption) => vec![
            (Column::Order, Said::of(&adoption.order)),
            (Column::Account, Said::of(&adoption.account)),
            (Column::TreeCount, Said::of(&adoption.tree_count)),
            (Column::ContributionPerTree, Said::of(&adoption.contribution_per_tree)),
            (Column::AdoptionDate, Said::of(&adoption.adoption_date)),
            (Column::Status, Said::of(&adoption.status)),
            (Column::Province, Said::of_region(&adoption.province)),
            (Column::City, Said::of_region(&adoption.city)),
        ],
    }
}

fn milliseconds(time: Option<DateTime<Utc>>) -> Said {
    Said::of_option(time.map(|time| time.timestamp_millis().to_string()))
}

/// Returns the number that stands for a row: the first 64 bits of the MD5 of its key and columns, as a signed number,
/// which is how PostgreSQL has it.
///
/// [`crate::sql`] writes the same as SQL. A value is written with its length, so that no two rows are written alike.
#[must_use]
pub fn fingerprint(primary_key: &str, columns: &[(Column, Said)], compared: &[Column]) -> i64 {
    let mut text = format!("{}={primary_key}", primary_key.chars().count());
    for (_, said) in columns.iter().filter(|(column, _)| compared.contains(column)) {
        text.push(';');
        match said {
            Said::Value(value) => {
                write!(text, "{}={value}", value.chars().count()).expect("a string takes any text");
            }
            Said::Null | Said::Missing => text.push('-'),
            Said::Unreadable(_) => text.push('?'),
        }
    }
    let digest = Md5::digest(text.as_bytes());
    let first: [u8; 8] = std::array::from_fn(|index| digest[index]);
    i64::from_be_bytes(first)
}

/// Returns the columns in which two rows say different things.
#[must_use]
pub fn differing(
    one: &[(Column, Said)],
    other: &[(Column, Said)],
    compared: &[Column],
) -> Vec<(Column, Said, Said)> {
    let pairs = one.iter().zip(other).filter(|((column, _), _)| compared.contains(column));
    pairs
        .filter(|((column, said), (_, other))| !said.means(other, *column))
        .map(|((column, said), (_, other))| (*column, said.clone(), other.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_its_neighbour_cannot_trade_characters_unnoticed() {
        let columns = |one: &str, two: &str| {
            vec![
                (Column::Status, Said::Value(one.to_owned())),
                (Column::Province, Said::Value(two.to_owned())),
            ]
        };
        let all = [Column::Status, Column::Province];
        let number = |one, two| fingerprint("5", &columns(one, two), &all);
        assert_ne!(number("a;1=b", "c"), number("a", "b;1=c"));
        assert_ne!(fingerprint("5", &columns("a", "b"), &all), fingerprint("6", &columns("a", "b"), &all));
        let only_status = [Column::Status];
        assert_eq!(
            fingerprint("5", &columns("a", "b"), &only_status),
            fingerprint("5", &columns("a", "c"), &only_status),
            "a column that is not compared says nothing"
        );
    }

    #[test]
    fn the_number_is_what_postgresql_computes() {
        // select ('x' || substr(md5('2=55;4=PAID;-'), 1, 16))::bit(64)::bigint
        let columns = [(Column::Status, Said::Value("PAID".to_owned())), (Column::Province, Said::Null)];
        assert_eq!(
            fingerprint("55", &columns, &[Column::Status, Column::Province]),
            -4_127_504_116_898_939_193
        );
    }

    #[test]
    fn null_and_never_named_mean_the_same_except_for_a_referrer() {
        assert!(Said::Null.means(&Said::Missing, Column::ContributionPerTree));
        assert!(!Said::Null.means(&Said::Missing, Column::Referrer));
        assert!(!Said::Null.means(&Said::Value("x".to_owned()), Column::Status));
    }
}
