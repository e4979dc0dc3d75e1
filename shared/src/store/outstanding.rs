//! What was released to a referral tree and is not done yet.

use serde::{Deserialize, Serialize};

use super::client::{Range, Store};
use super::key::{Key, Shard, outstanding_partition, work_partition};
use super::referral::TreeId;
use super::{Action, Item, StoreError, Table};
use crate::rules::{AccountSequence, OrderId};

/// One revision of an adoption, handed to its tree's distribution.
///
/// This list, not the queue, is the trace of what is to be done: a queue message only says that
/// there is something on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkItem {
    /// The adoption.
    pub order: OrderId,
    /// The revision of its record when it was released.
    pub revision: u64,
    /// The adopter.
    pub account: AccountSequence,
    /// The adopter's ancestors that take part, the referrer first; at most as many as there are levels.
    pub ancestors: Vec<AccountSequence>,
    /// The trees these accounts are in; the adopter's own first.
    pub trees: Vec<TreeId>,
    /// Whether it had been released before, so that the journal may already have entries of it.
    #[serde(default)]
    pub again: bool,
}

impl WorkItem {
    /// The tree whose list it is on.
    #[must_use]
    pub fn tree(&self) -> &TreeId {
        &self.trees[0]
    }

    /// Where it is.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::work(self.tree(), self.order, self.revision)
    }

    /// Its item.
    #[must_use]
    pub fn item(&self) -> Item {
        Item::encode(&self.key(), self)
    }
}

/// A tree with work outstanding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutstandingTree {
    /// The tree.
    pub tree: TreeId,
    /// Counts the releases to it.
    pub release: u64,
    /// When work was last released to it. Milliseconds since 1970.
    pub released_at_ms: i64,
    /// Why its distribution stopped, if it did.
    pub stopped: Option<String>,
}

impl OutstandingTree {
    /// The write that puts a tree on the list, or marks that it got more work.
    #[must_use]
    pub fn release(tree: &TreeId, now_ms: i64) -> Action {
        Action::update(Key::outstanding(tree))
            .add("release", 1)
            .set("released_at_ms", aws_sdk_dynamodb::types::AttributeValue::N(now_ms.to_string()))
    }
}

impl Store {
    /// The next work of a tree, in ascending order, at most `limit`.
    pub async fn work(&self, tree: &TreeId, limit: usize) -> Result<Vec<WorkItem>, StoreError> {
        let page = self.query(Table::Source, &work_partition(tree), &Range::default(), limit).await?;
        page.items.into_iter().map(Item::decode).collect()
    }

    /// Every tree with work outstanding.
    pub async fn outstanding_trees(&self) -> Result<Vec<OutstandingTree>, StoreError> {
        let queries = Shard::all().map(|shard| async move {
            self.query_all(Table::Source, &outstanding_partition(shard), &Range::default()).await
        });
        let items = futures::future::try_join_all(queries).await?;
        items.iter().flatten().map(outstanding_tree).collect()
    }

    /// Whether work is outstanding in this tree, and since which release.
    pub async fn outstanding_tree(&self, tree: &TreeId) -> Result<Option<OutstandingTree>, StoreError> {
        self.get(&Key::outstanding(tree)).await?.as_ref().map(outstanding_tree).transpose()
    }

    /// Takes a tree off the list, unless it got more work since this was read.
    ///
    /// The count begins anew with each time on the list, so the time is compared, too: a deletion that took
    /// effect, but whose answer was lost, is tried again, and must not delete what came in between.
    pub async fn settle_tree(&self, outstanding: &OutstandingTree) -> Result<bool, StoreError> {
        let settled = Action::delete(Key::outstanding(&outstanding.tree))
            .if_number_is("release", Some(outstanding.release))
            .if_number_is("released_at_ms", Some(outstanding.released_at_ms));
        self.apply(settled).await
    }

    /// Says why a tree's distribution stopped, or that it goes on.
    pub async fn set_tree_stopped(&self, tree: &TreeId, reason: Option<&str>) -> Result<(), StoreError> {
        let update = Action::update(Key::outstanding(tree)).if_attribute_exists("pk");
        let update = match reason {
            Some(reason) => {
                update.set("stopped", aws_sdk_dynamodb::types::AttributeValue::S(reason.to_owned()))
            }
            None => update.remove("stopped"),
        };
        self.apply(update).await.map(|_| ())
    }
}

fn outstanding_tree(item: &Item) -> Result<OutstandingTree, StoreError> {
    let tree: AccountSequence = item.parse("sk")?;
    Ok(OutstandingTree {
        tree: TreeId::below(tree),
        release: item.number("release")?,
        released_at_ms: item.number("released_at_ms")?,
        stopped: item.has("stopped").then(|| item.text("stopped").map(ToOwned::to_owned)).transpose()?,
    })
}
