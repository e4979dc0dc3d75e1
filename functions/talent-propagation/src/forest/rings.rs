//! Rings: accounts that refer each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AccountSequence, TalentLevel, Team};

use super::{Forest, RING_LENGTH_MAX, Standards};

/// What a walk up from an account met.
pub(crate) struct WalkUp {
    /// The accounts, the first one included.
    pub(crate) accounts: Vec<AccountSequence>,
    /// Where the ring that the walk ended in begins among them, if it ended in one.
    pub(crate) ring_from: Option<usize>,
}

impl Forest {
    /// Walks up from `account` to the top, to an account of `ringless`, or round a ring once.
    ///
    /// # Errors
    ///
    /// The account that is not loaded.
    pub(super) fn walk_up(
        &self,
        account: &AccountSequence,
        ringless: &BTreeSet<AccountSequence>,
    ) -> Result<WalkUp, AccountSequence> {
        let mut accounts = vec![account.clone()];
        let mut places = BTreeMap::from([(account.clone(), 0)]);
        loop {
            let last = accounts.last().expect("it begins with an account");
            let talent = self.now(last).ok_or_else(|| last.clone())?;
            let goes_on = |referrer: &AccountSequence| referrer != last && !ringless.contains(referrer);
            let Some(referrer) = talent.referrer.clone().filter(goes_on) else {
                return Ok(WalkUp { accounts, ring_from: None });
            };
            if let Some(place) = places.get(&referrer) {
                return Ok(WalkUp { accounts, ring_from: Some(*place) });
            }
            if accounts.len() > RING_LENGTH_MAX {
                tracing::error!(
                    account = account.as_str(),
                    "an account has more ancestors than are looked at for a ring"
                );
                return Ok(WalkUp { accounts, ring_from: None });
            }
            places.insert(referrer.clone(), accounts.len());
            accounts.push(referrer);
        }
    }

    /// Returns the first account among the `levels` above `account`, itself included, that is not loaded; `None` where
    /// `met` has the rest. Adds to `met` what it passes.
    pub(super) fn missing_above(
        &self,
        account: &AccountSequence,
        levels: usize,
        met: &mut BTreeSet<AccountSequence>,
    ) -> Option<AccountSequence> {
        let mut account = account;
        for _ in 0..=levels {
            if !met.insert(account.clone()) {
                return None;
            }
            let Some(talent) = self.now(account) else { return Some(account.clone()) };
            account = talent.referrer.as_ref()?;
        }
        None
    }

    /// Returns the ring that `account` is on, each account followed by its referrer; `None` if it is on none.
    pub(super) fn ring_of(
        &self,
        account: &AccountSequence,
    ) -> Result<Option<Vec<AccountSequence>>, AccountSequence> {
        let walk = self.walk_up(account, &BTreeSet::new())?;
        Ok((walk.ring_from == Some(0)).then_some(walk.accounts))
    }

    /// Returns the least levels of the accounts of a ring that the table and the levels below the ring allow.
    ///
    /// All begin at none. A level that rises can only raise the next one, so what is reached when nothing rises any
    /// more is the least solution.
    pub(super) fn ring_levels(&self, ring: &[AccountSequence], standards: Standards<'_>) -> Vec<TalentLevel> {
        let teams: Vec<Team> =
            (0..ring.len()).map(|place| self.team_besides_ring(ring, place, standards)).collect();
        let mut levels = vec![TalentLevel::NONE; ring.len()];
        let mut unchanged = 0;
        let mut place = 0;
        while unchanged < ring.len() {
            let below = levels[(place + ring.len() - 1) % ring.len()];
            let team = with_direct_at(&teams[place], below);
            let level = standards.table.assess(&team, standards.knows_activity).level;
            if level > levels[place] {
                levels[place] = level;
                unchanged = 0;
            } else {
                unchanged += 1;
            }
            place = (place + 1) % ring.len();
        }
        levels
    }

    /// Returns the counted team of an account of a ring, without the level of the account before it on the ring.
    fn team_besides_ring(&self, ring: &[AccountSequence], place: usize, standards: Standards<'_>) -> Team {
        let (account, before) = (&ring[place], &ring[(place + ring.len() - 1) % ring.len()]);
        let talent = self.now(account).expect("a ring was walked");
        let confirmed = self.now(before).and_then(|before| before.confirmed.as_ref());
        let included = talent.includes(account, before, confirmed).map(domain::Report::level);
        let mut team = talent.counted_team(standards.now_ms);
        if let Some(count) = included.and_then(|level| level_count(&mut team, level)) {
            *count = count.saturating_sub(1);
        }
        team
    }

    /// Records the rings above `start`, and in `ringless` what turns out to be on none and below none. Returns the
    /// accounts whose ring is another one, and those of its ring.
    pub(super) fn find_rings(
        &mut self,
        start: &AccountSequence,
        ringless: &mut BTreeSet<AccountSequence>,
    ) -> Result<(BTreeSet<AccountSequence>, Vec<AccountSequence>), AccountSequence> {
        let walk = self.walk_up(start, ringless)?;
        let from = walk.ring_from.unwrap_or(walk.accounts.len());
        let length = u32::try_from(walk.accounts.len() - from).expect("a ring is bounded");
        let mut changed = BTreeSet::new();
        for (place, account) in walk.accounts.iter().enumerate() {
            let ring = if place < from { 0 } else { length };
            if self.now(account).expect("it was walked").ring != ring {
                self.now_mut(account).expect("it was walked").ring = ring;
                changed.insert(account.clone());
            }
        }
        if walk.ring_from.is_none() {
            ringless.extend(walk.accounts.iter().cloned());
        }
        Ok((changed, walk.accounts[from..].to_vec()))
    }
}

fn level_count(team: &mut Team, level: TalentLevel) -> Option<&mut u64> {
    team.levels.get_mut(usize::from(level.get()).checked_sub(1)?)
}

fn with_direct_at(team: &Team, level: TalentLevel) -> Team {
    let mut team = team.clone();
    let places = usize::from(level.get());
    if places > 0 {
        team.levels.resize(team.levels.len().max(places), 0);
        team.levels[places - 1] += 1;
    }
    team
}
