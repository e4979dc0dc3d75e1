//! Talent levels, from the team of an account (rules, section 9).

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

/// The conditions of each talent level.
///
/// Read with serde as the `talent` part of the policy. A field that is left out has its default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "TableAsWritten")]
pub struct TalentTable {
    /// The row of level 1 first.
    rows: Vec<TalentRow>,
    active_within_days: u16,
}

/// The conditions of one level. All of them must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TalentRow {
    /// Direct referrals.
    pub direct_count: u64,
    /// Descendants within [`TALENT_DEPTH`] levels.
    pub promotion_count: u64,
    /// Direct referrals that have a talent level.
    pub direct_at_level: Option<DirectAtLevel>,
    /// Direct referrals that were active lately.
    pub active_direct_count: Option<u64>,
    /// Descendants within [`TALENT_DEPTH`] levels that were active lately.
    pub active_promotion_count: Option<u64>,
}

/// A number of direct referrals at a level or a higher one. (If higher ones did not count, a promotion below
/// could take a level away above.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectAtLevel {
    /// The lowest level that counts.
    pub level: TalentLevel,
    /// The number of direct referrals that must have it.
    pub count: u64,
}

impl TalentTable {
    /// The largest number of levels of a table.
    pub const MAX_LEVELS: usize = 50;

    /// Returns the highest level whose row holds, what is missing for the next one, and whether conditions on
    /// activity were left out.
    #[must_use]
    pub fn assess(&self, team: &Team, knows_activity: bool) -> Assessment {
        let holds = |row: &TalentRow| row.conditions(knows_activity).all(|condition| condition.holds(team));
        let held_rows = self.rows.iter().rposition(holds).map_or(0, |index| index + 1);
        let level_after = |rows: usize| TalentLevel(u8::try_from(rows).expect("at most MAX_LEVELS"));
        let next = self.rows.get(held_rows).map(|row| {
            let lacking = row.conditions(knows_activity).filter(|condition| !condition.holds(team));
            let missing = lacking.map(|condition| Missing { condition, present: condition.present(team) });
            NextLevel { level: level_after(held_rows + 1), missing: missing.collect() }
        });
        Assessment {
            level: level_after(held_rows),
            next,
            activity_ignored: !knows_activity && self.asks_for_activity(),
        }
    }

    /// Returns whether a row has a condition on activity.
    #[must_use]
    pub fn asks_for_activity(&self) -> bool {
        self.rows.iter().any(|row| row.active_direct_count.or(row.active_promotion_count).is_some())
    }

    /// Returns whether a row has a condition on levels of direct referrals. Then a level matters to the
    /// account above.
    #[must_use]
    pub fn asks_for_levels(&self) -> bool {
        self.rows.iter().any(|row| row.direct_at_level.is_some())
    }

    /// Returns the number of days for which an account is active after its last activity.
    #[must_use]
    pub fn active_within_days(&self) -> u16 {
        self.active_within_days
    }
}

impl Default for TalentTable {
    /// Returns the table as the rules state it.
    fn default() -> Self {
        Self::try_from(TableAsWritten::default()).expect("the rules' own table is consistent")
    }
}

/// The level of a team by a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The level.
    pub level: TalentLevel,
    /// The level above and what is missing for it; `None` at the highest level.
    pub next: Option<NextLevel>,
    /// True if conditions on activity were left out, because the source supplies no activity.
    pub activity_ignored: bool,
}

/// The level above a team's level, with the conditions that do not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextLevel {
    /// The level.
    pub level: TalentLevel,
    /// Its conditions that do not hold; at least one.
    pub missing: Vec<Missing>,
}

/// A condition that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The condition.
    pub condition: Condition,
    /// The number that the team has.
    pub present: u64,
}

/// One condition of a row, with the number it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Direct referrals.
    Direct(u64),
    /// Descendants.
    Promotion(u64),
    /// Direct referrals at a level.
    AtLevel(DirectAtLevel),
    /// Active direct referrals.
    ActiveDirect(u64),
    /// Active descendants.
    ActivePromotion(u64),
}

