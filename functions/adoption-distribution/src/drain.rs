//! The work of one tree, from the first that is not done.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use ledger::rules::{AccountSequence, AmountOverflow, OrderId, Policy};
use ledger::store::{AdoptionRecord, BatchWrite, Range, Store, StoreError, TreeId, WorkItem};

use crate::DistributionError;
use crate::decide::{AfterReversal, Involved};
use crate::posting::Posting;
use crate::reassess::Reassessment;
use crate::view::{View, direct_first_orders, position};

/// Work items read at a time.
const PAGE_ITEMS_MAX: usize = 400;
/// How often a page is begun again because somebody else posted to the tree.
const ATTEMPTS_MAX: usize = 20;

/// The work of one tree.
pub(crate) struct Drain<'a, C> {
    store: &'a Store,
    policy: &'a Policy,
    tree: &'a TreeId,
    clock: &'a C,
    /// When no further page is begun.
    deadline: DateTime<Utc>,
    drained: Drained,
}

/// What was done of a tree's work.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    /// Adoptions posted.
    pub(crate) posted: u64,
    /// Adoptions taken back.
    pub(crate) reversed: u64,
    /// Adoptions corrected.
    pub(crate) reassessed: u64,
    /// Whether there is more, and no time.
    pub(crate) out_of_time: bool,
    /// What stopped it, if not the end of the work or of the time.
    pub(crate) stopped: Option<Stopped>,
}

/// Why and where a tree's work stopped.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// The first adoption that is not done, where one is to blame.
    pub(crate) at: Option<OrderId>,
    pub(crate) error: DistributionError,
}

impl Drained {
    pub(crate) fn add(&mut self, other: &Self) {
        self.posted += other.posted;
        self.reversed += other.reversed;
        self.reassessed += other.reassessed;
    }
}

/// A page of work with the rows it is about.
struct Loaded {
    items: Vec<WorkItem>,
    records: HashMap<OrderId, AdoptionRecord>,
}

impl<'a, C: Fn() -> DateTime<Utc>> Drain<'a, C> {
    pub(crate) fn new(
        store: &'a Store,
        policy: &'a Policy,
        tree: &'a TreeId,
        clock: &'a C,
        deadline: DateTime<Utc>,
    ) -> Self {
        Self { store, policy, tree, clock, deadline, drained: Drained::default() }
    }

    /// Posts what was released and does what reassessments are due, in turns, until nothing is left.
    pub(crate) async fn run(mut self) -> Drained {
        if let Err(stopped) = self.work_off().await {
            self.drained.stopped = Some(stopped);
        }
        self.drained
    }

    async fn work_off(&mut self) -> Result<(), Stopped> {
        let mut outstanding = self.store.outstanding_tree(self.tree).await?;
        if outstanding.as_ref().is_some_and(|outstanding| outstanding.stopped.is_some()) {
            self.store.set_tree_stopped(self.tree, None).await?;
        }
        loop {
            if (self.clock)() >= self.deadline {
                self.drained.out_of_time = true;
                return Ok(());
            }
            let posted = self.post_page().await?;
            let reassessed = Reassessment::new(self.store, self.policy, self.tree, (self.clock)())
                .step()
                .await
                .map_err(|error| Stopped { at: None, error })?;
            self.drained.reassessed += reassessed.unwrap_or(0);
            if posted || reassessed.is_some() {
                continue;
            }
            // A tree that is not on the list was looked at all the same, because its messages say more.
            let Some(listed) = outstanding else { return Ok(()) };
            if self.store.settle_tree(&listed).await? {
                return Ok(());
            }
            // More was released meanwhile.
            outstanding = self.store.outstanding_tree(self.tree).await?;
        }
    }

    /// Posts one page of released work. Whether there was any.
    async fn post_page(&mut self) -> Result<bool, Stopped> {
        let items = self.store.work(self.tree, PAGE_ITEMS_MAX).await?;
        if items.is_empty() {
            return Ok(false);
        }
        let done: Vec<BatchWrite> = items.iter().map(|item| BatchWrite::Delete(item.key())).collect();
        // The first attempt takes it that nothing was posted yet; where that is wrong, a condition
        // fails, and the next attempt reads the journal.
        let mut check_journal = false;
        for _ in 0..ATTEMPTS_MAX {
            let orders: Vec<OrderId> = items.iter().map(|item| item.order).collect();
            let records = self.store.adoptions(orders).await?;
            let loaded = Loaded { items: items.clone(), records };
            match self.post(&loaded, check_journal).await {
                Ok(true) => {
                    self.store.batch_write(done).await?;
                    return Ok(true);
                }
                Ok(false) => check_journal = true,
                Err(stopped) => {
                    let before = |item: &&WorkItem| stopped.at.is_some_and(|at| item.order < at);
                    let done = loaded.items.iter().filter(before).map(|item| BatchWrite::Delete(item.key()));
                    self.store.batch_write(done.collect()).await?;
                    return Err(stopped);
                }
            }
        }
        Err(Stopped { at: items.first().map(|item| item.order), error: DistributionError::Contended })
    }

