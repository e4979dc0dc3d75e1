//! Compares the two distributions of one adoption, part by part.

use std::collections::BTreeMap;

use domain::{Amount, AmountOverflow, Leg, OrderId, Owner, Recipient, Slot, Unallocated};

use crate::earlier::EarlierLeg;
use crate::ours::{OurAdoption, Ours, compared_owner};
use crate::reason::Reason;
use crate::unlocks::{Booked, why_given, why_kept_back};

/// What an account has more or less of one part of an adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegDifference {
    /// The order, if it is known.
    pub order: Option<OrderId>,
    /// The adoption, as the earlier service calls it; empty where it has none.
    pub adoption: String,
    /// Which part.
    pub slot: Slot,
    /// The account.
    pub owner: Owner,
    /// What the ledger has more; below zero, what it has less.
    pub difference: Amount,
    /// The reason for the difference.
    pub reason: Reason,
    /// The order that explains it, where one does.
    pub because_of: Option<OrderId>,
}

/// Compares the parts of one adoption. `earlier` has all records of it.
pub(crate) fn compare_adoption(
    ours: &Ours,
    booked: &Booked,
    order: Option<OrderId>,
    earlier: &[&EarlierLeg],
) -> Result<Vec<LegDifference>, AmountOverflow> {
    let mut found =
        Found { order, adoption: earlier.first().map(|leg| leg.adoption.clone()), differences: Vec::new() };
    let mut by_slot: BTreeMap<Slot, Vec<&EarlierLeg>> = BTreeMap::new();
    for leg in earlier {
        by_slot.entry(leg.slot).or_default().push(leg);
    }
    for legs in by_slot.values_mut() {
        legs.sort_by_key(|leg| leg.booked_us);
        for double in legs.drain(1..) {
            found.add(double.slot, &double.owner, -double.amount, Reason::Double, None);
        }
    }
    let mut earlier: BTreeMap<Slot, &EarlierLeg> =
        by_slot.into_iter().filter_map(|(slot, legs)| Some((slot, *legs.first()?))).collect();
    let adoption = order.and_then(|order| ours.adoptions.get(&order));
    let Some(OurAdoption::Posted { legs, .. }) = adoption else {
        let reason = match adoption {
            Some(OurAdoption::Held("STATUS") | OurAdoption::Absent) => Reason::Cancelled,
            Some(OurAdoption::Held(_)) => Reason::Held,
            _ => Reason::UnknownAdoption,
        };
        for leg in earlier.into_values() {
            found.add(leg.slot, &leg.owner, -leg.amount, reason, None);
        }
        return Ok(found.differences);
    };
    let was_booked = !earlier.is_empty();
    for leg in legs {
        if let Some(earlier) = earlier.remove(&leg.slot) {
            found.compare(ours, booked, leg, earlier)?;
            continue;
        }
        let reason = match (&leg.recipient, leg.slot) {
            _ if !was_booked => Reason::NotBooked,
            (Recipient::Unallocated(Unallocated::NoAncestor), _) => Reason::ChainEnd,
            (_, Slot::Rounding) => Reason::Rounding,
            _ => Reason::PartMissing,
        };
        found.add(leg.slot, &leg.recipient.owner(), leg.amount, reason, None);
    }
    // Parts that are zero by the rules.
    for leg in earlier.into_values() {
        found.add(leg.slot, &leg.owner, -leg.amount, Reason::Terms, None);
    }
    Ok(found.differences)
}

struct Found {
    order: Option<OrderId>,
    adoption: Option<String>,
    differences: Vec<LegDifference>,
}

impl Found {
    fn add(
        &mut self,
        slot: Slot,
        owner: &Owner,
        difference: Amount,
        reason: Reason,
        because_of: Option<OrderId>,
    ) {
        if !difference.is_zero() {
            self.differences.push(LegDifference {
                order: self.order,
                adoption: self.adoption.clone().unwrap_or_default(),
                slot,
                owner: compared_owner(owner),
                difference,
                reason,
                because_of,
            });
        }
    }

    /// Compares a part that both have: first who has it, then how much it is.
    fn compare(
        &mut self,
        ours: &Ours,
        booked: &Booked,
        leg: &Leg,
        earlier: &EarlierLeg,
    ) -> Result<(), AmountOverflow> {
        let owner = compared_owner(&leg.recipient.owner());
        if owner != earlier.owner {
            let (reason, because_of) = self.why_moved(ours, booked, leg, earlier);
            self.add(leg.slot, &earlier.owner, -earlier.amount, reason, because_of);
            self.add(leg.slot, &owner, earlier.amount, reason, because_of);
        }
        let difference = leg.amount.checked_sub(earlier.amount)?;
        self.add(leg.slot, &owner, difference, self.why_other_amount(ours, leg, earlier, difference), None);
        Ok(())
    }

    fn why_moved(
        &self,
        ours: &Ours,
        booked: &Booked,
        leg: &Leg,
        earlier: &EarlierLeg,
    ) -> (Reason, Option<OrderId>) {
        let Some((order, OurAdoption::Posted { policy, .. })) =
            self.order.and_then(|order| Some((order, ours.adoptions.get(&order)?)))
        else {
            return (Reason::Terms, None);
        };
        match (&leg.recipient, &earlier.owner) {
            (Recipient::Allocated(Owner::User(ancestor)), Owner::System(_)) => match &earlier.would_be {
                Some(would_be) if would_be != ancestor => (Reason::Upline, None),
                _ => why_kept_back(ours, booked, ancestor, order, leg.slot, policy),
            },
            (Recipient::Unallocated(Unallocated::Locked(ancestor)), Owner::User(had)) if ancestor == had => {
                (why_given(ours, ancestor, leg.slot, policy), None)
            }
            _ if matches!(leg.slot, Slot::TeamLevel(_) | Slot::TeamBonus(_)) => (Reason::Upline, None),
            _ => (Reason::Terms, None),
        }
    }

    fn why_other_amount(&self, ours: &Ours, leg: &Leg, earlier: &EarlierLeg, difference: Amount) -> Reason {
        /// What the shares of one adoption lose to rounding at most: a unit each, and what an engine with binary
        /// fractions loses besides.
        const ROUNDING_MAX_UNITS: u128 = 1_000_000;

        let posted = self.order.and_then(|order| ours.adoptions.get(&order));
        let Some(OurAdoption::Posted { trees, total, .. }) = posted else { return Reason::Terms };
        if earlier.trees.is_some_and(|earlier| earlier != i64::from(*trees)) {
            return Reason::Terms;
        }
        let has_same_total = match earlier.per_tree {
            Some(per_tree) => per_tree.times(*trees) == Ok(*total),
            None => false,
        };
        if has_same_total
            || difference.units().unsigned_abs() <= ROUNDING_MAX_UNITS
            || leg.slot == Slot::Rounding
        {
            return Reason::Rounding;
        }
        Reason::Price
    }
}
