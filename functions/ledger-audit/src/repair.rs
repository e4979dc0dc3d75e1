//! Putting right what the ledger's own means can put right: releasing again, reassessing, recomputing.
//!
//! Nothing here edits an amount or an entry. Whatever a repair leads to is posted by the distribution,
//! as entries with causes of their own.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use ledger::queue::{GroupMessage, RunReleased};
use ledger::rules::{
    AccountSequence, OrderId, OrderRange, Owner, Policy, Recipient, UnlockFacts, affected_orders,
};
use ledger::store::{
    AccountChange, Action, AdoptionRecord, BatchWrite, Chain, Chains, Frame, HoldReason, Item, Key,
    OutstandingTree, Position, Range, ReassessTask, Stage, Store, StoreError, Transacted, TreeId, WorkItem,
};

use crate::report::{Difference, Kind};

/// How often facts are recomputed again because somebody posted to the tree.
const ATTEMPTS_MAX: usize = 20;
/// Direct referrals or own adoptions read at a time.
const PAGE: usize = 500;
/// The entry numbers of tasks that no entry made: to compare one adoption, and all that facts decide. No
/// adoption has so many entries.
const OF_ONE_ADOPTION: u32 = 9_999;
const OF_FACTS: u32 = 9_998;

/// Repairs of what one audit found.
pub(crate) struct Repairs<'a> {
    store: &'a Store,
    policy: &'a Policy,
    keys: &'a BTreeMap<String, Key>,
    now: DateTime<Utc>,
    woken: BTreeSet<TreeId>,
}

/// What a repair must not build on, because it is not known which of two disagreeing records is right:
/// another one could make matters worse.
struct InDoubt {
    /// Whose totals disagree with legs.
    owners: HashSet<Owner>,
    /// Whether the network's number of trees disagrees with those that adoptions count.
    ladder: bool,
}

impl InDoubt {
    fn of(differences: &[Difference]) -> Self {
        let has_wrong_totals = |difference: &&Difference| {
            matches!(
                difference.kind,
                Kind::TotalWrong
                    | Kind::PendingWrong
                    | Kind::EffectiveWrong
                    | Kind::SystemTotalWrong
                    | Kind::SystemPendingWrong
                    | Kind::SystemEffectiveWrong
            )
        };
        let owner = |difference: &Difference| difference.subject.account.clone();
        Self {
            owners: differences.iter().filter(has_wrong_totals).filter_map(owner).collect(),
            ladder: differences.iter().any(|difference| difference.kind == Kind::LadderWrong),
        }
    }

    /// Whether the totals of an adoption's adopter are in doubt.
    fn concerns_adopter_of(&self, record: &AdoptionRecord) -> bool {
        record.row.as_ref().is_some_and(|row| self.owners.contains(&Owner::User(row.account.clone())))
    }
}

impl<'a> Repairs<'a> {
    pub(crate) fn new(
        store: &'a Store,
        policy: &'a Policy,
        keys: &'a BTreeMap<String, Key>,
        now: DateTime<Utc>,
    ) -> Self {
        Self { store, policy, keys, now, woken: BTreeSet::new() }
    }

    /// Repairs what it can and notes it with each difference. The messages that wake the trees which
    /// got work by that.
    pub(crate) async fn run(
        mut self,
        differences: &mut [Difference],
    ) -> Result<Vec<GroupMessage<RunReleased>>, StoreError> {
        let in_doubt = InDoubt::of(differences);
        for difference in differences {
            difference.repair = self.repair(difference, &in_doubt).await?;
        }
        let now_micros = self.now.timestamp_micros();
        let message = |tree: TreeId| GroupMessage {
            group: tree.as_str().to_owned(),
            deduplication_id: format!("audit-{now_micros}"),
            content: RunReleased { tree, run: None },
        };
        Ok(self.woken.into_iter().map(message).collect())
    }

