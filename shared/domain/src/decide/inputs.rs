//! What the decider is given: announced rows and commands, and the time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::log::{Command, PartitionProgress, StatedChange, Truncate};
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
    /// Tables that the source truncated, in the order of its log.
    pub truncates: VecDeque<Truncate>,
    /// How far the source was read, where all that was announced by then is among these inputs or in the log.
    pub progress: Option<Progress>,
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
    /// The operator who asked.
    pub by: String,
    /// The reason that the operator gave.
    pub reason: String,
    /// The command that was asked for.
    pub command: Command,
    /// What it changes outside the log.
    pub change: Option<StatedChange>,
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
        self.commands.is_empty()
            && self.referrals.is_empty()
            && self.adoptions.is_empty()
            && self.truncates.is_empty()
    }

    /// Adds an adoption's row in its place: that of the smallest order it ever named.
    pub fn add_adoption(&mut self, key: RowKey, input: AdoptionInput) {
        let named = input.row.as_ref().map(|(order, _)| *order);
        if let Some(smallest) = input.orders.iter().copied().chain(named).min() {
            self.adoptions.insert((smallest, key), input);
        }
    }

    /// Takes back rows of referrals that were set aside, unless newer ones are there.
    pub(super) fn take_back(&mut self, set_aside: BTreeMap<RowKey, ReferralInput>) {
        for (key, input) in set_aside {
            self.referrals.entry(key).or_insert(input);
        }
    }

    /// Adds what `later` holds. Its rows are newer.
    pub(super) fn append(&mut self, mut later: Self) {
        if !self.adoptions.is_empty() && !later.adoptions.is_empty() {
            // A row may have named other orders since, so that it stands in another place now.
            let newer: BTreeSet<&RowKey> = later.adoptions.keys().map(|(_, key)| key).collect();
            self.adoptions.retain(|(_, key), _| !newer.contains(key));
        }
        self.truncates.append(&mut later.truncates);
        self.commands.append(&mut later.commands);
        self.referrals.append(&mut later.referrals);
        self.adoptions.append(&mut later.adoptions);
        self.progress = later.progress;
    }
}
