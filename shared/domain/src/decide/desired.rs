//! What should stand in the ledger of one adoption (rules, sections 3 to 6).

use super::Decider;
use super::state::Need;
use crate::heads::{AdoptionHead, Node};
use crate::log::HoldReason;
use crate::{
    AccountSequence, AdoptionRow, Amount, Backfill, BusinessDate, LinkRef, OrderId, Policy, Posting, Slot,
    TermsColumn, TermsFault, UnlockFacts, UnlockedLegs, Version, contribution_per_tree,
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
#[derive(Debug)]
struct Terms {
    account: AccountSequence,
    trees: u32,
    date: BusinessDate,
    /// Trees times price; `None` where the price is still to come.
    total: Option<Amount>,
}

/// An adoption whose legs are looked for.
#[derive(Clone, Copy)]
struct Adopted<'a> {
    order: OrderId,
    terms: &'a Terms,
    policy: &'a Policy,
}

/// An ancestor of the adopter.
#[derive(Clone, Copy)]
struct Ancestor<'a> {
    account: &'a AccountSequence,
    node: &'a Node,
}

impl Decider {
    /// Returns what should stand in the ledger of `order`, by everything in memory.
    pub(super) fn desired(&self, order: OrderId) -> Result<Desired, Vec<Need>> {
        let head = self.state.adoption(order)?;
        let Some(row) = head.row() else { return Ok(Desired { eligible_trees: 0, outcome: Outcome::Gone }) };
        let version = self.version_for(row);
        let terms = match self.eligible_terms(head, row, &version.policy) {
            Ok(terms) => terms,
            Err(reason) => return Ok(Desired { eligible_trees: 0, outcome: Outcome::Hold(reason) }),
        };
        let eligible_trees = terms.trees;
        let outcome = match terms.total {
            None => Outcome::Unpriced,
            Some(total) => self.outcome_of_priced(order, row, &terms, total, version)?,
        };
        Ok(Desired { eligible_trees, outcome })
    }

    /// Returns how many trees of `order` count for the prices of later orders.
    pub(super) fn eligible_trees(&self, order: OrderId) -> Result<u32, Vec<Need>> {
        let head = self.state.adoption(order)?;
        let Some(row) = head.row() else { return Ok(0) };
        let terms = self.eligible_terms(head, row, &self.version_for(row).policy);
        Ok(terms.map_or(0, |terms| terms.trees))
    }

    /// Returns the version of the rules that judges a row: that of its adoption date, or today's where it has none.
    pub(super) fn version_for(&self, row: &AdoptionRow) -> &Version {
        let date = row.date.read(TermsColumn::Date).copied().unwrap_or_else(|_| self.today());
        self.state.network.versions.in_force(date)
    }

    /// Returns the terms of an adoption, or the first of the reasons for which it is not eligible.
    fn eligible_terms(
        &self,
        head: &AdoptionHead,
        row: &AdoptionRow,
        policy: &Policy,
    ) -> Result<Terms, HoldReason> {
        if !policy.is_distributable(&row.status) {
            return Err(HoldReason::Status);
        }
        let terms = terms(row, head.trees_before, policy).map_err(HoldReason::InvalidTerms)?;
        if terms.date > self.today().next() { Err(HoldReason::NotYet) } else { Ok(terms) }
    }

    fn outcome_of_priced(
        &self,
        order: OrderId,
        row: &AdoptionRow,
        terms: &Terms,
        total: Amount,
        version: &Version,
    ) -> Result<Outcome, Vec<Need>> {
        let policy = &version.policy;
        let upline = match self.upline(&terms.account, policy.level_count())? {
            Ok(upline) => upline,
            Err(reason) => return Ok(Outcome::Hold(reason)),
        };
        let unlocked = self.unlocked(Adopted { order, terms, policy }, &upline)?;
        Ok(Outcome::Post(Box::new(Posting {
            account: terms.account.clone(),
            trees: terms.trees,
            total,
            adoption_date: terms.date,
            version: version.terms.number,
            province: row.province.clone(),
            city: row.city.clone(),
            chain: upline.iter().map(|ancestor| ancestor.account.clone()).collect(),
            unlocked,
        })))
    }

