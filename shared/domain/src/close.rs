//! The close of a business date (rules, sections 7 and 8).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Amount, AmountOverflow, BusinessDate, Ratio, Term};

/// The step that the close of a business date has reached. A close only moves to the [next](Self::next) step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CloseStep {
    /// An adoption of an earlier date is not distributed yet.
    Waiting,
    /// Contributions that expire on the date leave `effective`.
    Expiring,
    /// Contributions that become effective on the date enter `effective`, and the network is summed.
    Activating,
    /// Each account's share of the network is written down.
    Snapshotting,
    /// The snapshot is final.
    Closed,
}

impl CloseStep {
    /// Returns the step after this one.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Waiting => Some(Self::Expiring),
            Self::Expiring => Some(Self::Activating),
            Self::Activating => Some(Self::Snapshotting),
            Self::Snapshotting => Some(Self::Closed),
            Self::Closed => None,
        }
    }

    /// Returns the step's name on every wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Expiring => "EXPIRING",
            Self::Activating => "ACTIVATING",
            Self::Snapshotting => "SNAPSHOTTING",
            Self::Closed => "CLOSED",
        }
    }
}

/// The date that closes, with the first date that closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// The date that closes.
    pub date: BusinessDate,
    /// The ledger's first closed date.
    pub first_date: BusinessDate,
}

/// The outcome of a close for an account's pending amounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activation {
    /// The amount that enters `effective`.
    pub effective: Amount,
    /// The parts of it that leave again, by the date on which they expire.
    pub expiring: BTreeMap<BusinessDate, Amount>,
    /// Amounts that belong to closes of earlier dates.
    pub late: Vec<LateAmount>,
}

/// An amount that was posted, or corrected, after the close of dates it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateAmount {
    /// The date on which it takes effect.
    pub effective_date: BusinessDate,
    /// The amount. It is negative where an earlier posting was taken back.
    pub amount: Amount,
    /// The first closed date it would have changed.
    pub first_date: BusinessDate,
    /// The last closed date it would have changed.
    pub last_date: BusinessDate,
}

impl Closing {
    /// Returns the outcome of this close for `due`: amounts by the date on which they take effect. They last
    /// `term_years`; `None` for an owner whose contributions never expire.
    pub fn activate(
        self,
        due: &BTreeMap<BusinessDate, Amount>,
        term_years: Option<u8>,
    ) -> Result<Activation, AmountOverflow> {
        let mut activation = Activation::default();
        for (effective_date, amount) in due {
            assert!(*effective_date <= self.date, "what takes effect later is not due");
            if amount.is_zero() {
                continue;
            }
            let term = term_years.map(|years| Term::starting(*effective_date, years));
            if let Some((first_date, last_date)) = self.missed_dates(*effective_date, term) {
                let late =
                    LateAmount { effective_date: *effective_date, amount: *amount, first_date, last_date };
                activation.late.push(late);
            }
            if term.is_some_and(|term| !term.is_active_on(self.date)) {
                // Its term is over: it would have entered and left with earlier closes.
                continue;
            }
            activation.effective = activation.effective.checked_add(*amount)?;
            if let Some(term) = term {
                // Two dates may expire on one: 28 and 29 February.
                let expiring = activation.expiring.entry(term.expire_date).or_default();
                *expiring = expiring.checked_add(*amount)?;
            }
        }
        Ok(activation)
    }

    /// Returns the first and the last closed date whose snapshots lack an amount that belongs in them.
    fn missed_dates(
        self,
        effective_date: BusinessDate,
        term: Option<Term>,
    ) -> Option<(BusinessDate, BusinessDate)> {
        if self.date <= self.first_date {
            return None;
        }
        let first = effective_date.max(self.first_date);
        let closed = self.date.previous();
        let last = term.map_or(closed, |term| closed.min(term.expire_date.previous()));
        (first <= last).then_some((first, last))
    }
}

