//! Settles accounts in memory, and those above them, until nothing changes any more.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AccountSequence, Report};
use store::talent::{LevelChange, Talent, TalentCause};

use super::{Forest, Needs, RING_LENGTH_MAX, Reach, Standards, Standing, UserState, Work};

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

/// A settling that is under way: it goes on from here when what it needs is loaded.
#[derive(Debug)]
pub(crate) struct Settling {
    /// Accounts above which rings are yet to be looked for.
    ring_starts: BTreeMap<AccountSequence, TalentCause>,
    /// Accounts that are on no ring and below none.
    ringless: BTreeSet<AccountSequence>,
    /// Accounts to be looked at.
    pending: BTreeMap<AccountSequence, TalentCause>,
    /// Accounts to be looked at once they, or their referrers, are loaded.
    unloaded: BTreeMap<AccountSequence, TalentCause>,
    /// Accounts of rings whose levels are to be found together.
    rings: BTreeSet<AccountSequence>,
    visits: BTreeMap<AccountSequence, usize>,
    settled: Settled,
}

impl Forest {
    /// Begins to settle the accounts that the work begins from, and those above them, from what was read.
    pub(crate) fn begin(&mut self, work: &Work) -> Settling {
        for standing in self.accounts.values_mut() {
            standing.changed = None;
        }
        Settling {
            ring_starts: work.ring_starts.clone(),
            ringless: BTreeSet::new(),
            pending: work.starts.clone(),
            unloaded: BTreeMap::new(),
            rings: BTreeSet::new(),
            visits: BTreeMap::new(),
            settled: Settled::default(),
        }
    }

    /// Goes on until nothing changes any more.
    ///
    /// # Errors
    ///
    /// What must be loaded first.
    pub(crate) fn go_on(
        &mut self,
        settling: &mut Settling,
        work: &Work,
        standards: Standards<'_>,
    ) -> Result<Settled, Unsettled> {
        let mut run = Run { forest: self, settling, work, standards, needs: Needs::default() };
        run.look_at_users();
        if run.has_all_above() {
            run.look_for_rings();
        }
        run.require_nothing()?;
        run.settle_pending().map_err(Unsettled::DoesNotAddUp)?;
        if !run.needs.is_empty() {
            run.ask_for_users();
        }
        run.require_nothing()?;
        run.tidy();
        run.publish();
        run.require_nothing()?;
        Ok(run.finish())
    }
}

struct Run<'a> {
    forest: &'a mut Forest,
    settling: &'a mut Settling,
    work: &'a Work,
    standards: Standards<'a>,
    needs: Needs,
}

