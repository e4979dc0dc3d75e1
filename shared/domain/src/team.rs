//! The team of an account, and what an account reports of it to its referrer (rules, section 9).

use serde::{Deserialize, Serialize};

/// The number of levels below an account that count, and so the number of ancestors that a change of the
/// counts reaches.
pub const TALENT_DEPTH: usize = 20;

/// A talent level. An account that meets no row of the table has level 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TalentLevel(u8);

impl TalentLevel {
    /// The level of an account that meets no row.
    pub const NONE: Self = Self(0);

    /// Returns the level with this number.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self(number)
    }

    /// Returns the level's number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// The descendants of an account, as its direct referrals reported them. The stored form leaves out zeros at the
/// end.
///
/// On a ring, where accounts refer each other in a circle, reports come round to where they began. Then an account
/// is reported to itself, and others repeatedly; [`on_ring`](Self::on_ring) takes that off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "TeamAsStored", into = "TeamAsStored")]
pub struct Team {
    /// The number of descendants at each level below, direct referrals first.
    pub people: [u64; TALENT_DEPTH],
    /// The number of those that were active lately.
    pub active: [u64; TALENT_DEPTH],
    /// The number of direct referrals at each talent level, level 1 first.
    pub levels: Vec<u64>,
}

impl Team {
    /// Returns the number of direct referrals.
    #[must_use]
    pub fn direct_count(&self) -> u64 {
        self.people[0]
    }

    /// Returns the number of descendants within [`TALENT_DEPTH`] levels.
    #[must_use]
    pub fn promotion_count(&self) -> u64 {
        self.people.iter().sum()
    }

    /// Returns the number of direct referrals that were active lately.
    #[must_use]
    pub fn active_direct_count(&self) -> u64 {
        self.active[0]
    }

    /// Returns the number of descendants within [`TALENT_DEPTH`] levels that were active lately.
    #[must_use]
    pub fn active_promotion_count(&self) -> u64 {
        self.active.iter().sum()
    }

    /// Returns the number of direct referrals at this level or a higher one.
    #[must_use]
    pub fn direct_at_level(&self, level: TalentLevel) -> u64 {
        let below = usize::from(level.0).saturating_sub(1);
        self.levels.iter().skip(below).sum()
    }

    /// Returns the team of an account that is on a ring of `length` accounts, each descendant counted once and the
    /// account itself not at all.
    ///
    /// Each walk up of `length` more steps comes back to the same account. So those that arrive after some number of
    /// steps have arrived before, unless they arrive for the first time; the account itself arrived at first.
    #[must_use]
    pub fn on_ring(&self, length: usize, is_active: bool) -> Self {
        let mut team = self.clone();
        if length == 0 || length > TALENT_DEPTH {
            return team;
        }
        let arrived_before = |counts: &[u64; TALENT_DEPTH], own: bool, depth: usize| match depth + 1 - length
        {
            0 => u64::from(own),
            steps => counts[steps - 1],
        };
        for depth in length - 1..TALENT_DEPTH {
            let people = arrived_before(&self.people, true, depth);
            team.people[depth] = self.people[depth].saturating_sub(people);
            let active = arrived_before(&self.active, is_active, depth);
            team.active[depth] = self.active[depth].saturating_sub(active);
        }
        team
    }

    /// Returns the report of the account with this team to its referrer: the account itself, its team one
    /// level further down, and its level. The deepest level falls off, so that a change of the counts ends
    /// after [`TALENT_DEPTH`] ancestors.
    #[must_use]
    pub fn report(&self, level: TalentLevel, is_active: bool) -> Report {
        let moved_down = |own: bool, below: &[u64; TALENT_DEPTH]| {
            let mut moved = [0; TALENT_DEPTH];
            moved[0] = u64::from(own);
            moved[1..].copy_from_slice(&below[..TALENT_DEPTH - 1]);
            moved
        };
        Report { people: moved_down(true, &self.people), active: moved_down(is_active, &self.active), level }
    }

