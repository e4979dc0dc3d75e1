//! One look at the whole ledger.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt};
use ledger::rules::{AccountSequence, Ancestor, OrderId, Owner, Policy, SystemAccount, UnlockFacts};
use ledger::store::{
    AccountsItem, AdoptionPage, AdoptionRecord, Chain, Chains, HeldOrder, HoldReason, JournalEntry, Key,
    Position, ReassessTask, ReferralRecord, SourceItem, Stage, Store, StoreError, TreeId,
};

use crate::AuditError;
use crate::checks::{compare_owners, follow, shared_out};
use crate::report::{AbsentOrders, Difference, Examined, InProgress, Kind, LISTED_PER_KIND_MAX, Subject};
use crate::sums::{Sums, text};

/// Adoptions looked at together.
const PAGE_ADOPTIONS: usize = 800;
/// Journal queries under way at a time.
const CONCURRENT_QUERIES: usize = 48;
/// What one account takes while it is summed: its sequence twice, its facts, its sums, and the room a
/// hash map leaves free.
const ACCOUNT_BYTES: u64 = 512;
/// Reassessments kept in mind, to tell what they will put right from what is wrong.
const TASKS_KEPT_MAX: usize = 100_000;
/// Ranges of absent orders listed.
const ABSENT_RANGES_MAX: usize = 20;

/// What one look found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) counts: BTreeMap<Kind, u64>,
    pub(crate) differences: Vec<Difference>,
    pub(crate) examined: Examined,
    pub(crate) in_progress: InProgress,
    pub(crate) held: BTreeMap<String, u64>,
    pub(crate) quarantined: BTreeMap<String, u64>,
    pub(crate) absent_orders: AbsentOrders,
    pub(crate) complete: bool,
    /// Where items that differ are, by the text that names them.
    pub(crate) keys: BTreeMap<String, Key>,
}

impl Findings {
    pub(crate) fn differs(
        &mut self,
        kind: Kind,
        subject: Subject,
        expected: impl ToString,
        found: impl ToString,
    ) {
        let (expected, found) = (expected.to_string(), found.to_string());
        self.add(Difference { kind, subject, expected, found, repair: None });
    }

    fn add(&mut self, difference: Difference) {
        let count = self.counts.entry(difference.kind).or_default();
        *count += 1;
        if *count <= LISTED_PER_KIND_MAX as u64 {
            self.differences.push(difference);
        }
    }

    fn item_differs(&mut self, kind: Kind, key: &Key, subject: Subject, expected: &str, found: &str) {
        let name = key.to_string();
        self.keys.insert(name.clone(), key.clone());
        self.differs(kind, Subject { item: Some(name), ..subject }, expected, found);
    }

    /// What this look found and an earlier one found too. The ledger goes on while it is looked at, so
    /// that one look may see one half of a posting and not the other; the same half is not seen twice.
    pub(crate) fn confirmed_by(mut self, earlier: &Self) -> Self {
        let before: HashSet<&Difference> = earlier.differences.iter().collect();
        self.differences.retain(|difference| before.contains(difference));
        let mut listed: BTreeMap<Kind, u64> = BTreeMap::new();
        for difference in &self.differences {
            *listed.entry(difference.kind).or_default() += 1;
        }
        // Of a kind too frequent to list, only the number can be compared.
        for (kind, count) in &self.counts {
            let both = (*count).min(earlier.counts.get(kind).copied().unwrap_or(0));
            if both > LISTED_PER_KIND_MAX as u64 {
                listed.insert(*kind, both);
            }
        }
        self.counts = listed;
        self
    }
}

/// One look at the whole ledger.
pub(crate) struct Examination<'a, C> {
    pub(crate) store: &'a Store,
    pub(crate) policy: &'a Policy,
    pub(crate) clock: &'a C,
    pub(crate) deadline: DateTime<Utc>,
    pub(crate) memory_budget_bytes: u64,
    findings: Findings,
    outstanding: HashSet<TreeId>,
    tasks: Vec<ReassessTask>,
    accounts: u64,
}

