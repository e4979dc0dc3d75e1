//! Referrals: each is stored once, and its ancestors are resolved whatever order rows come in.
//!
//! A referral whose referrer is not resolved yet is stored unresolved and put on the referrer's
//! waiting list. The referrer's item is marked first, so that whoever resolves the referrer knows to
//! look there; and the referrer is read once more after the referral is on the list, so that of the
//! two one surely sees the other. The mark goes away only when everything that waited, however far
//! down, is resolved: a repeated delivery finds the mark and goes on where an earlier one stopped.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use ledger::cdc::ReferralChange;
use ledger::rules::AccountSequence;
use ledger::store::{
    Action, BatchWrite, CONCURRENT_CALLS_MAX, Item, Key, Lineage, ReferralRecord, RowVersion, RowWrite,
    Store, StoreError, Written,
};

use crate::outcome::Outcome;
use crate::rows::{ATTEMPTS_MAX, Indexed};

/// The longest chain of unresolved referrals that is searched for a cycle.
const UNRESOLVED_CHAIN_MAX: usize = 10_000;

/// Applies changes of referrals. What became of each, by its position in the batch.
pub(crate) async fn apply(
    store: &Store,
    changes: Vec<Indexed<ReferralChange>>,
    now: DateTime<Utc>,
) -> Vec<(usize, Outcome)> {
    let mut pending = changes;
    let mut outcomes = Vec::new();
    for _ in 0..ATTEMPTS_MAX {
        if pending.is_empty() {
            return outcomes;
        }
        let mut round = Round::new(store, now);
        match round.run(&pending).await {
            Ok(decided) => {
                let retried: HashSet<usize> = round.outdated.iter().copied().collect();
                outcomes.extend(decided.into_iter().filter(|(index, _)| !retried.contains(index)));
                pending.retain(|(index, ..)| retried.contains(index));
            }
            Err(error) => {
                // Nothing decided in this round may be relied on; all of it is safe to do again.
                outcomes.extend(pending.iter().map(|(index, ..)| (*index, Outcome::Failed(error.clone()))));
                return outcomes;
            }
        }
    }
    outcomes.extend(pending.iter().map(|(index, ..)| (*index, Outcome::contended())));
    outcomes
}

/// One attempt at a set of changes, with the records it read and changed.
struct Round<'a> {
    store: &'a Store,
    now: DateTime<Utc>,
    records: HashMap<AccountSequence, ReferralRecord>,
    /// Positions in the batch of changes to try again, because a record changed under them.
    outdated: Vec<usize>,
}

/// A referral that arrives with this batch.
struct Arrival {
    index: usize,
    account: AccountSequence,
}

impl<'a> Round<'a> {
    fn new(store: &'a Store, now: DateTime<Utc>) -> Self {
        Self { store, now, records: HashMap::new(), outdated: Vec::new() }
    }

    async fn run(
        &mut self,
        changes: &[Indexed<ReferralChange>],
    ) -> Result<Vec<(usize, Outcome)>, StoreError> {
        let named = changes.iter().flat_map(|(_, _, change)| match change {
            ReferralChange::Upsert { account, referrer } => {
                [Some(account.clone()), referrer.clone()].into_iter().flatten().collect::<Vec<_>>()
            }
            ReferralChange::Delete { account } => vec![account.clone()],
        });
        self.load(named.collect()).await?;

        let mut outcomes = Vec::with_capacity(changes.len());
        let mut arrivals = Vec::new();
        let mut unfinished: Vec<(usize, AccountSequence)> = Vec::new();
        for (index, version, change) in changes {
            let outcome = self.decide(version, change).await?;
            if let ReferralChange::Upsert { account, .. } = change {
                match outcome {
                    Decision::Arrives => arrivals.push(Arrival { index: *index, account: account.clone() }),
                    Decision::Known(_) => unfinished.push((*index, account.clone())),
                    Decision::Refused(_) => {}
                }
            }
            outcomes.push((*index, outcome.into_outcome()));
        }

        let arrived = self.write_arrivals(arrivals).await?;
        let to_settle: Vec<(usize, AccountSequence)> = arrived.into_iter().chain(unfinished).collect();
        self.refresh(to_settle.iter().map(|(_, account)| account.clone()).collect()).await?;
        let refused: HashMap<usize, Outcome> = self.settle(to_settle).await?.into_iter().collect();
        outcomes.retain(|(index, _)| !refused.contains_key(index));
        outcomes.extend(refused);
        Ok(outcomes)
    }

