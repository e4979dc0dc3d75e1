//! Rebuilds heads and lists from the log, one by one, while everything else goes on.
//!
//! A head that is rebuilt is folded from the first page up to where it stands, or up to its shard's mark where that is
//! later, and put in the place of the head that was read: on condition that this one still stands there. So nothing is
//! ever missing in between, and a projector that moved the head meanwhile has the rebuild begin again.
//!
//! Touches: `Log` (reads), `Ledger` (reads, writes).

use std::collections::{BTreeMap, BTreeSet};

use domain::heads::{AdoptionHead, AdoptionState, Closes, Node, SumKey, SumNode, lines_of, sum_path};
use domain::log::{Entry, Page, Position};
use domain::recalculate::Difference;
use domain::{AccountSequence, OrderId, Owner, Versions};
use store::fold::AccountFold;
use store::heads::{self, At, LinePage};
use store::lists::{self, HeldAdoption};
use store::marks::{self, Marks, Projection};
use store::talent::TalentShards;
use store::{Engine, Key, Shard, StoreError, Write, Written, books};

use crate::error::AuditError;
use crate::talent;

/// How many pages of the log are read at once.
const PAGES_READ: u32 = 128;
/// How often heads that were moved meanwhile are rebuilt again.
const ATTEMPTS_MAX: u32 = 5;

/// What is rebuilt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// Accounts: the head, its lines, and the list of accounts below it.
    pub accounts: BTreeSet<Owner>,
    /// Adoptions: the head, and whether it is in the list of held ones.
    pub adoptions: BTreeSet<OrderId>,
    /// Sums of trees.
    pub sums: BTreeSet<SumKey>,
    /// Accounts whose talent is worked out again.
    pub talents: BTreeSet<AccountSequence>,
}

impl Targets {
    /// Returns what a rebuild mends of these differences.
    #[must_use]
    pub fn of(differences: &[Difference]) -> Self {
        let mut targets = Self::default();
        for difference in differences {
            match difference {
                // What stands in the log is compared again by the decider, and nothing else changes it.
                Difference::Adoption { .. } | Difference::EligibleTrees { .. } => {}
                Difference::Totals(difference) => drop(targets.accounts.insert(difference.owner.clone())),
                Difference::Lines { owner }
                | Difference::AccountHead { owner }
                | Difference::SystemAccountList { owner } => drop(targets.accounts.insert(owner.clone())),
                Difference::UnlockFacts { account }
                | Difference::Upline { account }
                | Difference::ChildrenList { referrer: account } => {
                    targets.accounts.insert(Owner::User(account.clone()));
                }
                Difference::AdoptionHead { order } | Difference::HeldList { order } => {
                    targets.adoptions.insert(*order);
                }
                Difference::TreeSum { key } => drop(targets.sums.insert(*key)),
                Difference::Talent { account, .. } => drop(targets.talents.insert(account.clone())),
            }
        }
        targets
    }

    /// Returns how many heads there are to rebuild.
    #[must_use]
    pub fn count(&self) -> usize {
        self.heads() + self.talents.len()
    }

    fn heads(&self) -> usize {
        self.accounts.len() + self.adoptions.len() + self.sums.len()
    }

    fn keys(&self, shards: u32) -> Vec<Key> {
        let accounts = self.accounts.iter().map(heads::account_key);
        let adoptions = self
            .adoptions
            .iter()
            .flat_map(|order| [heads::adoption_key(*order), lists::held_entry_key(*order, shards)]);
        let sums = self.sums.iter().map(|key| heads::sum_key(*key));
        accounts.chain(adoptions).chain(sums).collect()
    }
}

/// Rebuilds heads from the log. Returns how many were rebuilt.
///
/// `versions` begin with the deployment's policy.
///
/// # Errors
///
/// [`AuditError`] says what to do. Rebuilding again is safe.
pub async fn rebuild(
    engine: &dyn Engine,
    versions: &Versions,
    shards: u32,
    targets: Targets,
) -> Result<u64, AuditError> {
    let mut rebuilt =
        talent::rebuild(engine, versions, TalentShards::beside(shards), &targets.talents).await?;
    let mut left = targets;
    for _ in 0..ATTEMPTS_MAX {
        if left.heads() == 0 {
            return Ok(rebuilt);
        }
        let before = left.heads();
        let marks = marks::read(engine).await?;
        let present = heads::revisions(engine, left.keys(shards)).await?;
        left = Attempt::new(&left, &marks, &present, shards).run(engine, versions.clone()).await?;
        rebuilt += (before - left.heads()) as u64;
    }
    Err(AuditError::HeadsMove { count: left.heads() })
}

