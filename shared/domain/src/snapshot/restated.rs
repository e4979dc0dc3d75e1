//! What later entries would have changed on closed dates (rules, section 8).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Amount, AmountOverflow, BusinessDate, Owner};

/// Closed dates on which an account would have had something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Restated {
    /// The account.
    pub owner: Owner,
    /// The first date.
    pub first_date: BusinessDate,
    /// The last date.
    pub last_date: BusinessDate,
    /// What it would have had more; less where it is negative.
    pub difference: Amount,
}

/// By how much what an account would have had rises on a date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LateSteps(BTreeMap<(Owner, BusinessDate), Amount>);

impl LateSteps {
    /// Adds an amount from one date to before another.
    pub(super) fn add(
        &mut self,
        owner: &Owner,
        first: BusinessDate,
        end: BusinessDate,
        amount: Amount,
    ) -> Result<(), AmountOverflow> {
        self.step(owner.clone(), first, amount)?;
        self.step(owner.clone(), end, -amount)
    }

    pub(super) fn merge(&mut self, other: Self) -> Result<(), AmountOverflow> {
        other.0.into_iter().try_for_each(|((owner, date), amount)| self.step(owner, date, amount))
    }

    fn step(&mut self, owner: Owner, date: BusinessDate, amount: Amount) -> Result<(), AmountOverflow> {
        let step = self.0.entry((owner, date)).or_default();
        *step = step.checked_add(amount)?;
        Ok(())
    }

    /// Returns the dates on which something differs, each run of equal differences once, by account and date.
    pub(super) fn runs(&self) -> Result<Vec<Restated>, AmountOverflow> {
        let mut runs: Vec<Restated> = Vec::new();
        let steps: Vec<_> = self.0.iter().filter(|(_, step)| !step.is_zero()).collect();
        let mut difference = Amount::ZERO;
        for (place, ((owner, date), step)) in steps.iter().enumerate() {
            difference = difference.checked_add(**step)?;
            // The steps of an account sum to zero: each amount that comes goes again.
            if let Some(((next_owner, next_date), _)) = steps.get(place + 1)
                && next_owner == owner
                && !difference.is_zero()
            {
                let (first_date, last_date) = (*date, next_date.previous());
                runs.push(Restated { owner: owner.clone(), first_date, last_date, difference });
            }
        }
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_differences_on_dates_that_follow_each_other_are_listed_once() {
        let date = |text: &str| text.parse::<BusinessDate>().expect("a date");
        let owner = |text: &str| text.parse::<Owner>().expect("an account");
        let amount = |text: &str| text.parse::<Amount>().expect("an amount");
        let mut steps = LateSteps::default();
        let mut add = |name: &str, first: &str, end: &str, units: &str| {
            steps.add(&owner(name), date(first), date(end), amount(units)).expect("small");
        };
        add("B", "2026-02-01", "2026-02-05", "7");
        add("A", "2026-02-01", "2026-02-10", "3");
        add("A", "2026-02-04", "2026-02-10", "-3");
        add("A", "2026-02-06", "2026-02-08", "1");
        add("C", "2026-02-01", "2026-02-03", "5");
        add("C", "2026-02-01", "2026-02-03", "-5");
        let runs = steps.runs().expect("small");
        let lines: Vec<String> = runs
            .iter()
            .map(|run| format!("{} {} {} {}", run.owner, run.first_date, run.last_date, run.difference))
            .collect();
        assert_eq!(
            lines,
            [
                "A 2026-02-01 2026-02-03 3.0000000000",
                "A 2026-02-06 2026-02-07 1.0000000000",
                "B 2026-02-01 2026-02-04 7.0000000000"
            ]
        );
    }
}