/// Why a look ended early.
enum Ended {
    OutOfTime,
    Failed(AuditError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Whether an adoption should be in the ledger.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Posted,
    NotPosted,
    /// It is being worked on, so that either is right; what is posted counts.
    InProgress,
}

/// An adoption with its chain.
struct Known {
    record: AdoptionRecord,
    ancestors: Vec<AccountSequence>,
    trees: Vec<TreeId>,
    standing: Standing,
}

/// What is recomputed of one part of the accounts and trees.
#[derive(Default)]
struct Part {
    index: u64,
    count: u64,
    facts: HashMap<AccountSequence, UnlockFacts>,
    /// Direct referrals of the part's accounts that were seen to adopt.
    adopters: HashSet<AccountSequence>,
    sums: HashMap<AccountSequence, Sums>,
    systems: BTreeMap<SystemAccount, Sums>,
    last_orders: HashMap<TreeId, OrderId>,
}

impl Part {
    fn has(&self, name: &str) -> bool {
        // Stable within one run is enough, and the keyless hasher is that.
        let mut hasher = std::hash::DefaultHasher::new();
        name.hash(&mut hasher);
        hasher.finish() % self.count == self.index
    }

    /// The first part also looks at what needs no sums by account.
    fn is_first(&self) -> bool {
        self.index == 0
    }
}

impl<'a, C: Fn() -> DateTime<Utc>> Examination<'a, C> {
    pub(crate) fn new(
        store: &'a Store,
        policy: &'a Policy,
        clock: &'a C,
        deadline: DateTime<Utc>,
        memory_budget_bytes: u64,
    ) -> Self {
        Self {
            store,
            policy,
            clock,
            deadline,
            memory_budget_bytes,
            findings: Findings::default(),
            outstanding: HashSet::new(),
            tasks: Vec::new(),
            accounts: 0,
        }
    }

    pub(crate) async fn run(mut self) -> Result<Findings, AuditError> {
        match self.look().await {
            Ok(()) => self.findings.complete = true,
            Err(Ended::OutOfTime) => {}
            Err(Ended::Failed(error)) => return Err(error),
        }
        self.findings.differences.sort();
        Ok(self.findings)
    }

    async fn look(&mut self) -> Result<(), Ended> {
        self.look_at_trees().await?;
        self.look_at_source().await?;
        self.look_at_tasks().await?;
        self.look_at_journal().await?;
        let parts = (self.accounts * ACCOUNT_BYTES).div_ceil(self.memory_budget_bytes).max(1);
        self.findings.examined.parts = u32::try_from(parts).unwrap_or(u32::MAX);
        for index in 0..parts {
            let mut part = Part { index, count: parts, ..Part::default() };
            self.recompute_facts(&mut part).await?;
            self.recompute_postings(&mut part).await?;
            self.compare_accounts(part).await?;
        }
        Ok(())
    }

    fn check_time(&self) -> Result<(), Ended> {
        if (self.clock)() >= self.deadline { Err(Ended::OutOfTime) } else { Ok(()) }
    }

    fn unreadable(&mut self, kind: Kind, error: StoreError) -> Result<(), Ended> {
        match error {
            StoreError::Corrupt { key, message } => {
                self.findings.differs(kind, Subject::item(key), "an item this version writes", message);
                Ok(())
            }
            other => Err(other.into()),
        }
    }

    /// Which trees have work, and which stopped.
    async fn look_at_trees(&mut self) -> Result<(), Ended> {
        for tree in self.store.outstanding_trees().await? {
            self.findings.in_progress.trees += 1;
            if let Some(reason) = tree.stopped {
                self.findings.differs(Kind::TreeStopped, Subject::tree(&tree.tree), "its work done", reason);
            }
            self.outstanding.insert(tree.tree);
        }
        Ok(())
    }

