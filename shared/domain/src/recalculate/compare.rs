//! Compares the postings and heads that stand with those that should stand.

use std::collections::{BTreeMap, BTreeSet};

use super::adoption::{CompactPosting, Hold, Names, Stands, StoredAdoption};
use super::difference::{Difference, Standing, TotalsDifference};
use super::facts::Facts;
use super::judge::{Should, Terms};
use super::legs::{LegOwner, each_leg};
use super::people::Person;
use super::totals::{Sums, name_of};
use super::{Extent, Recalculation, Rules};
use crate::heads::Totals;
use crate::log::HoldReason;
use crate::{Amount, BusinessDate, OrderId, Owner, Posting, Slot};

/// What came of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// What is not as it should be: adoptions by order, then accounts. Of adoptions, only the first so many as were
    /// asked for.
    pub differences: Vec<Difference>,
    /// How many adoptions are not as they should be.
    pub adoptions_that_differ: u64,
    /// What each owner would gain if every adoption became as it should be.
    pub gains: BTreeMap<Owner, Amount>,
    /// What each owner has in all by the adoptions and adjustments that stand.
    pub totals: ExpectedTotals,
    /// How many adoptions are posted.
    pub posted: u64,
    /// The sum of their totals.
    pub posted_total: Amount,
    /// What decides the unlocks of every account by the adoptions that should be posted.
    pub(super) facts: Facts,
}

/// What each owner has in all by the adoptions and adjustments that stand. [`Recalculation::expected_totals`] reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedTotals {
    sums: Sums,
    adjusted: BTreeMap<Owner, Amount>,
}

/// What came of a part of the adoptions.
struct Part {
    differences: Vec<Difference>,
    adoptions_that_differ: u64,
    details_max: usize,
    gains: BTreeMap<LegOwner, Amount>,
    sums: Sums,
    posted: u64,
    posted_total: Amount,
}

const SUMS_FIT: &str = "a sum has room for ten thousand million totals of the largest size";

impl ExpectedTotals {
    pub(super) fn owners(&self, names: &Names) -> Vec<Owner> {
        let adjusted = self.adjusted.keys().cloned();
        let owners: BTreeSet<Owner> = self.sums.owners(names).into_iter().chain(adjusted).collect();
        owners.into_iter().collect()
    }
}

impl Recalculation {
    pub(super) fn compare_with(
        &self,
        rules: &Rules<'_>,
        judged: &[Should],
        facts: Facts,
        extent: Extent,
    ) -> Compared {
        let effective = |order: OrderId| {
            let place = self.adoptions.binary_search_by_key(&order, |adoption| adoption.order).ok()?;
            match judged[place] {
                Should::Posted(terms) => Some(terms.date.next()),
                Should::Absent | Should::Unpriced { .. } | Should::Held { .. } => None,
            }
        };
        let parts = self.in_parts(extent.threads, |adoptions| {
            let from = self.adoptions.partition_point(|adoption| adoption.order < adoptions[0].order);
            self.compare_part(
                adoptions,
                &judged[from..from + adoptions.len()],
                rules,
                &facts,
                &effective,
                extent.details_max,
            )
        });
        let mut compared = Compared::default();
        let mut sums = Sums::of_nothing(&self.names.people);
        for part in parts {
            compared.differences.extend(part.differences);
            compared.adoptions_that_differ += part.adoptions_that_differ;
            compared.posted += part.posted;
            compared.posted_total = compared.posted_total.checked_add(part.posted_total).expect(SUMS_FIT);
            sums.add(&part.sums);
            for (owner, gain) in part.gains {
                let sum = compared.gains.entry(name_of(owner, &self.names)).or_default();
                *sum = sum.checked_add(gain).expect(SUMS_FIT);
            }
        }
        compared.differences.truncate(extent.details_max);
        compared.totals.sums = sums;
        for terms in &self.adjustments {
            for (owner, amount) in [(&terms.giver, -terms.amount), (&terms.receiver, terms.amount)] {
                let adjusted = compared.totals.adjusted.entry(owner.clone()).or_default();
                *adjusted = adjusted.checked_add(amount).expect(SUMS_FIT);
            }
        }
        self.compare_totals(&mut compared);
        self.compare_facts(&facts, &mut compared);
        compared.facts = facts;
        compared
    }

