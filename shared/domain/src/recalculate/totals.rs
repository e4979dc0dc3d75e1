//! What every owner has in all.

use std::collections::BTreeMap;

use super::adoption::Names;
use super::legs::LegOwner;
use super::people::People;
use crate::heads::Totals;
use crate::{Amount, Owner, Slot, SystemAccount, SystemAccountKind};

/// Sums by owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums {
    people: Vec<Totals>,
    system: BTreeMap<LegOwner, Totals>,
}

/// Why a sum cannot overflow.
const SUMS_FIT: &str = "a sum has room for ten thousand million totals of the largest size";

impl Sums {
    pub(super) fn of_nothing(people: &People) -> Self {
        Self { people: vec![Totals::default(); people.len()], system: BTreeMap::new() }
    }

    pub(super) fn add_leg(&mut self, owner: LegOwner, slot: Slot, amount: Amount) {
        let (totals, is_person) = match owner {
            LegOwner::Person(person) => (&mut self.people[person as usize], true),
            system @ LegOwner::System(..) => (self.system.entry(system).or_default(), false),
        };
        let sum = match slot {
            Slot::TeamLevel(_) if is_person => &mut totals.team_level,
            Slot::TeamBonus(_) if is_person => &mut totals.team_bonus,
            _ => &mut totals.personal,
        };
        *sum = sum.checked_add(amount).expect(SUMS_FIT);
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (own, more) in self.people.iter_mut().zip(&other.people) {
            *own = added(own, more);
        }
        for (owner, more) in &other.system {
            let own = self.system.entry(*owner).or_default();
            *own = added(own, more);
        }
    }

    /// Returns every account that has anything.
    pub(super) fn owners(&self, names: &Names) -> Vec<Owner> {
        let has = |totals: &Totals| *totals != Totals::default();
        let people = (0..).zip(&self.people).filter(|(_, totals)| has(totals));
        let people = people.map(|(person, _)| LegOwner::Person(person));
        let system = self.system.iter().filter(|(_, totals)| has(totals)).map(|(owner, _)| *owner);
        people.chain(system).map(|owner| name_of(owner, names)).collect()
    }

    /// Returns the sums of an owner.
    pub(super) fn of(&self, owner: &Owner, names: &Names) -> Totals {
        match owner {
            // A damaged head may name accounts that were not known when the sums were made.
            Owner::User(account) => {
                names.people.find(account).and_then(|person| self.people.get(person as usize).copied())
            }
            Owner::System(_) => {
                let of_owner = self.system.iter().find(|(known, _)| name_of(**known, names) == *owner);
                of_owner.map(|(_, totals)| *totals)
            }
        }
        .unwrap_or_default()
    }
}

pub(super) fn name_of(owner: LegOwner, names: &Names) -> Owner {
    match owner {
        LegOwner::Person(person) => Owner::User(names.people.name(person).clone()),
        LegOwner::System(kind, code) => {
            let code = names.texts.code(code);
            Owner::System(match kind {
                SystemAccountKind::Operation => SystemAccount::Operation,
                SystemAccountKind::Province => SystemAccount::Province(code),
                SystemAccountKind::City => SystemAccount::City(code),
                SystemAccountKind::Headquarters => SystemAccount::Headquarters,
            })
        }
    }
}

fn added(own: &Totals, more: &Totals) -> Totals {
    let sum = |one: Amount, other: Amount| one.checked_add(other).expect(SUMS_FIT);
    Totals {
        personal: sum(own.personal, more.personal),
        team_level: sum(own.team_level, more.team_level),
        team_bonus: sum(own.team_bonus, more.team_bonus),
        adjusted: sum(own.adjusted, more.adjusted),
    }
}
