//! What should stand in the ledger of one adoption (rules, sections 3 to 6).

use super::Decider;
use super::state::Need;
use crate::heads::AdoptionHead;
use crate::log::HoldReason;
use crate::{
    AccountSequence, AdoptionRow, Amount, Backfill, BusinessDate, Link, OrderId, Policy, Posting,
    TermsColumn, TermsFault, UnlockFacts, UnlockState, UnlockedLegs, Version, contribution_per_tree,
};

/// What should stand in the ledger of one adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Desired {
    /// How many of its trees count for the prices of later orders.
    pub(super) eligible_trees: u32,
    /// What should become of it.
    pub(super) outcome: Outcome,
}

/// What should become of an adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No row names it.
    Gone,
    /// It is held.
    Hold(HoldReason),
    /// It waits for its place in the price book.
    Unpriced,
    /// It is posted like this.
    Post(Box<Posting>),
}

/// The terms of an adoption that are within the bounds.
struct Terms {
    account: AccountSequence,
    trees: u32,
    price: Option<Amount>,
    date: BusinessDate,
}

impl Decider {
    /// Returns what should stand in the ledger of `order`, by everything in memory.
    pub(super) fn desired(&self, order: OrderId) -> Result<Desired, Vec<Need>> {
        let head = self.state.adoption(order)?;
        let not_eligible = |outcome| Ok(Desired { eligible_trees: 0, outcome });
        let Some(row) = head.row() else { return not_eligible(Outcome::Gone) };
        let version = self.version_for(row);
        if !version.policy.is_distributable(&row.status) {
            return not_eligible(Outcome::Hold(HoldReason::Status));
        }
        let terms = match terms(row, &version.policy) {
            Ok(terms) => terms,
            Err(fault) => return not_eligible(Outcome::Hold(HoldReason::InvalidTerms(fault))),
        };
        if terms.date > self.today().next() {
            return not_eligible(Outcome::Hold(HoldReason::NotYet));
        }
        let outcome = self.outcome_of_eligible(order, head, row, terms, version)?;
        let trees = row.trees.read(TermsColumn::Trees).copied().unwrap_or_default();
        Ok(Desired { eligible_trees: u32::try_from(trees).unwrap_or_default(), outcome })
    }

    /// Returns the version of the rules that judges a row: that of its adoption date, or today's where it has none.
    pub(super) fn version_for(&self, row: &AdoptionRow) -> &Version {
        let date = row.date.read(TermsColumn::Date).copied().unwrap_or_else(|_| self.today());
        self.state.network.versions.in_force(date)
    }

    fn outcome_of_eligible(
        &self,
        order: OrderId,
        head: &AdoptionHead,
        row: &AdoptionRow,
        terms: Terms,
        version: &Version,
    ) -> Result<Outcome, Vec<Need>> {
        let policy = &version.policy;
        let too_large = || Outcome::Hold(HoldReason::InvalidTerms(TermsFault::TotalTooLarge));
        let price = match (terms.price, head.trees_before) {
            (Some(price), _) => price,
            (None, None) => return Ok(Outcome::Unpriced),
            (None, Some(trees_before)) => match contribution_per_tree(trees_before, policy) {
                Ok(price) => price.amount(),
                Err(_) => return Ok(too_large()),
            },
        };
        let Ok(total) = Posting::total_of(terms.trees, price) else { return Ok(too_large()) };
        let chain = match self.chain(&terms.account, policy.level_count())? {
            Ok(chain) => chain,
            Err(reason) => return Ok(Outcome::Hold(reason)),
        };
        let unlocks = self.unlocks(order, &terms, &chain, policy)?;
        Ok(Outcome::Post(Box::new(Posting {
            account: terms.account,
            trees: terms.trees,
            total,
            adoption_date: terms.date,
            version: version.terms.number,
            province: row.province.clone(),
            city: row.city.clone(),
            unlocked: UnlockedLegs::of_upline(unlocks, policy),
            chain,
        })))
    }

    /// Returns the ancestors of an account, the referrer first, or why its adoptions are held (rules, section 6).
    fn chain(
        &self,
        account: &AccountSequence,
        level_count: u8,
    ) -> Result<Result<Vec<AccountSequence>, HoldReason>, Vec<Need>> {
        let mut chain: Vec<AccountSequence> = Vec::with_capacity(usize::from(level_count));
        let mut current = account;
        loop {
            let link = self.state.node(current)?.link();
            let referrer = match link {
                Link::Missing => return Ok(Err(HoldReason::NoReferral(current.clone()))),
                Link::Root => return Ok(Ok(chain)),
                Link::Under(referrer) => referrer,
            };
            if chain.len() == usize::from(level_count) {
                return Ok(Ok(chain));
            }
            if referrer == *account || chain.contains(&referrer) {
                return Ok(Err(HoldReason::ReferralCycle(referrer)));
            }
            chain.push(referrer);
            current = chain.last().expect("one was pushed");
        }
    }

