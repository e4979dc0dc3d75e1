//! Carrying changes up the referral forest: teams, talent levels and what depends on them.
//!
//! One step settles an account: from its team as it is now follow its level and its report, and if
//! either is not what is stored, one transaction stores both, adds the difference to the referrer's
//! team and, if the level changed, writes the change. A climb settles accounts and then those above
//! them, whoever is below first, so that an account is settled once for all the changes below it.
//!
//! Nothing here needs to be remembered between steps: an account whose stored level and report follow
//! from its team is settled, any other is not. So a climb may stop anywhere, and be repeated, and run
//! beside others, as long as one that began after the last change comes to its end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::rules::{AccountSequence, Report, TalentLevel, TalentTable, TeamChange};
use crate::store::{
    Action, ActiveUntil, ReferralRecord, Reported, RowWrite, Store, StoreError, TalentCause,
    TalentLevelChange, TalentMark, TalentRecord, TreeId, Written,
};

/// How many direct referrals of one account are settled in one transaction. Each is at most four
/// writes, and their referrer two.
const CHILDREN_SETTLED_MAX: usize = 24;
/// Rounds in a row that may settle nobody because others kept changing the same accounts.
const FRUITLESS_ROUNDS_MAX: u32 = 40;
/// The longest pause after such a round.
const PAUSE_MS_MAX: u64 = 100;

/// What climbs work with.
#[derive(Debug, Clone, Copy)]
pub struct Talents<'a> {
    /// The tables.
    pub store: &'a Store,
    /// What each level asks for.
    pub table: &'a TalentTable,
    /// Whether the source says when users were last seen.
    pub knows_activity: bool,
    /// Whether messages are sent of the marks that a climb leaves and nobody was told of before.
    pub announces: bool,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Where a climb begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The account to settle first.
    pub account: AccountSequence,
    /// What brought it about, unless the account's own item says so.
    pub cause: Option<TalentCause>,
}

/// What a climb did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Climbed {
    /// Accounts whose report or level was not what followed from their team.
    pub settled: u64,
    /// The levels that changed.
    pub level_changes: Vec<TalentLevelChange>,
    /// The marks that were raised and that nobody was told of before.
    pub unannounced: Vec<TalentMark>,
    /// Accounts whose level would change, had their user arrived.
    pub without_user: BTreeSet<AccountSequence>,
}

impl Climbed {
    /// Adds what another climb did.
    pub fn add(&mut self, other: Self) {
        self.settled += other.settled;
        self.level_changes.extend(other.level_changes);
        self.unannounced.extend(other.unannounced);
        self.without_user.extend(other.without_user);
    }
}

impl Talents<'_> {
    /// Settles these accounts and those above them, `levels` accounts of each chain in all. Where a
    /// change goes on above the last of them, it leaves a mark there.
    ///
    /// If it fails, what it had done before is in `climbed` all the same, and stays done.
    pub async fn climb(
        &self,
        starts: impl IntoIterator<Item = Start>,
        levels: usize,
        climbed: &mut Climbed,
    ) -> Result<(), StoreError> {
        let mut climb = Climb { talents: *self, pending: BTreeMap::new(), places: HashMap::new(), climbed };
        for Start { account, cause } in starts {
            climb.wait_for(account, Pending { levels, cause });
        }
        let mut fruitless_rounds = 0;
        while !climb.pending.is_empty() {
            if climb.round().await? {
                fruitless_rounds = 0;
                continue;
            }
            fruitless_rounds += 1;
            if fruitless_rounds == FRUITLESS_ROUNDS_MAX {
                let message = "others kept changing the same accounts' talent levels".to_owned();
                return Err(StoreError::Unavailable { message });
            }
            let pause_ms = (1 << fruitless_rounds.min(10)).min(PAUSE_MS_MAX);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        Ok(())
    }

    fn uses_activity(&self) -> bool {
        self.knows_activity && self.table.asks_for_activity()
    }
}

/// A climb under way.
struct Climb<'a> {
    talents: Talents<'a>,
    pending: BTreeMap<AccountSequence, Pending>,
    places: HashMap<AccountSequence, Place>,
    climbed: &'a mut Climbed,
}

