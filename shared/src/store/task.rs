//! Reassessments to do.

use serde::{Deserialize, Serialize};

use super::client::{Range, Store};
use super::key::{Key, padded};
use super::referral::TreeId;
use super::{Action, Item, StoreError, Table};
use crate::rules::{AccountSequence, OrderId, OrderRange};

/// An account whose unlocks changed as of orders that may be posted already: the adoptions of its
/// descendants in that range are to be compared with the rules again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReassessTask {
    /// The tree whose distribution does it.
    pub tree: TreeId,
    /// The adoption that changed the unlocks.
    pub cause: OrderId,
    /// The number of its entry that did.
    pub cause_entry: u32,
    /// Whose unlocks changed.
    pub account: AccountSequence,
    /// As of which orders.
    pub range: OrderRange,
    /// Where the walk over the descendants is; the last frame is next. Empty when it is done.
    pub frames: Vec<Frame>,
}

/// The direct referrals of one account, as far as the walk has not seen them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Whose direct referrals.
    pub account: AccountSequence,
    /// How many levels this account is below the one whose unlocks changed.
    pub depth: u8,
    /// The last direct referral seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<AccountSequence>,
}

impl ReassessTask {
    /// A task that begins.
    #[must_use]
    pub fn new(
        tree: TreeId,
        cause: OrderId,
        cause_entry: u32,
        account: AccountSequence,
        range: OrderRange,
    ) -> Self {
        let frames = vec![Frame { account: account.clone(), depth: 0, after: None }];
        Self { tree, cause, cause_entry, account, range, frames }
    }

    fn key(&self) -> Key {
        let sort = format!("{}#{:04}#{}", padded(self.cause), self.cause_entry, self.account);
        Key::new(Table::Accounts, partition(&self.tree), sort)
    }

    /// The write that creates the task or saves how far it is.
    pub fn write(&self) -> Result<Action, StoreError> {
        Action::put(Item::encode(&self.key(), self))
    }

    /// The write that removes the task when it is done.
    #[must_use]
    pub fn remove(&self) -> Action {
        Action::delete(self.key())
    }
}

impl Store {
    /// The next reassessments to do in a tree, at most so many.
    pub async fn next_tasks(&self, tree: &TreeId, limit: usize) -> Result<Vec<ReassessTask>, StoreError> {
        let page = self.query(Table::Accounts, &partition(tree), &Range::default(), limit).await?;
        page.items.into_iter().map(Item::decode).collect()
    }
}

pub(super) fn partition(tree: &TreeId) -> String {
    format!("TASK#{tree}")
}
