//! What pages of the log change between a closed date and the next one.

use std::collections::BTreeMap;

use super::restated::{LateSteps, Restated};
use crate::heads::lines_of;
use crate::log::{Entry, Page, Position};
use crate::{AccountSequence, Amount, AmountOverflow, BusinessDate, Link, Owner, Posting, Versions};

/// What the close of a date takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The date.
    pub date: BusinessDate,
    /// The last page that the date includes.
    pub cut: Position,
    /// The close before, unless this is the first.
    pub previous: Option<PreviousClose>,
}

/// The close that a date goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousClose {
    /// The first date of all that was closed.
    pub first_date: BusinessDate,
    /// Its date: the day before.
    pub date: BusinessDate,
    /// The last page that it includes.
    pub cut: Position,
}

impl Window {
    /// Returns the last page that the date before includes.
    #[must_use]
    pub fn previous_cut(&self) -> Position {
        self.previous.map_or(0, |previous| previous.cut)
    }

    /// Returns how often an amount of the page at `position` enters the date's state beyond the state before: -1, 0
    /// or 1. `is_active` says whether the amount is active on a date.
    fn weight(&self, position: Position, is_active: impl Fn(BusinessDate) -> bool) -> i8 {
        let now = i8::from(position <= self.cut && is_active(self.date));
        match self.previous {
            Some(previous) if position <= previous.cut => now - i8::from(is_active(previous.date)),
            _ => now,
        }
    }

    /// Returns the closed dates that an amount of the page at `position` came too late for: the first, and the first
    /// one after them that it does not concern.
    fn missed(
        &self,
        position: Position,
        effective_date: BusinessDate,
        expire_date: Option<BusinessDate>,
    ) -> Option<(BusinessDate, BusinessDate)> {
        let previous = self.previous.filter(|previous| previous.cut < position && position <= self.cut)?;
        let first = effective_date.max(previous.first_date);
        let end = expire_date.map_or(self.date, |expire| expire.min(self.date));
        (first < end).then_some((first, end))
    }
}

/// What pages of the log change in the state that is carried from date to date.
///
/// The pages are those after the cut of the date before, up to the date's own, and the earlier ones on whose legs
/// something begins or ends on the date. The order of the earlier ones does not matter, nor do pages without any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayChanges {
    /// What each account has more, or less.
    pub amounts: BTreeMap<Owner, Amount>,
    /// What each account has adopted more, or less.
    pub trees: BTreeMap<AccountSequence, TreesChange>,
    /// Where accounts hang now.
    pub links: BTreeMap<AccountSequence, Link>,
    late: LateSteps,
}

/// A change of what an account has adopted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreesChange {
    /// Trees.
    pub trees: i128,
    /// Adoptions.
    pub adoptions: i64,
    /// Their contribution.
    pub contribution: Amount,
}

impl DayChanges {
    /// Adds what a page changes in this window.
    pub fn add(&mut self, page: &Page, window: &Window, versions: &Versions) -> Result<(), AmountOverflow> {
        let is_new = window.previous_cut() < page.position && page.position <= window.cut;
        for (index, entry) in (0_u32..).zip(&page.entries) {
            match entry {
                Entry::Upline(change) if is_new => {
                    self.links.insert(change.account.clone(), change.after.clone());
                }
                Entry::Posted { posting, .. } => self.add_trees(page.position, window, posting, 1)?,
                Entry::Withdrawn { posting, .. } => self.add_trees(page.position, window, posting, -1)?,
                Entry::Corrected(correction) => {
                    self.add_trees(page.position, window, &correction.was, -1)?;
                    self.add_trees(page.position, window, &correction.is, 1)?;
                }
                _ => {}
            }
            for (owner, line) in lines_of(entry, page.position, index, page.time_ms, versions) {
                let amount = line.amount();
                if let Some((first, end)) =
                    window.missed(page.position, line.effective_date, line.expire_date)
                {
                    self.late.add(&owner, first, end, amount)?;
                }
                let amount = match window.weight(page.position, |date| line.is_active_on(date)) {
                    0 => continue,
                    1 => amount,
                    _ => -amount,
                };
                let sum = self.amounts.entry(owner).or_default();
                *sum = sum.checked_add(amount)?;
            }
        }
        Ok(())
    }

    /// Adds an adoption's trees. They begin to count like amounts, and never expire.
    fn add_trees(
        &mut self,
        position: Position,
        window: &Window,
        posting: &Posting,
        sign: i8,
    ) -> Result<(), AmountOverflow> {
        let begins = posting.adoption_date.next();
        let weight = sign * window.weight(position, |date| begins <= date);
        if weight != 0 {
            let change = self.trees.entry(posting.account.clone()).or_default();
            change.trees += i128::from(weight) * i128::from(posting.trees);
            change.adoptions += i64::from(weight);
            let contribution = if weight > 0 { posting.total } else { -posting.total };
            change.contribution = change.contribution.checked_add(contribution)?;
        }
        Ok(())
    }

    /// Returns changes of amounts alone.
    #[cfg(test)]
    pub(crate) fn of_amounts(amounts: impl IntoIterator<Item = (Owner, Amount)>) -> Self {
        Self { amounts: amounts.into_iter().collect(), ..Self::default() }
    }

    /// Returns whether the state stays as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
            && self.amounts.values().all(|amount| amount.is_zero())
            && self.trees.values().all(|change| *change == TreesChange::default())
    }

    /// Returns what the pages of this window would have changed on closed dates.
    pub fn restated(&self) -> Result<Vec<Restated>, AmountOverflow> {
        self.late.runs()
    }

    /// Adds what further pages change.
    pub fn extend(&mut self, more: Self) -> Result<(), AmountOverflow> {
        for (owner, amount) in more.amounts {
            let sum = self.amounts.entry(owner).or_default();
            *sum = sum.checked_add(amount)?;
        }
        for (account, change) in more.trees {
            let sum = self.trees.entry(account).or_default();
            sum.trees += change.trees;
            sum.adoptions += change.adoptions;
            sum.contribution = sum.contribution.checked_add(change.contribution)?;
        }
        self.links.extend(more.links);
        self.late.merge(more.late)
    }
}
