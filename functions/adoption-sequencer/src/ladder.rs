//! How many trees were adopted before an order (rules, section 3).

use std::collections::BTreeMap;

use ledger::rules::OrderId;
use ledger::store::{Action, Ladder, Store, StoreError};

/// The running number, and what late orders need to look back from it.
pub(crate) struct Counter {
    /// The number as stored, before the changes of the transaction being built.
    stored: Ladder,
    current: Ladder,
    /// The counted trees of every order from the first that had to be looked up; empty if none had.
    counted: BTreeMap<OrderId, u32>,
}

impl Counter {
    /// The running number as it is stored now.
    ///
    /// `first` is the smallest order whose price will be asked for, if any will: if it is late, the
    /// orders after it are read, because their trees must not be counted.
    pub(crate) async fn load(store: &Store, first: Option<OrderId>) -> Result<Self, StoreError> {
        let stored = store.ladder().await?;
        let mut counted = BTreeMap::new();
        if let (Some(first), Some(last)) = (first, stored.last_order)
            && first <= last
        {
            counted = store.counted_trees_from(first).await?;
        }
        Ok(Self { stored, current: stored, counted })
    }

    /// The trees of all counted adoptions with a smaller order.
    pub(crate) fn trees_before(&self, order: OrderId) -> u64 {
        let from_here: u64 = self.counted.range(order..).map(|(_, trees)| u64::from(*trees)).sum();
        self.current.trees - from_here
    }

    /// Replaces what an order counts for.
    pub(crate) fn count(&mut self, order: OrderId, before: u32, after: u32) {
        self.current.trees = self.current.trees - u64::from(before) + u64::from(after);
        self.current.last_order = self.current.last_order.max(Some(order));
        self.counted.insert(order, after);
    }

    /// The write of the number with all changes so far.
    pub(crate) fn write(&self) -> Result<Action, StoreError> {
        self.current.replace(self.stored)
    }

    /// Notes that this write took effect.
    pub(crate) fn committed(&mut self) {
        self.current.revision = self.stored.revision + 1;
        self.stored = self.current;
    }
}