    /// Every item of the source by itself, against those it stands for or that stand for it.
    async fn look_at_source(&mut self) -> Result<(), Ended> {
        let mut start = None;
        loop {
            self.check_time()?;
            let (items, next) = self.store.scan_source((0, 1), start).await?;
            let mut readable = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    Ok(item) => readable.push(item),
                    Err(error) => self.unreadable(Kind::ItemUnreadable, error)?,
                }
            }
            self.look_at_source_page(readable).await?;
            start = next;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    async fn look_at_source_page(&mut self, items: Vec<SourceItem>) -> Result<(), Ended> {
        let mut named: Vec<AccountSequence> = Vec::new();
        let mut orders: Vec<OrderId> = Vec::new();
        let mut due: Vec<(Key, Subject)> = Vec::new();
        for item in &items {
            match item {
                SourceItem::Referral(record) => {
                    if let Some(referrer) = &record.referrer {
                        named.push(referrer.clone());
                        let subject = Subject::account(&record.account);
                        due.push((Key::child(referrer, &record.account), subject));
                    }
                }
                SourceItem::Child { child, .. } => named.push(child.clone()),
                SourceItem::AdopterOrder { order, .. } => orders.push(*order),
                SourceItem::Adoption(record) => {
                    let subject = Subject::order(record.order);
                    if let Some(row) = &record.row {
                        due.push((Key::adopter_order(&row.account, record.order), subject.clone()));
                    }
                    if let Stage::Held(HoldReason::NoReferral(missing)) = &record.stage {
                        due.push((Key::waiting_order(missing, record.order), subject));
                    }
                }
                _ => {}
            }
        }
        let referrals: HashMap<AccountSequence, ReferralRecord> = self
            .store
            .referrals(named)
            .await?
            .into_iter()
            .map(|record| (record.account.clone(), record))
            .collect();
        let adoptions = self.store.adoptions(orders).await?;
        let there = self.store.existing(due.iter().map(|(key, _)| key.clone())).await?;
        for (key, subject) in due.into_iter().filter(|(key, _)| !there.contains(key)) {
            self.findings.item_differs(Kind::ListItemMissing, &key, subject, "an item", "none");
        }
        for item in items {
            match item {
                SourceItem::Referral(record) => {
                    if record.has_arrived() {
                        self.findings.examined.referrals += 1;
                        self.accounts += 1;
                    }
                    let above = record.referrer.as_ref().map(|referrer| &referrals[referrer]);
                    self.look_at_lineage(&record, above);
                }
                SourceItem::Child { referrer, child } => {
                    if referrals[&child].referrer.as_ref() != Some(&referrer) {
                        self.orphan(&Key::child(&referrer, &child), "another referrer");
                    }
                }
                SourceItem::AdopterOrder { account, order } => {
                    let row = adoptions.get(&order).and_then(|record| record.row.as_ref());
                    if row.is_none_or(|row| row.account != account) {
                        self.orphan(&Key::adopter_order(&account, order), "another adopter");
                    }
                }
                SourceItem::Work(work) => {
                    self.findings.in_progress.released += 1;
                    if !self.outstanding.contains(work.tree()) && !self.is_outstanding(work.tree()).await? {
                        let subject = Subject::tree(work.tree());
                        let found = format!("work of order {}", work.order);
                        self.findings.differs(Kind::WorkNotOutstanding, subject, "the tree's mark", found);
                    }
                }
                SourceItem::Quarantined { reason } => {
                    *self.findings.quarantined.entry(reason).or_default() += 1;
                }
                SourceItem::Adoption(_) | SourceItem::WaitingOrder { .. } | SourceItem::Other => {}
            }
        }
        Ok(())
    }

    /// Whether a tree has been marked since the look began.
    async fn is_outstanding(&mut self, tree: &TreeId) -> Result<bool, StoreError> {
        let marked = self.store.outstanding_tree(tree).await?.is_some();
        if marked {
            self.outstanding.insert(tree.clone());
        }
        Ok(marked)
    }

    fn orphan(&mut self, key: &Key, found: &str) {
        self.findings.item_differs(Kind::ListItemOrphan, key, Subject::default(), "no item", found);
    }

