//! What every account has in the end: totals, unlock facts and team (rules, sections 5, 7 and 8).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::Amount;
use crate::distribution::{Leg, LegKind};
use crate::judgement::Judgement;
use crate::parties::{Party, PartyKind};
use crate::rows::OrderId;

/// How many levels of a team are counted, whatever the number of levels that are paid.
pub const TEAM_LEVELS: usize = 15;

/// The state of a user's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its legs of its own adoptions.
    pub personal: Amount,
    /// Its legs of adoptions below it.
    pub team_level: Amount,
    /// Its legs of its direct referrals' adoptions.
    pub team_bonus: Amount,
    /// What adjustments gave it, less what they took.
    pub adjusted: Amount,
    /// Its first posted adoption.
    pub first_adoption: Option<OrderId>,
    /// The first posted adoption of each direct referral that has one, ascending.
    pub direct_adoptions: Vec<OrderId>,
    /// The team levels that are open by today's version.
    pub unlocked_level_depth: usize,
    /// The bonus tiers that are open by today's version.
    pub unlocked_bonus_tiers: usize,
    /// Its team, of all posted adoptions.
    pub team: Team,
}

impl Account {
    /// Returns the sum of its parts.
    #[must_use]
    pub fn total(&self) -> Amount {
        self.personal + self.team_level + self.team_bonus + self.adjusted
    }
}

/// The state of a system account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemAccount {
    /// The sum of its legs, adjustments included.
    pub balance: Amount,
    /// What adjustments gave it, less what they took.
    pub adjusted: Amount,
}

/// What was adopted below an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Team {
    /// Trees by level, the direct referrals' first.
    pub trees: [u64; TEAM_LEVELS],
    /// Direct referrals that adopted, each once.
    pub direct_adopters: usize,
}

impl Judgement {
    /// Returns every account that has a user row or a referral row, or that anything was posted to.
    #[must_use]
    pub fn accounts(&self) -> BTreeMap<Arc<str>, Account> {
        let totals = self.totals();
        let teams = self.teams(None);
        let policy = self.policy_today();
        let mut accounts = BTreeMap::new();
        for party in self.parties.all().filter(|party| self.parties.kind(*party) == PartyKind::Account) {
            let Totals { personal, team_level, team_bonus, adjusted, is_touched, .. } = totals[party.0];
            let team = &teams[party.0];
            let is_known = self.users.contains(&party) || self.forest.has_row(party);
            if !is_known && !is_touched && *team == Team::default() {
                continue;
            }
            let unlock = self.facts.in_the_end(party);
            let account = Account {
                personal,
                team_level,
                team_bonus,
                adjusted,
                first_adoption: self.facts.first_adoption(party),
                direct_adoptions: self.facts.direct_adoptions(party).to_vec(),
                unlocked_level_depth: unlock.level_depth(policy),
                unlocked_bonus_tiers: unlock.bonus_tiers(policy),
                team: team.clone(),
            };
            accounts.insert(Arc::clone(self.parties.name(party)), account);
        }
        accounts
    }

    /// Returns every system account that any leg went to.
    #[must_use]
    pub fn system_accounts(&self) -> BTreeMap<Arc<str>, SystemAccount> {
        let totals = self.totals();
        let is_system = |party: &Party| matches!(self.parties.kind(*party), PartyKind::System(_));
        let touched = self.parties.all().filter(is_system).filter(|party| totals[party.0].is_touched);
        let state = |party: Party| {
            let Totals { system, adjusted, .. } = totals[party.0];
            let account = SystemAccount { balance: system + adjusted, adjusted };
            (Arc::clone(self.parties.name(party)), account)
        };
        touched.map(state).collect()
    }

    /// Returns the teams of all accounts as of a date: the posted adoptions that have begun by then.
    #[must_use]
    pub fn teams_on(&self, date: NaiveDate) -> BTreeMap<Arc<str>, Team> {
        let teams = self.teams(Some(date)).into_iter().enumerate();
        let named = |(number, team)| (Arc::clone(self.parties.name(Party(number))), team);
        teams.filter(|(_, team)| *team != Team::default()).map(named).collect()
    }

    /// Returns the sum of all posted adoptions.
    #[must_use]
    pub fn distributed_total(&self) -> Amount {
        self.postings.values().map(|posting| posting.total).sum()
    }

    fn totals(&self) -> Vec<Totals> {
        let mut totals = vec![Totals::default(); self.parties.len()];
        self.each_leg(|leg| totals[leg.owner.0].add(leg));
        totals
    }

    fn teams(&self, as_of: Option<NaiveDate>) -> Vec<Team> {
        let mut teams = vec![Team::default(); self.parties.len()];
        let mut has_counted = vec![false; self.parties.len()];
        for posting in self.postings.values() {
            if as_of.is_some_and(|date| date < posting.effective_date()) {
                continue;
            }
            for (level, ancestor) in self.forest.ancestors(posting.account, TEAM_LEVELS).iter().enumerate() {
                teams[ancestor.0].trees[level] += posting.trees;
            }
            if !has_counted[posting.account.0] {
                has_counted[posting.account.0] = true;
                if let Some(referrer) = self.forest.referrer_of(posting.account) {
                    teams[referrer.0].direct_adopters += 1;
                }
            }
        }
        teams
    }
}

#[derive(Clone, Copy, Default)]
struct Totals {
    personal: Amount,
    team_level: Amount,
    team_bonus: Amount,
    system: Amount,
    adjusted: Amount,
    is_touched: bool,
}

impl Totals {
    fn add(&mut self, leg: &Leg) {
        let sum = match leg.kind {
            LegKind::Personal => &mut self.personal,
            LegKind::TeamLevel(_) => &mut self.team_level,
            LegKind::TeamBonus(_) => &mut self.team_bonus,
            LegKind::Adjustment => &mut self.adjusted,
            _ => &mut self.system,
        };
        *sum += leg.amount;
        self.is_touched = true;
    }
}
