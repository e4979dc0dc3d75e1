//! Carries changes up in storage.
//!
//! Everything concerned is read twice. Where both readings are the same, all of it stood there at one moment. From
//! that follows, in memory, what should stand, and every changed record is written on condition that it still stands
//! where it was read. The highest account is written first, and the accounts below it only after it was: so whatever
//! ends the writing, a difference is left at the bottom, where the next attempt begins.
//!
//! Touches: `Ledger` (reads, writes), `Source` (reads users).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use domain::{AccountSequence, TalentTable};
use runtime::Context;
use store::talent::{self, ActiveUntil, Awaiting, LevelChange, Mark, MarkKind, StoredTalent, TalentCause};
use store::{StoreError, Write, Written, users};

use crate::forest::{Forest, Needs, Settled, Standards, Unsettled, UserState, Work};
use crate::{PropagationError, Unique};

/// How often everything is read and settled before the rest is left to a later attempt.
const PASSES_MAX: u32 = 12;
/// How often everything is read until it stood still between two readings.
const READINGS_MAX: u32 = 20;
/// A pass begins only while more than this is left of the invocation, in milliseconds.
const PASS_TAKES_MS: i64 = 1_000;

/// By which table levels are assessed, and how.
#[derive(Clone, Copy)]
pub(crate) struct Climber<'a> {
    pub(crate) context: &'a Context,
    pub(crate) unique: &'a Unique,
    pub(crate) table: &'a TalentTable,
    pub(crate) knows_activity: bool,
}

/// What a climb did.
#[derive(Debug, Default)]
pub(crate) struct Climbed {
    /// Records that were written.
    pub(crate) written: u64,
    /// Changes of levels that were published.
    pub(crate) published: Vec<(AccountSequence, LevelChange)>,
    /// Accounts whose level began to wait for a user.
    pub(crate) without_user: BTreeSet<AccountSequence>,
}

impl Climber<'_> {
    /// Does the work, pass by pass, until a pass leaves nothing to do. Returns the forest of the last pass.
    pub(crate) async fn climb(
        &self,
        mut work: Work,
        climbed: &mut Climbed,
    ) -> Result<Forest, PropagationError> {
        let mut guards: Vec<Mark> = Vec::new();
        for pass in 0..PASSES_MAX {
            if (self.context.deadline - self.context.clock.now()).num_milliseconds() < PASS_TAKES_MS {
                return Err(PropagationError::OutOfTime);
            }
            if pass > 1 {
                self.context.clock.sleep(Duration::from_millis(5 << pass.min(6))).await;
            }
            let (forest, settled) = self.settle(&mut work).await?;
            guards.extend(self.guard_rings(&forest, &settled).await?);
            let all_written = self.write(&forest, &settled, &mut work, climbed).await?;
            let looks_again = !settled.untidy.is_empty()
                || !settled.on_rings.is_empty()
                || !settled.begin_to_wait.is_empty();
            climbed.without_user.extend(settled.begin_to_wait.iter().cloned());
            let cause = |account: AccountSequence| {
                let cause = TalentCause::ReferralChanged { account: account.clone() };
                (account, cause)
            };
            work.untidy = settled.untidy;
            work.ring_starts.extend(settled.on_rings.into_iter().map(cause));
            work.starts.extend(settled.begin_to_wait.into_iter().map(cause));
            if all_written && !looks_again {
                talent::clear(&*self.context.engine, guards).await?;
                return Ok(forest);
            }
        }
        Err(PropagationError::Contended)
    }

    /// Reads everything that the work concerns as it stood at one moment, and settles it in memory.
    async fn settle(&self, work: &mut Work) -> Result<(Forest, Settled), PropagationError> {
        let engine = &*self.context.engine;
        let standards = Standards {
            table: self.table,
            knows_activity: self.knows_activity,
            now_ms: self.context.clock.now().timestamp_millis(),
        };
        let mut forest = Forest::default();
        let first = work.starts.keys().chain(work.ring_starts.keys()).chain(work.left.values().flatten());
        let first = first.chain(&work.users).chain(&work.untidy).cloned().collect();
        self.load(&mut forest, Needs { accounts: first, ..Needs::default() }).await?;
        for _ in 0..READINGS_MAX {
            let settled = loop {
                match forest.settle(work, standards) {
                    Ok(settled) => break settled,
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
                        self.load(&mut forest, needs).await?;
                    }
                }
            };
            let again = talent::read_all(engine, forest.names()).await?;
            let stood_still = |(account, read): (&AccountSequence, &StoredTalent)| {
                forest.record(account).is_some_and(|before| before.revision == read.revision)
            };
            if again.iter().all(stood_still) {
                return Ok((forest, settled));
            }
            for (account, read) in again {
                forest.add(account, read);
            }
        }
        Err(PropagationError::Contended)
    }

    async fn load(&self, forest: &mut Forest, needs: Needs) -> Result<(), StoreError> {
        let engine = &*self.context.engine;
        if !needs.accounts.is_empty() {
            for (account, read) in talent::read_all(engine, needs.accounts.into_iter().collect()).await? {
                forest.add(account, read);
            }
        }
        if !needs.users.is_empty() {
            let active_for = TimeDelta::days(i64::from(self.table.active_within_days()));
            let known = users::read(engine, needs.users.iter().cloned().collect()).await?;
            for account in needs.users {
                let user = known.get(&account).and_then(|rows| rows.user());
                let state = user.map_or(UserState::Absent, |user| UserState::Arrived {
                    active_until_ms: user
                        .last_activity_ms
                        .map(|seen_ms| seen_ms + active_for.num_milliseconds()),
                });
                forest.add_user(account, state);
            }
        }
        Ok(())
    }

    /// Raises a mark before accounts of a ring are written. On a ring no account is the highest, so that a difference
    /// need not be left where the next attempt begins; and two attempts at once may each leave a level that only holds
    /// itself. So the ring is settled as a whole until nothing is left to do.
    async fn guard_rings(&self, forest: &Forest, settled: &Settled) -> Result<Vec<Mark>, StoreError> {
        let circles = circle_among(forest, &settled.changed);
        let mark = |account: &AccountSequence| Mark {
            account: account.clone(),
            kind: MarkKind::Guard,
            raised_by: self.unique.next(self.context),
            cause: TalentCause::ReferralChanged { account: account.clone() },
        };
        let marks: Vec<Mark> = settled.on_rings.iter().chain(&circles).map(mark).collect();
        if !marks.is_empty() {
            talent::raise(&*self.context.engine, marks.clone()).await?;
        }
        Ok(marks)
    }

    /// Writes what is settled, from the top. Returns whether all of it was written.
    async fn write(
        &self,
        forest: &Forest,
        settled: &Settled,
        work: &mut Work,
        climbed: &mut Climbed,
    ) -> Result<bool, StoreError> {
        let engine = &*self.context.engine;
        for written in engine.write_many(lists_before(forest, settled)).await {
            let _ = written?;
        }
        let mut remaining = settled.changed.clone();
        let mut removed: Vec<Write> = Vec::new();
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
                    climbed.written += 1;
                    for left in work.left.values_mut() {
                        left.remove(account);
                    }
                    removed.extend(lists_after(forest, account));
                    let published = settled.published.iter().filter(|(published, _)| published == account);
                    climbed.published.extend(published.cloned());
                } else {
                    failed.insert(account.clone());
                }
            }
            leave_out_below(forest, &mut remaining, &mut failed);
        }
        for written in engine.write_many(removed).await {
            let _ = written?;
        }
        work.left.retain(|_, left| !left.is_empty());
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