    /// Reads again what is not resolved yet: these accounts, and all above them.
    async fn refresh(&mut self, accounts: Vec<AccountSequence>) -> Result<(), StoreError> {
        self.records.retain(|_, record| record.lineage.is_some());
        let mut level = accounts;
        while !level.is_empty() {
            self.load(level.clone()).await?;
            let above = level.iter().filter_map(|account| {
                let record = &self.records[account];
                record.referrer.clone().filter(|_| record.lineage.is_none())
            });
            let above: HashSet<AccountSequence> = above.collect();
            level = above.into_iter().filter(|account| !self.records.contains_key(account)).collect();
        }
        Ok(())
    }

    /// What a change means, given the records as they are in memory.
    async fn decide(
        &mut self,
        version: &RowVersion,
        change: &ReferralChange,
    ) -> Result<Decision, StoreError> {
        let ReferralChange::Upsert { account, referrer } = change else {
            return Ok(Decision::Refused(Outcome::refused(
                "REFERRAL_DELETED",
                "a referrer is set once; deleting the referral would rewrite what was distributed",
            )));
        };
        let record = &self.records[account];
        if let Some(known) = &record.version {
            return Ok(match (record.referrer == *referrer, version.is_newer_than(known)) {
                (true, true) => Decision::Known(Outcome::Applied),
                (_, false) => Decision::Known(Outcome::Duplicated),
                (false, true) => Decision::Refused(Outcome::refused(
                    "REFERRER_CHANGED",
                    "a referrer is set once; this row names another one than the row before it",
                )),
            });
        }
        if let Some(referrer) = referrer
            && self.leads_to(referrer, account).await?
        {
            return Ok(Decision::Refused(cycle()));
        }
        let record = self.records.get_mut(account).expect("loaded above");
        record.version = Some(version.clone());
        record.referrer.clone_from(referrer);
        Ok(Decision::Arrives)
    }

