//! All accounts, and the proof that the differences add up.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Amount, AmountOverflow, OrderId, Owner};

use crate::earlier::{EarlierLeg, EarlierService};
use crate::legs::{LegDifference, compare_adoption};
use crate::ours::{OurAdoption, Ours, compared_owner};
use crate::reason::Reason;
use crate::unlocks::Booked;

/// What differs, account by account and in total.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Every account that either has.
    pub accounts: BTreeMap<Owner, AccountComparison>,
    /// Every part of an adoption that differs.
    pub legs: Vec<LegDifference>,
    /// What the earlier service has in total.
    pub earlier: Amount,
    /// What the ledger has in total.
    pub ours: Amount,
    /// How many adoptions either has.
    pub adoptions: usize,
}

/// An account in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountComparison {
    /// What the earlier service says it has: a user's by its account, a system account's by its records.
    pub earlier: Amount,
    /// What the ledger says it has.
    pub ours: Amount,
    /// Why they differ: how much for each reason.
    pub reasons: BTreeMap<Reason, Amount>,
}

impl AccountComparison {
    /// Returns what the ledger has more.
    pub fn difference(&self) -> Result<Amount, AmountOverflow> {
        self.ours.checked_sub(self.earlier)
    }

    fn add(&mut self, reason: Reason, amount: Amount) -> Result<(), AmountOverflow> {
        if !amount.is_zero() {
            let sum = self.reasons.entry(reason).or_default();
            *sum = sum.checked_add(amount)?;
        }
        Ok(())
    }
}

/// What does not add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoesNotAddUp {
    /// Which account, or `None` for the totals.
    pub owner: Option<Owner>,
}

impl Comparison {
    /// Checks that each account's reasons sum to its difference, and that the accounts sum to the totals.
    ///
    /// # Errors
    ///
    /// It names the first account that does not add up. That is a fault of this program.
    pub fn check(&self) -> Result<(), DoesNotAddUp> {
        let sum = |amounts: &mut dyn Iterator<Item = Amount>| Amount::sum(amounts).ok();
        for (owner, account) in &self.accounts {
            let reasons = sum(&mut account.reasons.values().copied());
            if reasons.is_none() || reasons != account.difference().ok() {
                return Err(DoesNotAddUp { owner: Some(owner.clone()) });
            }
        }
        let earlier = sum(&mut self.accounts.values().map(|account| account.earlier));
        let ours = sum(&mut self.accounts.values().map(|account| account.ours));
        if earlier == Some(self.earlier) && ours == Some(self.ours) {
            Ok(())
        } else {
            Err(DoesNotAddUp { owner: None })
        }
    }

    /// Returns for each reason how many parts or accounts it concerns, what it gives, what it takes, and the sum.
    pub fn by_reason(&self) -> Result<Vec<ReasonTotal>, AmountOverflow> {
        let mut totals: BTreeMap<Reason, ReasonTotal> = BTreeMap::new();
        for account in self.accounts.values() {
            for (reason, amount) in &account.reasons {
                let total = totals.entry(*reason).or_insert_with(|| ReasonTotal::none(*reason));
                total.accounts += 1;
                let side = if *amount > Amount::ZERO { &mut total.more } else { &mut total.less };
                *side = side.checked_add(*amount)?;
            }
        }
        Ok(totals.into_values().collect())
    }
}

/// What a reason amounts to over all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonTotal {
    /// The reason.
    pub reason: Reason,
    /// How many accounts it concerns.
    pub accounts: usize,
    /// What accounts have more because of it.
    pub more: Amount,
    /// What accounts have less because of it, below zero.
    pub less: Amount,
}

impl ReasonTotal {
    fn none(reason: Reason) -> Self {
        Self { reason, accounts: 0, more: Amount::ZERO, less: Amount::ZERO }
    }
}

