//! A source's tables while they change.

use super::invention::Invention;
use super::{Change, History, Plan, Row, Transaction};
use crate::rows::{AdoptionRow, ReferralRow, Tables, UserRow};

/// A source, and everything it committed.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) invention: Invention,
    pub(super) oddities: bool,
    pub(super) tables: Tables,
    /// Orders that have a number and are not committed yet.
    pub(super) late_adoptions: Vec<AdoptionRow>,
    /// Referrals that are not committed yet.
    pub(super) late_referrals: Vec<ReferralRow>,
    /// Users that are not committed yet, and those that were deleted.
    pub(super) missing_users: Vec<UserRow>,
    /// Orders that were deleted.
    pub(super) deleted_adoptions: Vec<AdoptionRow>,
    /// Referrals that were deleted.
    pub(super) deleted_referrals: Vec<ReferralRow>,
    transactions: Vec<Transaction>,
    accounts: usize,
    adoptions: usize,
}

impl Source {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            invention: Invention::new(plan),
            oddities: plan.oddities,
            tables: Tables::default(),
            late_adoptions: Vec::new(),
            late_referrals: Vec::new(),
            missing_users: Vec::new(),
            deleted_adoptions: Vec::new(),
            deleted_referrals: Vec::new(),
            transactions: Vec::new(),
            accounts: plan.accounts,
            adoptions: plan.adoptions,
        }
    }

    /// Commits the accounts and orders that are there first.
    pub(super) fn begin(&mut self) {
        for _ in 0..self.accounts {
            self.register();
        }
        for _ in 0..self.adoptions {
            let adoption = self.invention.adoption();
            self.commit(vec![Change::Insert(Row::Adoption(adoption))]);
        }
    }

    /// Commits a new account; where there are oddities, a few users and referrals come late or never.
    pub(super) fn register(&mut self) {
        let (user, referral) = self.invention.account();
        let mut changes = Vec::new();
        if self.oddities && self.invention.random.percent(5) {
            self.missing_users.push(user);
        } else {
            changes.push(Change::Insert(Row::User(user)));
        }
        if self.oddities && self.invention.random.percent(5) {
            self.late_referrals.push(referral);
        } else {
            changes.push(Change::Insert(Row::Referral(referral)));
        }
        self.commit(changes);
    }

    pub(super) fn finish(mut self) -> History {
        self.tables.users.sort_by(|one, other| one.key.cmp(&other.key));
        self.tables.referrals.sort_by(|one, other| one.key.cmp(&other.key));
        self.tables.adoptions.sort_by(|one, other| one.key.cmp(&other.key));
        let order_key_column = if self.invention.has_surrogate_keys() { "id" } else { "order_id" };
        History { transactions: self.transactions, tables: self.tables, order_key_column }
    }

    /// Applies changes to the tables and keeps them as one transaction.
    pub(super) fn commit(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        for change in &changes {
            apply(&mut self.tables, change);
        }
        self.transactions.push(Transaction { changes });
    }
}

/// Applies a change, as a database would: a delete and an update meet the row of their key.
pub(super) fn apply(tables: &mut Tables, change: &Change) {
    match change {
        Change::Insert(Row::User(row)) => tables.users.push(row.clone()),
        Change::Insert(Row::Referral(row)) => tables.referrals.push(row.clone()),
        Change::Insert(Row::Adoption(row)) => tables.adoptions.push(row.clone()),
        Change::Update { after: Row::User(row), .. } => {
            let place = tables.users.iter_mut().find(|held| held.key == row.key);
            *place.expect("an update meets a row") = row.clone();
        }
        Change::Update { after: Row::Referral(row), .. } => {
            let place = tables.referrals.iter_mut().find(|held| held.key == row.key);
            *place.expect("an update meets a row") = row.clone();
        }
        Change::Update { after: Row::Adoption(row), .. } => {
            let place = tables.adoptions.iter_mut().find(|held| held.key == row.key);
            *place.expect("an update meets a row") = row.clone();
        }
        Change::Delete(Row::User(row)) => tables.users.retain(|held| held.key != row.key),
        Change::Delete(Row::Referral(row)) => tables.referrals.retain(|held| held.key != row.key),
        Change::Delete(Row::Adoption(row)) => tables.adoptions.retain(|held| held.key != row.key),
    }
}
