//! Judges an adoption by its own row: posted, held or gone. What its upline has unlocked does not matter for that.

use super::adoption::{CompactRow, Hold, Stands, StoredAdoption};
use super::people::{Hangs, Person};
use super::{Recalculation, Rules};
use crate::{
    Amount, BusinessDate, Policy, Posting, TermsColumn, TermsFault, Version, VersionNumber,
    contribution_per_tree,
};

/// What should become of an adoption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Should {
    /// No row names it.
    Absent,
    /// It is eligible and has no place in the price book yet.
    Unpriced {
        trees: u32,
    },
    /// Something holds it; its trees count where it is eligible.
    Held {
        reason: Hold,
        trees: u32,
    },
    Posted(Terms),
}

/// The terms of an adoption that should be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) account: Person,
    pub(super) trees: u32,
    pub(super) total: Amount,
    pub(super) date: BusinessDate,
    pub(super) version: VersionNumber,
}

impl Should {
    /// Returns how many of its trees count for the prices of later orders.
    pub(super) fn eligible_trees(self) -> u32 {
        match self {
            Self::Absent => 0,
            Self::Unpriced { trees } | Self::Held { trees, .. } => trees,
            Self::Posted(terms) => terms.trees,
        }
    }
}

/// The terms of an adoption that is within the bounds; no total where it has no price.
struct ReadTerms {
    account: Person,
    trees: u32,
    date: BusinessDate,
    total: Option<Amount>,
}

impl Recalculation {
    /// Returns what should become of an adoption, whatever its upline has unlocked.
    ///
    /// What an operator holds back, or what storage does, is left as it is: those reasons are not rules.
    pub(super) fn judge(&self, adoption: &StoredAdoption, rules: &Rules<'_>) -> Should {
        match (self.judge_by_rules(adoption, rules), &adoption.stands) {
            (
                Should::Posted(terms),
                Stands::Held(reason @ (Hold::PostingPaused | Hold::AccountUnreadable(_))),
            ) => Should::Held { reason: *reason, trees: terms.trees },
            (should, _) => should,
        }
    }

    fn judge_by_rules(&self, adoption: &StoredAdoption, rules: &Rules<'_>) -> Should {
        let Some(row) = adoption.row() else { return Should::Absent };
        let version = rules.version_on(row.date.read(TermsColumn::Date).copied().ok());
        let not_eligible = |reason| Should::Held { reason, trees: 0 };
        if !version.policy.is_distributable(self.names.texts.text(row.status)) {
            return not_eligible(Hold::Status);
        }
        let terms = match read_terms(row, adoption.trees_before, &version.policy) {
            Ok(terms) => terms,
            Err(fault) => return not_eligible(Hold::InvalidTerms(fault)),
        };
        if terms.date > rules.today.next() {
            return not_eligible(Hold::NotYet);
        }
        let Some(total) = terms.total else { return Should::Unpriced { trees: terms.trees } };
        match self.chain_of(terms.account, version) {
            Err(reason) => Should::Held { reason, trees: terms.trees },
            Ok(_) => Should::Posted(Terms {
                account: terms.account,
                trees: terms.trees,
                total,
                date: terms.date,
                version: version.terms.number,
            }),
        }
    }

    /// Returns the ancestors that take part in an account's adoptions, the referrer first, or what holds these.
    ///
    /// The referrer takes part even where no level is paid, because the bonuses are its.
    pub(super) fn chain_of(&self, account: Person, version: &Version) -> Result<Chain, Hold> {
        let length_max = usize::from(version.policy.level_count().max(1));
        let mut chain = Chain::default();
        let mut last = account;
        loop {
            let referrer = match self.names.people.at(last).hangs {
                Hangs::Missing => return Err(Hold::NoReferral(last)),
                Hangs::Root => return Ok(chain),
                Hangs::Under(_) if chain.length == length_max => return Ok(chain),
                Hangs::Under(referrer) => referrer,
            };
            if referrer == account || chain.accounts().contains(&referrer) {
                return Err(Hold::ReferralCycle(referrer));
            }
            chain.accounts[chain.length] = referrer;
            chain.length += 1;
            last = referrer;
        }
    }
}

/// The ancestors of an account.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chain {
    accounts: [Person; Policy::MAX_LEVELS as usize],
    length: usize,
}

impl Chain {
    pub(super) fn accounts(&self) -> &[Person] {
        &self.accounts[..self.length]
    }
}

/// Reads the terms of a row, in the order in which the rules look at them.
fn read_terms(row: &CompactRow, trees_before: Option<u64>, policy: &Policy) -> Result<ReadTerms, TermsFault> {
    let bounds = policy.bounds();
    let account = *row.account.read(TermsColumn::Account)?;
    let trees = *row.trees.read(TermsColumn::Trees)?;
    if trees < 1 || trees > i64::from(bounds.trees_max) {
        return Err(TermsFault::OutOfBounds(TermsColumn::Trees));
    }
    let trees = u32::try_from(trees).expect("at most the bound");
    let date = *row.date.read(TermsColumn::Date)?;
    if !(bounds.first_date..=BusinessDate::LAST_ADOPTION).contains(&date) {
        return Err(TermsFault::OutOfBounds(TermsColumn::Date));
    }
    let price = match row.price.read(TermsColumn::Price)? {
        Some(price) if *price <= Amount::ZERO || *price > bounds.price_max => {
            return Err(TermsFault::OutOfBounds(TermsColumn::Price));
        }
        Some(price) => Some(*price),
        None => match trees_before {
            None => None,
            Some(before) => {
                Some(contribution_per_tree(before, policy).map_err(|_| TermsFault::TotalTooLarge)?.amount())
            }
        },
    };
    let total = price.map(|price| Posting::total_of(trees, price)).transpose();
    Ok(ReadTerms { account, trees, date, total: total.map_err(|_| TermsFault::TotalTooLarge)? })
}