impl Run<'_> {
    /// Fails with what is needed, if anything is.
    fn require_nothing(&mut self) -> Result<(), Unsettled> {
        if self.needs.is_empty() {
            return Ok(());
        }
        self.settling.pending.append(&mut self.settling.unloaded);
        Err(Unsettled::Needs(std::mem::take(&mut self.needs)))
    }

    /// Returns whether everything is loaded above the accounts from which rings are looked for. If not, has it loaded
    /// level by level, and with it what reports go through.
    fn has_all_above(&mut self) -> bool {
        let mut met = BTreeSet::new();
        for start in self.settling.ring_starts.keys() {
            self.needs.accounts.extend(self.forest.missing_above(start, RING_LENGTH_MAX, &mut met));
        }
        if self.needs.accounts.is_empty() {
            return true;
        }
        let levels = match self.work.reach {
            Reach::Referrers => 1,
            Reach::Ancestors => domain::TALENT_DEPTH,
        };
        for start in self.settling.pending.keys() {
            self.needs.accounts.extend(self.forest.missing_above(start, levels, &mut met));
        }
        false
    }

    fn look_for_rings(&mut self) {
        for (start, cause) in std::mem::take(&mut self.settling.ring_starts) {
            match self.forest.find_rings(&start, &mut self.settling.ringless) {
                Err(missing) => {
                    self.needs.accounts.insert(missing);
                    self.settling.ring_starts.insert(start, cause);
                }
                Ok((changed, ring)) => {
                    let affected = changed.into_iter().chain(ring).chain([start]);
                    self.settling.pending.extend(affected.map(|account| (account, cause.clone())));
                }
            }
        }
    }

    fn look_at_users(&mut self) {
        if !self.standards.ask_for_activity() {
            return;
        }
        for account in &self.work.users {
            let until_ms = match self.forest.users.get(account) {
                None => {
                    self.needs.users.insert(account.clone());
                    continue;
                }
                Some(UserState::Absent) => None,
                Some(UserState::Arrived { active_until_ms }) => *active_until_ms,
            };
            match self.forest.now(account).map(|talent| talent.active_until_ms) {
                None => drop(self.needs.accounts.insert(account.clone())),
                Some(before) if before == until_ms => {}
                Some(_) => {
                    self.forest.now_mut(account).expect("it is loaded").active_until_ms = until_ms;
                }
            }
        }
    }

    fn settle_pending(&mut self) -> Result<(), AccountSequence> {
        loop {
            while let Some((account, cause)) = self.settling.pending.pop_first() {
                self.visit(&account, &cause)?;
            }
            if !self.solve_rings() {
                return Ok(());
            }
        }
    }

    /// Compares an account's level and report with what stands.
    fn visit(&mut self, account: &AccountSequence, cause: &TalentCause) -> Result<(), AccountSequence> {
        let visits = self.settling.visits.entry(account.clone()).or_default();
        *visits += 1;
        let Some(talent) = self.forest.now(account) else {
            self.needs.accounts.insert(account.clone());
            self.settling.unloaded.insert(account.clone(), cause.clone());
            return Ok(());
        };
        if talent.ring == 0 && *visits > VISITS_MAX + 2 * self.work.starts.len() {
            self.needs.rings.insert(account.clone());
            return Ok(());
        }
        let mut referrers: BTreeSet<AccountSequence> = talent.referrer.iter().cloned().collect();
        self.assess(account);
        self.settling.settled.visited.insert(account.clone(), cause.clone());
        if self.work.reach == Reach::Referrers && !self.work.starts.contains_key(account) {
            return Ok(());
        }
        referrers.extend(self.work.left.get(account).into_iter().flatten().cloned());
        referrers.remove(account);
        for referrer in referrers {
            if !self.forest.accounts.contains_key(&referrer) {
                self.settling.unloaded.insert(account.clone(), cause.clone());
                self.needs.accounts.insert(referrer);
            } else if self.report(account, &referrer)? {
                self.settling.pending.insert(referrer, cause.clone());
            }
        }
        Ok(())
    }

    /// Gives an account the level that follows from its team. On a ring, levels are found together.
    fn assess(&mut self, account: &AccountSequence) {
        let Standards { table, knows_activity, now_ms } = self.standards;
        let talent = self.forest.now(account).expect("it is being visited");
        if talent.ring > 0 && table.asks_for_levels() {
            if self.work.reach == Reach::Ancestors {
                self.settling.rings.insert(account.clone());
            }
            return;
        }
        let level = table.assess(&talent.counted_team(now_ms), knows_activity).level;
        if level != talent.level {
            self.forest.now_mut(account).expect("it is being visited").level = level;
        }
    }

    /// Takes the account's report in at `referrer`, which is loaded. Returns whether anything changed there.
    fn report(
        &mut self,
        account: &AccountSequence,
        referrer: &AccountSequence,
    ) -> Result<bool, AccountSequence> {
        let talent = self.forest.now(account).expect("it is being visited");
        let refers_here = talent.referrer.as_ref() == Some(referrer);
        let wanted: Option<Report> = refers_here.then(|| talent.report(self.standards.now_ms));
        let confirmed = talent.confirmed.clone();
        let standing = self.forest.accounts.get_mut(referrer).expect("it is loaded");
        let included = standing.now().includes(referrer, account, confirmed.as_ref()).cloned();
        if included == wanted {
            return Ok(false);
        }
        let at = standing.read.revision + 1;
        let taken_in = standing.now_mut().take_in(account, included.as_ref(), wanted, at);
        taken_in.map(|()| true).ok_or_else(|| referrer.clone())
    }

    /// Finds the levels of rings. Returns whether any changed.
    fn solve_rings(&mut self) -> bool {
        while let Some(account) = self.settling.rings.pop_first() {
            let cause = self.settling.settled.visited.get(&account).cloned();
            let cause = cause.unwrap_or(TalentCause::ReferralChanged { account: account.clone() });
            let ring = match self.forest.ring_of(&account) {
                Err(missing) => {
                    self.needs.accounts.insert(missing);
                    self.settling.unloaded.insert(account, cause);
                    continue;
                }
                // The ring was broken. The change that broke it has marks, which lead to this account again.
                Ok(None) => continue,
                Ok(Some(ring)) => ring,
            };
            let levels = self.forest.ring_levels(&ring, self.standards);
            for (member, level) in ring.iter().zip(levels) {
                self.settling.rings.remove(member);
                if self.forest.now(member).expect("the ring was walked").level != level {
                    self.forest.now_mut(member).expect("the ring was walked").level = level;
                    self.settling.pending.insert(member.clone(), cause.clone());
                }
            }
        }
        !self.settling.pending.is_empty()
    }

    fn tidy(&mut self) {
        let changed = self.settling.settled.visited.keys().chain(&self.work.untidy);
        let untidy: BTreeSet<AccountSequence> =
            changed.filter(|account| self.forest.is_untidy(account)).cloned().collect();
        for account in untidy {
            if self.forest.tidy(&account, &mut self.needs) {
                self.settling.settled.untidy.insert(account);
            }
        }
        let unknown = self.work.untidy.iter().filter(|account| !self.forest.accounts.contains_key(*account));
        self.needs.accounts.extend(unknown.cloned());
    }

    /// Has the users loaded together with what is missing, who are asked about as things stand.
    fn ask_for_users(&mut self) {
        let is_asked_about = |account: &&AccountSequence| {
            let differs = |talent: &Talent| talent.level != talent.published;
            !self.forest.users.contains_key(*account) && self.forest.now(account).is_some_and(differs)
        };
        let visited = self.settling.settled.visited.keys();
        self.needs.users.extend(visited.filter(is_asked_about).cloned());
    }

    /// Publishes the levels of those whose user has arrived, and lists the others.
    fn publish(&mut self) {
        let settled = &mut self.settling.settled;
        for (account, cause) in &settled.visited {
            let Some(standing) = self.forest.accounts.get_mut(account) else { continue };
            let now = standing.now();
            if now.level == now.published {
                if now.awaits_user_since.is_some() {
                    standing.now_mut().awaits_user_since = None;
                }
                continue;
            }
            match self.forest.users.get(account) {
                None => drop(self.needs.users.insert(account.clone())),
                Some(UserState::Absent) => {
                    if now.awaits_user_since.is_none() {
                        standing.now_mut().awaits_user_since = Some(standing.read.revision + 1);
                        settled.begin_to_wait.insert(account.clone());
                    }
                }
                Some(UserState::Arrived { .. }) => {
                    let change = publication(now, cause, self.standards.now_ms);
                    let talent = standing.now_mut();
                    talent.awaits_user_since = None;
                    talent.published = talent.level;
                    talent.latest_change = Some(change.clone());
                    settled.published.push((account.clone(), change));
                }
            }
        }
    }

    fn finish(self) -> Settled {
        let mut settled = std::mem::take(&mut self.settling.settled);
        for (account, Standing { read, changed }) in &self.forest.accounts {
            let Some(changed) = changed.as_ref().filter(|changed| **changed != read.talent) else { continue };
            settled.changed.insert(account.clone());
            if changed.ring != read.talent.ring {
                settled.on_other_rings.insert(account.clone());
            }
        }
        settled
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