    /// Posts a page; false if somebody else posted meanwhile and the rest has to be looked at again.
    ///
    /// If an adoption stops it, all before that one is posted.
    async fn post(&mut self, loaded: &Loaded, check_journal: bool) -> Result<bool, Stopped> {
        let mut view = View::default();
        let accounts =
            loaded.items.iter().flat_map(|item| std::iter::once(&item.account).chain(&item.ancestors));
        let accounts: HashSet<&AccountSequence> = accounts.collect();
        let trees: HashSet<&TreeId> = loaded.items.iter().flat_map(|item| &item.trees).collect();
        view.extend(self.store, self.policy, accounts, trees).await?;
        let checked = loaded.items.iter().filter(|item| check_journal || item.again);
        let checked: Vec<OrderId> = checked.map(|item| item.order).collect();
        view.extend_positions(self.store, checked).await.map_err(|error| Stopped { at: None, error })?;

        let mut posting = Posting::default();
        let mut seen = HashSet::new();
        for item in &loaded.items {
            // Several revisions of one adoption are one piece of work: making the ledger what the row is now.
            if !seen.insert(item.order) {
                continue;
            }
            let Some(record) = loaded.records.get(&item.order) else { continue };
            let Some(row) = &record.row else { continue };
            let involved = Involved { record, row, ancestors: &item.ancestors, trees: &item.trees };
            let takes_part = record.is_distributable(self.policy);
            let is_live = view.position(item.order).is_live();
            let now_ms = (self.clock)().timestamp_millis();
            let effect = match (takes_part, is_live) {
                (true, false) => involved
                    .post(&view, self.policy, now_ms)
                    .map_err(|AmountOverflow| DistributionError::Overflow { order: item.order }),
                (false, true) => {
                    // What comes next for the adopter is read from the store, so nothing may be in the air.
                    if !self.commit(&mut posting, &mut view).await? {
                        return Ok(false);
                    }
                    let after = self.after_reversal(&involved, &view).await?;
                    Ok(involved.reverse(&view, &after, self.policy, now_ms))
                }
                (true, true) | (false, false) => continue,
            };
            let has_room = effect.as_ref().is_ok_and(|effect| posting.has_room_for(effect, &item.trees));
            if !has_room && !self.commit(&mut posting, &mut view).await? {
                return Ok(false);
            }
            if let Err(error) = effect.and_then(|effect| posting.add(effect, &item.trees, &mut view)) {
                // What came before it is posted; it and all after it are not.
                let committed = self.commit(&mut posting, &mut view).await?;
                return if committed { Err(Stopped { at: Some(item.order), error }) } else { Ok(false) };
            }
            if takes_part {
                self.drained.posted += 1;
            } else {
                self.drained.reversed += 1;
            }
        }
        Ok(self.commit(&mut posting, &mut view).await?)
    }

    async fn commit(&mut self, posting: &mut Posting, view: &mut View) -> Result<bool, StoreError> {
        let now_ms = (self.clock)().timestamp_millis();
        std::mem::take(posting).commit(self.store, view, now_ms).await
    }

    /// What the store knows that a reversal needs.
    async fn after_reversal(&self, involved: &Involved<'_>, view: &View) -> Result<AfterReversal, Stopped> {
        let stopped = |error| Stopped { at: Some(involved.record.order), error };
        let facts = &view.account(&involved.row.account).unlock;
        if facts.first_order() != Some(involved.record.order) {
            return Ok(AfterReversal::default());
        }
        let next_first_order = self.next_first_order(involved).await.map_err(stopped)?;
        let mut after = AfterReversal { next_first_order, direct_first_orders: None };
        if let Some(referrer) = involved.ancestors.first() {
            let mut facts = view.account(referrer).unlock.clone();
            facts.direct_first_order_changed(Some(involved.record.order), next_first_order);
            if facts.needs_refill(self.policy) {
                let orders = direct_first_orders(self.store, referrer).await?;
                let others = orders.into_iter().filter(|(child, _)| *child != involved.row.account);
                let orders = others.map(|(_, order)| order).chain(next_first_order);
                after.direct_first_orders = Some(orders.collect());
            }
        }
        Ok(after)
    }

    /// The adopter's first posted order after this one.
    async fn next_first_order(&self, involved: &Involved<'_>) -> Result<Option<OrderId>, DistributionError> {
        let mut range = Range::default().after(Some(ledger::store::order_sort_key(involved.record.order)));
        loop {
            let page = self.store.orders_of_adopter(&involved.row.account, &range, 100).await?;
            for item in page.items {
                let order: OrderId = item.parse("sk")?;
                if position(order, &self.store.entries(order).await?)?.is_live() {
                    return Ok(Some(order));
                }
            }
            match page.next {
                Some(next) => range = range.after(Some(next)),
                None => return Ok(None),
            }
        }
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self { at: None, error: error.into() }
    }
}
