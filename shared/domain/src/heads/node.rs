//! An account's place in the forest, and what decides its unlocks.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::log::Entry;
use crate::{AccountSequence, Column, Link, LinkRef, OrderId, RowKey, UnlockFacts};

/// What decisions need to know of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The live referral rows that name the account, with the referrer each names.
    pub rows: BTreeMap<RowKey, Option<AccountSequence>>,
    /// A change of its upline that waits.
    pub waiting: Option<UplineWaiting>,
    /// What decides its unlocks.
    pub facts: UnlockFacts,
    /// Every order that a row ever gave to the account. An order may have moved on since.
    #[serde(with = "super::ascending")]
    pub orders: BTreeSet<OrderId>,
}

/// A change of an account's upline that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplineWaiting {
    /// What stays in force.
    pub in_force: Link,
    /// When it began to wait, in milliseconds since 1970.
    pub since_ms: i64,
    /// When it stops waiting, in milliseconds since 1970.
    pub until_ms: i64,
    /// How many posted adoptions are concerned, as far as they were counted.
    pub adoptions: u32,
}

impl Node {
    /// Returns where the account hangs, as far as decisions are concerned.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link_in_force().into()
    }

    /// Returns the same as [`link`](Self::link), borrowed.
    #[must_use]
    pub fn link_in_force(&self) -> LinkRef<'_> {
        match &self.waiting {
            Some(waiting) => waiting.in_force.borrowed(),
            None => self.link_in_source(),
        }
    }

    /// Returns where the source's rows have the account: the greatest key counts.
    #[must_use]
    pub fn latest_link(&self) -> Link {
        self.link_in_source().into()
    }

    fn link_in_source(&self) -> LinkRef<'_> {
        match self.rows.last_key_value() {
            None => LinkRef::Missing,
            Some((_, None)) => LinkRef::Root,
            Some((_, Some(referrer))) => LinkRef::Under(referrer),
        }
    }

    /// Folds an entry of the log into the node of `account`.
    pub fn apply(&mut self, account: &AccountSequence, entry: &Entry) {
        match entry {
            Entry::ReferralRow { account: named, key, row } if named == account => match row {
                Some(referrer) => {
                    self.rows.insert(key.clone(), referrer.clone());
                }
                None => {
                    self.rows.remove(key);
                }
            },
            Entry::AdoptionRow { order, row: Some(row), .. } => {
                if matches!(&row.account, Column::Value(named) if named == account) {
                    self.orders.insert(*order);
                }
            }
            Entry::UplineWaits(wait) if wait.account == *account => {
                self.waiting = Some(UplineWaiting {
                    in_force: wait.in_force.clone(),
                    since_ms: wait.since_ms,
                    until_ms: wait.until_ms,
                    adoptions: wait.adoptions,
                });
            }
            Entry::UplineWaitEnded { account: named, .. } if named == account => self.waiting = None,
            Entry::Upline(change) => {
                if change.before.referrer() == Some(account) {
                    self.facts.direct_first_order_changed(change.first_order, None);
                }
                if change.after.referrer() == Some(account) {
                    self.facts.direct_first_order_changed(None, change.first_order);
                }
            }
            Entry::Posted { posting, first_order: Some(change), .. }
            | Entry::Withdrawn { posting, first_order: Some(change), .. } => {
                if posting.account == *account {
                    self.facts.set_first_order(change.after);
                }
                if change.referrer.as_ref() == Some(account) {
                    self.facts.direct_first_order_changed(change.before, change.after);
                }
            }
            _ => {}
        }
    }

    /// Returns the accounts whose nodes `entry` may change, each once.
    pub fn accounts_of(entry: &Entry) -> impl Iterator<Item = &AccountSequence> {
        let accounts = match entry {
            Entry::ReferralRow { account, .. } | Entry::UplineWaitEnded { account, .. } => {
                [Some(account), None]
            }
            Entry::UplineWaits(wait) => [Some(&wait.account), None],
            Entry::AdoptionRow { row: Some(row), .. } => match &row.account {
                Column::Value(account) => [Some(account), None],
                Column::Missing | Column::Unreadable => [None, None],
            },
            // A referrer keeps the first orders of its direct referrals, and nothing else of them.
            Entry::Upline(change) if change.first_order.is_some() => {
                [change.before.referrer(), change.after.referrer()]
            }
            Entry::Posted { posting, first_order: Some(change), .. }
            | Entry::Withdrawn { posting, first_order: Some(change), .. } => {
                [Some(&posting.account), change.referrer.as_ref()]
            }
            _ => [None, None],
        };
        let [first, second] = accounts;
        first.into_iter().chain(second.filter(|_| first != second))
    }
}
