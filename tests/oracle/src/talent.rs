//! Talent levels, from the referral forest (rules, section 9).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::judgement::Judgement;
use crate::parties::{Party, PartyKind};
use crate::policy::{TalentRow, TalentTable};

/// How many levels below an account count.
const LEVELS: usize = 20;

/// An account's talent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Talent {
    /// Direct referrals.
    pub direct_count: usize,
    /// Distinct descendants within twenty levels.
    pub promotion_count: usize,
    /// The level; 0 if no row of the table holds.
    pub level: usize,
    /// Whether it is published: the account has a user.
    pub is_published: bool,
}

impl Judgement {
    /// Returns the talent of every account that has a user or a referral row, or refers another one.
    #[must_use]
    pub fn talents(&self) -> BTreeMap<Arc<str>, Talent> {
        let talents = self.talents_by_party();
        let accounts = self.parties.all().filter(|party| self.parties.kind(*party) == PartyKind::Account);
        let known = accounts.filter(|party| {
            let talent = talents[party.0];
            talent.is_published || talent.direct_count > 0 || self.forest.has_row(*party)
        });
        known.map(|party| (Arc::clone(self.parties.name(party)), talents[party.0])).collect()
    }

    fn talents_by_party(&self) -> Vec<Talent> {
        let mut talents = vec![Talent::default(); self.parties.len()];
        for party in self.parties.all() {
            talents[party.0].is_published = self.users.contains(&party);
            for (index, ancestor) in self.forest.ancestors(party, LEVELS).iter().enumerate() {
                talents[ancestor.0].promotion_count += 1;
                talents[ancestor.0].direct_count += usize::from(index == 0);
            }
        }
        self.raise_levels(&mut talents);
        talents
    }

    /// Gives every account the least level that the table and the levels below it allow.
    ///
    /// All begin at 0. A level that rises can only raise others, so what is reached when nothing rises any
    /// more is the least solution, cycles or not.
    fn raise_levels(&self, talents: &mut [Talent]) {
        let table = &self.policy_today().talent;
        let mut directs: Vec<Vec<Party>> = vec![Vec::new(); talents.len()];
        for party in self.parties.all() {
            if let Some(referrer) = self.forest.referrer_of(party) {
                directs[referrer.0].push(party);
            }
        }
        let mut to_look_at: Vec<Party> = self.parties.all().collect();
        while let Some(party) = to_look_at.pop() {
            let below: Vec<usize> = directs[party.0].iter().map(|direct| talents[direct.0].level).collect();
            let level = level(table, talents[party.0], &below);
            if level > talents[party.0].level {
                talents[party.0].level = level;
                to_look_at.extend(self.forest.referrer_of(party));
            }
        }
    }
}

/// Returns the highest level whose row holds in all its conditions.
fn level(table: &TalentTable, talent: Talent, levels_below: &[usize]) -> usize {
    let holds = |row: &TalentRow| {
        let at_level = row.direct_at_level.is_none_or(|asked| {
            levels_below.iter().filter(|level| asked.level <= **level).count() >= asked.count
        });
        talent.direct_count >= row.direct_count && talent.promotion_count >= row.promotion_count && at_level
    };
    table.rows.iter().rposition(holds).map_or(0, |index| index + 1)
}
