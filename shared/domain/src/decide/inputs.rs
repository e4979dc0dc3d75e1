//! What the decider is given.

use std::collections::{BTreeMap, VecDeque};

use crate::log::{Command, PartitionProgress};
use crate::{AccountSequence, AdoptionRow, OrderId, ReferralRow, RowKey};

/// What was announced, with the rows as they are now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    /// What operators asked for, in the order in which they asked.
    pub commands: VecDeque<CommandInput>,
    /// Rows of referrals, by key.
    pub referrals: BTreeMap<RowKey, ReferralInput>,
    /// Rows of adoptions. The smallest order is taken in first.
    pub adoptions: BTreeMap<(OrderId, RowKey), AdoptionInput>,
    /// How far the source was read, where all that was announced by then is among these inputs or in the log.
    pub progress: Option<Progress>,
    /// When orders were committed at the source that were taken in since the decider began.
    committed: BTreeMap<OrderId, i64>,
}

/// A row of the referrals' table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferralInput {
    /// The row as it is now; `None` where it is gone.
    pub row: Option<ReferralRow>,
    /// Every account that any version of the row named.
    pub accounts: Vec<AccountSequence>,
}

/// A row of the adoptions' table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptionInput {
    /// The row as it is now, with the order it names; `None` where it is gone.
    pub row: Option<(OrderId, AdoptionRow)>,
    /// Every order that any version of the row named.
    pub orders: Vec<OrderId>,
    /// The commit of the row's newest version at the source, in milliseconds since 1970.
    pub committed_ms: i64,
}

/// What an operator asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandInput {
    /// The key under which it was asked for.
    pub idempotency_key: String,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What for.
    pub command: Command,
}

/// How far the source was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The partitions of the orders, those of retired sources left out.
    pub orders: Vec<PartitionProgress>,
    /// Why the source as a whole is not known to be read, if it is not: a snapshot that goes on, a partition that
    /// has not begun.
    pub unread: Vec<String>,
}

impl Progress {
    /// Returns through which commit every partition of the orders was read, in milliseconds since 1970.
    #[must_use]
    pub fn read_through_ms(&self) -> Option<i64> {
        if !self.unread.is_empty() {
            return None;
        }
        self.orders.iter().map(|partition| partition.read_through_ms).min()
    }
}

impl Inputs {
    /// Returns whether nothing is left to take in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.referrals.is_empty() && self.adoptions.is_empty()
    }

    /// Adds an adoption's row in its place: that of the smallest order it ever named.
    pub fn add_adoption(&mut self, key: RowKey, input: AdoptionInput) {
        let named = input.row.as_ref().map(|(order, _)| *order);
        if let Some(smallest) = input.orders.iter().copied().chain(named).min() {
            self.adoptions.insert((smallest, key), input);
        }
    }

    /// Remembers when an order's newest row was committed at the source.
    pub(super) fn note_committed(&mut self, order: OrderId, committed_ms: i64) {
        self.committed.insert(order, committed_ms);
    }

    /// Returns when an order's newest row was committed at the source, as far as it was told.
    pub(super) fn committed_ms(&self, order: OrderId) -> Option<i64> {
        self.committed.get(&order).copied()
    }

    /// Forgets when orders were committed.
    pub(super) fn forget_committed(&mut self) {
        self.committed.clear();
    }

    /// Adds what `later` holds. Its rows are newer.
    pub(super) fn append(&mut self, mut later: Self) {
        self.commands.append(&mut later.commands);
        self.referrals.append(&mut later.referrals);
        self.adoptions.append(&mut later.adoptions);
        self.progress = later.progress;
    }
}
