//! Keeps the number of reports that a record names small, however many direct referrals it has.
//!
//! A report that a team has taken in is named in the team's record until the account that made it confirms it in its
//! own record. Then the team need not name it any more.

use std::collections::BTreeSet;

use domain::AccountSequence;
use store::talent::{Confirmed, TakenIn};

use super::{Forest, Needs};

/// A record names at most so many reports before it is made tidy.
const TAKEN_IN_MAX: usize = 16;
/// So many are left.
const TAKEN_IN_KEPT: usize = 6;

impl Forest {
    /// Returns whether the account's record names too many reports.
    pub(super) fn is_untidy(&self, account: &AccountSequence) -> bool {
        self.now(account).is_some_and(|talent| talent.taken_in.len() > TAKEN_IN_MAX)
    }

    /// Has direct referrals confirm their reports, and leaves out the reports that are confirmed. Returns whether some
    /// were confirmed just now, so that the next pass leaves them out.
    ///
    /// Only what stands in storage counts as confirmed, and only what stands there is confirmed.
    pub(super) fn tidy(&mut self, account: &AccountSequence, needs: &mut Needs) -> bool {
        let Some(standing) = self.accounts.get(account) else {
            needs.accounts.insert(account.clone());
            return false;
        };
        let mut oldest: Vec<(AccountSequence, TakenIn)> = standing
            .now()
            .taken_in
            .iter()
            .filter(|(child, taken_in)| standing.read.talent.taken_in.get(*child) == Some(taken_in))
            .map(|(child, taken_in)| (child.clone(), taken_in.clone()))
            .collect();
        oldest.sort_by_key(|(_, taken_in)| taken_in.at);
        oldest.truncate(standing.now().taken_in.len().saturating_sub(TAKEN_IN_KEPT));
        let missing: BTreeSet<AccountSequence> = oldest
            .iter()
            .map(|(child, _)| child)
            .filter(|child| !self.accounts.contains_key(*child))
            .cloned()
            .collect();
        if !missing.is_empty() {
            needs.accounts.extend(missing);
            return false;
        }
        let mut confirms = false;
        for (child, taken_in) in oldest {
            if self.is_settled_between(account, &child, &taken_in) {
                self.now_mut(account).expect("it is loaded").taken_in.remove(&child);
            } else {
                confirms |= self.confirm(account, &child, &taken_in, needs);
            }
        }
        confirms
    }

    /// Returns whether the team would include the same if its record did not name the report.
    fn is_settled_between(
        &self,
        account: &AccountSequence,
        child: &AccountSequence,
        taken_in: &TakenIn,
    ) -> bool {
        let confirmed = self.record(child).and_then(|read| read.talent.confirmed.as_ref());
        let here = confirmed.filter(|confirmed| confirmed.to == *account);
        match (&taken_in.report, here) {
            (None, here) => here.is_none(),
            (Some(report), Some(here)) => here.at == taken_in.at && here.report == *report,
            (Some(_), None) => false,
        }
    }

    fn confirm(
        &mut self,
        account: &AccountSequence,
        child: &AccountSequence,
        taken_in: &TakenIn,
        needs: &mut Needs,
    ) -> bool {
        let talent = self.now(child).expect("it is loaded");
        let Some(report) = &taken_in.report else {
            self.now_mut(child).expect("it is loaded").confirmed = None;
            return true;
        };
        if talent.referrer.as_ref() != Some(account) {
            // It has left; the report will be taken back.
            return false;
        }
        if let Some(elsewhere) = talent.confirmed.as_ref().filter(|confirmed| confirmed.to != *account) {
            // What it confirmed elsewhere may be forgotten once that team itself says that it includes nothing.
            let Some(other) = self.record(&elsewhere.to) else {
                needs.accounts.insert(elsewhere.to.clone());
                return false;
            };
            if other.talent.taken_in.get(child).is_none_or(|taken_in| taken_in.report.is_some()) {
                return false;
            }
        }
        let confirmed = Confirmed { to: account.clone(), at: taken_in.at, report: report.clone() };
        self.now_mut(child).expect("it is loaded").confirmed = Some(confirmed);
        true
    }
}