/// Compares the two.
///
/// # Errors
///
/// A sum has more digits than amounts have.
pub fn compare(earlier: &EarlierService, ours: &Ours) -> Result<Comparison, AmountOverflow> {
    let mut by_adoption: BTreeMap<(Option<OrderId>, &str), Vec<&EarlierLeg>> = BTreeMap::new();
    let mut booked = Booked::new();
    for leg in &earlier.legs {
        // One order may have been taken for two adoptions: then it is booked twice.
        let name = if leg.order.is_some() { "" } else { leg.adoption.as_str() };
        by_adoption.entry((leg.order, name)).or_default().push(leg);
        if let Some(order) = leg.order {
            let first = booked.entry(order).or_insert(leg.booked_us);
            *first = leg.booked_us.min(*first);
        }
    }
    let mut comparison = Comparison::default();
    for ((order, _), legs) in &by_adoption {
        comparison.legs.extend(compare_adoption(ours, &booked, *order, legs)?);
    }
    let mut adoptions: BTreeSet<OrderId> = booked.keys().copied().collect();
    for (order, adoption) in &ours.adoptions {
        if matches!(adoption, OurAdoption::Posted { .. }) && adoptions.insert(*order) {
            comparison.legs.extend(compare_adoption(ours, &booked, Some(*order), &[])?);
        }
    }
    let unknown = by_adoption.keys().filter(|(order, _)| order.is_none()).count();
    comparison.adoptions = adoptions.len() + unknown;
    accounts(&mut comparison, earlier, ours)?;
    Ok(comparison)
}

/// Fills in the accounts: both totals, and what makes the difference.
fn accounts(
    comparison: &mut Comparison,
    earlier: &EarlierService,
    ours: &Ours,
) -> Result<(), AmountOverflow> {
    let mut records: BTreeMap<Owner, Amount> = BTreeMap::new();
    for leg in &earlier.legs {
        let sum = records.entry(leg.owner.clone()).or_default();
        *sum = sum.checked_add(leg.amount)?;
    }
    let mut our_legs: BTreeMap<Owner, Amount> = BTreeMap::new();
    for adoption in ours.adoptions.values() {
        let OurAdoption::Posted { legs, .. } = adoption else { continue };
        for leg in legs {
            let sum = our_legs.entry(compared_owner(&leg.recipient.owner())).or_default();
            *sum = sum.checked_add(leg.amount)?;
        }
    }
    let accounts = &mut comparison.accounts;
    for account in earlier.accounts.keys() {
        accounts.entry(Owner::User(account.clone())).or_default();
    }
    for owner in records.keys().chain(our_legs.keys()) {
        accounts.entry(owner.clone()).or_default();
    }
    for (owner, account) in &ours.accounts {
        let entry = accounts.entry(compared_owner(owner)).or_default();
        entry.ours = entry.ours.checked_add(account.total)?;
        entry.add(Reason::Adjusted, account.adjusted)?;
    }
    for leg in &comparison.legs {
        accounts.entry(leg.owner.clone()).or_default().add(leg.reason, leg.difference)?;
    }
    for (owner, account) in accounts.iter_mut() {
        let records = records.get(owner).copied().unwrap_or_default();
        account.earlier = match owner {
            Owner::User(sequence) => earlier.accounts.get(sequence).copied().unwrap_or_default(),
            Owner::System(_) => records,
        };
        account.add(Reason::AccountDisagrees, records.checked_sub(account.earlier)?)?;
        let legs = our_legs.get(owner).copied().unwrap_or_default();
        let adjusted = account.reasons.get(&Reason::Adjusted).copied().unwrap_or_default();
        account.add(Reason::LedgerDisagrees, account.ours.checked_sub(legs.checked_add(adjusted)?)?)?;
        comparison.earlier = comparison.earlier.checked_add(account.earlier)?;
        comparison.ours = comparison.ours.checked_add(account.ours)?;
    }
    // An account that decides something and has nothing in either says nothing.
    comparison.accounts.retain(|_, account| {
        !(account.earlier.is_zero() && account.ours.is_zero() && account.reasons.is_empty())
    });
    Ok(())
}
