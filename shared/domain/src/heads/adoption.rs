//! An adoption: its rows, its place in the price book, and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::log::{Entry, HoldReason};
use crate::{AdoptionRow, OrderId, Posting, RowKey};

/// What the log says of an adoption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionHead {
    /// The live rows that name the order.
    pub rows: BTreeMap<RowKey, AdoptionRow>,
    /// A change of its row that waits.
    pub waiting: Option<Box<OrderWaiting>>,
    /// The trees of all eligible adoptions before it, where that was decided.
    pub trees_before: Option<u64>,
    /// How many of its trees count for the prices of later orders.
    pub eligible_trees: u32,
    /// What became of it.
    pub state: AdoptionState,
    /// When it is looked at again although nothing changes, where it is held; in milliseconds since 1970.
    pub look_again_ms: Option<i64>,
    /// Whether a row ever named the order.
    pub is_seen: bool,
}

/// A change of an order's row that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderWaiting {
    /// What stays in force.
    pub in_force: AdoptionRow,
    /// When it began to wait, in milliseconds since 1970.
    pub since_ms: i64,
    /// When it stops waiting, in milliseconds since 1970.
    pub until_ms: i64,
}

/// What became of an adoption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdoptionState {
    /// No row names the order.
    #[default]
    Absent,
    /// It waits for its place in the price book.
    Unpriced,
    /// It is held.
    Held(HoldReason),
    /// Its legs are in the ledger.
    Posted(Box<Posting>),
}

impl AdoptionHead {
    /// Returns the row that counts, as far as decisions are concerned.
    #[must_use]
    pub fn row(&self) -> Option<&AdoptionRow> {
        match &self.waiting {
            Some(waiting) => Some(&waiting.in_force),
            None => self.latest_row(),
        }
    }

    /// Returns the row that counts in the source: that of the greatest key.
    #[must_use]
    pub fn latest_row(&self) -> Option<&AdoptionRow> {
        self.rows.last_key_value().map(|(_, row)| row)
    }

    /// Returns its legs in the ledger, if it is posted.
    #[must_use]
    pub fn posting(&self) -> Option<&Posting> {
        match &self.state {
            AdoptionState::Posted(posting) => Some(posting),
            AdoptionState::Absent | AdoptionState::Unpriced | AdoptionState::Held(_) => None,
        }
    }

    /// Folds an entry of the log into the head of `order`.
    pub fn apply(&mut self, order: OrderId, entry: &Entry) {
        if Self::order_of(entry) != Some(order) {
            return;
        }
        match entry {
            Entry::OrderSeen { .. } => self.is_seen = true,
            Entry::AdoptionRow { key, row: Some(row), .. } => {
                self.rows.insert(key.clone(), (**row).clone());
            }
            Entry::AdoptionRow { key, row: None, .. } => {
                self.rows.remove(key);
            }
            Entry::OrderWaits(wait) => {
                self.waiting = Some(Box::new(OrderWaiting {
                    in_force: wait.in_force.clone(),
                    since_ms: wait.since_ms,
                    until_ms: wait.until_ms,
                }));
            }
            Entry::OrderWaitEnded { .. } => self.waiting = None,
            Entry::Eligible { after, .. } => self.eligible_trees = *after,
            Entry::Placed { trees_before, .. } => self.trees_before = Some(*trees_before),
            Entry::Unpriced { .. } => self.state = AdoptionState::Unpriced,
            Entry::Posted { posting, .. } => self.state = AdoptionState::Posted(posting.clone()),
            Entry::Corrected(correction) => {
                self.state = AdoptionState::Posted(Box::new(correction.is.clone()));
            }
            Entry::Held(held) => {
                self.state = AdoptionState::Held(held.reason.clone());
                self.look_again_ms = held.look_again_ms;
            }
            Entry::HoldEnded(_) => {
                self.state = AdoptionState::Absent;
                self.look_again_ms = None;
            }
            Entry::Withdrawn { .. } | Entry::Gone { .. } => self.state = AdoptionState::Absent,
            _ => {}
        }
    }

    /// Returns the order that an entry is about, if it is about one.
    #[must_use]
    pub fn order_of(entry: &Entry) -> Option<OrderId> {
        match entry {
            Entry::AdoptionRow { order, .. }
            | Entry::OrderSeen { order }
            | Entry::OrderWaitEnded { order, .. }
            | Entry::Eligible { order, .. }
            | Entry::Placed { order, .. }
            | Entry::Unpriced { order, .. }
            | Entry::Posted { order, .. }
            | Entry::Withdrawn { order, .. }
            | Entry::Gone { order } => Some(*order),
            Entry::OrderWaits(wait) => Some(wait.order),
            Entry::Corrected(correction) => Some(correction.order),
            Entry::Held(held) | Entry::HoldEnded(held) => Some(held.order),
            _ => None,
        }
    }
}
