//! One pass over staged adoptions, in ascending order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ledger::cdc::AdoptionRow;
use ledger::queue::{Run, RunReleased};
use ledger::rules::{AccountSequence, Amount, ContributionPerTree, OrderId, Policy, contribution_per_tree};
use ledger::store::{
    Action, AdoptionRecord, Chain, Chains, HoldReason, Item, Key, OutstandingTree, ReferralRecord, Stage,
    Store, StoreError, TRANSACTION_ACTIONS_MAX, Transacted, TreeId, WorkItem,
};

use crate::ladder::Counter;

/// A pass over staged adoptions.
pub(crate) struct Pass<'a> {
    store: &'a Store,
    policy: &'a Policy,
    now: DateTime<Utc>,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Every adoption was looked at.
    Complete,
    /// A row changed under it: the list is to be read again.
    Outdated,
    /// Another sequencer released adoptions meanwhile, and so is at the rest of them.
    Overtaken,
}

/// What passes did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Adoptions handed to the distribution.
    pub(crate) released: u64,
    /// Adoptions held because a referral row is missing.
    pub(crate) held: u64,
    /// Transactions that took effect.
    pub(crate) commits: u64,
    runs: BTreeMap<TreeId, Run>,
}

impl Outcome {
    /// The messages to send, one per tree.
    pub(crate) fn into_messages(self) -> impl Iterator<Item = RunReleased> {
        self.runs.into_iter().map(|(tree, run)| RunReleased { tree, run: Some(run) })
    }
}

/// The move of one adoption from the list to where it belongs.
struct Step {
    actions: Vec<Action>,
    counted_trees: u32,
    released_to: Option<TreeId>,
    waits_for: Option<AccountSequence>,
}

/// The moves of one transaction.
#[derive(Default)]
struct Together {
    actions: Vec<Action>,
    released: Vec<(TreeId, OrderId)>,
    held: u64,
    waited_for: BTreeSet<AccountSequence>,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(store: &'a Store, policy: &'a Policy, now: DateTime<Utc>) -> Self {
        Self { store, policy, now }
    }

    /// Takes these adoptions, which ascend, off the list. What it did is in `outcome`, even if it fails.
    pub(crate) async fn run(&self, orders: &[OrderId], outcome: &mut Outcome) -> Result<End, StoreError> {
        let records = self.store.adoptions(orders.iter().copied()).await?;
        let staged = orders.iter().filter_map(|order| records.get(order));
        let staged: Vec<&AdoptionRecord> = staged.filter(|record| record.stage == Stage::Staged).collect();

        let mut chains = Chains::new(self.store, self.policy.level_count());
        chains
            .load(staged.iter().filter_map(|record| record.row.as_ref()).map(|row| row.account.clone()))
            .await?;
        let first_unpriced = staged.iter().find(|record| {
            record.is_distributable(self.policy)
                && record.row.as_ref().is_some_and(|row| row.contribution_per_tree.is_none())
        });
        let mut counter = Counter::load(self.store, first_unpriced.map(|record| record.order)).await?;

        let mut together = Together::default();
        for record in staged {
            let Some(step) = self.step(record, &mut chains, &counter).await? else { continue };
            if !together.has_room_for(&step) {
                let full = std::mem::take(&mut together);
                let end = self.commit(full, &mut counter, outcome).await?;
                if end != End::Complete {
                    return Ok(end);
                }
            }
            counter.count(record.order, record.counted_trees, step.counted_trees);
            together.add(record.order, step);
        }
        self.commit(together, &mut counter, outcome).await
    }

