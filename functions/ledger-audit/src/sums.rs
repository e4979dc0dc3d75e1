//! Sums that cannot overflow, and that take the same room however many dates there are.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use ledger::rules::{Amount, BusinessDate, Leg, Owner, Policy, Slot, SystemAccount, Term};
use ledger::store::{Account, JournalEntry, SystemShare};

/// What legs add up to for one account.
///
/// Kept as 10⁻¹⁰ units in 128 bits: an amount has at most 28 digits, so that ten thousand million of
/// them still fit, whatever damage makes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) personal: i128,
    pub(crate) team_level: i128,
    pub(crate) team_bonus: i128,
    pub(crate) system: i128,
    /// What is active on the closed date, whether a close has taken it yet or not.
    pub(crate) effective: i128,
    /// What takes effect after the closed date.
    pub(crate) pending: Pending,
}

/// Up to where business dates are closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Closed {
    /// The latest date whose close was begun.
    pub(crate) date: Option<BusinessDate>,
    /// Whether that close is done. Until then what expires may have left already, or not.
    pub(crate) is_done: bool,
    /// For how long contributions are active.
    term_years: u8,
}

impl Closed {
    /// Up to this date.
    pub(crate) fn up_to(date: Option<BusinessDate>, is_done: bool, policy: &Policy) -> Self {
        Self { date, is_done, term_years: policy.term_years() }
    }

    /// Adds what takes effect on a date.
    fn add(self, sums: &mut Sums, effective_date: BusinessDate, units: i128, never_expires: bool) {
        match self.date {
            Some(closed) if effective_date <= closed => {
                let term = Term::starting(effective_date, self.term_years);
                if never_expires || term.is_active_on(closed) {
                    sums.effective += units;
                }
            }
            _ => sums.pending.add(effective_date, units),
        }
    }
}

/// Amounts by effective date: their sum, and a fingerprint in which every date has its own weight, so
/// that an amount on the wrong date shows. An account may have legs on more dates than memory has room
/// for, and a fingerprint is as large for one date as for a thousand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) sum: i128,
    fingerprint: i128,
}

impl Sums {
    /// Adds a leg of an entry.
    pub(crate) fn add(&mut self, entry: &JournalEntry, leg: &Leg, closed: Closed, policy: &Policy) {
        let units = leg.amount.units();
        let owner = leg.recipient.owner();
        *match (&owner, leg.slot) {
            (Owner::System(_), _) => &mut self.system,
            (Owner::User(_), Slot::TeamLevel(_)) => &mut self.team_level,
            (Owner::User(_), Slot::TeamBonus(_)) => &mut self.team_bonus,
            (Owner::User(_), _) => &mut self.personal,
        } += units;
        let never_expires = match &owner {
            Owner::System(account) => policy.never_expires(account.kind()),
            Owner::User(_) => false,
        };
        closed.add(self, entry.term.effective_date, units, never_expires);
    }

    /// The stored account's.
    pub(crate) fn of_account(account: &Account, closed: Closed) -> Self {
        let mut sums = Self {
            personal: account.personal.units(),
            team_level: account.team_level.units(),
            team_bonus: account.team_bonus.units(),
            effective: account.effective.units(),
            ..Self::default()
        };
        sums.add_pending(&account.pending, closed, false);
        sums
    }

    /// Adds the stored share of a system account.
    pub(crate) fn add_share(
        &mut self,
        account: &SystemAccount,
        share: &SystemShare,
        closed: Closed,
        policy: &Policy,
    ) {
        self.system += share.total.units();
        self.effective += share.effective.units();
        self.add_pending(&share.pending, closed, policy.never_expires(account.kind()));
    }

    fn add_pending(&mut self, pending: &BTreeMap<BusinessDate, Amount>, closed: Closed, never_expires: bool) {
        for (date, amount) in pending {
            closed.add(self, *date, amount.units(), never_expires);
        }
    }
}

impl Pending {
    fn add(&mut self, date: BusinessDate, units: i128) {
        self.sum += units;
        self.fingerprint = self.fingerprint.wrapping_add(units.wrapping_mul(weight(date)));
    }
}

/// A number of its own for each date (the finaliser of `SplitMix64`, made odd so that it loses nothing).
fn weight(date: BusinessDate) -> i128 {
    let days = u64::from(NaiveDate::from(date).num_days_from_ce().unsigned_abs());
    let mut mixed = days.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    i128::from((mixed ^ (mixed >> 31)) | 1)
}

/// Units as an amount is written.
pub(crate) fn text(units: i128) -> String {
    Amount::from_units(units).map_or_else(|_| format!("{units}e-10"), |amount| amount.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(amounts: [(&str, i128); 2]) -> Pending {
        let mut pending = Pending::default();
        for (date, units) in amounts {
            pending.add(date.parse().expect("a date"), units);
        }
        pending
    }

    #[test]
    fn the_same_amounts_on_other_dates_are_not_the_same() {
        let right = pending([("2026-02-10", 3), ("2026-02-11", 5)]);
        let swapped = pending([("2026-02-10", 5), ("2026-02-11", 3)]);
        assert_eq!(right.sum, swapped.sum);
        assert_ne!(right, swapped);
        assert_eq!(right, pending([("2026-02-11", 5), ("2026-02-10", 3)]), "in any sequence");
    }
}