    fn compare_part(
        &self,
        adoptions: &[StoredAdoption],
        judged: &[Should],
        rules: &Rules<'_>,
        facts: &Facts,
        effective: &(impl Fn(OrderId) -> Option<BusinessDate> + Sync),
        details_max: usize,
    ) -> Part {
        let mut part = Part {
            differences: Vec::new(),
            adoptions_that_differ: 0,
            details_max,
            gains: BTreeMap::new(),
            sums: Sums::of_nothing(&self.names.people),
            posted: 0,
            posted_total: Amount::ZERO,
        };
        for (adoption, should) in adoptions.iter().zip(judged) {
            if let Some(posting) = adoption.posting() {
                part.posted += 1;
                part.posted_total = part.posted_total.checked_add(posting.total).expect(SUMS_FIT);
                each_leg_of(posting, self.names.chains.at(posting.chain), rules, |owner, slot, amount| {
                    part.sums.add_leg(owner, slot, amount);
                });
            }
            self.compare_adoption(adoption, should, rules, facts, effective, &mut part);
            let eligible_trees = should.eligible_trees();
            if eligible_trees != adoption.eligible_trees && part.differences.len() < part.details_max {
                part.differences.push(Difference::EligibleTrees {
                    order: adoption.order,
                    stands: adoption.eligible_trees,
                    should: eligible_trees,
                });
            }
        }
        part
    }

    fn compare_adoption(
        &self,
        adoption: &StoredAdoption,
        should: &Should,
        rules: &Rules<'_>,
        facts: &Facts,
        effective: &impl Fn(OrderId) -> Option<BusinessDate>,
        part: &mut Part,
    ) {
        let posted = match should {
            Should::Posted(terms) => Some(self.posting(adoption, terms, rules, facts, effective)),
            Should::Absent | Should::Unpriced { .. } | Should::Held { .. } => None,
        };
        let agrees = match (&adoption.stands, should, &posted) {
            (Stands::Absent, Should::Absent, _) | (Stands::Unpriced, Should::Unpriced { .. }, _) => true,
            (Stands::Held(stands), Should::Held { reason, .. }, _) => stands == reason,
            (Stands::Posted(stands), Should::Posted(_), Some((is, chain))) => {
                self.names.chains.at(stands.chain) == chain.as_slice()
                    && CompactPosting { chain: stands.chain, ..is.clone() } == *stands
            }
            _ => false,
        };
        if agrees {
            return;
        }
        let mut gain = |owner: LegOwner, amount: Amount| {
            let sum = part.gains.entry(owner).or_default();
            *sum = sum.checked_add(amount).expect(SUMS_FIT);
        };
        if let Some(stands) = adoption.posting() {
            let chain = self.names.chains.at(stands.chain);
            each_leg_of(stands, chain, rules, |owner, _, amount| gain(owner, -amount));
        }
        if let Some((is, chain)) = &posted {
            each_leg_of(is, chain, rules, |owner, _, amount| gain(owner, amount));
        }
        part.adoptions_that_differ += 1;
        if part.differences.len() >= part.details_max {
            return;
        }
        let stands = match &adoption.stands {
            Stands::Absent => Standing::Absent,
            Stands::Unpriced => Standing::Unpriced,
            Stands::Held(hold) => Standing::Held(self.reason(*hold)),
            Stands::Posted(posting) => self.named(posting, self.names.chains.at(posting.chain)),
        };
        let should = match (should, &posted) {
            (Should::Absent, _) => Standing::Absent,
            (Should::Unpriced { .. }, _) => Standing::Unpriced,
            (Should::Held { reason, .. }, _) => Standing::Held(self.reason(*reason)),
            (Should::Posted(_), Some((is, chain))) => self.named(is, chain),
            (Should::Posted(_), None) => unreachable!("what should be posted was calculated"),
        };
        part.differences.push(Difference::Adoption { order: adoption.order, stands, should });
    }

