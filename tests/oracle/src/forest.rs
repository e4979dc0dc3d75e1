//! Who referred whom, and who is above an account (rules, sections 1 and 6).

use crate::held::HoldReason;
use crate::parties::Party;

/// The referral forest. Rows may close cycles, so it need not be one.
#[derive(Debug)]
pub(crate) struct Forest {
    /// What each party's referral row says, by the party's number.
    referrers: Vec<Referrer>,
}

/// What the referral row of an account says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Referrer {
    /// There is no row.
    NoRow,
    /// The account is a root.
    Root,
    /// The account's referrer.
    Account(Party),
}

impl Forest {
    pub(crate) fn new(parties: usize, rows: &[(Party, Referrer)]) -> Self {
        let mut referrers = vec![Referrer::NoRow; parties];
        for (account, referrer) in rows {
            referrers[account.0] = *referrer;
        }
        Self { referrers }
    }

    /// Returns the ancestors that take part in an account's adoptions, the referrer first.
    ///
    /// The account itself and each of them must have a row, and none may be met twice. The referrer takes part
    /// even where no level is paid, because the bonuses are its.
    pub(crate) fn upline(&self, account: Party, levels: usize) -> Result<Vec<Party>, HoldReason> {
        let mut walk = vec![account];
        loop {
            let last = *walk.last().expect("it begins with the account");
            let ancestor = match self.referrer(last) {
                Referrer::NoRow => return Err(HoldReason::NoReferral),
                Referrer::Root => break,
                Referrer::Account(_) if walk.len() > levels.max(1) => break,
                Referrer::Account(ancestor) => ancestor,
            };
            if walk.contains(&ancestor) {
                return Err(HoldReason::ReferralCycle);
            }
            walk.push(ancestor);
        }
        walk.remove(0);
        Ok(walk)
    }

    /// Returns an account's ancestors, the referrer first, at most so many, each once.
    ///
    /// The walk ends where no referrer is known, or where it comes back to an account.
    pub(crate) fn ancestors(&self, account: Party, levels: usize) -> Vec<Party> {
        let mut walk = vec![account];
        while walk.len() <= levels {
            let last = *walk.last().expect("it begins with the account");
            match self.referrer(last) {
                Referrer::Account(ancestor) if !walk.contains(&ancestor) => walk.push(ancestor),
                _ => break,
            }
        }
        walk.remove(0);
        walk
    }

    /// Returns the account's referrer, if it has one other than itself.
    pub(crate) fn referrer_of(&self, account: Party) -> Option<Party> {
        match self.referrer(account) {
            Referrer::Account(referrer) if referrer != account => Some(referrer),
            _ => None,
        }
    }

    pub(crate) fn has_row(&self, account: Party) -> bool {
        self.referrer(account) != Referrer::NoRow
    }

    fn referrer(&self, account: Party) -> Referrer {
        self.referrers.get(account.0).copied().unwrap_or(Referrer::NoRow)
    }
}
