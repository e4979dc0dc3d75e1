//! Takes in the rows of referrals as they are now, and moves accounts.

use std::collections::BTreeSet;

use super::Decider;
use super::first_orders::FactsBefore;
use super::inputs::ReferralInput;
use super::state::Need;
use crate::log::{Cause, ChangedBecause, Entry, UplineChange, UplineWait};
use crate::{AccountSequence, Link, OrderId, RowKey};

/// How many accounts are looked at, at most, to count the adoptions below an account that would move.
const COUNTED_ACCOUNTS_MAX: usize = 10_000;

impl Decider {
    /// Takes in the next row of a referral.
    pub(super) fn take_in_referral(&mut self) -> Result<bool, Vec<Need>> {
        let Some((key, input)) = self.inputs.referrals.first_key_value() else { return Ok(false) };
        let (key, input) = (key.clone(), input.clone());
        let named = input.row.iter().map(|row| row.account.clone());
        let accounts: BTreeSet<AccountSequence> = input.accounts.iter().cloned().chain(named).collect();
        for account in &accounts {
            match self.take_in_referral_of(account, &key, &input) {
                Err(needs) if self.state.unreadable_among(&needs).is_some() => {
                    self.set_aside.insert(key.clone(), input.clone());
                }
                taken_in => taken_in?,
            }
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
        let wait = (adoptions > 0).then(|| UplineWait {
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
            None => self.move_account(account, in_force, latest),
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
        if before == after {
            return Ok(());
        }
        let node = self.state.node(account)?;
        if node.orders.is_empty() && self.may_concern_adoptions(before) {
            self.state.children(account)?;
        }
        match node.facts.first_order() {
            Some(first) => self.facts_of_referrers(first, before, after).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Returns the facts of both referrers of an account that moves, as far as other adoptions can be concerned.
    fn facts_of_referrers(
        &self,
        first: OrderId,
        before: &Link,
        after: &Link,
    ) -> Result<FactsBefore, Vec<Need>> {
        if self.may_concern_others(first) {
            self.facts_of([before.referrer(), after.referrer()].into_iter().flatten())
        } else {
            Ok(Vec::new())
        }
    }

    /// Decides that an account hangs elsewhere, and has what follows from it compared.
    ///
    /// What it needs must be in memory: [`needs_of_upline_change`](Self::needs_of_upline_change) says so.
    pub(super) fn move_account(&mut self, account: &AccountSequence, before: Link, after: Link) {
        if before == after {
            return;
        }
        let node = self.state.node(account).expect("its needs were met");
        let first_order = node.facts.first_order();
        let is_alone = node.orders.is_empty() && self.state.children(account).is_ok_and(BTreeSet::is_empty);
        let facts = first_order.map(|first| self.facts_of_referrers(first, &before, &after));
        let facts = facts.transpose().expect("its needs were met").unwrap_or_default();
        let concerns_adoptions = !is_alone && self.may_concern_adoptions(&before);
        self.push(Entry::Upline(UplineChange { account: account.clone(), before, after, first_order }));
        if concerns_adoptions {
            self.begin_walk_of_moved(account.clone(), Cause::Upline { account: account.clone() });
        }
        if let Some(first) = first_order {
            self.compare_below(first, facts);
        }
    }

    /// Returns whether any adoption of the network can be concerned by a change from this link.
    ///
    /// Below an account without a row nothing is posted; what is held for it is counted.
    fn may_concern_adoptions(&self, before: &Link) -> bool {
        let counts = &self.state.network.counts;
        let held = |reason: &str| counts.held.get(reason).copied().unwrap_or_default() > 0;
        let for_referrals = held("NO_REFERRAL") || held("REFERRAL_CYCLE") || held("ACCOUNT_UNREADABLE");
        if *before == Link::Missing { for_referrals } else { for_referrals || counts.posted > 0 }
    }

    /// Counts the posted adoptions of an account and below it, as far as it takes to know that there are many.
    ///
    /// It writes nothing. Where it would have to look at too many accounts, it says that there are many.
    fn count_moved(&self, account: &AccountSequence, before: &Link) -> Result<u32, Vec<Need>> {
        if !self.withdrawals_wait() || *before == Link::Missing || self.state.network.counts.posted == 0 {
            return Ok(0);
        }
        let many = u32::try_from(self.parameters.brake_adoptions).unwrap_or(u32::MAX).saturating_add(1);
        let mut counted = 0_u32;
        let mut seen = BTreeSet::from([account.clone()]);
        let mut level = vec![account.clone()];
        for _ in 0..=self.state.network.versions.ancestors_max() {
            let mut missing = Vec::new();
            let mut below = Vec::new();
            for account in &level {
                match self.posted_of(account) {
                    Ok(posted) => counted = counted.saturating_add(posted),
                    Err(needs) => missing.extend(needs),
                }
                match self.children_in_force(account) {
                    Ok(children) => below.extend(children.into_iter().filter(|child| !seen.contains(child))),
                    Err(needs) => missing.extend(needs),
                }
            }
            if !missing.is_empty() {
                return Err(missing);
            }
            if seen.len() > COUNTED_ACCOUNTS_MAX {
                return Ok(counted.max(many));
            }
            if below.is_empty() || counted >= many {
                break;
            }
            seen.extend(below.iter().cloned());
            level = below;
        }
        Ok(counted)
    }

    /// Returns how many posted adoptions an account has.
    fn posted_of(&self, account: &AccountSequence) -> Result<u32, Vec<Need>> {
        let mut posted = 0;
        let mut missing = Vec::new();
        for order in &self.state.node(account)?.orders {
            match self.state.adoption(*order) {
                Err(needs) => missing.extend(needs),
                Ok(head) => {
                    posted += u32::from(head.posting().is_some_and(|posting| posting.account == *account));
                }
            }
        }
        if missing.is_empty() { Ok(posted) } else { Err(missing) }
    }

    /// Returns the accounts that hang directly below an account.
    fn children_in_force(&self, above: &AccountSequence) -> Result<Vec<AccountSequence>, Vec<Need>> {
        let mut children = Vec::new();
        let mut missing = Vec::new();
        for child in self.state.children(above)? {
            match self.state.node(child) {
                Err(needs) => missing.extend(needs),
                Ok(node) if node.link_in_force().referrer() == Some(above) => children.push(child.clone()),
                Ok(_) => {}
            }
        }
        if missing.is_empty() { Ok(children) } else { Err(missing) }
    }
}
