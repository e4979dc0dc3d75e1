//! Who takes part in an adoption, found from the referral rows that have arrived.

use std::collections::{HashMap, HashSet};

use super::StoreError;
use super::client::Store;
use super::referral::{Lineage, ReferralRecord, TreeId};
use crate::rules::AccountSequence;

/// The ancestors that take part in an account's adoptions, or why they are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// They are known.
    Known {
        /// The referrer first; as many as there are levels, or fewer if the chain ends there.
        ancestors: Vec<AccountSequence>,
        /// The trees that the account and its ancestors are in; its own first.
        trees: Vec<TreeId>,
    },
    /// This account, the adopter itself or an ancestor within the levels, has no referral row.
    Missing(AccountSequence),
}

/// Finds chains, keeping the rows it has read.
#[derive(Debug)]
pub struct Chains<'a> {
    store: &'a Store,
    level_count: usize,
    records: HashMap<AccountSequence, ReferralRecord>,
}

impl<'a> Chains<'a> {
    /// Chains of this many levels.
    #[must_use]
    pub fn new(store: &'a Store, level_count: u8) -> Self {
        Self { store, level_count: usize::from(level_count), records: HashMap::new() }
    }

    /// Reads the rows of these accounts, and of whoever is above those that are not resolved.
    pub async fn load(
        &mut self,
        accounts: impl IntoIterator<Item = AccountSequence>,
    ) -> Result<(), StoreError> {
        let mut level: HashSet<AccountSequence> = accounts.into_iter().collect();
        while !level.is_empty() {
            for record in self.store.referrals(level.drain()).await? {
                self.records.insert(record.account.clone(), record);
            }
            level = self
                .records
                .values()
                .filter(|record| record.lineage.is_none())
                .filter_map(|record| record.referrer.clone())
                .filter(|referrer| !self.records.contains_key(referrer))
                .collect();
        }
        Ok(())
    }

    /// The row of an account that was loaded.
    #[must_use]
    pub fn record(&self, account: &AccountSequence) -> &ReferralRecord {
        &self.records[account]
    }

    /// The chain of an account that was loaded.
    ///
    /// Usually the row itself says. While rows further up are missing it does not; then an adoption
    /// is only held if the missing one is within the levels (rules, section 6). Beyond them, the
    /// accounts on the way are given the tree of the missing account, for ever.
    pub async fn of(&mut self, account: &AccountSequence) -> Result<Chain, StoreError> {
        if let Some(lineage) = &self.records[account].lineage {
            return Ok(self.known(lineage));
        }
        let mut path = Vec::new();
        let mut above = account.clone();
        let top = loop {
            let record = &self.records[&above];
            if let Some(lineage) = &record.lineage {
                // A row above was resolved, and this one is about to be.
                break Some((above.clone(), lineage.clone()));
            }
            let Some(referrer) = record.referrer.clone() else { break None };
            path.push(std::mem::replace(&mut above, referrer));
            if path.len() > self.records.len() {
                // More steps than rows: a cycle, which is being withdrawn. It looks as if its top were missing,
                // however many levels there are.
                return Ok(Chain::Missing(above));
            }
        };
        if let Some((top, lineage)) = top {
            let mut below = (top, lineage);
            for account in path.into_iter().rev() {
                let tree = self.records[&account].provisional_tree.clone();
                let lineage = below.1.of_child(&below.0, tree);
                below = (account, lineage);
            }
            return Ok(self.known(&below.1));
        }
        let missing = above;
        if path.len() <= self.level_count {
            return Ok(Chain::Missing(missing));
        }
        let tree = TreeId::below(missing);
        let mut trees = Vec::new();
        for account in path.iter().take(self.level_count + 1) {
            let own = self.assign_tree(account, &tree).await?;
            if !trees.contains(&own) {
                trees.push(own);
            }
        }
        Ok(Chain::Known { ancestors: path[1..=self.level_count].to_vec(), trees })
    }

    /// The chain of an account that was loaded, for readers: nobody is given a tree, so that where
    /// [`of`](Self::of) would give one, the trees may be fewer.
    #[must_use]
    pub fn peek(&self, account: &AccountSequence) -> Chain {
        let mut path: Vec<&ReferralRecord> = Vec::new();
        let mut record = &self.records[account];
        let resolved = loop {
            if let Some(lineage) = &record.lineage {
                break Some((record.account.clone(), lineage.clone()));
            }
            let Some(referrer) = &record.referrer else { break None };
            path.push(record);
            if path.len() > self.records.len() {
                return Chain::Missing(referrer.clone());
            }
            record = &self.records[referrer];
        };
        if let Some(top) = resolved {
            let (_, lineage) = path.iter().rev().fold(top, |(above, lineage), below| {
                let lineage = lineage.of_child(&above, below.provisional_tree.clone());
                (below.account.clone(), lineage)
            });
            return self.known(&lineage);
        }
        if path.len() <= self.level_count {
            return Chain::Missing(record.account.clone());
        }
        let within = &path[..=self.level_count];
        let mut trees: Vec<TreeId> = Vec::new();
        for tree in within.iter().filter_map(|record| record.provisional_tree.as_ref()) {
            if !trees.contains(tree) {
                trees.push(tree.clone());
            }
        }
        Chain::Known { ancestors: within[1..].iter().map(|record| record.account.clone()).collect(), trees }
    }

    fn known(&self, lineage: &Lineage) -> Chain {
        let ancestors = lineage.ancestors.iter().take(self.level_count).cloned().collect();
        Chain::Known { ancestors, trees: lineage.trees.clone() }
    }

    /// The tree an account is in, which is `tree` if it is in none yet.
    async fn assign_tree(&mut self, account: &AccountSequence, tree: &TreeId) -> Result<TreeId, StoreError> {
        loop {
            let record = &self.records[account];
            let own = record
                .provisional_tree
                .clone()
                .or_else(|| record.lineage.as_ref().map(|lineage| lineage.trees[0].clone()));
            if let Some(own) = own {
                return Ok(own);
            }
            let assigned = ReferralRecord { provisional_tree: Some(tree.clone()), ..record.clone() };
            let _ = self.store.apply(assigned.write_next()?).await?;
            let read = self.store.referrals([account.clone()]).await?;
            self.records.extend(read.into_iter().map(|record| (record.account.clone(), record)));
        }
    }
}
