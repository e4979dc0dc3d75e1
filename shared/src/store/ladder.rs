//! The network's running number of trees, which prices follow from (rules, section 3).

use serde::{Deserialize, Serialize};

use super::client::Store;
use super::key::Key;
use super::{Action, Item, StoreError};
use crate::rules::OrderId;

/// How many trees are in distributable adoptions that went through the sequencer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// Counts the changes of this item; 0 if it does not exist.
    pub revision: u64,
    /// The highest order that went through.
    pub last_order: Option<OrderId>,
    /// The trees of all of them: the sum of every adoption's `counted_trees`.
    pub trees: u64,
}

impl Ladder {
    /// The write that replaces `before`, which holds only if it is still what is stored.
    pub fn replace(self, before: Self) -> Result<Action, StoreError> {
        let next = Self { revision: before.revision + 1, ..self };
        let stored = (before.revision > 0).then_some(before.revision);
        Ok(Action::put(Item::encode(&Key::ladder(), &next))?.if_number_is("revision", stored))
    }
}

impl Store {
    /// The running number as it is now.
    pub async fn ladder(&self) -> Result<Ladder, StoreError> {
        self.get(&Key::ladder()).await?.map_or(Ok(Ladder::default()), Item::decode)
    }
}
