//! The numbers of the rules, as configuration.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer};

use crate::{Amount, BusinessDate, Rate, Slot, SystemAccountKind, TalentTable};

/// The numbers that the rules leave to the business (rules, sections 3 to 7, 9 and 11), checked for
/// consistency.
///
/// Read with serde. A field that is left out has its default, so `{}` is [`Policy::default`]. An unknown
/// field is refused: a misspelt one would otherwise silently keep a default. The `with_` methods also make a
/// policy; they only take values that cannot be inconsistent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Policy(Settings);

impl Policy {
    /// The most team levels there can be. Each is one more account in the chain of every posting, and one more head
    /// that the posting may change.
    pub const MAX_LEVELS: u8 = 20;
    /// The largest number of direct adopters that a step can ask for. An account keeps as many first orders of its
    /// direct referrals as decide it ([`UnlockFacts::KEPT`](crate::UnlockFacts::KEPT)). It exceeds the default
    /// thresholds, so that a cancellation rarely needs the kept orders to be filled up again.
    pub const MAX_THRESHOLD: usize = 8;
    /// The longest term of a contribution, in years.
    pub const MAX_TERM_YEARS: u8 = 100;

    /// Returns the rate of each kind of leg. Times their counts, rates sum to one.
    #[must_use]
    pub fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// Returns the number of `TEAM_LEVEL` legs of an adoption, and so the number of ancestors that decide its
    /// legs.
    #[must_use]
    pub fn level_count(&self) -> u8 {
        self.0.level_count
    }

    /// Returns the number of `TEAM_BONUS` legs of an adoption.
    #[must_use]
    pub fn bonus_count(&self) -> u8 {
        self.0.bonus_count
    }

    /// Returns the steps that open team levels, by ascending number of direct adopters. The last step opens
    /// all levels.
    #[must_use]
    pub fn depth_steps(&self) -> &[DepthStep] {
        &self.0.depth_steps
    }

    /// Returns the numbers of direct adopters that open one more bonus tier each, ascending.
    ///
    /// An account's own adoption opens one tier, and these steps open the others.
    #[must_use]
    pub fn bonus_tier_steps(&self) -> &[u32] {
        &self.0.bonus_tier_steps
    }

    /// Returns whether an account needs an adoption of its own to open team levels.
    #[must_use]
    pub fn team_requires_own_adoption(&self) -> bool {
        self.0.team_requires_own_adoption
    }

    /// Returns the largest number of direct adopters that a step asks for. More make no difference.
    #[must_use]
    pub fn largest_threshold(&self) -> u32 {
        self.0.thresholds().max().unwrap_or(0)
    }

    /// Returns how the contribution of a tree grows with the network.
    #[must_use]
    pub fn price_ladder(&self) -> &PriceLadder {
        &self.0.price_ladder
    }

    /// Returns the number of calendar years for which a contribution is active.
    #[must_use]
    pub fn term_years(&self) -> u8 {
        self.0.term_years
    }

    /// Returns whether an adoption of this status is distributable. Upper and lower case differ.
    #[must_use]
    pub fn is_distributable(&self, status: &str) -> bool {
        self.0.distributable_statuses.contains(status)
    }

    /// Returns the zone whose midnight begins a business date.
    #[must_use]
    pub fn business_time_zone(&self) -> Tz {
        self.0.business_time_zone
    }

    /// Returns the bounds of an adoption's terms (rules, section 6).
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.0.bounds
    }

    /// Returns whether contributions of this kind of system account never expire.
    #[must_use]
    pub fn never_expires(&self, kind: SystemAccountKind) -> bool {
        self.0.never_expires.contains(&kind)
    }

    /// Returns what becomes of an unallocated leg when its would-be owner unlocks it later.
    #[must_use]
    pub fn backfill(&self) -> Backfill {
        self.0.backfill
    }

    /// Returns the conditions of each talent level.
    #[must_use]
    pub fn talent(&self) -> &TalentTable {
        &self.0.talent
    }

    /// Returns this policy with business dates of another zone.
    #[must_use]
    pub fn with_business_time_zone(mut self, zone: Tz) -> Self {
        self.0.business_time_zone = zone;
        self
    }

    /// Returns this policy with another backfill.
    #[must_use]
    pub fn with_backfill(mut self, backfill: Backfill) -> Self {
        self.0.backfill = backfill;
        self
    }
}

impl Default for Policy {
    /// Returns the numbers as the rules state them.
    fn default() -> Self {
        Self::try_from(Settings::default()).expect("the rules' own numbers are consistent")
    }
}

/// The rate of each kind of leg (rules, section 4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// The adopter's leg.
    pub personal: Rate,
    /// The leg of the operation account.
    pub operation: Rate,
    /// The leg of the province's account.
    pub province: Rate,
    /// The leg of the city's account.
    pub city: Rate,
    /// One team level's leg.
    pub team_level: Rate,
    /// One bonus tier's leg.
    pub team_bonus: Rate,
}

