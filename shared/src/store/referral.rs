//! The referral forest as stored.

use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::client::{Range, Store};
use super::key::{
    CHILD_PREFIX, Key, WAITING_ORDER_PREFIX, WAITING_REFERRAL_PREFIX, referral_partition, waiting_partition,
};
use super::version::RowVersion;
use super::{Action, Item, StoreError, Table};
use crate::rules::{AccountSequence, OrderId};

/// A referral tree, named by the account at its top.
///
/// It is the unit that postings take turns in: one account is in one tree for ever. (An account
/// whose chain was still incomplete when it first had to be posted to is in the tree of the account
/// that was missing, so a chain may cross from one tree into another.)
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeId(AccountSequence);

impl TreeId {
    /// The tree below this account.
    #[must_use]
    pub fn below(top: AccountSequence) -> Self {
        Self(top)
    }

    /// The account at the top.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Who is above an account, known once every referral row up to the top has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// Ancestors 1 to at most [`Lineage::ANCESTORS_MAX`], the referrer first.
    pub ancestors: Vec<AccountSequence>,
    /// The trees that the account and its ancestors are in; its own first.
    pub trees: Vec<TreeId>,
}

impl Lineage {
    /// How many ancestors are kept: as many as talent levels reach (rules, section 9).
    pub const ANCESTORS_MAX: usize = 20;

    /// The lineage of an account without a referrer.
    #[must_use]
    pub fn root(account: AccountSequence, tree: Option<TreeId>) -> Self {
        Self { ancestors: Vec::new(), trees: vec![tree.unwrap_or(TreeId::below(account))] }
    }

    /// The lineage of a direct referral of `referrer`, whose lineage this is. `tree` is the tree the
    /// referral is in already, if it had to be given one.
    #[must_use]
    pub fn of_child(&self, referrer: &AccountSequence, tree: Option<TreeId>) -> Self {
        let ancestors =
            std::iter::once(referrer).chain(&self.ancestors).take(Self::ANCESTORS_MAX).cloned().collect();
        let mut trees: Vec<TreeId> = tree.into_iter().collect();
        for tree in &self.trees {
            if !trees.contains(tree) {
                trees.push(tree.clone());
            }
        }
        Self { ancestors, trees }
    }
}

/// What is known of an account's place in the forest.
///
/// The item may exist before the row: then it only says that something waits for the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferralRecord {
    /// The account.
    pub account: AccountSequence,
    /// Counts the changes of this item; 0 if it does not exist.
    pub revision: u64,
    /// Whether something waits for this row to arrive or to be resolved.
    #[serde(default, skip_serializing_if = "is_false")]
    pub awaited: bool,
    /// The version of the row that arrived; `None` if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<RowVersion>,
    /// Who referred this account; `None` for a root, or if no row arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<AccountSequence>,
    /// Who is above, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// The tree the account was given before its lineage was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisional_tree: Option<TreeId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl ReferralRecord {
    /// An account nothing is known of yet.
    #[must_use]
    pub fn unknown(account: AccountSequence) -> Self {
        Self {
            account,
            revision: 0,
            awaited: false,
            version: None,
            referrer: None,
            lineage: None,
            provisional_tree: None,
        }
    }

    /// Whether the row arrived.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        self.version.is_some()
    }

    /// The write of the next revision, which holds only if nobody changed the item since it was read.
    pub fn write_next(&self) -> Result<Action, StoreError> {
        let next = Self { revision: self.revision + 1, ..self.clone() };
        let stored = (self.revision > 0).then_some(self.revision);
        Ok(Action::put(Item::encode(&Key::referral(&self.account), &next))?.if_number_is("revision", stored))
    }

    /// A condition that this account's row has not arrived, and that whoever stores it will know that
    /// something waits for it.
    #[must_use]
    pub fn is_awaited(account: &AccountSequence) -> Action {
        Action::check(Key::referral(account)).if_attribute_absent("version").if_attribute_exists("awaited")
    }

    /// The same record, marked as one that something waits for.
    #[must_use]
    pub fn marked_awaited(&self) -> Self {
        Self { awaited: true, ..self.clone() }
    }
}

impl Store {
    /// What is known of these accounts, unknown ones included.
    pub async fn referrals(
        &self,
        accounts: impl IntoIterator<Item = AccountSequence>,
    ) -> Result<Vec<ReferralRecord>, StoreError> {
        let mut wanted: Vec<AccountSequence> = accounts.into_iter().collect();
        wanted.sort();
        wanted.dedup();
        let items = self.batch_get(wanted.iter().map(Key::referral)).await?;
        let mut found: std::collections::HashMap<AccountSequence, ReferralRecord> =
            std::collections::HashMap::with_capacity(items.len());
        for item in items {
            let record: ReferralRecord = item.decode()?;
            found.insert(record.account.clone(), record);
        }
        Ok(wanted
            .into_iter()
            .map(|account| found.remove(&account).unwrap_or_else(|| ReferralRecord::unknown(account)))
            .collect())
    }

    /// A page of the direct referrals of an account, in the order of their sequences.
    pub async fn direct_referrals(
        &self,
        account: &AccountSequence,
        after: Option<&AccountSequence>,
        limit: usize,
    ) -> Result<Vec<AccountSequence>, StoreError> {
        let range = Range::prefix(CHILD_PREFIX).after(after.map(|child| format!("{CHILD_PREFIX}{child}")));
        let page = self.query(Table::Source, &referral_partition(account), &range, limit).await?;
        page.items.iter().map(|item| suffix(item, CHILD_PREFIX)).collect()
    }

    /// The referrals that wait for this account's row.
    pub async fn waiting_referrals(
        &self,
        missing: &AccountSequence,
    ) -> Result<Vec<AccountSequence>, StoreError> {
        let range = Range::prefix(WAITING_REFERRAL_PREFIX);
        let items = self.query_all(Table::Source, &waiting_partition(missing), &range).await?;
        items.iter().map(|item| suffix(item, WAITING_REFERRAL_PREFIX)).collect()
    }

    /// The adoptions that wait for this account's row.
    pub async fn waiting_orders(&self, missing: &AccountSequence) -> Result<Vec<OrderId>, StoreError> {
        let range = Range::prefix(WAITING_ORDER_PREFIX);
        let items = self.query_all(Table::Source, &waiting_partition(missing), &range).await?;
        items.iter().map(|item| suffix(item, WAITING_ORDER_PREFIX)).collect()
    }
}

/// The value after a sort key's prefix.
fn suffix<T: std::str::FromStr>(item: &Item, prefix: &str) -> Result<T, StoreError> {
    let value = item.text("sk")?.strip_prefix(prefix).and_then(|text| text.parse().ok());
    value.ok_or_else(|| item.corrupt("sk"))
}

/// A tree as a list of attribute values, for conditions.
impl From<&TreeId> for AttributeValue {
    fn from(tree: &TreeId) -> Self {
        Self::S(tree.as_str().to_owned())
    }
}
