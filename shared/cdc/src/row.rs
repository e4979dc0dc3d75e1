//! The rows of the three tables.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::message::{Document, Record};
use super::profile::{AdoptionColumns, Columns, Encoding, ReferralColumns, Table, UserColumns};
use super::refusal::Refusal;
use domain::{AccountSequence, Amount, BusinessDate, OrderId, RegionCode, TreeCount};

/// A row that changed, by table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A user.
    User(UserChange),
    /// Who referred an account.
    Referral(ReferralChange),
    /// An order of trees.
    Adoption(AdoptionChange),
}

/// What became of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// The user is like this now.
    Upsert(UserRow),
    /// The user is gone.
    Delete {
        /// Which user.
        account: AccountSequence,
    },
}

/// A user, as far as the ledger wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// The user's account.
    pub account: AccountSequence,
    /// The status, as the source writes it.
    pub status: Option<String>,
    /// When the user registered.
    pub created_at: Option<DateTime<Utc>>,
    /// When the user was last seen, if the profile names a column for it.
    pub last_activity: Option<DateTime<Utc>>,
}

/// What became of a referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferralChange {
    /// The referral is like this now.
    Upsert {
        /// The account that was referred.
        account: AccountSequence,
        /// Who referred it; nobody, if it is a root. Never the account itself.
        referrer: Option<AccountSequence>,
    },
    /// The referral is gone.
    Delete {
        /// The account that was referred.
        account: AccountSequence,
    },
}

/// What became of an adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdoptionChange {
    /// The adoption is like this now.
    Upsert(AdoptionRow),
    /// The adoption is gone.
    Delete {
        /// Which adoption.
        order: OrderId,
    },
}

/// An order of trees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionRow {
    /// Its place in the order of all adoptions.
    pub order: OrderId,
    /// Who adopts.
    pub account: AccountSequence,
    /// How many trees.
    pub tree_count: TreeCount,
    /// The contribution of each, never negative; where the source has none, the rules derive it.
    pub contribution_per_tree: Option<Amount>,
    /// The day of the adoption.
    pub adoption_date: BusinessDate,
    /// Its status, which says whether it counts.
    pub status: AdoptionStatus,
    /// The province it is for.
    pub province: Option<RegionCode>,
    /// The city it is for.
    pub city: Option<RegionCode>,
}

/// An adoption's status as the source writes it: one to 40 printable characters.
///
/// Which statuses count is configuration; here they are only kept, with case and blanks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AdoptionStatus(String);

impl AdoptionStatus {
    /// The longest status accepted, in characters. The source's column holds 20.
    pub const MAX_CHARACTERS: usize = 40;

    /// The status as the source wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AdoptionStatus {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_status(text) { Ok(Self(text.to_owned())) } else { Err(InvalidStatus) }
    }
}