impl Condition {
    /// Returns the condition's name on every wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct(_) => "DIRECT_COUNT",
            Self::Promotion(_) => "PROMOTION_COUNT",
            Self::AtLevel(_) => "DIRECT_AT_LEVEL",
            Self::ActiveDirect(_) => "ACTIVE_DIRECT_COUNT",
            Self::ActivePromotion(_) => "ACTIVE_PROMOTION_COUNT",
        }
    }

    /// Returns the number that the condition asks for.
    #[must_use]
    pub fn needed(self) -> u64 {
        match self {
            Self::Direct(needed)
            | Self::Promotion(needed)
            | Self::ActiveDirect(needed)
            | Self::ActivePromotion(needed)
            | Self::AtLevel(DirectAtLevel { count: needed, .. }) => needed,
        }
    }

    /// Returns the level that the condition asks for; `None` if it asks for none.
    #[must_use]
    pub fn at_level(self) -> Option<TalentLevel> {
        match self {
            Self::AtLevel(DirectAtLevel { level, .. }) => Some(level),
            Self::Direct(_) | Self::Promotion(_) | Self::ActiveDirect(_) | Self::ActivePromotion(_) => None,
        }
    }

    fn holds(self, team: &Team) -> bool {
        self.present(team) >= self.needed()
    }

    fn present(self, team: &Team) -> u64 {
        match self {
            Self::Direct(_) => team.direct_count(),
            Self::Promotion(_) => team.promotion_count(),
            Self::AtLevel(DirectAtLevel { level, .. }) => team.direct_at_level(level),
            Self::ActiveDirect(_) => team.active_direct_count(),
            Self::ActivePromotion(_) => team.active_promotion_count(),
        }
    }
}

impl TalentRow {
    fn conditions(&self, knows_activity: bool) -> impl Iterator<Item = Condition> {
        let active = |count: Option<u64>| count.filter(|_| knows_activity);
        [
            Some(Condition::Direct(self.direct_count)),
            Some(Condition::Promotion(self.promotion_count)),
            self.direct_at_level.map(Condition::AtLevel),
            active(self.active_direct_count).map(Condition::ActiveDirect),
            active(self.active_promotion_count).map(Condition::ActivePromotion),
        ]
        .into_iter()
        .flatten()
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

/// A table that contradicts itself. Each message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTalentTable {
    /// The table has no row, or more than levels can be numbered.
    #[error("talent.rows: there are {rows}, and must be 1 to {}", TalentTable::MAX_LEVELS)]
    RowCount {
        /// The rows given.
        rows: usize,
    },
    /// Every account would have the level.
    #[error("talent.rows: level {level} asks for no direct referral and no descendant")]
    NothingAsked {
        /// The level.
        level: usize,
    },
    /// The level could never be reached, or the condition always holds.
    #[error(
        "talent.rows: direct_at_level of level {level} must name a level of the table and a count of at least 1"
    )]
    DirectAtLevel {
        /// The level.
        level: usize,
    },
    /// No account would ever be active.
    #[error("talent.active_within_days: must be at least 1")]
    NeverActive,
}

/// A table as written, before it is checked for consistency.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TableAsWritten {
    rows: Vec<TalentRow>,
    active_within_days: u16,
}

impl Default for TableAsWritten {
    fn default() -> Self {
        let row = |(direct_count, promotion_count)| TalentRow {
            direct_count,
            promotion_count,
            ..TalentRow::default()
        };
        let rows = [(3, 10), (8, 30), (15, 80), (30, 200), (50, 500)].map(row).to_vec();
        Self { rows, active_within_days: 15 }
    }
}

impl TryFrom<TableAsWritten> for TalentTable {
    type Error = InvalidTalentTable;