    /// Returns the ancestors of an account, the referrer first, or why its adoptions are held (rules, section 6).
    ///
    /// The referrer takes part even where no level is paid, because the bonuses are its.
    fn upline<'a>(
        &'a self,
        account: &'a AccountSequence,
        level_count: u8,
    ) -> Result<Result<Vec<Ancestor<'a>>, HoldReason>, Vec<Need>> {
        let length_max = usize::from(level_count.max(1));
        let mut upline: Vec<Ancestor<'_>> = Vec::with_capacity(length_max);
        let mut current = Ancestor { account, node: self.state.node(account)? };
        loop {
            let referrer = match current.node.link_in_force() {
                LinkRef::Missing => return Ok(Err(HoldReason::NoReferral(current.account.clone()))),
                LinkRef::Root => return Ok(Ok(upline)),
                LinkRef::Under(_) if upline.len() == length_max => return Ok(Ok(upline)),
                LinkRef::Under(referrer) => referrer,
            };
            if referrer == account || upline.iter().any(|ancestor| ancestor.account == referrer) {
                return Ok(Err(HoldReason::ReferralCycle(referrer.clone())));
            }
            current = Ancestor { account: referrer, node: self.state.node(referrer)? };
            upline.push(current);
        }
    }

    /// Returns which team legs belong to the ancestors they are for.
    fn unlocked(&self, adopted: Adopted<'_>, upline: &[Ancestor<'_>]) -> Result<UnlockedLegs, Vec<Need>> {
        let mut unlocked = UnlockedLegs::default();
        let mut missing = Vec::new();
        for (level, ancestor) in (1_u8..).zip(upline) {
            let facts = &ancestor.node.facts;
            let with_this_order = if level == 1 { self.counted_for_referrer(adopted, facts)? } else { None };
            let facts = with_this_order.as_ref().unwrap_or(facts);
            if facts.needs_refill(adopted.policy) {
                missing.push(Need::FirstOrders(ancestor.account.clone()));
                continue;
            }
            let unlock = facts.as_of(adopted.order, adopted.policy);
            for slot in UnlockedLegs::slots_of(level, adopted.policy) {
                let is_open =
                    if unlock.opens(slot) { Ok(true) } else { self.is_backfilled(adopted, facts, slot) };
                match is_open {
                    Ok(true) => unlocked.set(slot),
                    Ok(false) => {}
                    Err(needs) => missing.extend(needs),
                }
            }
        }
        if missing.is_empty() { Ok(unlocked) } else { Err(missing) }
    }

    /// Returns the referrer's facts with this order counted, where they do not count it yet.
    fn counted_for_referrer(
        &self,
        adopted: Adopted<'_>,
        facts: &UnlockFacts,
    ) -> Result<Option<UnlockFacts>, Vec<Need>> {
        let first = self.state.node(&adopted.terms.account)?.facts.first_order();
        if first.is_some_and(|first| first <= adopted.order) {
            return Ok(None);
        }
        let mut counted = facts.clone();
        counted.direct_first_order_changed(first, Some(adopted.order));
        Ok(Some(counted))
    }

    /// Returns whether a leg that was locked belongs to its ancestor by now (rules, section 5: backfill).
    ///
    /// The adoption that unlocks it is the first one as of which it is open. Where the leg's term is over when that
    /// one becomes effective, the leg stays where it is.
    fn is_backfilled(
        &self,
        adopted: Adopted<'_>,
        facts: &UnlockFacts,
        slot: Slot,
    ) -> Result<bool, Vec<Need>> {
        let Adopted { order, terms, policy } = adopted;
        if policy.backfill() == Backfill::None {
            return Ok(false);
        }
        let later = facts.first_order().into_iter().chain(facts.direct_first_orders().iter().copied());
        let later = later.filter(|unlocking| *unlocking > order);
        let unlocking = later.filter(|unlocking| facts.as_of(*unlocking, policy).opens(slot)).min();
        let Some(unlocking) = unlocking else { return Ok(false) };
        let expire_date = crate::Term::starting(terms.date.next(), policy.term_years()).expire_date;
        let posting = self.state.adoption(unlocking)?.posting();
        Ok(posting.is_some_and(|posting| posting.adoption_date.next() < expire_date))
    }
}

/// Returns the terms of a row, if they are whole and within the bounds.
///
/// `trees_before` is the adoption's place in the price book, where it has one.
fn terms(row: &AdoptionRow, trees_before: Option<u64>, policy: &Policy) -> Result<Terms, TermsFault> {
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
    let sourced = *row.price.read(TermsColumn::Price)?;
    if sourced.is_some_and(|price| price <= Amount::ZERO || price > bounds.price_max) {
        return Err(TermsFault::OutOfBounds(TermsColumn::Price));
    }
    let price = match (sourced, trees_before) {
        (None, None) => None,
        (Some(price), _) => Some(price),
        (None, Some(trees_before)) => {
            let price = contribution_per_tree(trees_before, policy);
            Some(price.map_err(|_| TermsFault::TotalTooLarge)?.amount())
        }
    };
    let total = price.map(|price| Posting::total_of(trees, price)).transpose();
    Ok(Terms { account, trees, date, total: total.map_err(|_| TermsFault::TotalTooLarge)? })
}