    /// Whether the chain of unresolved referrals above `from` contains `account`.
    async fn leads_to(
        &mut self,
        from: &AccountSequence,
        account: &AccountSequence,
    ) -> Result<bool, StoreError> {
        let mut above = from.clone();
        for _ in 0..UNRESOLVED_CHAIN_MAX {
            if above == *account {
                return Ok(true);
            }
            self.load(vec![above.clone()]).await?;
            let record = &self.records[&above];
            match &record.referrer {
                Some(referrer) if record.lineage.is_none() => above = referrer.clone(),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Stores the rows that arrived, referrers before their referrals. Those that were stored.
    async fn write_arrivals(
        &mut self,
        arrivals: Vec<Arrival>,
    ) -> Result<Vec<(usize, AccountSequence)>, StoreError> {
        let mut arrived = Vec::with_capacity(arrivals.len());
        for wave in self.waves(arrivals) {
            self.mark_awaited(&wave).await?;
            let mut writes = Vec::with_capacity(wave.len());
            for Arrival { index, account } in wave {
                let record = self.resolved(&account);
                let actions = arrival_actions(&record)?;
                writes.push(RowWrite { row: (index, record), actions });
            }
            for ((index, mut record), written) in self.store.write_rows(writes).await {
                match written {
                    Written::Committed => {
                        record.revision += 1;
                        arrived.push((index, record.account.clone()));
                        self.records.insert(record.account.clone(), record);
                    }
                    Written::Outdated => self.forget(index, &record.account),
                    Written::Failed(error) => return Err(error),
                }
            }
        }
        Ok(arrived)
    }

    /// Arrivals in waves: those of a wave depend only on earlier waves and on what is stored.
    fn waves(&self, arrivals: Vec<Arrival>) -> Vec<Vec<Arrival>> {
        let arriving: HashSet<AccountSequence> =
            arrivals.iter().map(|arrival| arrival.account.clone()).collect();
        let mut depth_of: HashMap<AccountSequence, usize> = HashMap::new();
        let mut waves: BTreeMap<usize, Vec<Arrival>> = BTreeMap::new();
        for arrival in arrivals {
            // Walk up through the batch to an account whose depth is known, then back down.
            let mut path = vec![arrival.account.clone()];
            let mut depth = 0;
            while let Some(referrer) = &self.records[path.last().expect("never empty")].referrer {
                if let Some(known) = depth_of.get(referrer) {
                    depth = known + 1;
                    break;
                }
                if !arriving.contains(referrer) {
                    break;
                }
                path.push(referrer.clone());
            }
            for account in path.into_iter().rev() {
                depth_of.entry(account).or_insert(depth);
                depth += 1;
            }
            waves.entry(depth_of[&arrival.account]).or_default().push(arrival);
        }
        waves.into_values().collect()
    }

    /// Marks the referrers that arrivals of this wave will have to wait for.
    async fn mark_awaited(&mut self, wave: &[Arrival]) -> Result<(), StoreError> {
        let referrers: HashSet<AccountSequence> =
            wave.iter().filter_map(|arrival| self.records[&arrival.account].referrer.clone()).collect();
        let mut unmarked: Vec<AccountSequence> = referrers.into_iter().collect();
        for _ in 0..ATTEMPTS_MAX {
            unmarked.retain(|referrer| {
                let record = &self.records[referrer];
                record.lineage.is_none() && !record.awaited
            });
            if unmarked.is_empty() {
                return Ok(());
            }
            let marks = unmarked.iter().map(|referrer| self.records[referrer].marked_awaited().write_next());
            // Where one does not hold, the referrer was resolved or marked meanwhile, or marked no longer.
            self.apply_each(marks.collect::<Result<_, _>>()?).await?;
            self.reload(&unmarked).await?;
        }
        Err(kept_changing(&unmarked[0]))
    }

    /// The record with its lineage, if its referrer's is known.
    fn resolved(&self, account: &AccountSequence) -> ReferralRecord {
        let mut record = self.records[account].clone();
        record.lineage = match &record.referrer {
            None => Some(Lineage::root(account.clone(), record.provisional_tree.clone())),
            Some(referrer) => self.records[referrer]
                .lineage
                .as_ref()
                .map(|lineage| lineage.of_child(referrer, record.provisional_tree.clone())),
        };
        record
    }

    /// Sees to it that nothing is left waiting for rows that have arrived. Refusals of rows that turn out
    /// to close a cycle.
    async fn settle(
        &mut self,
        arrived: Vec<(usize, AccountSequence)>,
    ) -> Result<Vec<(usize, Outcome)>, StoreError> {
        loop {
            let ready = arrived.iter().map(|(_, account)| account).filter(|account| self.is_ready(account));
            // A row may be in a batch twice.
            let ready: BTreeSet<AccountSequence> = ready.cloned().collect();
            if ready.is_empty() {
                break;
            }
            self.resolve_all(&ready.into_iter().collect::<Vec<_>>()).await?;
        }
        let mut refused = Vec::new();
        let mut awaited = HashSet::new();
        for (index, account) in arrived {
            let record = &self.records[&account];
            let unresolved = record.referrer.clone().filter(|_| record.lineage.is_none());
            if let Some(referrer) = unresolved
                && self.leads_to(&referrer, &account).await?
            {
                // Two rows that close a cycle can be stored at the same moment; whoever sees it steps back.
                self.withdraw(&account, &referrer).await?;
                refused.push((index, cycle()));
            } else if self.records[&account].awaited {
                awaited.insert(account);
            }
        }
        self.restage_waiting(awaited.iter()).await?;
        awaited.retain(|account| self.records[account].lineage.is_some());
        self.resolve_waiting(awaited).await?;
        Ok(refused)
    }

    /// Whether a stored referral has no lineage although its referrer has.
    fn is_ready(&self, account: &AccountSequence) -> bool {
        let record = &self.records[account];
        let referrer = record.referrer.as_ref().and_then(|referrer| self.records.get(referrer));
        record.has_arrived()
            && record.lineage.is_none()
            && referrer.is_some_and(|referrer| referrer.lineage.is_some())
    }

    /// Gives a stored referral its lineage, whoever else may be doing the same.
    async fn resolve(&mut self, account: &AccountSequence) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let written = self.store.apply(self.resolved(account).write_next()?).await?;
            self.reload(std::slice::from_ref(account)).await?;
            if written || self.records[account].lineage.is_some() {
                return Ok(());
            }
        }
        Err(kept_changing(account))
    }

    /// Resolves everything that waits for `tops`, level by level, then clears the marks from the bottom
    /// up, so that the mark of each of `tops` stays until all below it is done.
    ///
    /// One of `tops` may wait for another. Its mark is cleared with the other's; if it is left behind, it
    /// is found when its own row is delivered again.
    async fn resolve_waiting(&mut self, tops: HashSet<AccountSequence>) -> Result<(), StoreError> {
        let mut seen = tops.clone();
        let mut levels: Vec<Vec<AccountSequence>> = vec![tops.into_iter().collect()];
        let mut lists: HashMap<AccountSequence, Vec<AccountSequence>> = HashMap::new();
        while let Some(level) = levels.last().filter(|level| !level.is_empty()).cloned() {
            let store = self.store;
            let read: Vec<(AccountSequence, Vec<AccountSequence>)> = stream::iter(level)
                .map(async |account| {
                    let children = store.waiting_referrals(&account).await?;
                    Ok::<_, StoreError>((account, children))
                })
                .buffer_unordered(CONCURRENT_CALLS_MAX)
                .try_collect()
                .await?;
            let children: Vec<AccountSequence> =
                read.iter().flat_map(|(_, children)| children.iter().cloned()).collect();
            lists.extend(read);
            self.resolve_all(&children).await?;
            let awaited = children.into_iter().filter(|child| self.records[child].awaited);
            levels.push(awaited.filter(|child| seen.insert(child.clone())).collect());
        }
        for level in levels.into_iter().rev() {
            let done = level.iter().flat_map(|account| {
                let children = lists.remove(account).unwrap_or_default();
                children.into_iter().map(|child| BatchWrite::Delete(Key::waiting_referral(account, &child)))
            });
            self.store.batch_write(done.collect()).await?;
            // The mark is also for adoptions, and whoever stored this row may not have got to them.
            self.restage_waiting(level.iter()).await?;
            self.clear_awaited(level).await?;
        }
        Ok(())
    }

    /// Puts the adoptions that waited for these rows back on the list to release.
    async fn restage_waiting(
        &self,
        accounts: impl Iterator<Item = &AccountSequence>,
    ) -> Result<(), StoreError> {
        stream::iter(accounts.cloned().collect::<Vec<_>>())
            .map(async |account| self.store.restage_waiting(&account, self.now).await)
            .buffer_unordered(CONCURRENT_CALLS_MAX)
            .try_collect()
            .await
    }

    /// Resolves stored referrals whose referrers are resolved.
    async fn resolve_all(&mut self, accounts: &[AccountSequence]) -> Result<(), StoreError> {
        self.reload(accounts).await?;
        let referrers = accounts.iter().filter_map(|account| self.records[account].referrer.clone());
        self.load(referrers.collect()).await?;
        let mut writes = Vec::new();
        for account in accounts {
            let record = &self.records[account];
            if record.has_arrived() && record.lineage.is_none() {
                let resolved = self.resolved(account);
                writes.push(RowWrite { actions: vec![resolved.write_next()?], row: resolved });
            }
        }
        for (mut resolved, written) in self.store.write_rows(writes).await {
            match written {
                Written::Committed => {
                    resolved.revision += 1;
                    self.records.insert(resolved.account.clone(), resolved);
                }
                Written::Outdated => {
                    self.reload(std::slice::from_ref(&resolved.account)).await?;
                    self.resolve(&resolved.account).await?;
                }
                Written::Failed(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn clear_awaited(&mut self, mut accounts: Vec<AccountSequence>) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            self.reload(&accounts).await?;
            accounts.retain(|account| self.records[account].awaited);
            if accounts.is_empty() {
                return Ok(());
            }
            let cleared = accounts.iter().map(|account| {
                ReferralRecord { awaited: false, ..self.records[account].clone() }.write_next()
            });
            self.apply_each(cleared.collect::<Result<_, _>>()?).await?;
        }
        Err(kept_changing(&accounts[0]))
    }

    /// Applies writes at once, each by itself. Whoever must know which of them held reads the rows again.
    async fn apply_each(&self, actions: Vec<Action>) -> Result<(), StoreError> {
        stream::iter(actions)
            .map(|action| self.store.apply(action))
            .buffer_unordered(CONCURRENT_CALLS_MAX)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
    }

    /// Takes back a row that was stored although it closes a cycle.
    async fn withdraw(
        &mut self,
        account: &AccountSequence,
        referrer: &AccountSequence,
    ) -> Result<(), StoreError> {
        let mut record = self.records[account].clone();
        record.version = None;
        record.referrer = None;
        let actions = vec![
            record.write_next()?,
            Action::delete(Key::child(referrer, account)),
            Action::delete(Key::waiting_referral(referrer, account)),
        ];
        // If the condition fails the row changed, which only resolving does, which a cycle rules out.
        let _ = self.store.transact(actions).await?;
        self.reload(std::slice::from_ref(account)).await
    }

    /// Reads records that are not in memory yet.
    async fn load(&mut self, accounts: Vec<AccountSequence>) -> Result<(), StoreError> {
        let unknown: Vec<AccountSequence> =
            accounts.into_iter().filter(|account| !self.records.contains_key(account)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        for record in self.store.referrals(unknown).await? {
            self.records.insert(record.account.clone(), record);
        }
        Ok(())
    }

    async fn reload(&mut self, accounts: &[AccountSequence]) -> Result<(), StoreError> {
        for account in accounts {
            self.records.remove(account);
        }
        self.load(accounts.to_vec()).await
    }

    /// Drops what was decided about a row that somebody else changed.
    fn forget(&mut self, index: usize, account: &AccountSequence) {
        self.outdated.push(index);
        let record = self.records.get_mut(account).expect("it was decided about");
        record.version = None;
        record.referrer = None;
        record.lineage = None;
    }
}

/// What a change means.
enum Decision {
    /// The row is the account's first.
    Arrives,
    /// The row is stored already.
    Known(Outcome),
    /// The row breaks a rule.
    Refused(Outcome),
}

impl Decision {
    fn into_outcome(self) -> Outcome {
        match self {
            Self::Arrives => Outcome::Applied,
            Self::Known(outcome) | Self::Refused(outcome) => outcome,
        }
    }
}

fn cycle() -> Outcome {
    Outcome::refused(
        "REFERRAL_CYCLE",
        "with this row an account would be its own ancestor; correct the referral at the source",
    )
}

/// The writes that store a row which arrived.
fn arrival_actions(record: &ReferralRecord) -> Result<Vec<Action>, StoreError> {
    let mut actions = vec![record.write_next()?];
    if let Some(referrer) = &record.referrer {
        actions.push(Action::put(Item::at(&Key::child(referrer, &record.account)))?);
        if record.lineage.is_none() {
            actions.push(Action::put(Item::at(&Key::waiting_referral(referrer, &record.account)))?);
        }
    }
    Ok(actions)
}

fn kept_changing(account: &AccountSequence) -> StoreError {
    StoreError::Unavailable { message: format!("what waits for the referral of {account} kept changing") }
}
