//! One transaction being built: entries, what they change of accounts, and the cursors they move.

use std::collections::{BTreeMap, BTreeSet};

use ledger::rules::{AccountSequence, Amount, AmountOverflow, OrderId, Owner, Slot, SystemAccount};
use ledger::store::{
    Account, AccountChange, Action, EntryCause, JournalEntry, OutstandingTree, Posted, PostedAccount,
    ReassessTask, Shard, Store, StoreError, SystemShareChange, TRANSACTION_ACTIONS_MAX, Transacted, TreeId,
};

use crate::DistributionError;
use crate::decide::Effect;
use crate::view::View;

/// The writes that each tree adds: its cursor, and where its accounts stand then.
const ACTIONS_PER_TREE: usize = 2;

/// A transaction being built. An account that several adoptions touch is written once.
#[derive(Debug, Default)]
pub(crate) struct Posting {
    entries: Vec<JournalEntry>,
    accounts: BTreeMap<AccountSequence, AccountChange>,
    systems: BTreeMap<(Shard, SystemAccount), SystemShareChange>,
    trees: BTreeMap<TreeId, Option<OrderId>>,
    homes: BTreeMap<AccountSequence, TreeId>,
    tasks: Vec<ReassessTask>,
}

impl Posting {
    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many entries are in it.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the effect fits into the same transaction.
    pub(crate) fn has_room_for(&self, effect: &Effect, trees: &[TreeId]) -> bool {
        let shard = Shard::of_tree(&trees[0]);
        let mut users = BTreeSet::new();
        let mut systems = BTreeSet::new();
        for leg in &effect.entry.legs {
            match leg.recipient.owner() {
                Owner::User(account) => users.insert(account),
                Owner::System(account) => systems.insert((shard, account)),
            };
        }
        if systems.is_empty() {
            // What users get is noted with the share of a system account.
            systems.insert((shard, SystemAccount::Operation));
        }
        users.extend(effect.unlocks.iter().map(|(account, _)| account.clone()));
        let new = 1
            + effect.tasks.len() * 2
            + users.iter().filter(|account| !self.accounts.contains_key(account)).count()
            + systems.iter().filter(|key| !self.systems.contains_key(key)).count()
            + ACTIONS_PER_TREE * trees.iter().filter(|tree| !self.trees.contains_key(tree)).count();
        self.action_count() + new <= TRANSACTION_ACTIONS_MAX
    }

    fn action_count(&self) -> usize {
        // Each task may mark its tree as outstanding.
        self.entries.len()
            + self.accounts.len()
            + self.systems.len()
            + ACTIONS_PER_TREE * self.trees.len()
            + self.tasks.len() * 2
    }

    /// Adds an effect, and lets the view follow it. Nothing changes if an amount would overflow.
    pub(crate) fn add(
        &mut self,
        effect: Effect,
        trees: &[TreeId],
        view: &mut View,
    ) -> Result<(), DistributionError> {
        let Effect { entry, unlocks, tasks, homes } = effect;
        let poisoned = |_: AmountOverflow| DistributionError::Overflow { order: entry.order };
        let (users, systems) = changes(&entry, &unlocks, Shard::of_tree(&trees[0])).map_err(poisoned)?;

        // Every sum is tried on copies first, so that a refusal leaves no half of it behind.
        let mut applied: Vec<(AccountSequence, Account, AccountChange)> = Vec::new();
        for (account, change) in users {
            let mut state = view.account(&account).clone();
            state.apply(&change).map_err(poisoned)?;
            let mut together = self.accounts.get(&account).cloned().unwrap_or_default();
            together.merge(change).map_err(poisoned)?;
            applied.push((account, state, together));
        }
        let mut summed = Vec::new();
        for (key, change) in systems {
            let mut together = self.systems.get(&key).cloned().unwrap_or_default();
            together.merge(&change).map_err(poisoned)?;
            summed.push((key, together));
        }
        view.post(&entry)?;
        for (account, state, change) in applied {
            *view.account_mut(&account) = state;
            self.accounts.insert(account, change);
        }
        self.systems.extend(summed);
        for tree in trees {
            let last = self.trees.entry(tree.clone()).or_insert_with(|| view.cursor(tree).last_order);
            *last = (*last).max(Some(entry.order));
        }
        self.homes.extend(homes);
        self.tasks.extend(tasks);
        self.entries.push(entry);
        Ok(())
    }