/// An account that is to be settled.
#[derive(Clone)]
struct Pending {
    /// How many accounts of its chain are to be settled, itself included.
    levels: usize,
    cause: Option<TalentCause>,
}

/// An account as it is stored.
struct Place {
    talent: TalentRecord,
    referral: ReferralRecord,
}

/// What is to be written of an account.
struct Settlement {
    next: TalentRecord,
    /// Whose team changes, and how.
    reports: Option<(AccountSequence, TeamChange)>,
    /// What brings that about.
    cause: TalentCause,
    level_change: Option<TalentLevelChange>,
    /// When it will no longer be active, if it just became so.
    active_until: Option<ActiveUntil>,
    /// Whether it must be settled once more: its report was taken back, to be made to another.
    again: bool,
    tree: Option<TreeId>,
}

/// Accounts of one referrer, to be settled together; or one account without.
struct Family {
    referrer: Option<AccountSequence>,
    change: TeamChange,
    children: Vec<Settlement>,
    /// The mark to raise, if this climb ends here.
    mark: Option<TalentMark>,
}

impl Climb<'_> {
    /// Settles whoever nobody that is pending is below. Whether anything came of it.
    async fn round(&mut self) -> Result<bool, StoreError> {
        self.load().await?;
        let ready = self.ready();
        let users = self.users(&ready).await?;
        let mut progressed = false;
        let mut families: BTreeMap<AccountSequence, Vec<Settlement>> = BTreeMap::new();
        let mut roots = Vec::new();
        for account in ready {
            let Some(settlement) = self.decide(&account, &users) else {
                progressed = true;
                self.go_on_above(&account, None);
                continue;
            };
            match &settlement.reports {
                Some((referrer, _)) => families.entry(referrer.clone()).or_default().push(settlement),
                None => roots.push(settlement),
            }
        }
        let mut writes = Vec::new();
        for settlement in roots {
            let family = Family {
                referrer: None,
                change: TeamChange::default(),
                children: vec![settlement],
                mark: None,
            };
            writes.push(RowWrite { actions: self.actions(&family)?, row: family });
        }
        for family in self.families(families).await? {
            writes.push(RowWrite { actions: self.actions(&family)?, row: family });
        }
        // Whatever failed, what took effect beside it is followed: somebody must be told of its marks.
        let mut failed = None;
        for (family, written) in self.talents.store.write_rows(writes).await {
            match written {
                Written::Committed => {
                    progressed = true;
                    self.committed(family);
                }
                Written::Outdated => {
                    for child in family.children {
                        self.places.remove(&child.next.account);
                    }
                }
                Written::Failed(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(progressed), Err)
    }

    /// Asks for an account to be settled.
    fn wait_for(&mut self, account: AccountSequence, pending: Pending) {
        let known = self.pending.entry(account).or_insert_with(|| pending.clone());
        known.levels = known.levels.max(pending.levels);
        known.cause = known.cause.take().or(pending.cause);
    }

    async fn load(&mut self) -> Result<(), StoreError> {
        let missing: Vec<AccountSequence> =
            self.pending.keys().filter(|account| !self.places.contains_key(*account)).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let store = self.talents.store;
        let (mut talents, referrals) =
            tokio::try_join!(store.talents(missing.clone()), store.referrals(missing))?;
        for referral in referrals {
            let talent = talents.remove(&referral.account).expect("every account asked for is answered");
            self.places.insert(referral.account.clone(), Place { talent, referral });
        }
        Ok(())
    }

    /// The pending accounts that have nobody pending below them, as far as is known.
    fn ready(&self) -> Vec<AccountSequence> {
        let above: HashSet<&AccountSequence> = self
            .pending
            .keys()
            .flat_map(|account| {
                let referral = &self.places[account].referral;
                match &referral.lineage {
                    Some(lineage) => lineage.ancestors.as_slice(),
                    None => referral.referrer.as_slice(),
                }
            })
            .collect();
        let ready: Vec<AccountSequence> =
            self.pending.keys().filter(|account| !above.contains(account)).cloned().collect();
        // Rows that close a cycle are about to be withdrawn; until then everybody may be above somebody.
        if ready.is_empty() { self.pending.keys().take(1).cloned().collect() } else { ready }
    }

    /// Of these accounts, whose user has arrived, and when they were last seen. Only those are read
    /// for whom it makes a difference.
    async fn users(
        &self,
        ready: &[AccountSequence],
    ) -> Result<HashMap<AccountSequence, Option<DateTime<Utc>>>, StoreError> {
        let matters = |account: &&AccountSequence| {
            let talent = &self.places[*account].talent;
            self.talents.uses_activity() || self.level_of(talent) != talent.level
        };
        let wanted: Vec<AccountSequence> = ready.iter().filter(matters).cloned().collect();
        let users = self.talents.store.users(wanted).await?;
        let rows = users.into_iter().filter_map(|(account, user)| Some((account, user.row?.last_activity)));
        Ok(rows.collect())
    }

    fn level_of(&self, talent: &TalentRecord) -> TalentLevel {
        self.talents.table.assess(&talent.team, self.talents.knows_activity).level
    }

    /// What is to be written of an account; `None` if it is settled.
    fn decide(
        &mut self,
        account: &AccountSequence,
        users: &HashMap<AccountSequence, Option<DateTime<Utc>>>,
    ) -> Option<Settlement> {
        let Place { talent, referral } = &self.places[account];
        let pending = &self.pending[account];
        let deserved = self.level_of(talent);
        let user = users.get(account);
        let level = if user.is_some() { deserved } else { talent.level };
        if level != deserved {
            self.climbed.without_user.insert(account.clone());
        }

        let active_until = user.copied().flatten().filter(|_| self.talents.uses_activity()).map(|seen| {
            let days = TimeDelta::days(i64::from(self.talents.table.active_within_days()));
            seen + days
        });
        let active_until = active_until.filter(|until| *until > self.talents.now);
        let told_level = if self.talents.table.asks_for_levels() { level } else { TalentLevel::NONE };
        // A row that was withdrawn names no referrer any more.
        let referrer = referral.referrer.as_ref().filter(|_| referral.has_arrived());
        let report = referrer.map(|to| Reported {
            to: to.clone(),
            report: talent.team.report(told_level, active_until.is_some()),
        });
        if level == talent.level && report == talent.reported {
            return None;
        }

        let moves = talent.reported.as_ref().zip(report.as_ref()).is_some_and(|(old, new)| old.to != new.to);
        let report = report.filter(|_| !moves);
        let nothing = Report::default();
        let before = talent.reported.as_ref().map_or(&nothing, |reported| &reported.report);
        let after = report.as_ref().map_or(&nothing, |reported| &reported.report);
        let change = after.since(before);
        let to = report.as_ref().or(talent.reported.as_ref()).map(|reported| reported.to.clone());

        let own_cause = pending.cause.clone().or_else(|| talent.cause.clone());
        let arrived = || TalentCause::ReferralArrived { account: account.clone() };
        let cause = if talent.reported.is_none() {
            arrived()
        } else if level != talent.level && self.talents.table.asks_for_levels() {
            TalentCause::LevelChanged { account: account.clone() }
        } else {
            own_cause.clone().unwrap_or_else(arrived)
        };
        let level_change = (level != talent.level).then(|| TalentLevelChange {
            account: account.clone(),
            number: talent.level_changes + 1,
            old_level: talent.level,
            new_level: level,
            direct_count: talent.team.direct_count(),
            promotion_count: talent.team.promotion_count(),
            cause: own_cause.unwrap_or_else(arrived),
            changed_at_ms: self.talents.now.timestamp_millis(),
        });
        let becomes_active = after.is_active() && !before.is_active();
        Some(Settlement {
            next: TalentRecord {
                level,
                level_changes: talent.level_changes + u32::from(level_change.is_some()),
                reported: report,
                ..talent.clone()
            },
            reports: to.filter(|_| !change.is_empty()).map(|to| (to, change)),
            cause,
            level_change,
            active_until: active_until
                .filter(|_| becomes_active)
                .map(|until| ActiveUntil { until_ms: until.timestamp_millis(), account: account.clone() }),
            again: moves,
            tree: referral.lineage.as_ref().map(|lineage| lineage.trees[0].clone()),
        })
    }

    /// What is to be written of these referrers and their direct referrals, a transaction's worth of
    /// each. The rest is left pending.
    async fn families(
        &self,
        settlements: BTreeMap<AccountSequence, Vec<Settlement>>,
    ) -> Result<Vec<Family>, StoreError> {
        let mut families = Vec::with_capacity(settlements.len());
        for (referrer, mut children) in settlements {
            children.truncate(CHILDREN_SETTLED_MAX);
            let mut change = TeamChange::default();
            for (_, difference) in children.iter().filter_map(|child| child.reports.as_ref()) {
                change.merge(difference);
            }
            let ends = children.iter().all(|child| self.pending[&child.next.account].levels <= 1);
            let tree = children.last().and_then(|child| child.tree.clone());
            let mark = ends.then(|| TalentMark::on(referrer.clone(), tree));
            families.push(Family { referrer: Some(referrer), change, children, mark });
        }
        let marks: Vec<TalentMark> = families.iter().filter_map(|family| family.mark.clone()).collect();
        let raised = self.talents.store.talent_marks(marks).await?;
        let raised: HashMap<(AccountSequence, Option<TreeId>), TalentMark> =
            raised.into_iter().map(|mark| ((mark.account.clone(), mark.tree.clone()), mark)).collect();
        for mark in families.iter_mut().filter_map(|family| family.mark.as_mut()) {
            if let Some(known) = raised.get(&(mark.account.clone(), mark.tree.clone())) {
                *mark = known.clone();
            }
        }
        Ok(families)
    }

    fn actions(&self, family: &Family) -> Result<Vec<Action>, StoreError> {
        let mut actions = Vec::new();
        for child in &family.children {
            actions.push(child.next.settle());
            if let Some(change) = &child.level_change {
                actions.push(change.write()?);
                actions.push(change.event().write()?);
            }
            if let Some(until) = &child.active_until {
                actions.push(until.write()?);
            }
        }
        if let (Some(referrer), Some(last)) = (&family.referrer, family.children.last()) {
            actions.push(TalentRecord::add(referrer, &family.change, &last.cause));
            let (announces, now_ms) = (self.talents.announces, self.talents.now.timestamp_millis());
            actions
                .extend(family.mark.iter().map(|mark| mark.raise(last.next.settlement(), announces, now_ms)));
        }
        Ok(actions)
    }

    /// Follows what was written.
    fn committed(&mut self, family: Family) {
        if let Some(referrer) = &family.referrer {
            // Its item may have been changed by others too; if so, settling it will tell.
            if let Some(mut place) = self.places.remove(referrer)
                && let Some(team) = place.talent.team.changed_by(&family.change)
            {
                place.talent.team = team;
                place.talent.revision += 1;
                place.talent.cause = family.children.last().map(|child| child.cause.clone());
                self.places.insert(referrer.clone(), place);
            }
        }
        self.climbed.unannounced.extend(family.mark.filter(|mark| !mark.announced));
        for mut child in family.children {
            self.climbed.settled += 1;
            self.climbed.level_changes.extend(child.level_change.take());
            let account = child.next.account.clone();
            if let Some(place) = self.places.get_mut(&account) {
                place.talent = child.next;
                place.talent.revision += 1;
            }
            if !child.again {
                self.go_on_above(&account, family.referrer.as_ref());
            }
        }
    }

    /// Goes from an account that is settled to the one above it.
    fn go_on_above(&mut self, account: &AccountSequence, changed: Option<&AccountSequence>) {
        let pending = self.pending.remove(account).expect("only pending accounts are settled");
        let referrer = changed.or(self.places[account].referral.referrer.as_ref()).cloned();
        if let Some(referrer) = referrer.filter(|_| pending.levels > 1) {
            self.wait_for(referrer, Pending { levels: pending.levels - 1, cause: None });
        }
    }
}