    /// Returns what each ancestor has unlocked for the legs of `order`, the referrer's first.
    fn unlocks(
        &self,
        order: OrderId,
        terms: &Terms,
        chain: &[AccountSequence],
        policy: &Policy,
    ) -> Result<Vec<UnlockState>, Vec<Need>> {
        let mut unlocks = Vec::with_capacity(chain.len());
        let mut missing = Vec::new();
        for (level, ancestor) in chain.iter().enumerate() {
            let node = self.state.node(ancestor)?;
            let with_this_order =
                if level == 0 { self.counted_for_referrer(order, terms, &node.facts)? } else { None };
            let facts = with_this_order.as_ref().unwrap_or(&node.facts);
            if facts.needs_refill(policy) {
                missing.push(Need::FirstOrders(ancestor.clone()));
                continue;
            }
            match self.unlock_of(facts, order, terms.date, policy) {
                Ok(unlock) => unlocks.push(unlock),
                Err(needs) => missing.extend(needs),
            }
        }
        if missing.is_empty() { Ok(unlocks) } else { Err(missing) }
    }

    /// Returns the referrer's facts with this order counted, where they do not count it yet.
    fn counted_for_referrer(
        &self,
        order: OrderId,
        terms: &Terms,
        facts: &UnlockFacts,
    ) -> Result<Option<UnlockFacts>, Vec<Need>> {
        let first = self.state.node(&terms.account)?.facts.first_order();
        if first.is_some_and(|first| first <= order) {
            return Ok(None);
        }
        let mut counted = facts.clone();
        counted.direct_first_order_changed(first, Some(order));
        Ok(Some(counted))
    }

    /// Returns what an ancestor with these facts has unlocked for the legs of `order`.
    ///
    /// With backfill, what it unlocks later counts as well, unless the leg's term is over by then.
    fn unlock_of(
        &self,
        facts: &UnlockFacts,
        order: OrderId,
        adoption_date: BusinessDate,
        policy: &Policy,
    ) -> Result<UnlockState, Vec<Need>> {
        let mut unlock = facts.as_of(order, policy);
        if policy.backfill() == Backfill::None {
            return Ok(unlock);
        }
        let expire_date = crate::Term::starting(adoption_date.next(), policy.term_years()).expire_date;
        let later = facts.first_order().into_iter().chain(facts.direct_first_orders().iter().copied());
        let mut later: Vec<OrderId> = later.filter(|unlocking| *unlocking > order).collect();
        later.sort_unstable();
        for unlocking in later {
            let Some(posting) = self.state.adoption(unlocking)?.posting() else { continue };
            if posting.adoption_date.next() < expire_date {
                let reached = facts.as_of(unlocking, policy);
                unlock.level_depth = unlock.level_depth.max(reached.level_depth);
                unlock.bonus_tiers = unlock.bonus_tiers.max(reached.bonus_tiers);
            }
        }
        Ok(unlock)
    }
}

/// Returns the terms of a row, if they are whole and within the bounds.
fn terms(row: &AdoptionRow, policy: &Policy) -> Result<Terms, TermsFault> {
    let bounds = policy.bounds();
    let account = row.account.read(TermsColumn::Account)?.clone();
    let trees = u32::try_from(*row.trees.read(TermsColumn::Trees)?)
        .ok()
        .filter(|trees| (1..=bounds.trees_max).contains(trees))
        .ok_or(TermsFault::OutOfBounds(TermsColumn::Trees))?;
    let date = *row.date.read(TermsColumn::Date)?;
    if date < bounds.first_date || date > BusinessDate::LAST_ADOPTION {
        return Err(TermsFault::OutOfBounds(TermsColumn::Date));
    }
    let price = *row.price.read(TermsColumn::Price)?;
    if price.is_some_and(|price| price <= Amount::ZERO || price > bounds.price_max) {
        return Err(TermsFault::OutOfBounds(TermsColumn::Price));
    }
    if let Some(price) = price {
        Posting::total_of(trees, price).map_err(|_| TermsFault::TotalTooLarge)?;
    }
    Ok(Terms { account, trees, price, date })
}
