//! Talent levels, from the team of an account (rules, section 9).

use serde::Deserialize;

use crate::{TalentLevel, Team};

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
    /// Descendants within [`TALENT_DEPTH`](crate::TALENT_DEPTH) levels.
    pub promotion_count: u64,
    /// Direct referrals that have a talent level.
    pub direct_at_level: Option<DirectAtLevel>,
    /// Direct referrals that were active lately.
    pub active_direct_count: Option<u64>,
    /// Descendants within [`TALENT_DEPTH`](crate::TALENT_DEPTH) levels that were active lately.
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
        let level_after = |rows: usize| TalentLevel::new(u8::try_from(rows).expect("at most MAX_LEVELS"));
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
                asked.count == 0 || !(1..=rows.len()).contains(&usize::from(asked.level.get()))
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
mod tests;