    /// Where an adoption goes from here; nothing if it has to be looked at again.
    async fn step(
        &self,
        record: &AdoptionRecord,
        chains: &mut Chains<'_>,
        counter: &Counter,
    ) -> Result<Option<Step>, StoreError> {
        let takes_part = record.is_distributable(self.policy);
        let mut after = record.clone();
        let mut actions = Vec::new();
        let mut released_to = None;
        let mut waits_for = None;
        let mut counted_trees = 0;
        after.stage = match (takes_part, record.deleted) {
            (true, _) => Stage::Released,
            (false, true) => Stage::Removed,
            (false, false) => Stage::Held(HoldReason::Status),
        };
        if let Some(row) = after.row.as_mut().filter(|_| takes_part || record.released) {
            if takes_part {
                counted_trees = row.tree_count.get();
            }
            match chains.of(&row.account).await? {
                Chain::Missing(missing) => {
                    if !self.is_waited_for(&missing, chains).await? {
                        return Ok(None);
                    }
                    actions.push(Action::put(Item::at(&Key::waiting_order(&missing, record.order)))?);
                    after.stage = Stage::Held(HoldReason::NoReferral(missing.clone()));
                    waits_for = Some(missing);
                }
                Chain::Known { ancestors, trees } => match price(row, counter, self.policy) {
                    None => after.stage = Stage::Held(HoldReason::AmountOverflow),
                    Some(price) => {
                        row.contribution_per_tree = Some(price);
                        let work = WorkItem {
                            order: record.order,
                            revision: record.revision + 1,
                            account: row.account.clone(),
                            ancestors,
                            trees,
                            again: record.released,
                        };
                        actions.push(Action::put(work.item())?);
                        released_to = Some(work.tree().clone());
                        after.released = true;
                    }
                },
            }
        }
        after.counted_trees = counted_trees;
        actions.extend(after.replace(Some(record), self.now)?);
        Ok(Some(Step { actions, counted_trees, released_to, waits_for }))
    }

    /// Marks that something waits for an account's row; false if the row is arriving just now.
    async fn is_waited_for(
        &self,
        missing: &AccountSequence,
        chains: &mut Chains<'_>,
    ) -> Result<bool, StoreError> {
        let record = chains.record(missing);
        if record.has_arrived() {
            return Ok(false);
        }
        if record.awaited {
            return Ok(true);
        }
        let marked = self.store.apply(record.marked_awaited().write_next()?).await?;
        chains.load([missing.clone()]).await?;
        Ok(marked)
    }

    /// Commits moves with the running number and the marks of their trees.
    async fn commit(
        &self,
        together: Together,
        counter: &mut Counter,
        outcome: &mut Outcome,
    ) -> Result<End, StoreError> {
        if together.actions.is_empty() {
            return Ok(End::Complete);
        }
        let now_ms = self.now.timestamp_millis();
        let mut actions = vec![counter.write()?];
        actions.extend(together.actions);
        let trees: BTreeSet<&TreeId> = together.released.iter().map(|(tree, _)| tree).collect();
        actions.extend(trees.into_iter().map(|tree| OutstandingTree::release(tree, now_ms)));
        // A row that arrives before this commit fails it; one that arrives later finds who waits.
        actions.extend(together.waited_for.iter().map(ReferralRecord::is_awaited));
        match self.store.transact(actions).await? {
            // Only sequencers move the running number, which is the first action.
            Transacted::ConditionsFailed(positions) if positions.contains(&0) => return Ok(End::Overtaken),
            Transacted::ConditionsFailed(_) => return Ok(End::Outdated),
            Transacted::Committed => counter.committed(),
        }
        outcome.commits += 1;
        outcome.released += together.released.len() as u64;
        outcome.held += together.held;
        for (tree, order) in together.released {
            outcome
                .runs
                .entry(tree)
                .and_modify(|run| {
                    run.last_order = order;
                    run.adoptions += 1;
                })
                .or_insert(Run { first_order: order, last_order: order, adoptions: 1 });
        }
        Ok(End::Complete)
    }
}

impl Together {
    fn has_room_for(&self, step: &Step) -> bool {
        // Besides the moves, one action marks each tree, one checks each row that is waited for, and
        // one moves the running number.
        let trees: BTreeSet<&TreeId> =
            self.released.iter().map(|(tree, _)| tree).chain(&step.released_to).collect();
        let waits = self.waited_for.len() + usize::from(step.waits_for.is_some());
        self.actions.len() + step.actions.len() + trees.len() + waits < TRANSACTION_ACTIONS_MAX
    }

    fn add(&mut self, order: OrderId, step: Step) {
        self.actions.extend(step.actions);
        self.released.extend(step.released_to.map(|tree| (tree, order)));
        self.held += u64::from(step.waits_for.is_some());
        self.waited_for.extend(step.waits_for);
    }
}

/// The adoption's price: the source's, or what the rules derive. `None` if its total were too large.
fn price(row: &AdoptionRow, counter: &Counter, policy: &Policy) -> Option<Amount> {
    let price = match row.contribution_per_tree {
        Some(price) => price,
        None => contribution_per_tree(counter.trees_before(row.order), policy)
            .map(ContributionPerTree::amount)
            .ok()?,
    };
    price.times(row.tree_count.get()).ok().map(|_| price)
}
