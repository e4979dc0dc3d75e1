//! What rules section 10 says of every moment, checked from what the tables hold.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use ledger::rules::{Amount, BusinessDate, OrderId, Owner, Slot, SystemAccount};
use ledger::store::{AccountsItem, EntryCause, Item, JournalEntry, JournalItem, Key, Table};

/// The journal, what it adds up to, and what the accounts say it does.
///
/// It follows the tables by the items that were written, and looks again at every adoption and every
/// owner that these concern. Beginning with nothing and given everything, it checks everything.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    entries: BTreeMap<OrderId, BTreeMap<u32, JournalEntry>>,
    entry_keys: BTreeSet<Key>,
    legs: BTreeMap<Owner, Totals>,
    accounts: BTreeMap<Owner, Totals>,
    shares: BTreeMap<Key, (SystemAccount, Totals)>,
}

/// Personal, team level and team bonus; a system account has only the first.
type Totals = [Amount; 3];

impl Sums {
    /// Follows the items at these keys, which are all that changed, and checks what they concern.
    pub(super) fn follow(&mut self, keys: &BTreeSet<Key>, items: Vec<Item>) -> Result<()> {
        let mut orders = BTreeSet::new();
        let mut owners = BTreeSet::new();
        let mut found = BTreeSet::new();
        for item in items {
            let key = item.key()?;
            match item.table() {
                Table::Journal => {
                    if let JournalItem::Entry(entry) = JournalItem::of_item(item)? {
                        self.entry_keys.insert(key.clone());
                        self.follow_entry(entry, &mut orders, &mut owners)?;
                    }
                }
                _ => self.follow_account(&key, item, &mut owners)?,
            }
            found.insert(key);
        }
        // What a failed transaction attempted to write is not there, and never was.
        let lost = keys.difference(&found).find(|key| self.entry_keys.contains(key));
        ensure!(lost.is_none(), "the journal has lost {lost:?}");
        for order in orders {
            self.check_adoption(order)?;
        }
        for owner in owners {
            let legs = self.legs.get(&owner).copied().unwrap_or_default();
            let totals = self.accounts.get(&owner).copied().unwrap_or_default();
            ensure!(legs == totals, "the totals of {owner} are {totals:?}, its legs are {legs:?}");
        }
        Ok(())
    }

    /// How many entries were posted, and how many of them correct earlier ones.
    pub(super) fn postings(&self) -> (usize, usize) {
        let entries = || self.entries.values().flat_map(BTreeMap::values);
        (entries().count(), entries().filter(|entry| entry.cause != EntryCause::Distribution).count())
    }

    fn follow_entry(
        &mut self,
        entry: JournalEntry,
        orders: &mut BTreeSet<OrderId>,
        owners: &mut BTreeSet<Owner>,
    ) -> Result<()> {
        if let Some(known) = self.entries.get(&entry.order).and_then(|entries| entries.get(&entry.number)) {
            ensure!(*known == entry, "entry {} of adoption {} has changed", entry.number, entry.order);
            return Ok(());
        }
        for leg in &entry.legs {
            let owner = leg.recipient.owner();
            let kind = match leg.slot {
                Slot::TeamLevel(_) if matches!(owner, Owner::User(_)) => 1,
                Slot::TeamBonus(_) if matches!(owner, Owner::User(_)) => 2,
                _ => 0,
            };
            let sum = &mut self.legs.entry(owner.clone()).or_default()[kind];
            *sum = sum.checked_add(leg.amount)?;
            owners.insert(owner);
        }
        orders.insert(entry.order);
        self.entries.entry(entry.order).or_default().insert(entry.number, entry);
        Ok(())
    }

    fn follow_account(&mut self, key: &Key, item: Item, owners: &mut BTreeSet<Owner>) -> Result<()> {
        match AccountsItem::from_item(item)? {
            AccountsItem::Account { account, state } => {
                let owner = Owner::User(account);
                check_pending(&owner, state.total()?, state.effective, &state.pending)?;
                self.accounts.insert(owner.clone(), [state.personal, state.team_level, state.team_bonus]);
                owners.insert(owner);
            }
            AccountsItem::Share { account, share } => {
                let owner = Owner::System(account.clone());
                check_pending(&owner, share.total, share.effective, &share.pending)?;
                self.shares.insert(key.clone(), (account, [share.total, Amount::ZERO, Amount::ZERO]));
                let of_owner =
                    self.shares.values().filter(|(account, _)| Owner::System(account.clone()) == owner);
                let total = Amount::sum(of_owner.map(|(_, totals)| totals[0]))?;
                self.accounts.insert(owner.clone(), [total, Amount::ZERO, Amount::ZERO]);
                owners.insert(owner);
            }
            AccountsItem::Cursor { .. } | AccountsItem::Task(_) | AccountsItem::Other => {}
        }
        Ok(())
    }

    /// That the entries of an adoption are numbered without a gap, and that after each of them either
    /// all of it is posted or nothing.
    fn check_adoption(&self, order: OrderId) -> Result<()> {
        let mut posted = Amount::ZERO;
        for (position, entry) in self.entries[&order].values().enumerate() {
            ensure!(entry.number as usize == position, "adoption {order} misses entry {position}");
            let total = entry.contribution_per_tree.amount().times(entry.tree_count.get())?;
            let (before, sum) = match entry.cause {
                EntryCause::Distribution if position > 0 => bail!("adoption {order} is distributed twice"),
                EntryCause::Distribution | EntryCause::Redistribution => (Amount::ZERO, total),
                EntryCause::Reversal => (total, -total),
                EntryCause::Reassessment { .. } => (total, Amount::ZERO),
            };
            ensure!(posted == before, "entry {position} of adoption {order} comes when {posted} is posted");
            let legs = entry.sum()?;
            ensure!(legs == sum, "entry {position} of adoption {order} sums to {legs}, not to {sum}");
            posted = posted.checked_add(sum)?;
        }
        Ok(())
    }
}

/// That before anything expires, whatever was posted is active or will be.
fn check_pending(
    owner: &Owner,
    total: Amount,
    effective: Amount,
    pending: &BTreeMap<BusinessDate, Amount>,
) -> Result<()> {
    let sum = Amount::sum(pending.values().copied().chain([effective]))?;
    ensure!(sum == total, "{owner} has {total}, of which {sum} is active or will be");
    Ok(())
}
