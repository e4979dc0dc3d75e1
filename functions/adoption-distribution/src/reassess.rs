//! Reassessment: comparing what was posted with the rules again, where somebody's unlocks changed.
//!
//! The walk goes down from the account whose unlocks changed, level by level as far as legs reach. It
//! compares each adoption in the range with what the facts say *now*, not with what changed, so it
//! may be repeated, cut short, or overtaken by another one, and still ends with the ledger right.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use ledger::rules::{AccountSequence, OrderId, OrderRange, Policy};
use ledger::store::{
    Action, CONCURRENT_CALLS_MAX, Chain, Chains, Frame, Range, ReassessTask, Store, StoreError, TreeId,
    order_sort_key,
};

use crate::DistributionError;
use crate::decide::Involved;
use crate::posting::Posting;
use crate::view::View;

/// Direct referrals of one account looked at in one step.
const PAGE_ACCOUNTS: usize = 32;
/// Accounts whose direct referrals are looked at in one step, of one task or of several; between
/// steps the tree's distribution goes on.
const STEP_FRAMES_MAX: usize = 8;
/// How often a step's adoptions are compared again because somebody else posted to its trees.
const ATTEMPTS_MAX: usize = 20;

/// What a page of an account's direct referrals holds.
struct Walked {
    /// The position of the task among those of the step.
    task: usize,
    /// Where the walk goes on.
    below: Vec<Frame>,
    /// The referrals' adoptions in the task's range.
    orders: Vec<(AccountSequence, OrderId)>,
}

/// The reassessments of one tree.
pub(crate) struct Reassessment<'a> {
    store: &'a Store,
    policy: &'a Policy,
    tree: &'a TreeId,
    now: DateTime<Utc>,
}

impl<'a> Reassessment<'a> {
    pub(crate) fn new(store: &'a Store, policy: &'a Policy, tree: &'a TreeId, now: DateTime<Utc>) -> Self {
        Self { store, policy, tree, now }
    }

    /// Does a bounded part of the next reassessments. How many adoptions it corrected; `None` if there
    /// is nothing to reassess.
    pub(crate) async fn step(&self) -> Result<Option<u64>, DistributionError> {
        let mut tasks = self.store.next_tasks(self.tree, STEP_FRAMES_MAX).await?;
        if tasks.is_empty() {
            return Ok(None);
        }
        let frames_each = STEP_FRAMES_MAX / tasks.len();
        let frames: Vec<(usize, Frame)> = tasks
            .iter_mut()
            .enumerate()
            .flat_map(|(index, task)| {
                let rest = task.frames.len().saturating_sub(frames_each);
                task.frames.split_off(rest).into_iter().map(move |frame| (index, frame))
            })
            .collect();
        let walked: Vec<Walked> = stream::iter(frames)
            .map(|(index, frame)| self.walk(index, frame, tasks[index].range))
            .buffered(CONCURRENT_CALLS_MAX)
            .try_collect()
            .await?;
        let mut orders = Vec::new();
        for walked in walked {
            tasks[walked.task].frames.extend(walked.below);
            orders.extend(walked.orders.into_iter().map(|(account, order)| (walked.task, account, order)));
        }
        let corrected = self.compare(&tasks, orders).await?;
        let saved =
            tasks.iter().map(|task| if task.frames.is_empty() { Ok(task.remove()) } else { task.write() });
        let saved: Vec<Action> = saved.collect::<Result<_, StoreError>>()?;
        try_join_all(saved.into_iter().map(|action| self.store.apply(action))).await?;
        Ok(Some(corrected))
    }

    /// Goes through a page of an account's direct referrals.
    async fn walk(&self, task: usize, frame: Frame, range: OrderRange) -> Result<Walked, StoreError> {
        let children =
            self.store.direct_referrals(&frame.account, frame.after.as_ref(), PAGE_ACCOUNTS).await?;
        let orders = self.orders_in_range(&children, range).await?;
        let depth = frame.depth + 1;
        let mut below = Vec::new();
        if children.len() == PAGE_ACCOUNTS {
            below.push(Frame { after: children.last().cloned(), ..frame });
        }
        if depth < self.policy.level_count() {
            below.extend(children.into_iter().map(|account| Frame { account, depth, after: None }));
        }
        Ok(Walked { task, below, orders })
    }

