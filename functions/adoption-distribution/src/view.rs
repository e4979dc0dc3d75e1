//! What a posting is decided on: accounts, cursors and positions as they are, kept in memory.

use std::collections::HashMap;

use ledger::rules::{AccountSequence, OrderId, Policy};
use ledger::store::{Account, JournalEntry, Position, Store, StoreError, TreeCursor, TreeId};

use crate::DistributionError;

/// The state of the accounts and trees that a set of adoptions involves.
///
/// It follows every posting that is made from it, so it stays good until somebody else moves a cursor.
#[derive(Debug, Default)]
pub(crate) struct View {
    accounts: HashMap<AccountSequence, Account>,
    cursors: HashMap<TreeId, TreeCursor>,
    positions: HashMap<OrderId, Position>,
}

impl View {
    /// Reads what is not in view yet. Cursors are never read later than accounts: a posting that
    /// slips in between then moves a cursor that is known here, and is noticed.
    ///
    /// Unlock facts that were enough for another policy and are not for this one are completed.
    pub(crate) async fn extend(
        &mut self,
        store: &Store,
        policy: &Policy,
        accounts: impl IntoIterator<Item = &AccountSequence>,
        trees: impl IntoIterator<Item = &TreeId>,
    ) -> Result<(), StoreError> {
        let trees: Vec<TreeId> =
            trees.into_iter().filter(|tree| !self.cursors.contains_key(tree)).cloned().collect();
        let accounts: Vec<AccountSequence> =
            accounts.into_iter().filter(|account| !self.accounts.contains_key(account)).cloned().collect();
        if !trees.is_empty() {
            self.cursors.extend(store.cursors(trees).await?);
        }
        for (account, mut state) in store.accounts(accounts).await? {
            if state.unlock.needs_refill(policy) {
                let orders = direct_first_orders(store, &account).await?;
                state.unlock.refill(orders.into_iter().map(|(_, order)| order));
            }
            self.accounts.insert(account, state);
        }
        Ok(())
    }

    /// Reads where these adoptions stand.
    pub(crate) async fn extend_positions(
        &mut self,
        store: &Store,
        orders: impl IntoIterator<Item = OrderId>,
    ) -> Result<(), DistributionError> {
        let unknown: Vec<OrderId> =
            orders.into_iter().filter(|order| !self.positions.contains_key(order)).collect();
        for (order, entries) in store.entries_of(unknown).await? {
            self.positions.insert(order, position(order, &entries)?);
        }
        Ok(())
    }

    /// An account in view.
    pub(crate) fn account(&self, account: &AccountSequence) -> &Account {
        &self.accounts[account]
    }

    /// An account in view, to follow a posting.
    pub(crate) fn account_mut(&mut self, account: &AccountSequence) -> &mut Account {
        self.accounts.entry(account.clone()).or_default()
    }

    /// A cursor in view.
    pub(crate) fn cursor(&self, tree: &TreeId) -> TreeCursor {
        self.cursors[tree]
    }

    /// Follows a posting to a tree.
    pub(crate) fn advance(&mut self, tree: &TreeId, last_order: Option<OrderId>) {
        let cursor = self.cursors.entry(tree.clone()).or_default();
        cursor.version += 1;
        cursor.last_order = last_order;
    }

    /// Where an adoption stands: at its beginning, unless it was read or posted here.
    pub(crate) fn position(&self, order: OrderId) -> Position {
        self.positions.get(&order).cloned().unwrap_or_default()
    }

    /// Follows an entry.
    pub(crate) fn post(&mut self, entry: &JournalEntry) -> Result<(), DistributionError> {
        let mut position = self.position(entry.order);
        position.post(entry).ok_or(DistributionError::Inconsistent { order: entry.order })?;
        self.positions.insert(entry.order, position);
        Ok(())
    }
}

/// The first posted orders of an account's direct referrals, with whose they are.
pub(crate) async fn direct_first_orders(
    store: &Store,
    referrer: &AccountSequence,
) -> Result<Vec<(AccountSequence, OrderId)>, StoreError> {
    const PAGE: usize = 1000;
    let mut orders = Vec::new();
    let mut after: Option<AccountSequence> = None;
    loop {
        let children = store.direct_referrals(referrer, after.as_ref(), PAGE).await?;
        let is_last = children.len() < PAGE;
        after = children.last().cloned();
        for (child, state) in store.accounts(children).await? {
            orders.extend(state.unlock.first_order().map(|order| (child, order)));
        }
        if is_last {
            return Ok(orders);
        }
    }
}

/// Where an adoption stands after its entries.
pub(crate) fn position(order: OrderId, entries: &[JournalEntry]) -> Result<Position, DistributionError> {
    Position::after(entries).ok_or(DistributionError::Inconsistent { order })
}
