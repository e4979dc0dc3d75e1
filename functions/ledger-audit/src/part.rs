//! One part of the accounts, recomputed: what they have unlocked, and what their legs add up to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt};
use ledger::rules::{AccountSequence, Ancestor, OrderId, Owner, SystemAccount, UnlockFacts};
use ledger::store::{
    AdoptionPage, AdoptionRecord, Chain, Chains, JournalEntry, Position, Stage, StoreError, TreeId,
};

use crate::checks::{compare_owners, follow, shared_out};
use crate::examine::{Ended, Examination};
use crate::report::{Kind, Subject};
use crate::sums::Sums;

/// Adoptions looked at together.
const PAGE_ADOPTIONS: usize = 800;
/// Journal queries under way at a time.
const CONCURRENT_QUERIES: usize = 48;

/// What is recomputed of one part of the accounts and trees.
#[derive(Default)]
pub(crate) struct Part {
    index: u64,
    count: u64,
    pub(crate) facts: HashMap<AccountSequence, UnlockFacts>,
    /// Direct referrals of the part's accounts that were seen to adopt.
    adopters: HashSet<AccountSequence>,
    pub(crate) sums: HashMap<AccountSequence, Sums>,
    pub(crate) systems: BTreeMap<SystemAccount, Sums>,
    /// What all users have, all time; in the first part only.
    pub(crate) of_users: i128,
    pub(crate) last_orders: HashMap<TreeId, OrderId>,
}

impl Part {
    /// The part of this index, of so many.
    pub(crate) fn new(index: u64, count: u64) -> Self {
        Self { index, count, ..Self::default() }
    }

    /// Whether the account or tree of this name is in this part.
    pub(crate) fn has(&self, name: &str) -> bool {
        // Stable within one run is enough, and the keyless hasher is that.
        let mut hasher = std::hash::DefaultHasher::new();
        name.hash(&mut hasher);
        hasher.finish() % self.count == self.index
    }

    /// The first part also looks at what needs no sums by account.
    pub(crate) fn is_first(&self) -> bool {
        self.index == 0
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

impl<C: Fn() -> DateTime<Utc>> Examination<'_, C> {
    /// The unlock facts that the posted adoptions give; and, once, whether every adoption is on the list
    /// its record says and counted in the network's number.
    pub(crate) async fn recompute_facts(&mut self, part: &mut Part) -> Result<(), Ended> {
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

    /// Every entry of every adoption, against the rules; and what the legs add up to.
    pub(crate) async fn recompute_postings(&mut self, part: &mut Part) -> Result<(), Ended> {
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
                let owner = leg.recipient.owner();
                if part.is_first() && matches!(owner, Owner::User(_)) {
                    part.of_users += leg.amount.units();
                }
                match owner {
                    Owner::User(account) if part.has(account.as_str()) => {
                        part.sums.entry(account).or_default().add(entry, leg, self.closed, self.policy);
                    }
                    Owner::System(account) if part.is_first() => {
                        part.systems.entry(account).or_default().add(entry, leg, self.closed, self.policy);
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
}
