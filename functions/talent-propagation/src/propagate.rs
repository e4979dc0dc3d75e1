//! Propagates changes of teams and levels from marked accounts to their ancestors, in storage.
//!
//! A pass reads everything concerned twice. Where both readings are equal, all of it stood there at one moment. From
//! that the pass settles, in memory, what should stand. It stores an intent that names every account concerned, and
//! writes each changed record on condition that the record still has the revision that was read. Then the next pass
//! looks at the same accounts again. Only a pass that finds nothing to write ends the work and removes the intents.
//!
//! So an invocation that ends between two writes leaves its intent, and the schedule settles every account that the
//! intent names. Before the schedule's invocation removes the intent, it has written each of them, so that a write
//! which the ended invocation still has under way fails.
//!
//! Touches: `Ledger` (reads, writes), `Source` (reads users), the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use domain::AccountSequence;
use runtime::{Context, Unique};
use store::talent::{
    self, ActiveUntil, Awaiting, INTENT_ACCOUNTS_MAX, Intent, LevelChange, TalentCause, TalentShards,
};
use store::{StoreError, Write, Written, users};

use crate::PropagationError;
use crate::forest::{Forest, Needs, Reach, Settled, Standards, Unsettled, UserState, Work};
use crate::standards::TalentStandards;

/// How many passes are made before the rest is left to a later attempt.
const PASSES_MAX: u32 = 30;
/// A pass begins only while more than this is left of the invocation, in milliseconds.
const PASS_TAKES_MS: i64 = 1_000;

/// By which table levels are assessed, and how.
#[derive(Clone, Copy)]
pub(crate) struct Propagator<'a> {
    pub(crate) context: &'a Context,
    pub(crate) unique: &'a Unique,
    pub(crate) shards: TalentShards,
    pub(crate) standards: &'a TalentStandards,
    pub(crate) knows_activity: bool,
}

/// What was propagated.
#[derive(Debug, Default)]
pub(crate) struct Propagated {
    /// Records that were written.
    pub(crate) written: u64,
    /// Changes of levels that were published.
    pub(crate) published: Vec<(AccountSequence, LevelChange)>,
    /// Accounts whose level began to wait for a user.
    pub(crate) without_user: BTreeSet<AccountSequence>,
}

/// How propagating ended: with the forest of the pass that found nothing to write.
pub(crate) enum Propagation {
    /// All of it stands, and the intents are removed.
    Lasting(Forest),
    /// Another table of levels came into force meanwhile. The intents stay.
    ByFormerTable(Forest),
}

