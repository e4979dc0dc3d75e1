//! Reassessment: comparing what was posted with the rules again, where somebody's unlocks changed.
//!
//! The walk goes down from the account whose unlocks changed, level by level as far as legs reach. It
//! compares each adoption in the range with what the facts say *now*, not with what changed, so it
//! may be repeated, cut short, or overtaken by another one, and still ends with the ledger right.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use ledger::rules::{AccountSequence, OrderId, OrderRange, Policy};
use ledger::store::{
    CONCURRENT_CALLS_MAX, Chain, Chains, Frame, Range, ReassessTask, Store, StoreError, TreeId,
    order_sort_key,
};

use crate::DistributionError;
use crate::decide::Involved;
use crate::posting::Posting;
use crate::view::View;

/// Direct referrals looked at in one go.
const PAGE_ACCOUNTS: usize = 32;
/// Pages looked at in one step; between steps the tree's distribution goes on.
const STEP_PAGES_MAX: usize = 8;
/// Adoptions compared in one step, give or take one page.
const STEP_ADOPTIONS_MAX: usize = 400;
/// How often a page is compared again because somebody else posted to its trees.
const ATTEMPTS_MAX: usize = 20;

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

    /// Does a bounded part of the next reassessment. How many adoptions it corrected; `None` if there
    /// is nothing to reassess.
    pub(crate) async fn step(&self) -> Result<Option<u64>, DistributionError> {
        let Some(mut task) = self.store.next_task(self.tree).await? else { return Ok(None) };
        let mut corrected = 0;
        let mut compared = 0;
        for _ in 0..STEP_PAGES_MAX {
            let Some(frame) = task.frames.pop() else { break };
            let children =
                self.store.direct_referrals(&frame.account, frame.after.as_ref(), PAGE_ACCOUNTS).await?;
            let orders = self.orders_in_range(&children, task.range).await?;
            compared += orders.len();
            corrected += self.compare(&task, orders).await?;
            let depth = frame.depth + 1;
            if children.len() == PAGE_ACCOUNTS {
                task.frames.push(Frame { after: children.last().cloned(), ..frame });
            }
            if depth < self.policy.level_count() {
                let below = children.into_iter().map(|account| Frame { account, depth, after: None });
                task.frames.extend(below);
            }
            if compared >= STEP_ADOPTIONS_MAX {
                break;
            }
        }
        let saved = if task.frames.is_empty() { task.remove() } else { task.write()? };
        self.store.apply(saved).await?;
        Ok(Some(corrected))
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

    /// Compares adoptions with the rules and posts what differs. How many differed.
    async fn compare(
        &self,
        task: &ReassessTask,
        orders: Vec<(AccountSequence, OrderId)>,
    ) -> Result<u64, DistributionError> {
        if orders.is_empty() {
            return Ok(0);
        }
        let mut chains = Chains::new(self.store, self.policy.level_count());
        let adopters: Vec<AccountSequence> = orders.iter().map(|(account, _)| account.clone()).collect();
        chains.load(adopters).await?;
        let mut known = Vec::with_capacity(orders.len());
        for (account, order) in orders {
            // Whose ancestors are not known yet was not posted either.
            if let Chain::Known { ancestors, trees } = chains.of(&account).await? {
                known.push((order, account, ancestors, trees));
            }
        }
        let numbers: Vec<OrderId> = known.iter().map(|(order, ..)| *order).collect();
        let mut corrected = 0;
        for _ in 0..ATTEMPTS_MAX {
            let records = self.store.adoptions(numbers.clone()).await?;
            let mut view = View::default();
            let accounts =
                known.iter().flat_map(|(_, account, ancestors, _)| ancestors.iter().chain([account]));
            let accounts: HashSet<&AccountSequence> = accounts.collect();
            let trees: HashSet<&TreeId> = known.iter().flat_map(|(.., trees)| trees).collect();
            view.extend(self.store, accounts, trees).await?;
            view.extend_positions(self.store, numbers.clone()).await?;
            let mut posting = Posting::default();
            let mut is_outdated = false;
            for (order, _, ancestors, trees) in &known {
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
