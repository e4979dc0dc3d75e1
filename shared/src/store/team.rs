//! Team statistics: what descendants adopted, by account and date.
//!
//! Each close adds what its date brought to one item per account and date, so that a date's
//! statistics are the sum of the account's items up to it, and a later close changes no earlier date.

use std::collections::BTreeMap;

use serde::Serialize;

use super::client::{Range, Store};
use super::key::{Key, team_partition};
use super::{Action, StoreError, Table};
use crate::rules::{AccountSequence, BusinessDate};

/// What one date adds to an account's team. Negative where adoptions were taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamChange {
    /// Trees, by the level of the descendants that adopted them; 1 is the direct referrals.
    pub trees_at_level: BTreeMap<u8, i64>,
    /// Direct referrals that became adopters, less those that no longer are.
    pub direct_adopted_referrals: i64,
}

impl TeamChange {
    /// Adds another change of the same date.
    pub fn merge(&mut self, other: &Self) {
        for (level, trees) in &other.trees_at_level {
            *self.trees_at_level.entry(*level).or_default() += trees;
        }
        self.direct_adopted_referrals += other.direct_adopted_referrals;
    }

    /// The write that adds this to an account's team on a date.
    #[must_use]
    pub fn write(&self, account: &AccountSequence, date: BusinessDate) -> Action {
        let mut update = Action::update(Key::team(account, date));
        for (level, trees) in &self.trees_at_level {
            update = update.add(&level_attribute(*level), trees);
        }
        if self.direct_adopted_referrals != 0 {
            update = update.add("direct", self.direct_adopted_referrals);
        }
        update
    }
}

/// An account's team as of a date (rules, section 8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TeamStatistics {
    /// Trees adopted so far by descendants at level 1, 2, and so on.
    pub trees_at_level: Vec<u64>,
    /// Their sum.
    pub total_team_trees: u64,
    /// Direct referrals that have adopted.
    pub direct_adopted_referrals: u64,
}

impl Store {
    /// The team of an account as of the close of `date`, by so many levels.
    pub async fn team_statistics(
        &self,
        account: &AccountSequence,
        date: BusinessDate,
        level_count: u8,
    ) -> Result<TeamStatistics, StoreError> {
        let range = Range { to: Some(date.to_string()), ..Range::default() };
        let items = self.query_all(Table::Snapshots, &team_partition(account), &range).await?;
        let mut trees = vec![0_i64; usize::from(level_count)];
        let mut direct = 0_i64;
        for item in &items {
            for (level, sum) in (1..=level_count).zip(&mut trees) {
                *sum += item.number_if_present(&level_attribute(level))?.unwrap_or(0);
            }
            direct += item.number_if_present("direct")?.unwrap_or(0);
        }
        // Nothing is taken back that was not counted before, so that no sum is negative.
        let count = |sum: i64| u64::try_from(sum).unwrap_or(0);
        let trees_at_level: Vec<u64> = trees.into_iter().map(count).collect();
        Ok(TeamStatistics {
            total_team_trees: trees_at_level.iter().sum(),
            trees_at_level,
            direct_adopted_referrals: count(direct),
        })
    }
}

fn level_attribute(level: u8) -> String {
    format!("level_{level}")
}