/// Where a head stands, how far its shard is, and up to which page it is folded.
#[derive(Debug, Clone, Copy)]
struct Extent {
    before: Position,
    mark: Position,
    until: Position,
}

/// An adoption's head while pages are folded into it.
struct AdoptionFold {
    extent: Extent,
    head: AdoptionHead,
    position: Position,
    held_entry_before: Position,
    /// The page and the time of the last entry about a hold.
    last_hold: Option<(Position, i64)>,
}

struct Attempt<'a> {
    accounts: BTreeMap<&'a Owner, (Extent, AccountFold<'a>)>,
    adoptions: BTreeMap<OrderId, AdoptionFold>,
    sums: BTreeMap<SumKey, (Extent, SumNode, Position)>,
    closes: Closes,
    shards: u32,
}

impl<'a> Attempt<'a> {
    fn new(targets: &'a Targets, marks: &Marks, present: &BTreeMap<Key, Position>, shards: u32) -> Self {
        let revision = |key: &Key| present.get(key).copied().unwrap_or_default();
        let extent = |key: &Key, name: &str| {
            let before = revision(key);
            let mark = marks.of(&Projection::Heads(Shard::of(name, shards)));
            Extent { before, mark, until: before.max(mark) }
        };
        let account = |owner: &'a Owner| {
            let extent = extent(&heads::account_key(owner), &owner.to_string());
            (owner, (extent, AccountFold::from(owner, &At::default())))
        };
        let adoption = |order: &OrderId| {
            let fold = AdoptionFold {
                extent: extent(&heads::adoption_key(*order), &order.to_string()),
                head: AdoptionHead::default(),
                position: 0,
                held_entry_before: revision(&lists::held_entry_key(*order, shards)),
                last_hold: None,
            };
            (*order, fold)
        };
        let sum = |key: &SumKey| {
            let extent = extent(&heads::sum_key(*key), &format!("{}#{}", key.0, key.1));
            (*key, (extent, SumNode::default(), 0))
        };
        Self {
            accounts: targets.accounts.iter().map(account).collect(),
            adoptions: targets.adoptions.iter().map(adoption).collect(),
            sums: targets.sums.iter().map(sum).collect(),
            closes: Closes::default(),
            shards,
        }
    }

    /// Folds the log and writes the heads. Returns those that were moved meanwhile.
    async fn run(mut self, engine: &dyn Engine, mut versions: Versions) -> Result<Targets, AuditError> {
        let extents = self.extents();
        let end = extents.iter().map(|extent| extent.until).max().unwrap_or_default();
        let sure_end = extents.iter().map(|extent| extent.mark).max().unwrap_or_default();
        let mut read = 0;
        while read < end {
            let count = PAGES_READ.min(u32::try_from(end - read).unwrap_or(PAGES_READ));
            let pages = store::log::read_after(engine, read, count).await?;
            let Some(last) = pages.last() else {
                // A damaged head may name a page that never was.
                if read >= sure_end {
                    break;
                }
                return Err(AuditError::MissingPage { position: read + 1 });
            };
            read = last.position;
            let mut writes = Vec::new();
            for page in &pages {
                self.fold(page, &mut versions, &mut writes)?;
            }
            let accounts = self.accounts.iter_mut();
            let filled: BTreeMap<Owner, Vec<(u32, LinePage)>> =
                accounts.map(|(owner, (_, fold))| ((*owner).clone(), fold.take_filled())).collect();
            for (owner, pages) in &filled {
                writes.extend(pages.iter().map(|(number, page)| heads::put_line_page(owner, *number, page)));
            }
            writes.extend(books::completed(engine, &filled, &self.closes).await?);
            // None of them has a condition, and each may be written at will.
            for written in engine.write_many(writes).await {
                let _ = written?;
            }
        }
        self.put(engine).await
    }

    fn extents(&self) -> Vec<Extent> {
        let accounts = self.accounts.values().map(|(extent, _)| *extent);
        let adoptions = self.adoptions.values().map(|fold| fold.extent);
        let sums = self.sums.values().map(|(extent, ..)| *extent);
        accounts.chain(adoptions).chain(sums).collect()
    }

    /// Folds a page. What lists it adds to goes to `writes`.
    fn fold(
        &mut self,
        page: &Page,
        versions: &mut Versions,
        writes: &mut Vec<Write>,
    ) -> Result<(), AuditError> {
        let position = page.position;
        for (index, entry) in (0..).zip(&page.entries) {
            match entry {
                Entry::VersionIntroduced(terms) => versions.introduce((**terms).clone())?,
                Entry::Close(terms) => self.closes.insert(position, terms.date),
                _ => {}
            }
            for account in Node::accounts_of(entry) {
                if let Some((_, fold)) = self.account(&Owner::User(account.clone()), position) {
                    fold.add_entry(position, entry);
                }
            }
            for (owner, line) in lines_of(entry, position, index, page.time_ms, versions) {
                let Some((_, fold)) = self.account(&owner, position) else { continue };
                fold.add_line(line).map_err(|error| StoreError::Unreadable {
                    key: Box::new(heads::account_key(&owner)),
                    message: error.to_string(),
                })?;
            }
            if let Entry::ReferralRow { account, row: Some(Some(referrer)), .. } = entry
                && self.accounts.contains_key(&Owner::User(referrer.clone()))
            {
                writes.push(heads::put_child(referrer, account));
            }
            self.fold_order(page, entry);
        }
        Ok(())
    }

    fn account(&mut self, owner: &Owner, position: Position) -> Option<&mut (Extent, AccountFold<'a>)> {
        self.accounts.get_mut(owner).filter(|(extent, _)| position <= extent.until)
    }

    fn fold_order(&mut self, page: &Page, entry: &Entry) {
        let position = page.position;
        if let Some(order) = AdoptionHead::order_of(entry)
            && let Some(fold) = self.adoptions.get_mut(&order)
            && position <= fold.extent.until
        {
            fold.head.apply(order, entry);
            fold.position = position;
            if matches!(entry, Entry::Held(_) | Entry::HoldEnded(_)) {
                fold.last_hold = Some((position, page.time_ms));
            }
        }
        for (key, _) in SumNode::order_of(entry).into_iter().flat_map(sum_path) {
            if let Some((extent, node, last)) = self.sums.get_mut(&key)
                && position <= extent.until
            {
                node.apply(key, entry);
                *last = position;
            }
        }
    }

    /// Writes the heads. Returns those that were moved meanwhile.
    async fn put(self, engine: &dyn Engine) -> Result<Targets, AuditError> {
        let mut left = Targets::default();
        for (owner, (extent, fold)) in &self.accounts {
            let (head, position) = fold.head();
            let write = heads::put_account(owner, head, position, extent.before);
            if !take_place(engine, write, *extent, position).await? {
                left.accounts.insert((*owner).clone());
            }
            if let (Owner::System(account), 1..) = (owner, position) {
                let _ = engine.write(lists::put_system_account(account)).await?;
            }
        }
        for (order, fold) in &self.adoptions {
            let AdoptionFold { extent, head, position, .. } = fold;
            let write = heads::put_adoption(*order, head, *position, extent.before);
            let is_done = take_place(engine, write, *extent, *position).await?;
            if !is_done || !self.put_held_entry(engine, *order, fold).await? {
                left.adoptions.insert(*order);
            }
        }
        for (key, (extent, node, position)) in &self.sums {
            let write = heads::put_sum(*key, node, *position, extent.before);
            if !take_place(engine, write, *extent, *position).await? {
                left.sums.insert(*key);
            }
        }
        Ok(left)
    }

    async fn put_held_entry(
        &self,
        engine: &dyn Engine,
        order: OrderId,
        fold: &AdoptionFold,
    ) -> Result<bool, StoreError> {
        let (position, time_ms) = match (fold.last_hold, fold.held_entry_before) {
            (Some(last), _) => last,
            (None, 0) => return Ok(true),
            (None, before) => (before, 0),
        };
        let held = match &fold.head.state {
            AdoptionState::Held(reason) => {
                Some(HeldAdoption { order, reason: reason.clone(), since_ms: time_ms })
            }
            _ => None,
        };
        let before = fold.held_entry_before;
        let write = lists::replace_held(order, held.as_ref(), time_ms, before, position, self.shards);
        Ok(engine.write(write).await? == Written::Done)
    }
}

/// Puts a head in the place of the one that was read, or removes that one where the log knows nothing of it. Returns
/// whether that one still stood there.
async fn take_place(
    engine: &dyn Engine,
    put: Write,
    extent: Extent,
    position: Position,
) -> Result<bool, StoreError> {
    let write = match (position, extent.before) {
        (0, 0) => return Ok(true),
        (0, before) => heads::remove(put.key().clone(), before),
        _ => put,
    };
    Ok(engine.write(write).await? == Written::Done)
}
