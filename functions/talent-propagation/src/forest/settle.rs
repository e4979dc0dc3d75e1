//! Settles accounts in memory, and those above them, until nothing changes any more.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AccountSequence, Report};
use store::talent::{LevelChange, Talent, TalentCause};

use super::{Forest, Needs, Reach, Standards, UserState, Work};

/// A wave of levels can only run round and round on a ring that is not recorded as one. An account that is looked at
/// more often than this, besides twice for each start, is taken to be on such a ring. On a ring that is recorded, each
/// start is met again and again as well, but no more than [`domain::TALENT_DEPTH`] times.
const VISITS_MAX: usize = 100;

/// What settling came to.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The accounts whose records are to be written.
    pub(crate) changed: BTreeSet<AccountSequence>,
    /// Changes of levels that are published by it.
    pub(crate) published: Vec<(AccountSequence, LevelChange)>,
    /// The accounts that were looked at, with the latest cause.
    pub(crate) visited: BTreeMap<AccountSequence, TalentCause>,
    /// Accounts whose level begins to wait for a user.
    pub(crate) begin_to_wait: BTreeSet<AccountSequence>,
    /// Accounts to be made tidy once more.
    pub(crate) untidy: BTreeSet<AccountSequence>,
    /// Accounts that came to be on a ring, or on another one, or are on none any more.
    pub(crate) on_other_rings: BTreeSet<AccountSequence>,
}

/// Why the work cannot be finished yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsettled {
    /// Something is missing.
    Needs(Needs),
    /// This account's team does not add up: it would have to be rebuilt from the log.
    DoesNotAddUp(AccountSequence),
}

impl Forest {
    /// Settles the accounts that the work begins from, and those above them, beginning with what was read.
    ///
    /// # Errors
    ///
    /// What must be loaded first.
    pub(crate) fn settle(&mut self, work: &Work, standards: Standards<'_>) -> Result<Settled, Unsettled> {
        for standing in self.accounts.values_mut() {
            standing.now = standing.read.talent.clone();
        }
        let mut run = Run {
            forest: self,
            work,
            standards,
            needs: Needs::default(),
            pending: work.starts.clone(),
            rings: BTreeSet::new(),
            visits: BTreeMap::new(),
            settled: Settled::default(),
        };
        run.look_for_rings();
        run.look_at_users();
        run.settle_pending().map_err(Unsettled::DoesNotAddUp)?;
        run.tidy();
        run.publish();
        if run.needs.is_empty() { Ok(run.finish()) } else { Err(Unsettled::Needs(run.needs)) }
    }
}

struct Run<'a> {
    forest: &'a mut Forest,
    work: &'a Work,
    standards: Standards<'a>,
    needs: Needs,
    /// Accounts to be looked at.
    pending: BTreeMap<AccountSequence, TalentCause>,
    /// Accounts of rings whose levels are to be found together.
    rings: BTreeSet<AccountSequence>,
    visits: BTreeMap<AccountSequence, usize>,
    settled: Settled,
}