    /// Where this leaves the accounts of one tree; `None` if it posts to none of them.
    fn posted(&self, tree: &TreeId, view: &View) -> Option<Posted> {
        let posts_to = |entry: &JournalEntry, account: &AccountSequence| {
            entry.legs.iter().any(|leg| leg.recipient.is_allocated_to(account))
        };
        let of_tree = self.homes.iter().filter(|(_, home)| *home == tree).map(|(account, _)| account);
        let accounts: Vec<PostedAccount> = of_tree
            .filter(|account| self.entries.iter().any(|entry| posts_to(entry, account)))
            .map(|account| PostedAccount::of(account, view.account(account)))
            .collect();
        (!accounts.is_empty()).then(|| Posted {
            tree: tree.clone(),
            version: view.cursor(tree).version + 1,
            entries: self.entries.iter().map(JournalEntry::id).collect(),
            accounts,
            posted_at_ms: self.entries.iter().map(|entry| entry.posted_at_ms).max().unwrap_or_default(),
        })
    }

    /// Commits everything at once. Whether it took effect: if not, the view is outdated.
    pub(crate) async fn commit(
        self,
        store: &Store,
        view: &mut View,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        if self.is_empty() {
            return Ok(true);
        }
        let mut actions: Vec<Action> = Vec::with_capacity(self.action_count());
        for entry in &self.entries {
            actions.push(entry.write()?);
        }
        for (account, change) in self.accounts.iter().filter(|(_, change)| !change.is_nothing()) {
            actions.push(change.write(account));
        }
        for ((shard, account), change) in &self.systems {
            actions.push(change.write(*shard, account));
        }
        for (tree, last_order) in &self.trees {
            actions.push(view.cursor(tree).advance(tree, *last_order));
            actions.extend(self.posted(tree, view).map(|posted| posted.write()).transpose()?);
        }
        for task in &self.tasks {
            actions.push(task.write()?);
        }
        // A tree with a reassessment to do is outstanding, whoever may be settling it just now.
        let with_tasks: BTreeSet<&TreeId> = self.tasks.iter().map(|task| &task.tree).collect();
        actions.extend(with_tasks.into_iter().map(|tree| OutstandingTree::release(tree, now_ms)));
        let committed = store.transact(actions).await? == Transacted::Committed;
        if committed {
            for (tree, last_order) in &self.trees {
                view.advance(tree, *last_order);
            }
        }
        Ok(committed)
    }
}

type Changes =
    (BTreeMap<AccountSequence, AccountChange>, BTreeMap<(Shard, SystemAccount), SystemShareChange>);

/// What an entry and its unlocks change, account by account.
fn changes(
    entry: &JournalEntry,
    unlocks: &[(AccountSequence, ledger::rules::UnlockFacts)],
    shard: Shard,
) -> Result<Changes, AmountOverflow> {
    let effective_date = entry.term.effective_date;
    let mut users: BTreeMap<AccountSequence, AccountChange> = BTreeMap::new();
    let mut systems: BTreeMap<(Shard, SystemAccount), SystemShareChange> = BTreeMap::new();
    let mut of_users = Amount::ZERO;
    for leg in &entry.legs {
        let pending = match leg.recipient.owner() {
            Owner::User(account) => {
                let change = users.entry(account).or_default();
                let total = match leg.slot {
                    Slot::TeamLevel(_) => &mut change.team_level,
                    Slot::TeamBonus(_) => &mut change.team_bonus,
                    _ => &mut change.personal,
                };
                *total = total.checked_add(leg.amount)?;
                of_users = of_users.checked_add(leg.amount)?;
                &mut change.pending
            }
            Owner::System(account) => {
                let change = systems.entry((shard, account)).or_default();
                change.total = change.total.checked_add(leg.amount)?;
                &mut change.pending
            }
        };
        let pending = pending.entry(effective_date).or_default();
        *pending = pending.checked_add(leg.amount)?;
    }
    if let Some(mut share) = systems.first_entry() {
        share.get_mut().users = of_users;
    } else if !of_users.is_zero() {
        let change = SystemShareChange { users: of_users, ..SystemShareChange::default() };
        systems.insert((shard, SystemAccount::Operation), change);
    }
    let trees = i64::from(entry.tree_count.get());
    let trees = match entry.cause {
        EntryCause::Distribution | EntryCause::Redistribution => trees,
        EntryCause::Reversal => -trees,
        EntryCause::Reassessment { .. } => 0,
    };
    if trees != 0 {
        let change = users.entry(entry.account.clone()).or_default();
        *change.pending_trees.entry(effective_date).or_default() += trees;
    }
    for (account, facts) in unlocks {
        users.entry(account.clone()).or_default().unlock = Some(facts.clone());
    }
    Ok((users, systems))
}