impl Rates {
    /// Returns the rate of a leg; `None` for the leg that rounding leaves over.
    #[must_use]
    pub fn of(&self, slot: Slot) -> Option<Rate> {
        match slot {
            Slot::Personal => Some(self.personal),
            Slot::Operation => Some(self.operation),
            Slot::Province => Some(self.province),
            Slot::City => Some(self.city),
            Slot::TeamLevel(_) => Some(self.team_level),
            Slot::TeamBonus(_) => Some(self.team_bonus),
            Slot::Rounding => None,
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        let rate = |millionths| Rate::from_millionths(millionths).expect("at most one");
        Self {
            personal: rate(700_000),
            operation: rate(120_000),
            province: rate(10_000),
            city: rate(20_000),
            team_level: rate(5_000),
            team_bonus: rate(25_000),
        }
    }
}

/// A number of direct adopters, and the team levels that it opens (rules, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthStep {
    /// The smallest number of direct adopters that reaches this step.
    pub direct_adopters: u32,
    /// The number of team levels that it opens, counted from level 1.
    pub depth: u8,
}

/// The bounds of an adoption's terms (rules, section 6).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// The most trees of one adoption.
    pub trees_max: u32,
    /// The highest price per tree that a source may send.
    pub price_max: Amount,
    /// The first date on which an adoption can have been made.
    pub first_date: BusinessDate,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            trees_max: 1_000_000,
            price_max: Amount::from_units(1_000_000_000 * 10_i128.pow(Amount::SCALE)).expect("ten digits"),
            first_date: BusinessDate::new(2020, 1, 1).expect("a date of the calendar"),
        }
    }
}

/// How the contribution of a tree grows with the trees adopted before it (rules, section 3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceLadder {
    /// The contribution of the first trees.
    pub base: Amount,
    /// The share of the base that each unit adds.
    pub increment: Rate,
    /// The number of trees in a unit.
    pub unit_size: NonZeroU64,
    /// The number of trees at which the first unit begins.
    pub start_tree_number: u64,
}

impl Default for PriceLadder {
    fn default() -> Self {
        Self {
            base: Amount::from_units(22_617 * 10_i128.pow(Amount::SCALE)).expect("five integer digits"),
            increment: Rate::from_millionths(3_000).expect("at most one"),
            unit_size: NonZeroU64::new(100).expect("not zero"),
            start_tree_number: 1_000,
        }
    }
}

/// What becomes of an unallocated leg when its would-be owner unlocks it later (rules, section 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backfill {
    /// The leg stays with headquarters. An unlock counts from its order on.
    #[default]
    None,
    /// The leg moves to the would-be owner. An unlock counts for every order, earlier ones included.
    OnUnlock,
}

/// A policy that contradicts itself or the rules. Each message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// The legs of an adoption would sum to less or more than its total.
    #[error(
        "rates: times their counts they sum to {}.{:06}, and must sum to exactly 1",
        .sum_millionths / 1_000_000, .sum_millionths % 1_000_000
    )]
    RatesDoNotSumToOne {
        /// The sum.
        sum_millionths: u64,
    },
    /// Postings would have longer chains than the ledger is made for.
    #[error("level_count: {level_count} is more than {}", Policy::MAX_LEVELS)]
    TooManyLevels {
        /// The count given.
        level_count: u8,
    },
    /// A later step would close levels that an earlier one opened, or open none.
    #[error(
        "depth_steps: each step must ask for more direct adopters than the one before, and open more levels"
    )]
    DepthStepsNotAscending,
    /// The steps open fewer or more levels than there are.
    #[error(
        "depth_steps: the last step opens {deepest} levels, and must open all {level_count} of level_count"
    )]
    DepthStepsMissLevels {
        /// The number of levels that the last step opens.
        deepest: u8,
        /// The count given.
        level_count: u8,
    },
    /// Two steps would open the same tier.
    #[error("bonus_tier_steps: each step must ask for more direct adopters than the one before")]
    BonusTierStepsNotAscending,
    /// The steps open fewer or more tiers than there are.
    #[error(
        "bonus_count: {bonus_count} must be {openable}, \
         one for the own adoption and one for each of bonus_tier_steps"
    )]
    BonusTierStepsMissTiers {
        /// The count given.
        bonus_count: u8,
        /// The number of tiers that can be opened.
        openable: usize,
    },
    /// A step that always holds, or that the kept orders of an account cannot decide.
    #[error(
        "depth_steps, bonus_tier_steps: a step asks for {threshold} direct adopters, \
         and must ask for 1 to {}",
        Policy::MAX_THRESHOLD
    )]
    ThresholdOutOfRange {
        /// The number of direct adopters asked for.
        threshold: u32,
    },
    /// Adoptions would contribute nothing or take away.
    #[error("price_ladder.base: must be more than zero")]
    BaseNotPositive,
    /// Contributions would never be active, or practically forever.
    #[error("term_years: {term_years} must be 1 to {}", Policy::MAX_TERM_YEARS)]
    TermOutOfRange {
        /// The years given.
        term_years: u8,
    },
    /// No status is distributable, or an empty one is.
    #[error("distributable_statuses: must name at least one status, and none may be empty")]
    NoDistributableStatus,
}

