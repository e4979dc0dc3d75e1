//! What decides the unlocks of every account, from the adoptions that should be posted.

use super::adoption::StoredAdoption;
use super::judge::{Should, Terms};
use super::people::{People, Person};
use crate::{Backfill, BusinessDate, OrderId, Policy, Slot, Term, UnlockFacts, UnlockedLegs};

/// The unlock facts of all accounts, and the effective date of each posted order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    of_person: Vec<UnlockFacts>,
    /// The first orders of all direct referrals, as far as they adopted, by referrer.
    direct: Vec<(Person, OrderId)>,
    /// What each account has that was named only after the facts were gathered.
    nothing: UnlockFacts,
}

impl Facts {
    /// Gathers the facts. Adoptions ascend by order.
    pub(super) fn of(people: &People, adoptions: &[StoredAdoption], judged: &[Should]) -> Self {
        let mut first: Vec<Option<OrderId>> = vec![None; people.len()];
        for (adoption, should) in adoptions.iter().zip(judged) {
            if let Should::Posted(terms) = should {
                first[terms.account as usize].get_or_insert(adoption.order);
            }
        }
        let mut direct: Vec<(Person, OrderId)> = Vec::new();
        for (person, first) in (0..).zip(&first) {
            direct.extend(first.and_then(|first| Some((people.referrer(person)?, first))));
        }
        direct.sort_unstable();
        let mut of_person: Vec<UnlockFacts> = Vec::with_capacity(first.len());
        let mut rest = direct.as_slice();
        for (person, first) in (0..).zip(first) {
            let (own, others) = rest.split_at(rest.iter().take_while(|(other, _)| *other == person).count());
            rest = others;
            let mut facts = UnlockFacts::default();
            facts.set_first_order(first);
            if !own.is_empty() {
                facts.refill(own.iter().map(|(_, order)| *order));
            }
            of_person.push(facts);
        }
        Self { of_person, direct, nothing: UnlockFacts::default() }
    }

    pub(super) fn at(&self, person: Person) -> &UnlockFacts {
        self.of_person.get(person as usize).unwrap_or(&self.nothing)
    }

    /// Returns whether facts that stand say the same. They may keep fewer orders, of which all are the smallest.
    pub(super) fn agrees(&self, person: Person, stored: &UnlockFacts) -> bool {
        let expected = self.at(person);
        let kept = stored.direct_first_orders();
        stored.first_order() == expected.first_order()
            && stored.direct_adopter_count() == expected.direct_adopter_count()
            && kept.iter().copied().eq(orders_of(&self.direct, person).take(kept.len()))
    }

    /// Returns which team legs of an adoption belong to the ancestors they are for.
    pub(super) fn unlocked(
        &self,
        order: OrderId,
        terms: &Terms,
        chain: &[Person],
        policy: &Policy,
        effective: impl Fn(OrderId) -> Option<BusinessDate>,
    ) -> UnlockedLegs {
        let mut unlocked = UnlockedLegs::default();
        for (level, ancestor) in (1_u8..).zip(chain) {
            let facts = self.at(*ancestor);
            let state = facts.as_of(order, policy);
            for slot in UnlockedLegs::slots_of(level, policy) {
                if state.opens(slot) || backfilled(facts, order, terms.date, slot, policy, &effective) {
                    unlocked.set(slot);
                }
            }
        }
        unlocked
    }
}

fn orders_of(direct: &[(Person, OrderId)], person: Person) -> impl Iterator<Item = OrderId> + '_ {
    let from = direct.partition_point(|(other, _)| *other < person);
    direct[from..].iter().take_while(move |(other, _)| *other == person).map(|(_, order)| *order)
}

/// Returns whether a leg that was locked belongs to its ancestor by now (rules, section 5: backfill).
fn backfilled(
    facts: &UnlockFacts,
    order: OrderId,
    date: BusinessDate,
    slot: Slot,
    policy: &Policy,
    effective: impl Fn(OrderId) -> Option<BusinessDate>,
) -> bool {
    if policy.backfill() == Backfill::None {
        return false;
    }
    let known = facts.first_order().into_iter().chain(facts.direct_first_orders().iter().copied());
    let unlocking = known.filter(|later| *later > order && facts.as_of(*later, policy).opens(slot)).min();
    let expires = Term::starting(date.next(), policy.term_years()).expire_date;
    unlocking.and_then(effective).is_some_and(|effective| effective < expires)
}