    fn try_from(written: TableAsWritten) -> Result<Self, Self::Error> {
        let TableAsWritten { rows, active_within_days } = written;
        if !(1..=Self::MAX_LEVELS).contains(&rows.len()) {
            return Err(InvalidTalentTable::RowCount { rows: rows.len() });
        }
        for (row, level) in rows.iter().zip(1..) {
            if row.direct_count == 0 && row.promotion_count == 0 {
                return Err(InvalidTalentTable::NothingAsked { level });
            }
            if row.direct_at_level.is_some_and(|asked| {
                asked.count == 0 || !(1..=rows.len()).contains(&usize::from(asked.level.0))
            }) {
                return Err(InvalidTalentTable::DirectAtLevel { level });
            }
        }
        if active_within_days == 0 {
            return Err(InvalidTalentTable::NeverActive);
        }
        Ok(Self { rows, active_within_days })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn team(direct: u64, deeper: u64) -> Team {
        let mut team = Team::default();
        team.people[0] = direct;
        team.people[1] = deeper;
        team
    }

    fn level(direct: u64, deeper: u64) -> u8 {
        TalentTable::default().assess(&team(direct, deeper), false).level.get()
    }

    #[test]
    fn the_highest_row_whose_conditions_all_hold_gives_the_level() {
        assert_eq!(level(2, 100), 0);
        assert_eq!(level(3, 6), 0);
        assert_eq!(level(3, 7), 1);
        assert_eq!(level(50, 0), 2, "many direct referrals do not stand in for descendants");
        assert_eq!(level(14, 10_000), 2);
        assert_eq!(level(50, 450), 5);
    }

    #[test]
    fn an_assessment_says_what_the_next_level_lacks_and_nothing_of_what_holds() {
        let next = |team: &Team| TalentTable::default().assess(team, false).next;
        let lacking = |missing| Some(NextLevel { level: TalentLevel::new(2), missing });
        let direct = Missing { condition: Condition::Direct(8), present: 3 };
        let promotion = Missing { condition: Condition::Promotion(30), present: 12 };
        assert_eq!(next(&team(3, 9)), lacking(vec![direct, promotion]));
        assert_eq!(next(&team(3, 100)), lacking(vec![direct]), "descendants do not stand in for referrals");
        assert_eq!(next(&team(50, 450)), None, "there is no level above the highest");
    }

    #[test]
    fn what_is_missing_counts_direct_referrals_at_the_level_asked_for_and_activity_where_it_is_known() {
        let table: TalentTable = serde_json::from_value(json!({ "rows": [{
            "direct_count": 1, "direct_at_level": { "level": 1, "count": 3 },
            "active_direct_count": 2, "active_promotion_count": 5,
        }] }))
        .expect("a table");
        let mut team = team(4, 4);
        team.levels = vec![2];
        (team.active[0], team.active[1]) = (1, 3);
        let missing = |knows_activity| {
            let next = table.assess(&team, knows_activity).next.expect("a level above");
            let named = |missing: &Missing| {
                let Missing { condition, present } = missing;
                (condition.name(), condition.at_level().map(TalentLevel::get), condition.needed(), *present)
            };
            next.missing.iter().map(named).collect::<Vec<_>>()
        };
        let at_level = ("DIRECT_AT_LEVEL", Some(1), 3, 2);
        let active = [("ACTIVE_DIRECT_COUNT", None, 2, 1), ("ACTIVE_PROMOTION_COUNT", None, 5, 4)];
        assert_eq!(missing(true), [at_level, active[0], active[1]]);
        assert_eq!(missing(false), [at_level]);
    }

    #[test]
    fn conditions_on_activity_are_left_out_and_noted_where_the_source_does_not_know() {
        let table: TalentTable =
            serde_json::from_value(json!({ "rows": [{ "direct_count": 1, "active_direct_count": 1 }] }))
                .expect("a table");
        let mut team = team(1, 0);
        let unknown = table.assess(&team, false);
        assert_eq!((unknown.level.get(), unknown.activity_ignored), (1, true));
        let inactive = table.assess(&team, true);
        assert_eq!((inactive.level.get(), inactive.activity_ignored), (0, false));
        team.active[0] = 1;
        assert_eq!(table.assess(&team, true).level.get(), 1);
    }

    #[test]
    fn a_direct_referral_above_the_level_asked_for_counts() {
        let table: TalentTable = serde_json::from_value(json!({ "rows": [
            { "direct_count": 1 },
            { "direct_count": 1, "direct_at_level": { "level": 1, "count": 2 } },
        ] }))
        .expect("a table");
        let mut team = team(2, 0);
        team.levels = vec![1, 0];
        assert_eq!(table.assess(&team, false).level.get(), 1);
        team.levels = vec![1, 1];
        assert_eq!(table.assess(&team, false).level.get(), 2);
    }

    #[test]
    fn reports_that_replace_each_other_leave_only_the_last() {
        let before = team(2, 5).report(TalentLevel::new(1), true);
        let after = team(3, 4).report(TalentLevel::new(2), false);
        let mut change = before.since(&Report::default());
        change.merge(&after.since(&before));
        assert_eq!(
            Team::default().changed_by(&change),
            Team::default().changed_by(&after.since(&Report::default()))
        );
        assert!(after.since(&after).is_empty());
        assert_eq!(Team::default().changed_by(&Report::default().since(&before)), None);
    }

    #[test]
    fn what_is_twenty_levels_below_does_not_go_further_up() {
        let mut deepest = Team::default();
        deepest.people[TALENT_DEPTH - 1] = 7;
        let report = deepest.report(TalentLevel::NONE, false);
        assert_eq!(report, Team::default().report(TalentLevel::NONE, false));
    }

    #[test]
    fn reports_that_come_round_a_ring_count_each_account_once() {
        // Three accounts refer each other in a circle, and a fourth hangs below the first.
        let referrer = [1_usize, 2, 0, 0];
        let mut teams = vec![Team::default(); 4];
        for _ in 0..TALENT_DEPTH {
            let reports: Vec<Report> =
                teams.iter().map(|team| team.report(TalentLevel::NONE, true)).collect();
            teams = vec![Team::default(); 4];
            for (account, report) in reports.iter().enumerate() {
                let change = report.since(&Report::default());
                teams[referrer[account]] = teams[referrer[account]].changed_by(&change).expect("a sum");
            }
        }
        let counts = |account: usize| {
            let team = teams[account].on_ring(3, true);
            (team.direct_count(), team.promotion_count(), team.active_promotion_count())
        };
        assert_eq!([counts(0), counts(1), counts(2)], [(2, 3, 3), (1, 3, 3), (1, 3, 3)]);
        assert_eq!(teams[3], Team::default());
        assert_eq!(teams[0].on_ring(0, true), teams[0], "who is on no ring has the team as reported");
    }

    #[test]
    fn stored_teams_and_reports_come_back_as_they_were() {
        let mut team = team(3, 70_000);
        team.levels = vec![0, 2];
        let report = team.report(TalentLevel::new(2), true);
        let bytes = postcard::to_stdvec(&(&team, &report)).expect("an encoding");
        assert_eq!(postcard::from_bytes(&bytes), Ok((team, report)));
        assert!(bytes.len() < 24, "zeros at the end take no room: {}", bytes.len());
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused_with_what_to_change() {
        let refused = [
            (json!({ "rows": [] }), "there are 0"),
            (json!({ "rows": [{}] }), "level 1 asks for no direct referral"),
            (
                json!({ "rows": [{ "direct_count": 1, "direct_at_level": { "level": 2, "count": 1 } }] }),
                "level of the table",
            ),
            (
                json!({ "rows": [{ "direct_count": 1, "direct_at_level": { "level": 1, "count": 0 } }] }),
                "at least 1",
            ),
            (json!({ "active_within_days": 0 }), "at least 1"),
            (json!({ "row": [] }), "unknown field `row`"),
        ];
        for (table, reason) in refused {
            let error = serde_json::from_value::<TalentTable>(table.clone()).expect_err("a refusal");
            assert!(error.to_string().contains(reason), "{table} was refused with {error}");
        }
    }
}