    /// What was done about a difference; `None` if it needs a person.
    async fn repair(
        &mut self,
        difference: &Difference,
        in_doubt: &InDoubt,
    ) -> Result<Option<String>, StoreError> {
        let subject = &difference.subject;
        let user = match &subject.account {
            Some(Owner::User(account)) => Some(account),
            _ => None,
        };
        match (difference.kind, subject.order, user) {
            (Kind::OwnerWrong | Kind::WouldBeWrong, Some(order), Some(account)) => {
                let owner = |text: &str| text.parse::<Recipient>().ok().map(|recipient| recipient.owner());
                let owners = [owner(&difference.expected), owner(&difference.found)];
                if owners.iter().flatten().any(|owner| in_doubt.owners.contains(owner)) {
                    return Ok(None);
                }
                self.reassess(order, account).await
            }
            (Kind::EntryMissing | Kind::EntryUnexpected, Some(order), _) => {
                self.release(order, in_doubt).await
            }
            (Kind::CountedTreesWrong, Some(order), _) if !in_doubt.ladder => {
                self.sequence(order, in_doubt).await
            }
            (Kind::UnlockFactsWrong, _, Some(account)) => self.recompute_facts(account).await,
            (Kind::CursorStale, Some(last), _) => match &subject.tree {
                Some(tree) => self.move_cursor(tree, last).await,
                None => Ok(None),
            },
            (Kind::WorkNotOutstanding | Kind::TaskNotOutstanding, _, _) => match &subject.tree {
                Some(tree) => {
                    let marked = self.store.apply(self.wake(tree)).await?;
                    Ok(marked.then(|| "the tree was woken".to_owned()))
                }
                None => Ok(None),
            },
            (Kind::HoldReasonGone | Kind::ListItemMissing, Some(order), _) => {
                self.list_again(order, difference.kind).await
            }
            (Kind::ListItemMissing, None, Some(child)) => self.list_child(child).await,
            (Kind::ListItemOrphan, _, _) => {
                let Some(key) = subject.item.as_ref().and_then(|item| self.keys.get(item)) else {
                    return Ok(None);
                };
                self.store.batch_write(vec![BatchWrite::Delete(key.clone())]).await?;
                Ok(Some("the item was removed".to_owned()))
            }
            _ => Ok(None),
        }
    }

    /// The write that marks a tree; it is woken when all repairs are done.
    fn wake(&mut self, tree: &TreeId) -> Action {
        self.woken.insert(tree.clone());
        OutstandingTree::release(tree, self.now.timestamp_millis())
    }

    /// Has what the account decides of the adoption compared with the rules again.
    async fn reassess(
        &mut self,
        order: OrderId,
        account: &AccountSequence,
    ) -> Result<Option<String>, StoreError> {
        let Some(adopter) = self.adoption(order).await?.and_then(|record| record.row).map(|row| row.account)
        else {
            return Ok(None);
        };
        let Chain::Known { ancestors, .. } = self.chain(&adopter).await? else { return Ok(None) };
        let (Some(referrer), Some(tree)) = (ancestors.first(), self.own_tree(account).await?) else {
            return Ok(None);
        };
        // Nobody else's adoptions are in question, so the walk is over the adopter's level alone.
        let last_level = self.policy.level_count().saturating_sub(1);
        let frames = vec![Frame { account: referrer.clone(), depth: last_level, after: None }];
        let range = OrderRange { from: order, to: OrderId::new(order.get() + 1) };
        let task = ReassessTask::new(tree.clone(), order, OF_ONE_ADOPTION, account.clone(), range);
        let task = ReassessTask { frames, ..task };
        let actions = vec![task.write()?, self.wake(&tree)];
        let committed = self.store.transact(actions).await? == Transacted::Committed;
        Ok(committed.then(|| "the adoption is being reassessed".to_owned()))
    }

    /// Hands the adoption to its tree's distribution again, which posts or reverses what is due.
    async fn release(&mut self, order: OrderId, in_doubt: &InDoubt) -> Result<Option<String>, StoreError> {
        let Some(record) = self.adoption(order).await? else { return Ok(None) };
        let Some(row) = &record.row else { return Ok(None) };
        if in_doubt.concerns_adopter_of(&record) {
            return Ok(None);
        }
        let Chain::Known { ancestors, trees } = self.chain(&row.account).await? else {
            return Ok(None);
        };
        let Some(tree) = trees.first().cloned() else { return Ok(None) };
        let work = WorkItem {
            order,
            revision: record.revision,
            account: row.account.clone(),
            ancestors,
            trees,
            again: true,
        };
        let actions = vec![Action::put(work.item())?, self.wake(&tree)];
        let committed = self.store.transact(actions).await? == Transacted::Committed;
        Ok(committed.then(|| "the adoption was released again".to_owned()))
    }

    /// Hands the adoption to the sequencer again, which corrects the network's number of trees by what the
    /// adoption counts now, and has its tree's distribution look at it.
    async fn sequence(&mut self, order: OrderId, in_doubt: &InDoubt) -> Result<Option<String>, StoreError> {
        let Some(before) = self.adoption(order).await? else { return Ok(None) };
        if in_doubt.concerns_adopter_of(&before) {
            return Ok(None);
        }
        let actions = before.clone().on(Stage::Staged).replace(Some(&before), self.now)?;
        let committed = self.store.transact(actions).await? == Transacted::Committed;
        Ok(committed.then(|| "the adoption goes through the sequence again".to_owned()))
    }