    /// Returns the team with a change applied, as the store applies it; `None` if a count would fall below
    /// zero.
    #[must_use]
    pub fn changed_by(&self, change: &TeamChange) -> Option<Self> {
        let mut team = self.clone();
        for (depth, difference) in change.people.iter().enumerate() {
            team.people[depth] = team.people[depth].checked_add_signed(*difference)?;
        }
        for (depth, difference) in change.active.iter().enumerate() {
            team.active[depth] = team.active[depth].checked_add_signed(*difference)?;
        }
        for (index, difference) in change.levels.iter().enumerate() {
            if team.levels.len() <= index {
                team.levels.push(0);
            }
            team.levels[index] = team.levels[index].checked_add_signed(*difference)?;
        }
        Some(team)
    }
}

/// The counts that an account adds to its referrer's team. The stored form leaves out zeros at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ReportAsStored", into = "ReportAsStored")]
pub struct Report {
    people: [u64; TALENT_DEPTH],
    active: [u64; TALENT_DEPTH],
    level: TalentLevel,
}

impl Report {
    /// Returns the level that the report states.
    #[must_use]
    pub fn level(&self) -> TalentLevel {
        self.level
    }

    /// Returns whether the report says that its account was active lately.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active[0] > 0
    }

    /// Returns the change of the referrer's team when this report replaces `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> TeamChange {
        let mut change = TeamChange::default();
        change.add(self, 1);
        change.add(earlier, -1);
        change
    }
}

/// The difference that reports make to a team. Differences add up in any sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamChange {
    /// The differences of [`Team::people`].
    pub people: [i64; TALENT_DEPTH],
    /// The differences of [`Team::active`].
    pub active: [i64; TALENT_DEPTH],
    /// The differences of [`Team::levels`].
    pub levels: Vec<i64>,
}

impl TeamChange {
    /// Adds another change to this one.
    pub fn merge(&mut self, other: &Self) {
        for depth in 0..TALENT_DEPTH {
            self.people[depth] += other.people[depth];
            self.active[depth] += other.active[depth];
        }
        for (index, difference) in other.levels.iter().enumerate() {
            *self.at_level(index) += difference;
        }
    }

    /// Returns whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let zero = |difference: &i64| *difference == 0;
        self.people.iter().all(zero) && self.active.iter().all(zero) && self.levels.iter().all(zero)
    }

    fn add(&mut self, report: &Report, times: i64) {
        let signed = |count: u64| i64::try_from(count).expect("fewer accounts than 2^63") * times;
        for depth in 0..TALENT_DEPTH {
            self.people[depth] += signed(report.people[depth]);
            self.active[depth] += signed(report.active[depth]);
        }
        if let Some(index) = usize::from(report.level.0).checked_sub(1) {
            *self.at_level(index) += times;
        }
    }

    fn at_level(&mut self, index: usize) -> &mut i64 {
        if self.levels.len() <= index {
            self.levels.resize(index + 1, 0);
        }
        &mut self.levels[index]
    }
}

#[derive(Serialize, Deserialize)]
struct ReportAsStored {
    people: Vec<u64>,
    active: Vec<u64>,
    level: TalentLevel,
}

impl From<Report> for ReportAsStored {
    fn from(report: Report) -> Self {
        Self { people: trimmed(&report.people), active: trimmed(&report.active), level: report.level }
    }
}

impl From<ReportAsStored> for Report {
    fn from(stored: ReportAsStored) -> Self {
        Self { people: padded(&stored.people), active: padded(&stored.active), level: stored.level }
    }
}

#[derive(Serialize, Deserialize)]
struct TeamAsStored {
    people: Vec<u64>,
    active: Vec<u64>,
    levels: Vec<u64>,
}

impl From<Team> for TeamAsStored {
    fn from(team: Team) -> Self {
        let levels = trimmed(&team.levels);
        Self { people: trimmed(&team.people), active: trimmed(&team.active), levels }
    }
}

impl From<TeamAsStored> for Team {
    fn from(stored: TeamAsStored) -> Self {
        Self { people: padded(&stored.people), active: padded(&stored.active), levels: stored.levels }
    }
}

/// Returns the counts without the zeros at their end.
fn trimmed(counts: &[u64]) -> Vec<u64> {
    let length = counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    counts[..length].to_vec()
}

fn padded(counts: &[u64]) -> [u64; TALENT_DEPTH] {
    let mut padded = [0; TALENT_DEPTH];
    for (slot, count) in padded.iter_mut().zip(counts) {
        *slot = *count;
    }
    padded
}