    /// Returns the posting that should stand, with its chain.
    fn posting(
        &self,
        adoption: &StoredAdoption,
        terms: &Terms,
        rules: &Rules<'_>,
        facts: &Facts,
        effective: &impl Fn(OrderId) -> Option<BusinessDate>,
    ) -> (CompactPosting, Vec<Person>) {
        let version = rules.numbered(terms.version).expect("it was judged by one of the versions");
        let chain = self.chain_of(terms.account, version).expect("it was judged to have one");
        let row = adoption.row().expect("it was judged by its row");
        let unlocked = facts.unlocked(adoption.order, terms, chain.accounts(), &version.policy, effective);
        let posting = CompactPosting {
            account: terms.account,
            trees: terms.trees,
            total: terms.total,
            date: terms.date,
            version: terms.version,
            province: row.province,
            city: row.city,
            chain: super::adoption::ChainPlace::default(),
            unlocked,
        };
        (posting, chain.accounts().to_vec())
    }

    /// Returns what an owner has in all by the adoptions and adjustments that stand.
    #[must_use]
    pub fn expected_totals(&self, compared: &Compared, owner: &Owner) -> Totals {
        let mut totals = compared.totals.sums.of(owner, &self.names);
        if let Some(adjusted) = compared.totals.adjusted.get(owner) {
            totals.adjusted = *adjusted;
        }
        totals
    }

    fn compare_totals(&self, compared: &mut Compared) {
        for (owner, stands) in &self.totals {
            let should = self.expected_totals(compared, owner);
            if *stands != should {
                let difference = TotalsDifference { owner: owner.clone(), stands: *stands, should };
                compared.differences.push(Difference::Totals(Box::new(difference)));
            }
        }
    }

    fn compare_facts(&self, facts: &Facts, compared: &mut Compared) {
        let people = u32::try_from(self.names.people.len()).expect("fewer accounts than u32 counts");
        for person in 0..people {
            let Some(stored) = &self.names.people.at(person).stored_facts else { continue };
            if !facts.agrees(person, stored) {
                let account = self.names.people.name(person).clone();
                compared.differences.push(Difference::UnlockFacts { account });
            }
        }
    }

    fn reason(&self, hold: Hold) -> HoldReason {
        let name = |person| self.names.people.name(person).clone();
        match hold {
            Hold::Status => HoldReason::Status,
            Hold::InvalidTerms(fault) => HoldReason::InvalidTerms(fault),
            Hold::NotYet => HoldReason::NotYet,
            Hold::NoReferral(person) => HoldReason::NoReferral(name(person)),
            Hold::ReferralCycle(person) => HoldReason::ReferralCycle(name(person)),
            Hold::AccountUnreadable(person) => HoldReason::AccountUnreadable(name(person)),
            Hold::PostingPaused => HoldReason::PostingPaused,
        }
    }

    fn named(&self, posting: &CompactPosting, chain: &[Person]) -> Standing {
        let name = |person: Person| self.names.people.name(person).clone();
        Standing::Posted(Box::new(Posting {
            account: name(posting.account),
            trees: posting.trees,
            total: posting.total,
            adoption_date: posting.date,
            version: posting.version,
            province: self.names.texts.code(posting.province),
            city: self.names.texts.code(posting.city),
            chain: chain.iter().copied().map(name).collect(),
            unlocked: posting.unlocked,
        }))
    }
}

fn each_leg_of(
    posting: &CompactPosting,
    chain: &[Person],
    rules: &Rules<'_>,
    show: impl FnMut(LegOwner, Slot, Amount),
) {
    let version = rules.numbered(posting.version).expect("a posting names a known version");
    each_leg(posting, chain, &version.policy, show);
}