    /// Replaces an account's unlock facts by those its posted adoptions give, unless anything is posted
    /// to its tree meanwhile, and has what was decided by the old ones compared again.
    async fn recompute_facts(&mut self, account: &AccountSequence) -> Result<Option<String>, StoreError> {
        let Some(tree) = self.own_tree(account).await? else { return Ok(None) };
        for _ in 0..ATTEMPTS_MAX {
            // The cursor is the fence: it is read before anything the facts follow from.
            let cursor = self.store.cursors([tree.clone()]).await?.remove(&tree).unwrap_or_default();
            let stored = self.store.accounts([account.clone()]).await?.remove(account).unwrap_or_default();
            let facts = self.posted_facts(account).await?;
            if facts == stored.unlock {
                return Ok(Some("the facts follow from what else is put right".to_owned()));
            }
            let range = if stored.unlock.needs_refill(self.policy) {
                Some(OrderRange { from: OrderId::MIN, to: None })
            } else {
                affected_orders(&stored.unlock, &facts, self.policy)
            };
            let change = AccountChange { unlock: Some(facts), ..AccountChange::default() };
            let mut actions = vec![change.write(account), cursor.advance(&tree, cursor.last_order)];
            if let Some(range) = range {
                let task = ReassessTask::new(tree.clone(), range.from, OF_FACTS, account.clone(), range);
                actions.extend([task.write()?, self.wake(&tree)]);
            }
            if self.store.transact(actions).await? == Transacted::Committed {
                return Ok(Some("the facts were recomputed".to_owned()));
            }
        }
        Ok(None)
    }

    /// What an account has unlocked by the journal.
    async fn posted_facts(&self, account: &AccountSequence) -> Result<UnlockFacts, StoreError> {
        let mut facts = UnlockFacts::default();
        facts.set_first_order(self.first_posted(account).await?);
        let mut orders = Vec::new();
        let mut after: Option<AccountSequence> = None;
        loop {
            let children = self.store.direct_referrals(account, after.as_ref(), PAGE).await?;
            for child in &children {
                orders.extend(self.first_posted(child).await?);
            }
            if children.len() < PAGE {
                facts.refill(orders);
                return Ok(facts);
            }
            after = children.last().cloned();
        }
    }

    /// The first adoption of an account that is posted.
    async fn first_posted(&self, account: &AccountSequence) -> Result<Option<OrderId>, StoreError> {
        let mut range = Range::default();
        loop {
            let page = self.store.orders_of_adopter(account, &range, PAGE).await?;
            for item in &page.items {
                let order: OrderId = item.parse("sk")?;
                let entries = self.store.entries(order).await?;
                if Position::after(&entries).is_some_and(|position| position.is_live()) {
                    return Ok(Some(order));
                }
            }
            match page.next {
                Some(next) => range = range.after(Some(next)),
                None => return Ok(None),
            }
        }
    }

    async fn move_cursor(&self, tree: &TreeId, last: OrderId) -> Result<Option<String>, StoreError> {
        let cursor = self.store.cursors([tree.clone()]).await?.remove(tree).unwrap_or_default();
        let moved = self.store.apply(cursor.advance(tree, cursor.last_order.max(Some(last)))).await?;
        Ok(moved.then(|| "the cursor was moved on".to_owned()))
    }

    /// Puts an adoption where it belongs: back to the sequencer if its reason is gone or nobody would
    /// ever ask for it again, otherwise on the list it should be on.
    async fn list_again(&self, order: OrderId, kind: Kind) -> Result<Option<String>, StoreError> {
        let Some(before) = self.adoption(order).await? else { return Ok(None) };
        let waits = matches!(before.stage, Stage::Held(HoldReason::NoReferral(_)));
        let is_due_again = kind == Kind::HoldReasonGone || waits;
        let stage = if is_due_again { Stage::Staged } else { before.stage.clone() };
        let mut actions = before.clone().on(stage).replace(Some(&before), self.now)?;
        if let Some(row) = &before.row {
            actions.push(Action::put(Item::at(&Key::adopter_order(&row.account, order)))?);
        }
        let committed = self.store.transact(actions).await? == Transacted::Committed;
        Ok(committed.then(|| "the adoption was put on the list it belongs on".to_owned()))
    }

    async fn list_child(&self, child: &AccountSequence) -> Result<Option<String>, StoreError> {
        let records = self.store.referrals([child.clone()]).await?;
        let Some(referrer) = records.into_iter().next().and_then(|record| record.referrer) else {
            return Ok(None);
        };
        let listed = self.store.apply(Action::put(Item::at(&Key::child(&referrer, child)))?).await?;
        Ok(listed.then(|| "the account was put on its referrer's list".to_owned()))
    }

    async fn adoption(&self, order: OrderId) -> Result<Option<AdoptionRecord>, StoreError> {
        Ok(self.store.adoptions([order]).await?.remove(&order))
    }

    async fn own_tree(&self, account: &AccountSequence) -> Result<Option<TreeId>, StoreError> {
        Ok(match self.chain(account).await? {
            Chain::Known { trees, .. } => trees.into_iter().next(),
            Chain::Missing(_) => None,
        })
    }

    async fn chain(&self, account: &AccountSequence) -> Result<Chain, StoreError> {
        let mut chains = Chains::new(self.store, self.policy.level_count());
        chains.load([account.clone()]).await?;
        Ok(chains.peek(account))
    }
}