/// Returns the ratio that headquarters' row gets beyond its own, so that the ratios of a date sum to exactly
/// one. `sum` is the sum of all rows' ratios, each rounded down. Returns zero where the network has nothing.
#[must_use]
pub fn ratio_remainder(network_total: Amount, sum: Ratio) -> Ratio {
    if network_total.is_zero() {
        return Ratio::ZERO;
    }
    Ratio::ONE.checked_sub(sum).expect("shares that are rounded down sum to at most one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> BusinessDate {
        text.parse().expect("a date")
    }

    fn amount(text: &str) -> Amount {
        text.parse().expect("an amount")
    }

    fn closing(at: &str) -> Closing {
        Closing { date: date(at), first_date: date("2026-01-02") }
    }

    fn due(amounts: &[(&str, &str)]) -> BTreeMap<BusinessDate, Amount> {
        amounts.iter().map(|(at, units)| (date(at), amount(units))).collect()
    }

    #[test]
    fn the_steps_lead_from_waiting_to_closed_and_no_further() {
        let mut step = CloseStep::Waiting;
        let mut names = vec![step.name()];
        while let Some(next) = step.next() {
            assert!(next > step);
            step = next;
            names.push(step.name());
        }
        assert_eq!(names, ["WAITING", "EXPIRING", "ACTIVATING", "SNAPSHOTTING", "CLOSED"]);
    }

    #[test]
    fn what_becomes_due_on_the_date_enters_and_is_kept_for_its_expiry() {
        let activation =
            closing("2026-02-10").activate(&due(&[("2026-02-10", "7")]), Some(2)).expect("small");
        assert_eq!(activation.effective, amount("7"));
        assert_eq!(activation.expiring, due(&[("2028-02-10", "7")]));
        assert_eq!(activation.late, []);
    }

    #[test]
    fn headquarters_amounts_are_kept_for_no_expiry() {
        let activation = closing("2026-02-10").activate(&due(&[("2026-02-10", "7")]), None).expect("small");
        assert_eq!((activation.effective, activation.expiring.len()), (amount("7"), 0));
        let late = closing("2030-01-01").activate(&due(&[("2026-02-10", "7")]), None).expect("small");
        assert_eq!(late.effective, amount("7"));
        assert_eq!(late.late[0].last_date, date("2029-12-31"));
    }

    #[test]
    fn the_28th_and_the_29th_of_february_expire_together() {
        let both = due(&[("2028-02-28", "1"), ("2028-02-29", "2")]);
        let activation = closing("2028-02-29").activate(&both, Some(2)).expect("small");
        assert_eq!(activation.expiring, due(&[("2030-02-28", "3")]));
    }

    #[test]
    fn what_is_late_says_which_closed_dates_it_would_have_changed() {
        let late = closing("2026-02-10").activate(&due(&[("2026-02-07", "-3")]), Some(2)).expect("small");
        assert_eq!(late.effective, amount("-3"));
        assert_eq!(
            late.late,
            [LateAmount {
                effective_date: date("2026-02-07"),
                amount: amount("-3"),
                first_date: date("2026-02-07"),
                last_date: date("2026-02-09"),
            }]
        );
    }

    #[test]
    fn what_is_late_beyond_its_expiry_enters_nothing() {
        let late = closing("2029-01-01").activate(&due(&[("2026-02-07", "3")]), Some(2)).expect("small");
        assert_eq!((late.effective, late.expiring.len()), (Amount::ZERO, 0));
        assert_eq!(late.late[0].last_date, date("2028-02-06"));
    }

    #[test]
    fn the_first_close_of_all_corrects_nothing() {
        let first = closing("2026-01-02").activate(&due(&[("2025-12-30", "3")]), Some(2)).expect("small");
        assert_eq!((first.effective, first.late.len()), (amount("3"), 0));
    }

    #[test]
    fn ratios_with_their_remainder_sum_to_exactly_one() {
        let whole = amount("3");
        let third = amount("1").ratio_of(whole);
        let sum = third.checked_add(third).and_then(|sum| sum.checked_add(third)).expect("at most one");
        let remainder = ratio_remainder(whole, sum);
        assert_eq!(remainder.to_string(), "0.000000000000000001");
        assert_eq!(sum.checked_add(remainder), Some(Ratio::ONE));
        assert_eq!(ratio_remainder(Amount::ZERO, Ratio::ZERO), Ratio::ZERO);
    }
}