/// A policy as written, before it is checked for consistency.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    rates: Rates,
    level_count: u8,
    bonus_count: u8,
    depth_steps: Vec<DepthStep>,
    bonus_tier_steps: Vec<u32>,
    team_requires_own_adoption: bool,
    price_ladder: PriceLadder,
    term_years: u8,
    distributable_statuses: BTreeSet<String>,
    #[serde(deserialize_with = "time_zone")]
    business_time_zone: Tz,
    never_expires: BTreeSet<SystemAccountKind>,
    backfill: Backfill,
    bounds: Bounds,
    talent: TalentTable,
}

impl Settings {
    fn thresholds(&self) -> impl Iterator<Item = u32> {
        self.depth_steps.iter().map(|step| step.direct_adopters).chain(self.bonus_tier_steps.iter().copied())
    }

    fn rate_sum_millionths(&self) -> u64 {
        let Rates { personal, operation, province, city, team_level, team_bonus } = &self.rates;
        [
            (personal, 1),
            (operation, 1),
            (province, 1),
            (city, 1),
            (team_level, self.level_count),
            (team_bonus, self.bonus_count),
        ]
        .into_iter()
        .map(|(rate, count)| u64::from(rate.millionths()) * u64::from(count))
        .sum()
    }
}

impl Default for Settings {
    fn default() -> Self {
        let step = |direct_adopters, depth| DepthStep { direct_adopters, depth };
        Self {
            rates: Rates::default(),
            level_count: 15,
            bonus_count: 3,
            depth_steps: vec![step(1, 5), step(3, 10), step(5, 15)],
            bonus_tier_steps: vec![2, 4],
            team_requires_own_adoption: true,
            price_ladder: PriceLadder::default(),
            term_years: 2,
            distributable_statuses: ["MINING_ENABLED", "CONFIRMED", "PAID", "ACTIVE"]
                .map(str::to_owned)
                .into(),
            business_time_zone: Tz::Asia__Shanghai,
            never_expires: [SystemAccountKind::Headquarters].into(),
            backfill: Backfill::None,
            bounds: Bounds::default(),
            talent: TalentTable::default(),
        }
    }
}

impl TryFrom<Settings> for Policy {
    type Error = InvalidPolicy;

    fn try_from(settings: Settings) -> Result<Self, Self::Error> {
        let Settings { level_count, bonus_count, term_years, .. } = settings;

        if level_count > Self::MAX_LEVELS {
            return Err(InvalidPolicy::TooManyLevels { level_count });
        }
        let sum_millionths = settings.rate_sum_millionths();
        if sum_millionths != u64::from(Rate::ONE.millionths()) {
            return Err(InvalidPolicy::RatesDoNotSumToOne { sum_millionths });
        }

        let ascending = |lower: &DepthStep, upper: &DepthStep| {
            lower.direct_adopters < upper.direct_adopters && lower.depth < upper.depth
        };
        if !settings.depth_steps.is_sorted_by(ascending) {
            return Err(InvalidPolicy::DepthStepsNotAscending);
        }
        let deepest = settings.depth_steps.last().map_or(0, |step| step.depth);
        if deepest != level_count {
            return Err(InvalidPolicy::DepthStepsMissLevels { deepest, level_count });
        }

        if !settings.bonus_tier_steps.is_sorted_by(|lower, upper| lower < upper) {
            return Err(InvalidPolicy::BonusTierStepsNotAscending);
        }
        let openable = 1 + settings.bonus_tier_steps.len();
        if usize::from(bonus_count) != openable {
            return Err(InvalidPolicy::BonusTierStepsMissTiers { bonus_count, openable });
        }

        let decidable = |threshold: u32| (1..=Self::MAX_THRESHOLD).contains(&(threshold as usize));
        if let Some(threshold) = settings.thresholds().find(|threshold| !decidable(*threshold)) {
            return Err(InvalidPolicy::ThresholdOutOfRange { threshold });
        }

        if settings.price_ladder.base <= Amount::ZERO {
            return Err(InvalidPolicy::BaseNotPositive);
        }
        if !(1..=Self::MAX_TERM_YEARS).contains(&term_years) {
            return Err(InvalidPolicy::TermOutOfRange { term_years });
        }
        let statuses = &settings.distributable_statuses;
        if statuses.is_empty() || statuses.iter().any(|status| status.trim().is_empty()) {
            return Err(InvalidPolicy::NoDistributableStatus);
        }
        Ok(Self(settings))
    }
}

/// Reads a zone by its name in the IANA database.
fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|_| {
        serde::de::Error::custom(format_args!(
            "business_time_zone: {name:?} is not a zone of the IANA database, such as \"Asia/Shanghai\""
        ))
    })
}

#[cfg(test)]
mod tests;