impl Propagator<'_> {
    /// Does the work, pass by pass, until a pass finds nothing to write.
    pub(crate) async fn propagate(
        &self,
        mut work: Work,
        intents: &mut Vec<Intent>,
        propagated: &mut Propagated,
    ) -> Result<Propagation, PropagationError> {
        let engine = &*self.context.engine;
        let mut forest = Forest::default();
        let mut losses = 0;
        for _ in 0..PASSES_MAX {
            if (self.context.deadline - self.context.clock.now()).num_milliseconds() < PASS_TAKES_MS {
                return Err(PropagationError::OutOfTime);
            }
            if losses > 1 {
                self.context.clock.sleep(Duration::from_millis(5 << losses.min(6))).await;
            }
            let settled = self.settle(&mut forest, &mut work).await?;
            if !self.stood_still(&mut forest).await? {
                losses += 1;
                continue;
            }
            let to_write: BTreeSet<AccountSequence> = settled.changed.union(&work.fenced).cloned().collect();
            if to_write.is_empty() {
                if !self.standards.are_in_force(self.context).await? {
                    return Ok(Propagation::ByFormerTable(forest));
                }
                let removals = intents.iter().map(|intent| talent::remove_intent(intent, self.shards));
                for removed in engine.write_many(removals.collect()).await {
                    let _ = removed?;
                }
                return Ok(Propagation::Lasting(forest));
            }
            intents.extend(self.store_intent(&settled, &to_write).await?);
            propagated.without_user.extend(settled.begin_to_wait.iter().cloned());
            if !self.write(&mut forest, &settled, to_write, &mut work, propagated).await? {
                losses += 1;
            }
            work.untidy = settled.untidy;
            if work.reach == Reach::Ancestors {
                // A ring may have been broken elsewhere meanwhile, so that no other start leads to these.
                let on_other_rings = settled.on_other_rings.iter();
                let causes = on_other_rings.filter_map(|account| settled.visited.get_key_value(account));
                work.ring_starts.extend(causes.map(|(account, cause)| (account.clone(), cause.clone())));
                work.starts.extend(settled.visited);
            }
        }
        Err(PropagationError::Contended)
    }

    /// Settles the work in memory, and loads what that takes.
    async fn settle(&self, forest: &mut Forest, work: &mut Work) -> Result<Settled, PropagationError> {
        let standards = Standards {
            table: self.standards.table(),
            knows_activity: self.knows_activity,
            now_ms: self.context.clock.now().timestamp_millis(),
        };
        forest.forget_users();
        let first = work.starts.keys().chain(work.ring_starts.keys()).chain(work.left.values().flatten());
        let first = first.chain(&work.users).chain(&work.untidy).chain(&work.fenced);
        let first = first.filter(|account| forest.record(account).is_none()).cloned().collect();
        let users = if standards.ask_for_activity() { work.users.clone() } else { BTreeSet::new() };
        self.load(forest, Needs { accounts: first, users, ..Needs::default() }).await?;
        let mut settling = forest.begin(work);
        loop {
            match forest.go_on(&mut settling, work, standards) {
                Ok(settled) => return Ok(settled),
                Err(Unsettled::DoesNotAddUp(account)) => {
                    return Err(PropagationError::DoesNotAddUp { account });
                }
                Err(Unsettled::Needs(needs)) => {
                    for account in &needs.rings {
                        let cause = TalentCause::ReferralChanged { account: account.clone() };
                        if work.ring_starts.insert(account.clone(), cause).is_some() {
                            return Err(PropagationError::Contended);
                        }
                    }
                    if !needs.rings.is_empty() {
                        settling = forest.begin(work);
                    }
                    self.load(forest, needs).await?;
                }
            }
        }
    }

    async fn load(&self, forest: &mut Forest, needs: Needs) -> Result<(), StoreError> {
        let engine = &*self.context.engine;
        let (records, known) = futures::try_join!(
            talent::read_all(engine, needs.accounts.into_iter().collect()),
            users::read(engine, needs.users.iter().cloned().collect())
        )?;
        for (account, read) in records {
            forest.add(account, read);
        }
        let active_for = TimeDelta::days(i64::from(self.standards.table().active_within_days()));
        for account in needs.users {
            let user = known.get(&account).and_then(|rows| rows.user());
            let state = user.map_or(UserState::Absent, |user| UserState::Arrived {
                active_until_ms: user.last_activity_ms.map(|seen_ms| seen_ms + active_for.num_milliseconds()),
            });
            forest.add_user(account, state);
        }
        Ok(())
    }

    /// Reads every record again. Returns whether all of them still stand as they were settled.
    async fn stood_still(&self, forest: &mut Forest) -> Result<bool, StoreError> {
        let mut stood_still = true;
        for (account, read) in talent::read_all(&*self.context.engine, forest.names()).await? {
            if forest.record(&account).is_none_or(|before| before.revision != read.revision) {
                stood_still = false;
                forest.add(account, read);
            }
        }
        Ok(stood_still)
    }

    /// Stores an intent that names the accounts about to be written, and those that were settled for that.
    async fn store_intent(
        &self,
        settled: &Settled,
        to_write: &BTreeSet<AccountSequence>,
    ) -> Result<Vec<Intent>, StoreError> {
        let accounts: Vec<AccountSequence> =
            settled.visited.keys().cloned().collect::<BTreeSet<_>>().union(to_write).cloned().collect();
        let first_cause = settled.visited.values().next().cloned();
        let cause =
            first_cause.unwrap_or_else(|| TalentCause::ReferralChanged { account: accounts[0].clone() });
        let intent = |part: &[AccountSequence]| Intent {
            number: self.unique.next(self.context),
            accounts: part.iter().cloned().collect(),
            until_ms: self.context.deadline.timestamp_millis(),
            cause: cause.clone(),
        };
        let intents: Vec<Intent> = accounts.chunks(INTENT_ACCOUNTS_MAX).map(intent).collect();
        let puts = intents.iter().map(|intent| talent::put_intent(intent, self.shards));
        for stored in self.context.engine.write_many(puts.collect()).await {
            let _ = stored?;
        }
        Ok(intents)
    }

    /// Writes these accounts, from the top, so that an attempt that begins from the same mark goes through all that
    /// was not written. Returns whether all of them were written.
    async fn write(
        &self,
        forest: &mut Forest,
        settled: &Settled,
        mut remaining: BTreeSet<AccountSequence>,
        work: &mut Work,
        propagated: &mut Propagated,
    ) -> Result<bool, StoreError> {
        let engine = &*self.context.engine;
        for written in engine.write_many(lists_before(forest, &settled.changed, self.shards)).await {
            let _ = written?;
        }
        let mut after: Vec<Write> = Vec::new();
        let mut failed: BTreeSet<AccountSequence> = BTreeSet::new();
        while !remaining.is_empty() {
            let ready = highest(forest, &remaining);
            let writes = ready.iter().map(|account| {
                let before = forest.record(account).expect("it was settled").revision;
                talent::put(account, forest.now(account).expect("it was settled"), before)
            });
            let outcomes = engine.write_many(writes.collect()).await;
            for (account, outcome) in ready.iter().zip(outcomes) {
                remaining.remove(account);
                if outcome? == Written::Done {
                    after.extend(list_after(forest, account, self.shards));
                    forest.keep_written(account);
                    work.fenced.remove(account);
                    propagated.written += 1;
                    let published = settled.published.iter().filter(|(published, _)| published == account);
                    propagated.published.extend(published.cloned());
                } else {
                    failed.insert(account.clone());
                }
            }
            leave_out_below(forest, &mut remaining, &mut failed);
        }
        for written in engine.write_many(after).await {
            let _ = written?;
        }
        Ok(failed.is_empty())
    }
}

