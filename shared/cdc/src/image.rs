//! A row as it finally stands.

use chrono::{DateTime, Utc};

use super::column::{Reading, Unreadable};
use super::decimal::Price;
use domain::{AccountSequence, BusinessDate, OrderId, RegionCode};

/// A row as it finally stands.
///
/// Whether it counts is not judged here. A number outside every bound is readable; what is missing, null
/// or unreadable says so in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowImage {
    /// A user.
    User(UserImage),
    /// Who referred an account.
    Referral(ReferralImage),
    /// An order of trees.
    Adoption(AdoptionImage),
}

impl RowImage {
    /// Returns the business key that the row has now, if it can be read.
    #[must_use]
    pub fn business_key(&self) -> Option<BusinessKey> {
        match self {
            Self::User(user) => user.account.value().cloned().map(BusinessKey::Account),
            Self::Referral(referral) => referral.account.value().cloned().map(BusinessKey::Account),
            Self::Adoption(adoption) => adoption.order.value().copied().map(BusinessKey::Order),
        }
    }
}

/// What the rules know a row by: an account, or an order number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BusinessKey {
    /// The account of a user or of a referral.
    Account(AccountSequence),
    /// The number of an adoption.
    Order(OrderId),
}

/// A user, as far as the ledger wants to know. Only the account is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserImage {
    /// The user's account.
    pub account: Reading<AccountSequence>,
    /// The status, as the source writes it, without blanks at its end.
    pub status: Option<String>,
    /// When the user registered.
    pub created_at: Option<DateTime<Utc>>,
    /// When the user was last seen, if the profile names a column for it.
    pub last_activity: Option<DateTime<Utc>>,
}

/// Who referred an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferralImage {
    /// The account that was referred.
    pub account: Reading<AccountSequence>,
    /// Who referred it.
    pub referrer: Referrer,
}

/// Who referred an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referrer {
    /// This account, which may be the account itself.
    Account(AccountSequence),
    /// No account: the column is null, or nothing but blanks.
    None,
    /// Unknown: the column cannot be read, or no message has named it. Such a row is not a root, it
    /// counts as missing.
    Unknown(Reading<AccountSequence>),
}

/// An order of trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptionImage {
    /// Its number.
    pub order: Reading<OrderId>,
    /// Who adopts.
    pub account: Reading<AccountSequence>,
    /// How many trees: any number.
    pub tree_count: Reading<i64>,
    /// The contribution of each tree, rounded down to ten decimals: any number. Where it is absent, the
    /// rules derive it; where it is unreadable, they do not.
    pub contribution_per_tree: Reading<Price>,
    /// The day of the adoption.
    pub adoption_date: Reading<BusinessDate>,
    /// The status, as the source writes it, without blanks at its end.
    pub status: Reading<String>,
    /// The province it is for.
    pub province: Region,
    /// The city it is for.
    pub city: Region,
}

/// A province or a city. It never holds an adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Region {
    /// This one.
    Code(RegionCode),
    /// None: the column is null, or the source has no such column.
    None,
    /// Something that is not a region, for example an empty text: booked without a code, counted and listed.
    Dropped(Unreadable),
}

impl Region {
    /// Returns the code, if there is one.
    #[must_use]
    pub fn code(&self) -> Option<&RegionCode> {
        if let Self::Code(code) = self { Some(code) } else { None }
    }
}