    /// A lineage is its referrer's and one more. As that holds for every account, it holds for all of
    /// every chain.
    fn look_at_lineage(&mut self, record: &ReferralRecord, above: Option<&ReferralRecord>) {
        let expected = match (&record.referrer, above) {
            (None, _) if record.has_arrived() => Some(Vec::new()),
            (Some(referrer), Some(above)) => above.lineage.as_ref().map(|lineage| {
                let lineage = lineage.of_child(referrer, None);
                lineage.ancestors
            }),
            _ => None,
        };
        let found = record.lineage.as_ref().map(|lineage| &lineage.ancestors);
        if expected.as_ref() != found {
            let text = |ancestors: Option<&Vec<AccountSequence>>| match ancestors {
                None => "not known".to_owned(),
                Some(ancestors) => {
                    let names: Vec<&str> = ancestors.iter().map(AccountSequence::as_str).collect();
                    format!("[{}]", names.join(" "))
                }
            };
            self.findings.differs(
                Kind::LineageWrong,
                Subject::account(&record.account),
                text(expected.as_ref()),
                text(found),
            );
        }
    }

    /// Which reassessments are to do; and how many accounts there are.
    async fn look_at_tasks(&mut self) -> Result<(), Ended> {
        let mut start = None;
        loop {
            self.check_time()?;
            let (items, next) = self.store.scan_accounts((0, 1), start).await?;
            for item in items {
                match item {
                    Ok(AccountsItem::Account { .. }) => self.findings.examined.accounts += 1,
                    Ok(AccountsItem::Task(task)) => {
                        self.findings.in_progress.reassessments += 1;
                        if !self.outstanding.contains(&task.tree) && !self.is_outstanding(&task.tree).await? {
                            let found =
                                format!("a reassessment of {} for order {}", task.account, task.cause);
                            let subject = Subject::tree(&task.tree);
                            self.findings.differs(
                                Kind::TaskNotOutstanding,
                                subject,
                                "the tree's mark",
                                found,
                            );
                        }
                        if self.tasks.len() < TASKS_KEPT_MAX {
                            self.tasks.push(task);
                        }
                    }
                    // Reported when the accounts are compared.
                    Ok(_) | Err(StoreError::Corrupt { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            start = next;
            if start.is_none() {
                self.accounts = self.accounts.max(self.findings.examined.accounts);
                return Ok(());
            }
        }
    }

    /// Whether every entry is of an adoption that was handed to the ledger.
    async fn look_at_journal(&mut self) -> Result<(), Ended> {
        let mut start = None;
        loop {
            self.check_time()?;
            let (orders, next) = self.store.scan_journal_orders((0, 1), start).await?;
            let records = self.store.adoptions(orders.iter().copied()).await?;
            for order in orders {
                if !records.get(&order).is_some_and(|record| record.released) {
                    self.findings.differs(
                        Kind::EntryOfUnknownAdoption,
                        Subject::order(order),
                        "no entries",
                        "entries",
                    );
                }
            }
            start = next;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// The unlock facts that the posted adoptions give; and, once, whether every adoption is on the list
    /// its record says and counted in the network's number.
    async fn recompute_facts(&mut self, part: &mut Part) -> Result<(), Ended> {
        let mut after = None;
        let mut last = None;
        let mut counted_trees = 0_u64;
        let mut last_counted = None;
        loop {
            self.check_time()?;
            let AdoptionPage { records, complete_to } =
                self.store.adoptions_after(after, PAGE_ADOPTIONS).await?;
            if part.is_first() {
                for record in &records {
                    self.look_at_gap(last, record.order);
                    last = Some(record.order);
                    counted_trees += u64::from(record.counted_trees);
                    if record.counted_trees > 0 {
                        last_counted = last;
                    }
                }
                self.look_at_lists(&records, after, complete_to).await?;
            }
            for known in self.known(records, part).await? {
                let order = known.record.order;
                let is_posted = match known.standing {
                    Standing::Posted => true,
                    Standing::NotPosted => false,
                    Standing::InProgress => self.is_live(order).await?,
                };
                let Some(row) = known.record.row.as_ref().filter(|_| is_posted) else { continue };
                if part.has(row.account.as_str()) {
                    let facts = part.facts.entry(row.account.clone()).or_default();
                    if facts.first_order().is_none() {
                        facts.set_first_order(Some(order));
                    }
                }
                if let Some(referrer) = known.ancestors.first().filter(|referrer| part.has(referrer.as_str()))
                    && part.adopters.insert(row.account.clone())
                {
                    let facts = part.facts.entry(referrer.clone()).or_default();
                    facts.direct_first_order_changed(None, Some(order));
                }
            }
            after = complete_to;
            if after.is_none() {
                break;
            }
        }
        // Nobody asks again who was seen to adopt.
        part.adopters = HashSet::new();
        if part.is_first() {
            self.look_at_ladder(counted_trees, last_counted).await?;
        }
        Ok(())
    }

    async fn look_at_ladder(&mut self, counted: u64, last: Option<OrderId>) -> Result<(), Ended> {
        let ladder = self.store.ladder().await?;
        let subject = || Subject::item(Key::ladder());
        if ladder.trees != counted {
            self.findings.differs(Kind::LadderWrong, subject(), counted, ladder.trees);
        }
        if ladder.last_order < last {
            let text = |order: Option<OrderId>| order.map_or_else(|| "none".to_owned(), |o| o.to_string());
            let expected = format!("at least order {}", text(last));
            self.findings.differs(Kind::LadderWrong, subject(), expected, text(ladder.last_order));
        }
        Ok(())
    }

    fn look_at_gap(&mut self, last: Option<OrderId>, order: OrderId) {
        let first = last.map_or(1, |last| last.get() + 1);
        if first < order.get() {
            let absent = &mut self.findings.absent_orders;
            absent.count += order.get() - first;
            let range = OrderId::new(first).zip(OrderId::new(order.get() - 1));
            if absent.first_ranges.len() < ABSENT_RANGES_MAX {
                absent.first_ranges.extend(range);
            }
        }
    }

    /// Whether each adoption is on the list its record says, and only there, and for a reason that holds.
    async fn look_at_lists(
        &mut self,
        records: &[AdoptionRecord],
        after: Option<OrderId>,
        to: Option<OrderId>,
    ) -> Result<(), Ended> {
        self.findings.examined.adoptions += records.len() as u64;
        let (held, mut staged) = self.store.listed_between(after, to).await?;
        let mut held: HashMap<OrderId, HoldReason> =
            held.into_iter().map(|HeldOrder { order, reason }| (order, reason)).collect();
        let mut chains = Chains::new(self.store, self.policy.level_count());
        let held_accounts = records.iter().filter(|record| matches!(record.stage, Stage::Held(_)));
        let held_accounts = held_accounts.filter_map(|record| record.row.as_ref());
        chains.load(held_accounts.map(|row| row.account.clone())).await?;
        for record in records {
            let order = record.order;
            let on_held = held.remove(&order);
            let on_staged = staged.remove(&order);
            self.look_at_count(record);
            let (held_for, is_staged) = match &record.stage {
                Stage::Held(reason) => (Some(reason), false),
                Stage::Staged => (None, true),
                Stage::Released | Stage::Removed => (None, false),
            };
            if is_staged {
                self.findings.in_progress.staged += 1;
            }
            if let Some(reason) = held_for {
                *self.findings.held.entry(reason.name().to_owned()).or_default() += 1;
                self.look_at_reason(record, reason, &chains);
            }
            match (held_for, &on_held) {
                (Some(expected), Some(found)) if expected == found => {}
                (None, None) => {}
                (Some(expected), found) => {
                    let found = found.as_ref().map_or("none", HoldReason::name);
                    let (key, subject) = (Key::held(order), Subject::order(order));
                    self.findings.item_differs(Kind::ListItemMissing, &key, subject, expected.name(), found);
                }
                (None, Some(_)) => self.orphan(&Key::held(order), "an adoption that is not held"),
            }
            match (is_staged, on_staged) {
                (true, false) => {
                    let (key, subject) = (Key::staged(order), Subject::order(order));
                    self.findings.item_differs(Kind::ListItemMissing, &key, subject, "an item", "none");
                }
                (false, true) => self.orphan(&Key::staged(order), "an adoption that is not staged"),
                _ => {}
            }
        }
        for order in held.into_keys() {
            self.orphan(&Key::held(order), "no adoption");
        }
        for order in staged {
            self.orphan(&Key::staged(order), "no adoption");
        }
        Ok(())
    }

    fn look_at_count(&mut self, record: &AdoptionRecord) {
        let takes_part = record.is_distributable(self.policy);
        let trees = record.row.as_ref().map_or(0, |row| row.tree_count.get());
        let expected = if takes_part { trees } else { 0 };
        if record.stage != Stage::Staged && record.counted_trees != expected {
            let subject = Subject::order(record.order);
            self.findings.differs(Kind::CountedTreesWrong, subject, expected, record.counted_trees);
        }
    }

    fn look_at_reason(&mut self, record: &AdoptionRecord, reason: &HoldReason, chains: &Chains<'_>) {
        let takes_part = record.is_distributable(self.policy);
        let holds = match reason {
            HoldReason::Status => !takes_part,
            HoldReason::NoReferral(missing) => {
                let chain = record.row.as_ref().map(|row| chains.peek(&row.account));
                takes_part && chain == Some(Chain::Missing(missing.clone()))
            }
            HoldReason::AmountOverflow => takes_part,
        };
        if !holds {
            let status = record.row.as_ref().map_or("no row", |row| row.status.as_str());
            let found = match (record.deleted, takes_part) {
                (true, _) => "a deleted adoption".to_owned(),
                (false, true) if *reason == HoldReason::Status => {
                    format!("the distributable status {status}")
                }
                (false, true) => "a chain of ancestors in which that row is not missing".to_owned(),
                (false, false) => format!("the status {status}"),
            };
            let subject = Subject::order(record.order);
            self.findings.differs(Kind::HoldReasonGone, subject, reason.name(), found);
        }
    }

    /// Adoptions with their chains and whether they should be posted; those that concern the ledger.
    async fn known(&mut self, records: Vec<AdoptionRecord>, part: &Part) -> Result<Vec<Known>, Ended> {
        let released: Vec<AdoptionRecord> = records.into_iter().filter(|record| record.released).collect();
        let mut chains = Chains::new(self.store, self.policy.level_count());
        let rows = released.iter().filter_map(|record| record.row.as_ref());
        chains.load(rows.map(|row| row.account.clone())).await?;
        let mut known = Vec::with_capacity(released.len());
        for record in released {
            let Some(row) = &record.row else { continue };
            let Chain::Known { ancestors, trees } = chains.peek(&row.account) else {
                // It was handed to the ledger, so its chain was known, and rows do not go away.
                if part.is_first() {
                    let subject = Subject::account(&row.account);
                    self.findings.differs(Kind::LineageWrong, subject, "known ancestors", "a missing row");
                }
                continue;
            };
            let is_at_work = match trees.first() {
                Some(tree) if self.outstanding.contains(tree) => {
                    self.store.has_work(tree, record.order).await?
                }
                _ => false,
            };
            let standing = match &record.stage {
                _ if is_at_work => Standing::InProgress,
                Stage::Staged => Standing::InProgress,
                Stage::Released if record.is_distributable(self.policy) => Standing::Posted,
                _ => Standing::NotPosted,
            };
            known.push(Known { record, ancestors, trees, standing });
        }
        Ok(known)
    }

    async fn is_live(&self, order: OrderId) -> Result<bool, Ended> {
        let entries = match self.store.entries(order).await {
            Ok(entries) => entries,
            Err(StoreError::Corrupt { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        Ok(Position::after(&entries).is_some_and(|position| position.is_live()))
    }

    /// Every entry of every adoption, against the rules; and what the legs add up to.
    async fn recompute_postings(&mut self, part: &mut Part) -> Result<(), Ended> {
        let mut after = None;
        loop {
            self.check_time()?;
            let AdoptionPage { records, complete_to } =
                self.store.adoptions_after(after, PAGE_ADOPTIONS).await?;
            let known = self.known(records, part).await?;
            let store = self.store;
            let read: Vec<(Known, Result<Vec<JournalEntry>, StoreError>)> = stream::iter(known)
                .map(async |known| {
                    let entries = store.entries(known.record.order).await;
                    (known, entries)
                })
                .buffered(CONCURRENT_QUERIES)
                .collect()
                .await;
            for (known, entries) in read {
                match entries {
                    Ok(entries) => self.look_at_adoption(&known, &entries, part),
                    Err(error) if part.is_first() => self.unreadable(Kind::EntryUnreadable, error)?,
                    Err(StoreError::Corrupt { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            after = complete_to;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn look_at_adoption(&mut self, known: &Known, entries: &[JournalEntry], part: &mut Part) {
        let Known { record, ancestors, trees, standing } = known;
        let order = record.order;
        let row = record.row.as_ref().expect("only adoptions with rows are known");
        for entry in entries {
            for leg in &entry.legs {
                match leg.recipient.owner() {
                    Owner::User(account) if part.has(account.as_str()) => {
                        part.sums.entry(account).or_default().add(entry, leg);
                    }
                    Owner::System(account) if part.is_first() => {
                        part.systems.entry(account).or_default().add(entry, leg);
                    }
                    Owner::User(_) | Owner::System(_) => {}
                }
            }
        }
        // Only the adopter's own tree is sure to have been one of its trees when it was posted.
        if let Some(tree) = trees.first().filter(|tree| !entries.is_empty() && part.has(tree.as_str())) {
            let last = part.last_orders.entry(tree.clone()).or_insert(order);
            *last = order.max(*last);
        }
        let state = |account: &AccountSequence| {
            let facts = part.facts.get(account).cloned().unwrap_or_default();
            Ancestor { account: account.clone(), unlock: facts.evaluated_for(order, self.policy) }
        };
        let states: Vec<Ancestor> = ancestors.iter().map(state).collect();
        let Some(due) = shared_out(row, &states, self.policy) else {
            if part.is_first() {
                let subject = Subject::order(order);
                self.findings.differs(Kind::EntryFactsWrong, subject, "a price", "none that can be posted");
            }
            return;
        };
        let followed = follow(row, &due, entries);
        if part.is_first() {
            self.findings.examined.entries += entries.len() as u64;
            match (standing, followed.is_live) {
                (Standing::Posted, false) => {
                    let subject = Subject::order(order);
                    let found = if entries.is_empty() { "no entry" } else { "a reversal" };
                    self.findings.differs(Kind::EntryMissing, subject, "a distribution", found);
                }
                (Standing::NotPosted, true) => {
                    let subject = Subject::order(order);
                    self.findings.differs(Kind::EntryUnexpected, subject, "a reversal", "a distribution");
                }
                _ => {}
            }
            for difference in followed.differences {
                self.findings.add(difference);
            }
        }
        let Some(position) = followed.position.filter(Position::is_live) else { return };
        let is_ours = |decider: Option<&AccountSequence>| match decider {
            Some(account) => part.has(account.as_str()),
            None => part.is_first(),
        };
        for difference in compare_owners(row, ancestors, &due, &position, is_ours) {
            if self.is_being_reassessed(&difference, order) {
                self.findings.in_progress.legs_to_reassess += 1;
            } else {
                self.findings.add(difference);
            }
        }
    }

    /// Whether a reassessment that is to do will look at the leg.
    fn is_being_reassessed(&self, difference: &Difference, order: OrderId) -> bool {
        self.tasks.iter().any(|task| {
            let account = Some(Owner::User(task.account.clone()));
            difference.subject.account == account && task.range.contains(order)
        })
    }

    /// The stored accounts and cursors of the part, against what was recomputed.
    async fn compare_accounts(&mut self, mut part: Part) -> Result<(), Ended> {
        let mut shares: BTreeMap<SystemAccount, (Sums, bool)> = BTreeMap::new();
        let mut start = None;
        loop {
            self.check_time()?;
            let (items, next) = self.store.scan_accounts((0, 1), start).await?;
            for item in items {
                match item {
                    Ok(AccountsItem::Account { account, state, was_closed })
                        if part.has(account.as_str()) =>
                    {
                        let expected = part.sums.remove(&account).unwrap_or_default();
                        self.compare_sums(&account, expected, Sums::of_account(&state), was_closed);
                        let facts = part.facts.remove(&account).unwrap_or_default();
                        self.compare_facts(&account, &facts, &state.unlock);
                    }
                    Ok(AccountsItem::Share { account, share, was_closed }) if part.is_first() => {
                        let (sums, closed) = shares.entry(account).or_default();
                        sums.add_share(&share);
                        *closed |= was_closed;
                    }
                    Ok(AccountsItem::Cursor { tree, cursor }) if part.has(tree.as_str()) => {
                        if let Some(last) = part.last_orders.remove(&tree)
                            && cursor.last_order < Some(last)
                        {
                            self.stale(&tree, last, cursor.last_order);
                        }
                    }
                    Ok(_) => {}
                    Err(error) if part.is_first() => self.unreadable(Kind::ItemUnreadable, error)?,
                    Err(StoreError::Corrupt { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            start = next;
            if start.is_none() {
                break;
            }
        }
        // What is left has no item at all.
        for (account, expected) in part.sums {
            self.compare_sums(&account, expected, Sums::default(), false);
        }
        for (account, facts) in part.facts {
            self.compare_facts(&account, &facts, &UnlockFacts::default());
        }
        for (tree, last) in part.last_orders {
            self.stale(&tree, last, None);
        }
        for (account, expected) in part.systems {
            let (found, was_closed) = shares.remove(&account).unwrap_or_default();
            self.compare_system(account, expected, found, was_closed);
        }
        for (account, (found, was_closed)) in shares {
            self.compare_system(account, Sums::default(), found, was_closed);
        }
        Ok(())
    }

    fn stale(&mut self, tree: &TreeId, last: OrderId, found: Option<OrderId>) {
        let found = found.map_or_else(|| "none".to_owned(), |order| order.to_string());
        let subject = Subject { order: Some(last), ..Subject::tree(tree) };
        self.findings.differs(Kind::CursorStale, subject, "the last order posted, or a later one", found);
    }

    fn compare_sums(&mut self, account: &AccountSequence, expected: Sums, found: Sums, was_closed: bool) {
        let totals = [
            ("personal", expected.personal, found.personal),
            ("team_level", expected.team_level, found.team_level),
            ("team_bonus", expected.team_bonus, found.team_bonus),
        ];
        for (name, expected, found) in totals {
            if expected != found {
                let subject = Subject { share: Some(name.to_owned()), ..Subject::account(account) };
                self.findings.differs(Kind::TotalWrong, subject, text(expected), text(found));
            }
        }
        if expected.pending != found.pending && !was_closed {
            let (expected, found) = (pending_text(expected), pending_text(found));
            self.findings.differs(Kind::PendingWrong, Subject::account(account), expected, found);
        }
    }

    fn compare_system(&mut self, account: SystemAccount, expected: Sums, found: Sums, was_closed: bool) {
        let subject = Subject { account: Some(Owner::System(account)), ..Subject::default() };
        if expected.system != found.system {
            let (expected, found) = (text(expected.system), text(found.system));
            self.findings.differs(Kind::SystemTotalWrong, subject.clone(), expected, found);
        }
        if expected.pending != found.pending && !was_closed {
            let (expected, found) = (pending_text(expected), pending_text(found));
            self.findings.differs(Kind::SystemPendingWrong, subject, expected, found);
        }
    }

    fn compare_facts(&mut self, account: &AccountSequence, expected: &UnlockFacts, found: &UnlockFacts) {
        if !agrees(expected, found, self.policy) {
            let subject = Subject::account(account);
            self.findings.differs(Kind::UnlockFactsWrong, subject, facts_text(expected), facts_text(found));
        }
    }
}

fn pending_text(sums: Sums) -> String {
    format!("{} by effective date", text(sums.pending.sum))
}

/// Whether stored facts decide everything as the full ones do. They may know fewer orders, because some
/// went away, but never others.
fn agrees(full: &UnlockFacts, stored: &UnlockFacts, policy: &Policy) -> bool {
    full.first_order() == stored.first_order()
        && full.direct_adopter_count() == stored.direct_adopter_count()
        && full.direct_first_orders().starts_with(stored.direct_first_orders())
        && !stored.needs_refill(policy)
}

fn facts_text(facts: &UnlockFacts) -> String {
    let first = facts.first_order().map_or_else(|| "none".to_owned(), |order| order.to_string());
    let direct: Vec<String> = facts.direct_first_orders().iter().map(ToString::to_string).collect();
    format!("first order {first}, {} direct adopters [{}]", facts.direct_adopter_count(), direct.join(" "))
}