impl Run<'_> {
    fn look_for_rings(&mut self) {
        for (start, cause) in &self.work.ring_starts {
            match self.forest.find_rings(start) {
                Err(missing) => drop(self.needs.accounts.insert(missing)),
                Ok((changed, ring)) => {
                    let affected = changed.into_iter().chain(ring).chain([start.clone()]);
                    self.pending.extend(affected.map(|account| (account, cause.clone())));
                }
            }
        }
    }

    fn look_at_users(&mut self) {
        if !self.standards.knows_activity || !self.standards.table.asks_for_activity() {
            return;
        }
        for account in &self.work.users {
            match (self.forest.users.get(account).copied(), self.forest.now_mut(account)) {
                (None, _) => drop(self.needs.users.insert(account.clone())),
                (_, None) => drop(self.needs.accounts.insert(account.clone())),
                (Some(UserState::Absent), Some(talent)) => talent.active_until_ms = None,
                (Some(UserState::Arrived { active_until_ms }), Some(talent)) => {
                    talent.active_until_ms = active_until_ms;
                }
            }
        }
    }

    fn settle_pending(&mut self) -> Result<(), AccountSequence> {
        loop {
            while let Some((account, cause)) = self.pending.pop_first() {
                self.visit(&account, &cause)?;
            }
            if !self.solve_rings() {
                return Ok(());
            }
        }
    }

    /// Compares an account's level and report with what stands.
    fn visit(&mut self, account: &AccountSequence, cause: &TalentCause) -> Result<(), AccountSequence> {
        let visits = self.visits.entry(account.clone()).or_default();
        *visits += 1;
        let Some(talent) = self.forest.now(account) else {
            self.needs.accounts.insert(account.clone());
            return Ok(());
        };
        if talent.ring == 0 && *visits > VISITS_MAX + 2 * self.work.starts.len() {
            self.needs.rings.insert(account.clone());
            return Ok(());
        }
        let mut referrers: BTreeSet<AccountSequence> = talent.referrer.iter().cloned().collect();
        self.assess(account);
        self.settled.visited.insert(account.clone(), cause.clone());
        if self.work.reach == Reach::Referrers && !self.work.starts.contains_key(account) {
            return Ok(());
        }
        referrers.extend(self.work.left.get(account).into_iter().flatten().cloned());
        referrers.remove(account);
        for referrer in referrers {
            if self.report(account, &referrer)? {
                self.pending.insert(referrer, cause.clone());
            }
        }
        Ok(())
    }

    /// Gives an account the level that follows from its team. On a ring, levels are found together.
    fn assess(&mut self, account: &AccountSequence) {
        let Standards { table, knows_activity, now_ms } = self.standards;
        let Some(talent) = self.forest.now_mut(account) else { return };
        if talent.ring > 0 && table.asks_for_levels() {
            if self.work.reach == Reach::Ancestors {
                self.rings.insert(account.clone());
            }
            return;
        }
        talent.level = table.assess(&talent.counted_team(now_ms), knows_activity).level;
    }

    /// Takes the account's report in at `referrer`. Returns whether anything changed there.
    fn report(
        &mut self,
        account: &AccountSequence,
        referrer: &AccountSequence,
    ) -> Result<bool, AccountSequence> {
        let talent = self.forest.now(account).expect("it is being visited");
        let refers_here = talent.referrer.as_ref() == Some(referrer);
        let wanted: Option<Report> = refers_here.then(|| talent.report(self.standards.now_ms));
        let confirmed = talent.confirmed.clone();
        let Some(standing) = self.forest.accounts.get_mut(referrer) else {
            self.needs.accounts.insert(referrer.clone());
            return Ok(false);
        };
        let included = standing.now.includes(referrer, account, confirmed.as_ref()).cloned();
        if included == wanted {
            return Ok(false);
        }
        let at = standing.read.revision + 1;
        let taken_in = standing.now.take_in(account, included.as_ref(), wanted, at);
        taken_in.map(|()| true).ok_or_else(|| referrer.clone())
    }

    /// Finds the levels of rings. Returns whether any changed.
    fn solve_rings(&mut self) -> bool {
        while let Some(account) = self.rings.pop_first() {
            let ring = match self.forest.ring_of(&account) {
                Err(missing) => {
                    self.needs.accounts.insert(missing);
                    continue;
                }
                // The ring was broken. The change that broke it has marks, which lead to this account again.
                Ok(None) => continue,
                Ok(Some(ring)) => ring,
            };
            let levels = self.forest.ring_levels(&ring, self.standards);
            let cause = self.settled.visited.get(&account).cloned();
            for (member, level) in ring.iter().zip(levels) {
                self.rings.remove(member);
                let talent = self.forest.now_mut(member).expect("the ring was walked");
                if talent.level != level {
                    talent.level = level;
                    let cause =
                        cause.clone().unwrap_or(TalentCause::ReferralChanged { account: account.clone() });
                    self.pending.insert(member.clone(), cause);
                }
            }
        }
        !self.pending.is_empty()
    }

    fn tidy(&mut self) {
        let changed = self.settled.visited.keys().chain(&self.work.untidy);
        let untidy: BTreeSet<AccountSequence> =
            changed.filter(|account| self.forest.is_untidy(account)).cloned().collect();
        for account in untidy {
            if self.forest.tidy(&account, &mut self.needs) {
                self.settled.untidy.insert(account);
            }
        }
        let unknown = self.work.untidy.iter().filter(|account| !self.forest.accounts.contains_key(*account));
        self.needs.accounts.extend(unknown.cloned());
    }

    /// Publishes the levels of those whose user has arrived, and lists the others.
    fn publish(&mut self) {
        for (account, cause) in &self.settled.visited {
            let Some(standing) = self.forest.accounts.get_mut(account) else { continue };
            let talent = &mut standing.now;
            if talent.level == talent.published {
                talent.awaits_user_since = None;
                continue;
            }
            match self.forest.users.get(account) {
                None => drop(self.needs.users.insert(account.clone())),
                Some(UserState::Absent) => {
                    if talent.awaits_user_since.is_none() {
                        talent.awaits_user_since = Some(standing.read.revision + 1);
                        self.settled.begin_to_wait.insert(account.clone());
                    }
                }
                Some(UserState::Arrived { .. }) => {
                    let change = publication(talent, cause, self.standards.now_ms);
                    talent.awaits_user_since = None;
                    talent.published = talent.level;
                    talent.latest_change = Some(change.clone());
                    self.settled.published.push((account.clone(), change));
                }
            }
        }
    }

    fn finish(mut self) -> Settled {
        let changed =
            self.forest.accounts.iter().filter(|(_, standing)| standing.now != standing.read.talent);
        self.settled.changed = changed.map(|(account, _)| account.clone()).collect();
        let other_rings = self
            .forest
            .accounts
            .iter()
            .filter(|(_, standing)| standing.now.ring != standing.read.talent.ring);
        self.settled.on_other_rings = other_rings.map(|(account, _)| account.clone()).collect();
        self.settled
    }
}

fn publication(talent: &Talent, cause: &TalentCause, now_ms: i64) -> LevelChange {
    let team = talent.counted_team(now_ms);
    LevelChange {
        number: talent.latest_change.as_ref().map_or(0, |change| change.number) + 1,
        old_level: talent.published,
        new_level: talent.level,
        direct_count: team.direct_count(),
        promotion_count: team.promotion_count(),
        cause: cause.clone(),
        changed_at_ms: now_ms,
    }
}
