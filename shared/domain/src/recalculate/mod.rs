//! What should stand in the ledger, calculated from its inputs, beside what stands (rules, sections 3 to 6 and 11).
//!
//! One engine serves the audit, plans and repairs. It holds all accounts and adoptions in memory in a compact form, and
//! shares the rules with the decider and nothing else: it forgets how the ledger came to be what it is. Adoptions may
//! be added in any order. Everything is calculated side by side, because the state as of an order is a comparison with
//! the orders that unlock something.
//!
//! Where an account appears, a number stands for it.

mod adoption;
mod compare;
mod difference;
mod facts;
mod forest;
mod judge;
mod legs;
mod people;
mod plan;
mod totals;

use std::collections::HashMap;
use std::thread;

use crate::heads::{AdoptionHead, Node, Totals};
use crate::log::{AdjustmentTerms, Entry, Page};
use crate::{
    AccountSequence, BusinessDate, Link, OrderId, Owner, UnlockFacts, Version, VersionNumber, Versions,
};

use adoption::{CompactPosting, Names, Stands, StoredAdoption};
use facts::Facts;
use people::Hashing;

pub use compare::{Compared, ExpectedTotals};
pub use difference::{Difference, Standing, TalentFault, TotalsDifference};
pub use forest::{ReferralForest, ShouldBe, Talents};
pub use plan::{Gain, Plan};

/// Inputs of the ledger and what stands in it, in memory.
#[derive(Debug, Default)]
pub struct Recalculation {
    names: Names,
    /// Ascending by order before anything is calculated.
    adoptions: Vec<StoredAdoption>,
    /// Where each order is among them. Only asked for single orders, never iterated.
    places: HashMap<OrderId, usize, Hashing>,
    is_sorted: bool,
    adjustments: Vec<AdjustmentTerms>,
    /// What owners have in all, as it stands.
    totals: Vec<(Owner, Totals)>,
}

/// How much is done at once, and how much of it is listed.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// On how many threads it is calculated.
    pub threads: usize,
    /// How many adoptions that differ are named; all of them are counted.
    pub details_max: usize,
}

/// By what adoptions are judged.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// The versions of the rules.
    pub versions: &'a Versions,
    /// The business date.
    pub today: BusinessDate,
}

impl Rules<'_> {
    /// Returns the version that judges an adoption of this date; today's where there is no date.
    fn version_on(&self, date: Option<BusinessDate>) -> &Version {
        self.versions.in_force(date.unwrap_or(self.today))
    }

    fn numbered(&self, number: VersionNumber) -> Option<&Version> {
        self.versions.numbered(number)
    }
}

