//! Takes in the rows of adoptions as they are now.

use std::collections::BTreeSet;

use super::Decider;
use super::inputs::AdoptionInput;
use super::state::Need;
use crate::heads::AdoptionHead;
use crate::log::{Cause, ChangedBecause, Entry, OrderWait, PauseScope};
use crate::{AdoptionRow, Column, OrderId, RowKey};

impl Decider {
    /// Asks for everything at once that the inputs will need first, so that it is loaded in few rounds.
    ///
    /// It asks until all of it is in memory, and then no more until there are new inputs.
    pub(super) fn gather_needs(&mut self) -> Result<(), Vec<Need>> {
        if self.gathered {
            return Ok(());
        }
        let levels = self.state.network.versions.ancestors_max();
        let mut missing: BTreeSet<Need> = BTreeSet::new();
        for input in self.inputs.referrals.values() {
            let named = input.row.iter().flat_map(|row| std::iter::once(&row.account).chain(&row.referrer));
            for account in input.accounts.iter().chain(named) {
                missing.extend(self.state.node(account).err().into_iter().flatten());
            }
        }
        for input in self.inputs.adoptions.values() {
            if let Some((_, AdoptionRow { account: Column::Value(account), .. })) = &input.row {
                missing.extend(self.state.missing_upline(account, levels));
            }
        }
        missing.retain(|need| !self.state.is_unreadable(need));
        // What is asked for of an adoption is its own head, so that nothing follows from it.
        self.gathered = missing.is_empty();
        for input in self.inputs.adoptions.values() {
            let named = input.row.iter().map(|(order, _)| order);
            for order in input.orders.iter().chain(named) {
                missing.extend(self.state.adoption(*order).err().into_iter().flatten());
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(missing.into_iter().collect()) }
    }

    /// Takes in the next row of an adoption: that of the smallest order.
    pub(super) fn take_in_adoption(&mut self) -> Result<bool, Vec<Need>> {
        let Some((place, input)) = self.inputs.adoptions.first_key_value() else { return Ok(false) };
        // A smaller order that is to be compared goes first.
        if self.to_compare.first_key_value().is_some_and(|(order, _)| *order < place.0) {
            return self.compare_next();
        }
        let (place, input) = (place.clone(), input.clone());
        let named = input.row.iter().map(|(order, _)| *order);
        let orders: BTreeSet<OrderId> = input.orders.iter().copied().chain(named).collect();
        for order in &orders {
            self.state.adoption(*order)?;
        }
        for order in orders {
            self.take_in_adoption_of(order, &place.1, &input)?;
            self.to_compare.insert(order, Cause::Row);
            self.committed.insert(order, input.committed_ms);
        }
        self.inputs.adoptions.remove(&place);
        Ok(true)
    }

    fn take_in_adoption_of(
        &mut self,
        order: OrderId,
        key: &RowKey,
        input: &AdoptionInput,
    ) -> Result<(), Vec<Need>> {
        let row = input.row.as_ref().filter(|(named, _)| *named == order).map(|(_, row)| row);
        let head = self.state.adoption(order)?;
        if head.rows.get(key) == row {
            return Ok(());
        }
        let entry = Entry::AdoptionRow { order, key: key.clone(), row: row.cloned().map(Box::new) };
        let mut later = head.clone();
        later.apply(order, &entry);
        let in_force = head.row().cloned();
        let waiting = head.waiting.clone();
        let wait = self.wait_for_later_row(order, head, later.latest_row());
        let is_new = !head.is_seen;
        let is_restored = waiting.is_some() && later.latest_row() == in_force.as_ref();
        if is_new {
            self.push(Entry::OrderSeen { order });
        }
        self.push(entry);
        if let Some(wait) = wait {
            self.push(Entry::OrderWaits(Box::new(wait)));
        } else if let Some(waiting) = waiting.filter(|_| is_restored) {
            self.push(Entry::OrderWaitEnded { order, until_ms: waiting.until_ms });
        }
        Ok(())
    }

    /// Returns whether a withdrawal waits: for a later version of its rows, to be counted by the brake, or until
    /// corrections go on.
    pub(super) fn withdrawals_wait(&self) -> bool {
        let has_brake = self.parameters.brake_adoptions < u64::MAX;
        self.parameters.settle_ms > 0
            || has_brake
            || self.state.network.paused.contains_key(&PauseScope::Corrections)
    }

    /// Returns the wait of a row that would take back a posted adoption or change its terms.
    fn wait_for_later_row(
        &self,
        order: OrderId,
        head: &AdoptionHead,
        latest: Option<&AdoptionRow>,
    ) -> Option<OrderWait> {
        let in_force = head.row()?;
        if !self.withdrawals_wait() || head.waiting.is_some() || head.posting().is_none() {
            return None;
        }
        let terms = |row: &AdoptionRow| {
            let is_distributable = self.version_for(row).policy.is_distributable(&row.status);
            AdoptionRow { status: is_distributable.to_string(), ..row.clone() }
        };
        if latest.is_some_and(|latest| terms(latest) == terms(in_force)) {
            return None;
        }
        Some(OrderWait {
            order,
            in_force: in_force.clone(),
            since_ms: self.draft.time_ms(),
            until_ms: self.draft.time_ms() + self.parameters.settle_ms,
            because: if latest.is_none() { ChangedBecause::RowGone } else { ChangedBecause::RowChanged },
        })
    }

    /// Returns the commit of an order's newest row, in milliseconds since 1970, where that is among the inputs.
    pub(super) fn committed_ms(&self, order: OrderId) -> Option<i64> {
        self.committed.get(&order).copied()
    }
}