/// Returns the accounts that are below none of the others; all of them where they form a circle.
fn highest(forest: &Forest, remaining: &BTreeSet<AccountSequence>) -> BTreeSet<AccountSequence> {
    let is_highest = |account: &&AccountSequence| {
        let referrer = forest.now(account).and_then(|talent| talent.referrer.as_ref());
        referrer.is_none_or(|referrer| referrer == *account || !remaining.contains(referrer))
    };
    let highest: BTreeSet<AccountSequence> = remaining.iter().filter(is_highest).cloned().collect();
    if highest.is_empty() { remaining.clone() } else { highest }
}

/// Takes out the accounts below one that was not written.
fn leave_out_below(
    forest: &Forest,
    remaining: &mut BTreeSet<AccountSequence>,
    failed: &mut BTreeSet<AccountSequence>,
) {
    loop {
        let is_below = |account: &&AccountSequence| {
            let referrer = forest.now(account).and_then(|talent| talent.referrer.as_ref());
            referrer.is_some_and(|referrer| failed.contains(referrer))
        };
        let below: Vec<AccountSequence> = remaining.iter().filter(is_below).cloned().collect();
        if below.is_empty() {
            return;
        }
        for account in below {
            remaining.remove(&account);
            failed.insert(account);
        }
    }
}

/// Returns what is written to lists before the records are. Repeating it changes nothing.
fn lists_before(forest: &Forest, changed: &BTreeSet<AccountSequence>, shards: TalentShards) -> Vec<Write> {
    let mut writes: BTreeMap<(u8, AccountSequence), Write> = BTreeMap::new();
    for account in changed {
        let (Some(read), Some(now)) = (forest.record(account), forest.now(account)) else { continue };
        let earlier =
            read.talent.latest_change.as_ref().filter(|_| now.latest_change != read.talent.latest_change);
        if let Some(change) = earlier {
            writes.insert((0, account.clone()), talent::put_change(account, change));
        }
        if let Some(since_revision) =
            now.awaits_user_since.filter(|_| read.talent.awaits_user_since.is_none())
        {
            let awaiting = Awaiting { account: account.clone(), since_revision };
            writes.insert((1, account.clone()), talent::put_awaiting(&awaiting, shards));
        }
        let until_ms = now.active_until_ms.filter(|until_ms| Some(*until_ms) != read.talent.active_until_ms);
        if let Some(until_ms) = until_ms {
            let active = ActiveUntil { until_ms, account: account.clone() };
            writes.insert((2, account.clone()), talent::put_active_until(&active, shards));
        }
    }
    writes.into_values().collect()
}

/// Returns the write that takes `account` from a list once its record is written.
fn list_after(forest: &Forest, account: &AccountSequence, shards: TalentShards) -> Option<Write> {
    let since_revision = forest.record(account)?.talent.awaits_user_since?;
    let waits_on = forest.now(account)?.awaits_user_since.is_some();
    let awaited = Awaiting { account: account.clone(), since_revision };
    (!waits_on).then(|| talent::remove_awaiting(&awaited, shards))
}
