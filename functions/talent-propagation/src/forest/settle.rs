//! Carries everything up in memory until nothing changes any more.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AccountSequence, Report};
use store::talent::{LevelChange, Talent, TalentCause};

use super::{Forest, Needs, Standards, UserState, Work};

/// A wave of levels can only run round and round on a ring that is not recorded as one. An account that is looked at
/// more often than this, besides once for each start, is taken to be on such a ring.
const VISITS_MAX: usize = 100;

/// What carrying everything up came to.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The accounts whose records are to be written.
    pub(crate) changed: BTreeSet<AccountSequence>,
    /// Changes of levels that are published by it.
    pub(crate) published: Vec<(AccountSequence, LevelChange)>,
    /// Accounts whose level begins to wait for a user.
    pub(crate) begin_to_wait: BTreeSet<AccountSequence>,
    /// Accounts to be made tidy once more.
    pub(crate) untidy: BTreeSet<AccountSequence>,
    /// Changed accounts of rings whose levels depend on each other.
    pub(crate) on_rings: BTreeSet<AccountSequence>,
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
    /// Carries everything up in memory, beginning with what was read.
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
            causes: BTreeMap::new(),
            rings: BTreeSet::new(),
            visits: BTreeMap::new(),
            fenced: BTreeSet::new(),
            reported: BTreeSet::new(),
            settled: Settled::default(),
        };
        run.look_for_rings();
        run.look_at_users();
        run.carry_up().map_err(Unsettled::DoesNotAddUp)?;
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
    /// Accounts that were looked at, with the latest cause.
    causes: BTreeMap<AccountSequence, TalentCause>,
    /// Accounts of rings whose levels are to be found together.
    rings: BTreeSet<AccountSequence>,
    visits: BTreeMap<AccountSequence, usize>,
    /// Referrers that were left and are written for that reason, with who left.
    fenced: BTreeSet<(AccountSequence, AccountSequence)>,
    /// Accounts whose report was compared with what stands above.
    reported: BTreeSet<AccountSequence>,
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

    fn carry_up(&mut self) -> Result<(), AccountSequence> {
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
        if *visits > VISITS_MAX + 2 * self.work.starts.len() {
            self.needs.rings.insert(account.clone());
            return Ok(());
        }
        let Some(talent) = self.forest.now(account) else {
            self.needs.accounts.insert(account.clone());
            return Ok(());
        };
        let mut referrers: BTreeSet<AccountSequence> = talent.referrer.iter().cloned().collect();
        self.assess(account);
        self.causes.insert(account.clone(), cause.clone());
        if !self.work.goes_on && !self.work.starts.contains_key(account) {
            self.forest.now_mut(account).expect("it is loaded").may_be_unreported = true;
            return Ok(());
        }
        self.reported.insert(account.clone());
        referrers.extend(self.work.left.get(account).into_iter().flatten().cloned());
        referrers.remove(account);
        for referrer in referrers {
            let changes = self.report(account, &referrer)?;
            let is_unreported = |talent: &Talent| talent.may_be_unreported && self.work.goes_on;
            let goes_on = changes || self.forest.now(&referrer).is_some_and(is_unreported);
            if goes_on && (changes || !self.reported.contains(&referrer)) {
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
            if self.work.goes_on {
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
        let edge = (account.clone(), referrer.clone());
        // Who was left is written at any rate, so that a write which still thinks otherwise fails.
        let was_left = self.work.left.get(account).is_some_and(|left| left.contains(referrer));
        let must_fence = was_left && self.fenced.insert(edge);
        let Some(standing) = self.forest.accounts.get_mut(referrer) else {
            self.needs.accounts.insert(referrer.clone());
            return Ok(false);
        };
        let included = standing.now.includes(referrer, account, confirmed.as_ref()).cloned();
        if included == wanted && !must_fence {
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
                // It has just been left. Who moved it looks for rings, and this account is looked at again.
                Ok(None) => continue,
                Ok(Some(ring)) => ring,
            };
            let levels = self.forest.ring_levels(&ring, self.standards);
            let cause = self.causes.get(&account).cloned();
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
        let changed = self.causes.keys().chain(&self.work.untidy);
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
        for (account, cause) in &self.causes {
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
        for account in &self.reported {
            // Who is written for another reason says that nothing is left above. That alone is not worth a write.
            let Some(standing) = self.forest.accounts.get_mut(account) else { continue };
            if standing.now != standing.read.talent {
                standing.now.may_be_unreported = false;
            }
        }
        let changed =
            self.forest.accounts.iter().filter(|(_, standing)| standing.now != standing.read.talent);
        self.settled.changed = changed.map(|(account, _)| account.clone()).collect();
        if self.standards.table.asks_for_levels() {
            let on_ring =
                |account: &&AccountSequence| self.forest.now(account).is_some_and(|talent| talent.ring > 0);
            self.settled.on_rings = self.settled.changed.iter().filter(on_ring).cloned().collect();
        }
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

#[cfg(test)]
mod tests {
    use domain::TalentTable;

    use super::*;

    #[test]
    fn who_was_left_is_written_although_it_includes_nothing() {
        // An invocation that read an earlier part of the log may still be about to report there.
        let account = |text: &str| text.parse::<AccountSequence>().expect("an account");
        let (moved, left) = (account("MOVED"), account("LEFT"));
        let mut forest = Forest::default();
        forest.add(moved.clone(), store::talent::StoredTalent::default());
        forest.add(left.clone(), store::talent::StoredTalent::default());
        let table = TalentTable::default();
        let standards = Standards { table: &table, knows_activity: false, now_ms: 0 };
        let cause = TalentCause::ReferralChanged { account: moved.clone() };
        let starts = BTreeMap::from([(moved.clone(), cause)]);
        let work = Work { starts: starts.clone(), ..Work::default() };
        assert_eq!(forest.settle(&work, standards).expect("everything is there").changed, BTreeSet::new());
        let left_by = BTreeMap::from([(moved, BTreeSet::from([left.clone()]))]);
        let work = Work { starts, left: left_by, ..Work::default() };
        let settled = forest.settle(&work, standards).expect("everything is there");
        assert_eq!(settled.changed, BTreeSet::from([left]));
    }
}