impl TryFrom<String> for AdoptionStatus {
    type Error = InvalidStatus;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AdoptionStatus> for String {
    fn from(status: AdoptionStatus) -> Self {
        status.0
    }
}

impl fmt::Display for AdoptionStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Text that is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {STATUS}")]
pub struct InvalidStatus;

const STATUS: &str = "a status: one to 40 printable characters";

fn is_status(text: &str) -> bool {
    (1..=AdoptionStatus::MAX_CHARACTERS).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
}

/// Reads a row as it is now.
pub(super) fn upsert(table: &Table, record: &Record<'_>, encoding: &Encoding) -> Result<Row, Refusal> {
    match table {
        Table::Users { columns } => {
            user(columns, record, encoding).map(|row| Row::User(UserChange::Upsert(row)))
        }
        Table::Referrals { columns } => referral(columns, record).map(Row::Referral),
        Table::Adoptions { columns } => {
            adoption(columns, record, encoding).map(|row| Row::Adoption(AdoptionChange::Upsert(row)))
        }
    }
}

/// Reads which row is gone: from what it was, as far as the source still says, or else from the key.
pub(super) fn delete(table: &Table, before: Option<&Record<'_>>, key: Option<&[u8]>) -> Result<Row, Refusal> {
    match table {
        Table::Users { columns } => deleted_account(&columns.account, before, key)
            .map(|account| Row::User(UserChange::Delete { account })),
        Table::Referrals { columns } => deleted_account(&columns.account, before, key)
            .map(|account| Row::Referral(ReferralChange::Delete { account })),
        Table::Adoptions { columns } => deleted_order(&columns.order, before, key)
            .map(|order| Row::Adoption(AdoptionChange::Delete { order })),
    }
}

fn user(columns: &UserColumns, record: &Record<'_>, encoding: &Encoding) -> Result<UserRow, Refusal> {
    let time = |columns| record.optional(columns).map(|field| field.instant(encoding)).transpose();
    let status = match record.optional(&columns.status) {
        Some(field) if !field.is_placeholder() => {
            let status = field.text().filter(|text| is_status(text)).map(str::to_owned);
            Some(status.ok_or_else(|| field.invalid(STATUS))?)
        }
        _ => None,
    };
    Ok(UserRow {
        account: record.needed(&columns.account)?.account()?,
        status,
        created_at: time(&columns.created_at)?,
        last_activity: time(&columns.last_activity)?,
    })
}

fn referral(columns: &ReferralColumns, record: &Record<'_>) -> Result<ReferralChange, Refusal> {
    let account = record.needed(&columns.account)?.account()?;
    // A column that is missing altogether is a misconfiguration, not a forest of roots.
    let referrer = record.present(&columns.referrer)?.not_blank().ok();
    let referrer = referrer.map(|field| field.account()).transpose()?;
    if referrer.as_ref() == Some(&account) {
        return Err(Refusal::SelfReferral { account });
    }
    Ok(ReferralChange::Upsert { account, referrer })
}

fn adoption(
    columns: &AdoptionColumns,
    record: &Record<'_>,
    encoding: &Encoding,
) -> Result<AdoptionRow, Refusal> {
    let status = record.needed(&columns.status)?;
    let region = |columns| record.optional(columns).map_or(Ok(None), |field| field.region());
    Ok(AdoptionRow {
        order: record.needed(&columns.order)?.order()?,
        account: record.needed(&columns.account)?.account()?,
        tree_count: record.needed(&columns.tree_count)?.tree_count()?,
        contribution_per_tree: record
            .optional(&columns.contribution_per_tree)
            .map(|field| field.price(encoding.decimal_scale))
            .transpose()?,
        adoption_date: record.needed(&columns.adoption_date)?.business_date(encoding)?,
        status: status.text().and_then(|text| text.parse().ok()).ok_or_else(|| status.invalid(STATUS))?,
        province: region(&columns.province)?,
        city: region(&columns.city)?,
    })
}

fn deleted_order(
    columns: &Columns,
    before: Option<&Record<'_>>,
    key: Option<&[u8]>,
) -> Result<OrderId, Refusal> {
    if let Some(field) =
        before.and_then(|before| before.find(columns)).filter(|field| !field.is_placeholder())
    {
        return field.order();
    }
    // The key may be the bare number or an object; one that is neither names no order.
    let from_key = |bytes| {
        let document = Document::parse(bytes).ok()?;
        let bare = document.as_field("key").and_then(|field| field.order().ok());
        bare.or_else(|| document.into_record().ok()?.find(columns)?.order().ok())
    };
    key.and_then(from_key).ok_or(Refusal::DeleteWithoutKey)
}

fn deleted_account(
    columns: &Columns,
    before: Option<&Record<'_>>,
    key: Option<&[u8]>,
) -> Result<AccountSequence, Refusal> {
    if let Some(field) =
        before.and_then(|before| before.find(columns)).filter(|field| !field.is_placeholder())
    {
        return field.account();
    }
    // A bare key is not taken for an account: a UUID would pass for one.
    let from_key = |bytes| {
        let key = Document::parse(bytes).ok()?.into_record().ok()?;
        key.find(columns)?.account().ok()
    };
    key.and_then(from_key).ok_or(Refusal::ReplicaIdentity)
}
