//! Takes in the source's rows as they are now.

use std::collections::BTreeSet;

use super::Decider;
use super::inputs::{AdoptionInput, ReferralInput};
use super::state::Need;
use crate::heads::AdoptionHead;
use crate::log::{Cause, ChangedBecause, Entry, OrderWait, UplineChange, UplineWait};
use crate::{AccountSequence, AdoptionRow, Link, OrderId, RowKey};

/// How many accounts are looked at, at most, to count the adoptions below an account that would move.
const COUNTED_ACCOUNTS_MAX: usize = 10_000;

impl Decider {
    /// Asks for everything at once that the inputs will need first, so that it is loaded in few rounds.
    pub(super) fn gather_needs(&self) -> Result<(), Vec<Need>> {
        let mut missing: BTreeSet<Need> = BTreeSet::new();
        for input in self.inputs.referrals.values() {
            for account in input.accounts.iter().chain(input.row.iter().map(|row| &row.account)) {
                missing.extend(self.state.node(account).err().into_iter().flatten());
            }
            let referrer = input.row.as_ref().and_then(|row| row.referrer.as_ref());
            missing.extend(referrer.and_then(|account| self.state.node(account).err()).into_iter().flatten());
        }
        for input in self.inputs.adoptions.values() {
            let named = input.row.iter().map(|(order, _)| order);
            for order in input.orders.iter().chain(named) {
                missing.extend(self.state.adoption(*order).err().into_iter().flatten());
            }
            if let Some((_, AdoptionRow { account: crate::Column::Value(account), .. })) = &input.row {
                missing.extend(self.missing_upline(account));
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(missing.into_iter().collect()) }
    }

    /// Returns the first node above an account, or its own, that is not in memory.
    pub(super) fn missing_upline(&self, account: &AccountSequence) -> Vec<Need> {
        let mut current = account.clone();
        for _ in 0..=self.state.network.versions.level_count_max() {
            match self.state.node(&current) {
                Err(needs) => return needs,
                Ok(node) => match node.link() {
                    Link::Under(referrer) => current = referrer,
                    Link::Missing | Link::Root => return Vec::new(),
                },
            }
        }
        Vec::new()
    }

    /// Takes in the next row of a referral.
    pub(super) fn take_in_referral(&mut self) -> Result<bool, Vec<Need>> {
        let Some((key, input)) = self.inputs.referrals.first_key_value() else { return Ok(false) };
        let (key, input) = (key.clone(), input.clone());
        let named = input.row.iter().map(|row| row.account.clone());
        let accounts: BTreeSet<AccountSequence> = input.accounts.iter().cloned().chain(named).collect();
        for account in &accounts {
            self.take_in_referral_of(account, &key, &input)?;
        }
        self.inputs.referrals.remove(&key);
        Ok(true)
    }

    fn take_in_referral_of(
        &mut self,
        account: &AccountSequence,
        key: &RowKey,
        input: &ReferralInput,
    ) -> Result<(), Vec<Need>> {
        let row = input.row.as_ref().filter(|row| row.account == *account).map(|row| row.referrer.clone());
        let node = self.state.node(account)?;
        if node.rows.get(key) == row.as_ref() {
            return Ok(());
        }
        let in_force = node.link();
        let waiting = node.waiting.clone();
        let mut later = node.clone();
        let entry = Entry::ReferralRow { account: account.clone(), key: key.clone(), row };
        later.apply(account, &entry);
        let latest = later.latest_link();
        self.needs_of_upline_change(account, &in_force, &latest)?;

        if let Some(waiting) = waiting {
            self.push(entry);
            if latest == in_force {
                let until_ms = waiting.until_ms;
                let adoptions = waiting.adoptions;
                self.push(Entry::UplineWaitEnded { account: account.clone(), until_ms, adoptions });
            }
            return Ok(());
        }
        let adoptions = if latest == in_force { 0 } else { self.count_moved(account, &in_force)? };
        let wait = (self.parameters.settle_ms > 0 && adoptions > 0).then(|| UplineWait {
            account: account.clone(),
            in_force: in_force.clone(),
            since_ms: self.draft.time_ms(),
            until_ms: self.draft.time_ms() + self.parameters.settle_ms,
            adoptions,
            because: if latest == Link::Missing {
                ChangedBecause::RowGone
            } else {
                ChangedBecause::RowChanged
            },
        });
        self.push(entry);
        match wait {
            Some(wait) => self.push(Entry::UplineWaits(wait)),
            None => self.move_account(account, in_force, latest)?,
        }
        Ok(())
    }

    /// Returns what a change of an account's upline needs in memory before it is decided.
    pub(super) fn needs_of_upline_change(
        &self,
        account: &AccountSequence,
        before: &Link,
        after: &Link,
    ) -> Result<(), Vec<Need>> {
        if before == after || self.state.node(account)?.facts.first_order().is_none() {
            return Ok(());
        }
        let mut missing = Vec::new();
        for referrer in [before.referrer(), after.referrer()].into_iter().flatten() {
            match self.state.node(referrer) {
                Ok(node) if self.needs_refill(&node.facts) => {
                    missing.push(Need::FirstOrders(referrer.clone()))
                }
                Ok(_) => {}
                Err(needs) => missing.extend(needs),
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }

    /// Decides that an account hangs elsewhere, and has what follows from it compared.
    pub(super) fn move_account(
        &mut self,
        account: &AccountSequence,
        before: Link,
        after: Link,
    ) -> Result<(), Vec<Need>> {
        if before == after {
            return Ok(());
        }
        let first_order = self.state.node(account)?.facts.first_order();
        let mut facts = Vec::new();
        if first_order.is_some() {
            for referrer in [before.referrer(), after.referrer()].into_iter().flatten() {
                facts.push((referrer.clone(), self.state.node(referrer)?.facts.clone()));
            }
        }
        let may_concern = self.may_concern_adoptions(&before);
        self.push(Entry::Upline(UplineChange { account: account.clone(), before, after, first_order }));
        let cause = Cause::Upline { account: account.clone() };
        let orders = Self::all_orders();
        let depth = self.state.network.versions.level_count_max();
        if may_concern {
            self.begin_walk(account.clone(), true, depth, orders, cause);
        }
        if let Some(first) = first_order {
            self.compare_below(first, facts)?;
        }
        Ok(())
    }

    /// Returns whether any adoption of the network can be concerned by a change from this link.
    ///
    /// Below an account without a row nothing is posted; what is held for it is counted.
    fn may_concern_adoptions(&self, before: &Link) -> bool {
        let counts = &self.state.network.counts;
        let held = |reason: &str| counts.held.get(reason).copied().unwrap_or_default() > 0;
        let for_referrals = held("NO_REFERRAL") || held("REFERRAL_CYCLE");
        if *before == Link::Missing { for_referrals } else { for_referrals || counts.posted > 0 }
    }

    /// Counts the posted adoptions of an account and below it, as far as it takes to know that there are many.
    fn count_moved(&self, account: &AccountSequence, before: &Link) -> Result<u32, Vec<Need>> {
        if self.parameters.settle_ms == 0 || *before == Link::Missing || self.state.network.counts.posted == 0
        {
            return Ok(0);
        }
        let mut counted = 0_u32;
        let mut level = vec![account.clone()];
        let mut looked_at = 0;
        for _ in 0..=self.state.network.versions.level_count_max() {
            let mut missing = Vec::new();
            let mut below = Vec::new();
            for account in &level {
                looked_at += 1;
                match self.state.node(account) {
                    Err(needs) => missing.extend(needs),
                    Ok(node) => {
                        for order in &node.orders {
                            match self.state.adoption(*order) {
                                Err(needs) => missing.extend(needs),
                                Ok(head) => counted += u32::from(head.posting().is_some()),
                            }
                        }
                    }
                }
                match self.state.children(account) {
                    Err(needs) => missing.extend(needs),
                    Ok(children) => below.extend(children.iter().cloned()),
                }
            }
            if !missing.is_empty() {
                return Err(missing);
            }
            let many =
                u64::from(counted) > self.parameters.brake_adoptions || looked_at > COUNTED_ACCOUNTS_MAX;
            if below.is_empty() || many {
                break;
            }
            level = below;
        }
        Ok(counted)
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
            self.inputs.note_committed(order, input.committed_ms);
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
        let is_new = head.rows.is_empty() && *head == AdoptionHead::default();
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

    /// Returns the wait of a row that would take back a posted adoption or change its terms.
    fn wait_for_later_row(
        &self,
        order: OrderId,
        head: &AdoptionHead,
        latest: Option<&AdoptionRow>,
    ) -> Option<OrderWait> {
        let in_force = head.row()?;
        if self.parameters.settle_ms == 0 || head.waiting.is_some() || head.posting().is_none() {
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

    /// Returns the commit of an order's newest row, as far as it was told, in milliseconds since 1970.
    pub(super) fn inputs_committed_ms(&self, order: OrderId) -> i64 {
        self.inputs.committed_ms(order).unwrap_or_else(|| self.draft.time_ms())
    }
}