    /// The adoptions of these accounts in the range, each with its adopter.
    async fn orders_in_range(
        &self,
        accounts: &[AccountSequence],
        range: OrderRange,
    ) -> Result<Vec<(AccountSequence, OrderId)>, StoreError> {
        let range = Range {
            from: Some(order_sort_key(range.from)),
            // The range ends before its end.
            to: range.to.map(|to| order_sort_key(OrderId::new(to.get() - 1).unwrap_or(OrderId::MIN))),
            ..Range::default()
        };
        let found: Vec<Vec<(AccountSequence, OrderId)>> = stream::iter(accounts.to_vec())
            .map(async |account| {
                let page = self.store.orders_of_adopter(&account, &range, usize::MAX).await?;
                page.items
                    .iter()
                    .map(|item| Ok((account.clone(), item.parse("sk")?)))
                    .collect::<Result<_, StoreError>>()
            })
            .buffer_unordered(CONCURRENT_CALLS_MAX)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Compares adoptions, each for the task at its position, with the rules and posts what differs. How
    /// many differed.
    async fn compare(
        &self,
        tasks: &[ReassessTask],
        orders: Vec<(usize, AccountSequence, OrderId)>,
    ) -> Result<u64, DistributionError> {
        if orders.is_empty() {
            return Ok(0);
        }
        let mut chains = Chains::new(self.store, self.policy.level_count());
        let adopters: Vec<AccountSequence> = orders.iter().map(|(_, account, _)| account.clone()).collect();
        chains.load(adopters).await?;
        let mut known = Vec::with_capacity(orders.len());
        for (task, account, order) in orders {
            // Whose ancestors are not known yet was not posted either.
            if let Chain::Known { ancestors, trees } = chains.of(&account).await? {
                known.push((&tasks[task], order, account, ancestors, trees));
            }
        }
        let numbers: Vec<OrderId> = known.iter().map(|(_, order, ..)| *order).collect();
        let mut corrected = 0;
        for _ in 0..ATTEMPTS_MAX {
            let records = self.store.adoptions(numbers.clone()).await?;
            let mut view = View::default();
            let accounts =
                known.iter().flat_map(|(_, _, account, ancestors, _)| ancestors.iter().chain([account]));
            let accounts: HashSet<&AccountSequence> = accounts.collect();
            let trees: HashSet<&TreeId> = known.iter().flat_map(|(.., trees)| trees).collect();
            view.extend(self.store, self.policy, accounts, trees).await?;
            view.extend_positions(self.store, numbers.clone()).await?;
            let mut posting = Posting::default();
            let mut is_outdated = false;
            for (task, order, _, ancestors, trees) in &known {
                let Some(record) = records.get(order) else { continue };
                let Some(row) = &record.row else { continue };
                if !view.position(*order).is_live() {
                    continue;
                }
                let involved = Involved { record, row, ancestors, trees };
                let effect = involved
                    .reassess(task, &view, self.policy, self.now.timestamp_millis())
                    .map_err(|_| DistributionError::Overflow { order: *order })?;
                let Some(effect) = effect else { continue };
                if !posting.has_room_for(&effect, trees) {
                    let full = std::mem::take(&mut posting);
                    let entries = full.len() as u64;
                    if !full.commit(self.store, &mut view, self.now.timestamp_millis()).await? {
                        is_outdated = true;
                        break;
                    }
                    corrected += entries;
                }
                posting.add(effect, trees, &mut view)?;
            }
            let entries = posting.len() as u64;
            if !is_outdated && posting.commit(self.store, &mut view, self.now.timestamp_millis()).await? {
                return Ok(corrected + entries);
            }
        }
        Err(DistributionError::Contended)
    }
}
