//! The numbers of the rules, and their versions by date (rules, sections 3 to 9 and 11).

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Deserialize;

use crate::{Amount, Rate};

/// Every number that the rules leave to the business.
///
/// What a file leaves out has its default. What it has besides is passed over, because the ledger's files also say
/// what decides nothing here, such as the business time zone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The shares of an adoption.
    pub rates: Rates,
    /// How many team levels an adoption pays.
    pub level_count: usize,
    /// How many bonus tiers an adoption pays.
    pub bonus_count: usize,
    /// What opens team levels.
    pub depth_steps: Vec<DepthStep>,
    /// The numbers of direct adopters that open one more bonus tier each.
    pub bonus_tier_steps: Vec<usize>,
    /// Whether team levels need the account's own adoption.
    pub team_requires_own_adoption: bool,
    /// The contribution of a tree whose order has no price.
    pub price_ladder: PriceLadder,
    /// For how many calendar years a contribution is active.
    pub term_years: u32,
    /// The statuses of adoptions that count.
    pub distributable_statuses: BTreeSet<String>,
    /// The system accounts whose contributions stay active.
    pub never_expires: BTreeSet<SystemKind>,
    /// What becomes of unallocated legs.
    pub backfill: Backfill,
    /// What an order must be within.
    pub bounds: Bounds,
    /// What each talent level asks for.
    pub talent: TalentTable,
}

impl Default for Policy {
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
            never_expires: [SystemKind::Headquarters].into(),
            backfill: Backfill::None,
            bounds: Bounds::default(),
            talent: TalentTable::default(),
        }
    }
}

/// The share of an adoption that each leg of a kind carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// The adopter's leg.
    pub personal: Rate,
    /// The operation account's leg.
    pub operation: Rate,
    /// The province's leg.
    pub province: Rate,
    /// The city's leg.
    pub city: Rate,
    /// One team level's leg.
    pub team_level: Rate,
    /// One bonus tier's leg.
    pub team_bonus: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            personal: Rate::from_millionths(700_000),
            operation: Rate::from_millionths(120_000),
            province: Rate::from_millionths(10_000),
            city: Rate::from_millionths(20_000),
            team_level: Rate::from_millionths(5_000),
            team_bonus: Rate::from_millionths(25_000),
        }
    }
}

/// So many direct adopters open so many team levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct DepthStep {
    /// The number of direct adopters.
    pub direct_adopters: usize,
    /// The levels that it opens.
    pub depth: usize,
}

/// How the contribution of a tree grows with the trees adopted before it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PriceLadder {
    /// The contribution of the first trees.
    pub base: Amount,
    /// What each unit adds, as a share of the base.
    pub increment: Rate,
    /// How many trees make a unit.
    pub unit_size: u64,
    /// The number of trees from which on units count.
    pub start_tree_number: u64,
}

impl PriceLadder {
    /// Returns the contribution of a tree before which so many were adopted, if it fits an amount.
    #[must_use]
    pub fn per_tree(&self, before: u64) -> Option<Amount> {
        let unit = match before.checked_sub(self.start_tree_number) {
            None => 0,
            Some(over) => 1 + over / self.unit_size,
        };
        self.base.raised(unit, self.increment)
    }
}

impl Default for PriceLadder {
    fn default() -> Self {
        Self {
            base: Amount::from_units(22_617 * 10_i128.pow(10)),
            increment: Rate::from_millionths(3_000),
            unit_size: 100,
            start_tree_number: 1_000,
        }
    }
}

/// What an order must be within to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Bounds {
    /// The most trees.
    pub trees_max: u64,
    /// The highest price that a source may state.
    pub price_max: Amount,
    /// The first date of adoption.
    pub first_date: NaiveDate,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            trees_max: 1_000_000,
            price_max: Amount::from_units(10_i128.pow(9 + 10)),
            first_date: NaiveDate::from_ymd_opt(2020, 1, 1).expect("a day of the calendar"),
        }
    }
}

/// What a system account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SystemKind {
    /// Receives what is unallocated and what rounding leaves over.
    Headquarters,
    /// Receives the operation leg.
    Operation,
    /// Receives the province leg.
    Province,
    /// Receives the city leg.
    City,
}

/// What becomes of an unallocated leg once its would-be account's unlock reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backfill {
    /// It stays with headquarters.
    None,
    /// It moves to the account, with its own dates, unless its term is over by then.
    OnUnlock,
}

/// What each talent level asks for, level 1 first.
///
/// Conditions on activity are left out: no source that the oracle reads says when a user was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TalentTable {
    /// A row for each level.
    pub rows: Vec<TalentRow>,
}

impl Default for TalentTable {
    fn default() -> Self {
        let row = |direct_count, promotion_count| TalentRow {
            direct_count,
            promotion_count,
            direct_at_level: None,
        };
        Self { rows: vec![row(3, 10), row(8, 30), row(15, 80), row(30, 200), row(50, 500)] }
    }
}

/// What one talent level asks for: all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TalentRow {
    /// Direct referrals.
    pub direct_count: usize,
    /// Descendants within twenty levels.
    pub promotion_count: usize,
    /// Direct referrals that have a level themselves.
    pub direct_at_level: Option<DirectAtLevel>,
}

/// So many direct referrals at a level or a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct DirectAtLevel {
    /// The lowest level that counts.
    pub level: usize,
    /// How many there must be.
    pub count: usize,
}

/// A version of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Version {
    /// Its number; where several versions are in force, the highest decides.
    pub number: u32,
    /// The first date that it is in force on; the first version has none.
    #[serde(default)]
    pub from: Option<NaiveDate>,
    /// The first date that it is no longer in force on.
    #[serde(default)]
    pub until: Option<NaiveDate>,
    /// Its numbers, all of them.
    #[serde(default)]
    pub policy: Policy,
}

/// All versions of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(Vec<Version>);

impl Versions {
    /// Returns a policy that never changed.
    #[must_use]
    pub fn only(policy: Policy) -> Self {
        Self(vec![Version { number: 1, from: None, until: None, policy }])
    }

    /// Returns these versions, the first of which must be in force from ever to ever.
    ///
    /// # Panics
    ///
    /// If on some date no version would be in force.
    #[must_use]
    pub fn new(versions: Vec<Version>) -> Self {
        let always = |version: &Version| version.from.is_none() && version.until.is_none();
        assert!(versions.iter().any(always), "version 1 has neither a first nor a last date");
        Self(versions)
    }

    /// Returns the version in force on a date.
    #[must_use]
    pub fn on(&self, date: NaiveDate) -> &Version {
        let in_force = |version: &&Version| {
            version.from.is_none_or(|from| from <= date) && version.until.is_none_or(|until| date < until)
        };
        self.0.iter().filter(in_force).max_by_key(|version| version.number).expect("one is always in force")
    }

    /// Returns the version of a number.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Option<&Version> {
        self.0.iter().find(|version| version.number == number)
    }

    /// Returns the policy that a file states: one policy, or a list of versions.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        if !value.is_array() {
            return serde_json::from_value(value).map(Self::only);
        }
        let versions: Vec<Version> = serde_json::from_value(value)?;
        if versions.iter().any(|version| version.from.is_none() && version.until.is_none()) {
            Ok(Self(versions))
        } else {
            Err(serde::de::Error::custom("one version must have neither `from` nor `until`"))
        }
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self::only(Policy::default())
    }
}