/// Returns an account of each circle that changed accounts form.
fn circle_among(forest: &Forest, changed: &BTreeSet<AccountSequence>) -> Vec<AccountSequence> {
    let mut left = changed.clone();
    loop {
        let ready = highest(forest, &left);
        if ready.len() == left.len() {
            // Either nothing is left, or only circles and the accounts below them.
            return if ready.iter().all(|account| is_below_none(forest, account, &left)) {
                Vec::new()
            } else {
                left.into_iter().collect()
            };
        }
        left.retain(|account| !ready.contains(account));
    }
}

fn is_below_none(forest: &Forest, account: &AccountSequence, others: &BTreeSet<AccountSequence>) -> bool {
    let referrer = forest.now(account).and_then(|talent| talent.referrer.as_ref());
    referrer.is_none_or(|referrer| referrer == account || !others.contains(referrer))
}

/// Returns what is written to lists before the records are. Repeating it changes nothing.
fn lists_before(forest: &Forest, settled: &Settled) -> Vec<Write> {
    let mut writes: BTreeMap<(u8, AccountSequence), Write> = BTreeMap::new();
    for account in &settled.changed {
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
            writes.insert((1, account.clone()), talent::put_awaiting(&awaiting));
        }
        let until_ms = now.active_until_ms.filter(|until_ms| Some(*until_ms) != read.talent.active_until_ms);
        if let Some(until_ms) = until_ms {
            let active = ActiveUntil { until_ms, account: account.clone() };
            writes.insert((2, account.clone()), talent::put_active_until(&active));
        }
    }
    writes.into_values().collect()
}

/// Returns what is taken from a list once the record of `account` is written.
fn lists_after(forest: &Forest, account: &AccountSequence) -> Option<Write> {
    let since_revision = forest.record(account)?.talent.awaits_user_since?;
    let waits_on = forest.now(account)?.awaits_user_since.is_some();
    (!waits_on).then(|| talent::remove_awaiting(&Awaiting { account: account.clone(), since_revision }))
}