impl Recalculation {
    /// Returns a recalculation of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { is_sorted: true, ..Self::default() }
    }

    /// Adds everything that a page of the log says. Pages come in their order.
    pub fn add_page(&mut self, page: &Page) {
        for entry in &page.entries {
            if let Some(order) = AdoptionHead::order_of(entry) {
                let place = self.find_or_add(order);
                self.adoptions[place].apply(entry, &mut self.names);
            }
            match entry {
                Entry::Upline(change) => self.set_link(&change.account, &change.after),
                Entry::Adjusted(terms) => self.add_adjustment((**terms).clone()),
                _ => {}
            }
        }
    }

    /// Adds an account: where it hangs, and what stands of its unlock facts.
    pub fn add_account(&mut self, account: &AccountSequence, node: &Node) {
        self.set_link(account, &node.link());
        self.add_facts(account, node.facts.clone());
    }

    /// Puts another link in the place of an account's.
    pub fn set_link(&mut self, account: &AccountSequence, link: &Link) {
        let person = self.names.people.find_or_add(account);
        let hangs = self.names.people.hangs(link);
        self.names.people.at_mut(person).hangs = hangs;
    }

    /// Adds what stands of an account's unlock facts. They are compared where they were added.
    pub fn add_facts(&mut self, account: &AccountSequence, facts: UnlockFacts) {
        let person = self.names.people.find_or_add(account);
        self.names.people.at_mut(person).stored_facts = Some(facts);
    }

    /// Adds what an owner has in all, as it stands. It is compared where it was added.
    pub fn add_totals(&mut self, owner: Owner, totals: Totals) {
        self.totals.push((owner, totals));
    }

    /// Adds an adoption: its rows, its place, and what stands of it.
    pub fn add_adoption(&mut self, order: OrderId, head: &AdoptionHead) {
        let place = self.find_or_add(order);
        self.adoptions[place] = StoredAdoption::of(order, head, &mut self.names);
    }

    /// Adds an adjustment that stands.
    pub fn add_adjustment(&mut self, terms: AdjustmentTerms) {
        self.adjustments.push(terms);
    }

    /// Returns whether a head says the same of an adoption as what was added.
    pub fn agrees_with_head(&mut self, order: OrderId, head: &AdoptionHead) -> bool {
        let of_head = StoredAdoption::of(order, head, &mut self.names);
        let nothing = StoredAdoption::unknown(order);
        let known = self.places.get(&order).map_or(&nothing, |place| &self.adoptions[*place]);
        known.row() == of_head.row()
            && known.trees_before == of_head.trees_before
            && known.eligible_trees == of_head.eligible_trees
            && self.stand_the_same(&known.stands, &of_head.stands)
    }

    /// Returns whether the account hangs where `link` says.
    pub fn agrees_with_link(&mut self, account: &AccountSequence, link: &Link) -> bool {
        let person = self.names.people.find_or_add(account);
        let hangs = self.names.people.hangs(link);
        self.names.people.at(person).hangs == hangs
    }

    /// Returns whether unlock facts say the same as the adoptions that should be posted.
    #[must_use]
    pub fn agrees_with_facts(
        &self,
        compared: &Compared,
        account: &AccountSequence,
        facts: &UnlockFacts,
    ) -> bool {
        match self.names.people.find(account) {
            Some(person) => compared.facts.agrees(person, facts),
            None => *facts == UnlockFacts::default(),
        }
    }

    /// Returns the owners that have anything, a place in the forest or an unlock fact, and every order that is known.
    #[must_use]
    pub fn touched(&self, compared: &Compared) -> (Vec<Owner>, Vec<OrderId>) {
        let orders = self.adoptions.iter().map(|adoption| adoption.order).collect();
        let accounts = self.names.people.names().iter().cloned().map(Owner::User);
        let system = compared.totals.owners(&self.names).into_iter();
        let system = system.filter(|owner| matches!(owner, Owner::System(_)));
        let owners = accounts.chain(system).filter(|owner| self.has_anything(compared, owner));
        (owners.collect(), orders)
    }

    /// Returns whether an owner has anything, a place in the forest or an unlock fact.
    #[must_use]
    pub fn has_anything(&self, compared: &Compared, owner: &Owner) -> bool {
        let hangs_or_unlocks = match owner {
            Owner::System(_) => false,
            Owner::User(account) => self.names.people.find(account).is_some_and(|person| {
                self.names.people.at(person).hangs != people::Hangs::Missing
                    || !compared.facts.agrees(person, &UnlockFacts::default())
            }),
        };
        hangs_or_unlocks || self.expected_totals(compared, owner) != Totals::default()
    }

    /// Returns whether an order is held as things stand.
    #[must_use]
    pub fn is_held(&self, order: OrderId) -> bool {
        self.places.get(&order).is_some_and(|place| matches!(self.adoptions[*place].stands, Stands::Held(_)))
    }

    /// Returns every order that is held as things stand.
    #[must_use]
    pub fn held(&self) -> Vec<OrderId> {
        let held = self.adoptions.iter().filter(|adoption| matches!(adoption.stands, Stands::Held(_)));
        held.map(|adoption| adoption.order).collect()
    }

    /// Returns whether anything is known of an order.
    #[must_use]
    pub fn knows_order(&self, order: OrderId) -> bool {
        self.places.contains_key(&order)
    }

    /// Shows each order with a place: the trees before it as decided, and by the orders that are eligible today.
    pub fn each_place(&self, mut show: impl FnMut(OrderId, u64, u64)) {
        let mut before = 0;
        for adoption in &self.adoptions {
            if let Some(decided) = adoption.trees_before {
                show(adoption.order, decided, before);
            }
            before += u64::from(adoption.eligible_trees);
        }
    }

    fn stand_the_same(&self, one: &Stands, other: &Stands) -> bool {
        match (one, other) {
            (Stands::Posted(one), Stands::Posted(other)) => {
                self.names.chains.at(one.chain) == self.names.chains.at(other.chain)
                    && CompactPosting { chain: other.chain, ..one.clone() } == *other
            }
            (one, other) => one == other,
        }
    }

    /// Returns where an order is among the adoptions. An order that is new is added.
    fn find_or_add(&mut self, order: OrderId) -> usize {
        let next = self.adoptions.len();
        let place = *self.places.entry(order).or_insert(next);
        if place == next {
            self.is_sorted &= self.adoptions.last().is_none_or(|last| last.order < order);
            self.adoptions.push(StoredAdoption::unknown(order));
        }
        place
    }

    /// Returns how many accounts and adoptions there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.names.people.len(), self.adoptions.len())
    }

    /// Compares everything with what should stand by these rules.
    #[must_use]
    pub fn compare(&mut self, rules: &Rules<'_>, extent: Extent) -> Compared {
        self.sort();
        let judged = self.in_parts(extent.threads, |adoptions| {
            adoptions.iter().map(|adoption| self.judge(adoption, rules)).collect::<Vec<_>>()
        });
        let judged: Vec<judge::Should> = judged.into_iter().flatten().collect();
        let facts = Facts::of(&self.names.people, &self.adoptions, &judged);
        self.compare_with(rules, &judged, facts, extent)
    }

    /// Returns what introducing these rules would change. Nothing is written anywhere.
    #[must_use]
    pub fn plan(&mut self, rules: &Rules<'_>, threads: usize) -> Plan {
        Plan::of(self.compare(rules, Extent { threads, details_max: 0 }))
    }

    fn sort(&mut self) {
        if !self.is_sorted {
            self.adoptions.sort_unstable_by_key(|adoption| adoption.order);
            self.places = self.adoptions.iter().map(|adoption| adoption.order).zip(0..).collect();
            self.is_sorted = true;
        }
    }

    /// Does something with equal parts of the adoptions side by side. Returns what came of each part, in order.
    fn in_parts<T: Send>(&self, threads: usize, work: impl Fn(&[StoredAdoption]) -> T + Sync) -> Vec<T> {
        let part = self.adoptions.len().div_ceil(threads.max(1)).max(1);
        thread::scope(|scope| {
            let running: Vec<_> =
                self.adoptions.chunks(part).map(|adoptions| scope.spawn(|| work(adoptions))).collect();
            running.into_iter().map(|part| part.join().expect("a part of the work does not panic")).collect()
        })
    }
}
