//! What was adopted below each account (rules, section 8: team statistics).

use serde::{Deserialize, Serialize};

use crate::Amount;

/// How many levels of a team are counted, whatever the number of levels that are paid.
pub const TEAM_LEVELS: usize = 15;
/// Why sums of contribution cannot overflow.
const SUMS_FIT: &str = "a sum has room for ten thousand million adoptions of the largest total";

/// What was adopted below an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamTrees {
    /// Trees by level, the direct referrals' first, as far down as there are any.
    levels: Vec<u64>,
    /// Direct referrals that adopted, each once.
    pub direct_adopters: u32,
    /// The contribution of all these trees, when they were adopted.
    pub contribution: Amount,
}

impl TeamTrees {
    /// Returns the trees of each level, from 1 to 15.
    #[must_use]
    pub fn levels(&self) -> [u64; TEAM_LEVELS] {
        let mut levels = [0; TEAM_LEVELS];
        levels[..self.levels.len()].copy_from_slice(&self.levels);
        levels
    }

    /// Returns the trees of all levels.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.levels.iter().sum()
    }

    fn add(&mut self, level: usize, member: &Member) {
        if self.levels.len() <= level {
            self.levels.resize(level + 1, 0);
        }
        self.levels[level] += member.trees;
        self.direct_adopters += u32::from(level == 0);
        self.contribution = self.contribution.checked_add(member.contribution).expect(SUMS_FIT);
    }
}

/// An account in the forest, as far as teams are concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// The number of its referrer, if it has one.
    pub(super) referrer: Option<u32>,
    /// The trees it adopted.
    pub(super) trees: u64,
    /// Their contribution.
    pub(super) contribution: Amount,
    /// Whether it has an adoption.
    pub(super) has_adopted: bool,
}

/// Returns the team of each account.
///
/// An account is never in its own team, and counts once in another's: the way up ends where it comes back.
pub(super) fn teams(members: &[Member]) -> Vec<TeamTrees> {
    let mut teams = vec![TeamTrees::default(); members.len()];
    for (number, member) in (0_u32..).zip(members).filter(|(_, member)| member.has_adopted) {
        let mut met = [number; TEAM_LEVELS + 1];
        let mut above = member.referrer;
        for level in 0..TEAM_LEVELS {
            let Some(ancestor) = above.filter(|ancestor| !met[..=level].contains(ancestor)) else { break };
            teams[ancestor as usize].add(level, member);
            met[level + 1] = ancestor;
            above = members[ancestor as usize].referrer;
        }
    }
    teams
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(referrer: Option<u32>, trees: u64) -> Member {
        let contribution = Amount::from_units(i128::from(trees) * 10).expect("small");
        Member { referrer, trees, contribution, has_adopted: trees > 0 }
    }

    #[test]
    fn trees_count_for_fifteen_levels_and_direct_referrals_once() {
        let chain: Vec<Member> = (0..18).map(|number: u32| member(number.checked_sub(1), 2)).collect();
        let teams = teams(&chain);
        assert_eq!(teams[0].total(), 30, "the sixteenth below is too deep");
        assert_eq!(teams[0].contribution.units(), 300);
        assert_eq!(teams[16].levels()[..2], [2, 0]);
        assert_eq!(teams.iter().map(|team| team.direct_adopters).sum::<u32>(), 17);
    }

    #[test]
    fn on_a_cycle_each_account_counts_once_and_never_for_itself() {
        let cycle = [member(Some(1), 1), member(Some(2), 2), member(Some(0), 4), member(Some(3), 8)];
        let teams = teams(&cycle);
        assert_eq!(teams[0].levels()[..3], [4, 2, 0]);
        assert_eq!(teams[1].levels()[..3], [1, 4, 0]);
        assert_eq!(teams[3], TeamTrees::default(), "its own referrer");
    }
}
