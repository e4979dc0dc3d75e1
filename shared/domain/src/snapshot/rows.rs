//! The published rows of a date: a view of what is carried (rules, section 8).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::carried::{CarriedAccount, CarriedState};
use crate::log::PageHash;
use crate::{Amount, AmountOverflow, Owner, Ratio, SystemAccount};

const HEADQUARTERS: Owner = Owner::System(SystemAccount::Headquarters);

/// A row of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The account.
    pub owner: Owner,
    /// What is active.
    pub effective: Amount,
    /// Which part of the network that is.
    pub ratio: Ratio,
}

/// What a date's rows sum to, and what HEADQUARTERS has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// How many rows there are.
    pub rows: u64,
    /// The sum of all rows.
    pub network: Amount,
    /// The users' part of it.
    pub users: Amount,
    /// The system accounts' part of it.
    pub system: Amount,
    /// HEADQUARTERS' row: its own, less what accounts below zero lack.
    pub headquarters: Amount,
    /// Its ratio: what is left of one.
    pub headquarters_ratio: Ratio,
}

impl Totals {
    /// Returns the totals of a date that ends with this state.
    pub fn of(state: &CarriedState) -> Result<Self, Unpublishable> {
        let mut totals = Self {
            rows: 1,
            network: Amount::ZERO,
            users: Amount::ZERO,
            system: Amount::ZERO,
            headquarters: headquarters_row(state)?,
            headquarters_ratio: Ratio::ONE,
        };
        if totals.headquarters < Amount::ZERO {
            return Err(Unpublishable::Negative { headquarters: totals.headquarters });
        }
        totals.system = totals.headquarters;
        for account in others(state).filter(|account| account.effective > Amount::ZERO) {
            totals.rows += 1;
            let part = match &account.owner {
                Owner::User(_) => &mut totals.users,
                Owner::System(_) => &mut totals.system,
            };
            *part = part.checked_add(account.effective)?;
        }
        totals.network = totals.users.checked_add(totals.system)?;
        for account in others(state).filter(|account| account.effective > Amount::ZERO) {
            let ratio = account.effective.ratio_of(totals.network);
            let rest = totals.headquarters_ratio.checked_sub(ratio);
            totals.headquarters_ratio = rest.expect("shares that are rounded down sum to at most one");
        }
        Ok(totals)
    }

    /// Returns the row of an account that has this much; `None` if it has none.
    #[must_use]
    pub fn row(&self, owner: &Owner, effective: Amount) -> Option<Row> {
        if *owner == HEADQUARTERS {
            let (effective, ratio) = (self.headquarters, self.headquarters_ratio);
            return Some(Row { owner: owner.clone(), effective, ratio });
        }
        (effective > Amount::ZERO).then(|| Row {
            owner: owner.clone(),
            effective,
            ratio: effective.ratio_of(self.network),
        })
    }

    /// Returns the row of a carried account, if it has one.
    #[must_use]
    pub fn row_of(&self, account: &CarriedAccount) -> Option<Row> {
        self.row(&account.owner, account.effective)
    }
}

/// Returns what HEADQUARTERS' row would be, below zero or not.
fn headquarters_row(state: &CarriedState) -> Result<Amount, AmountOverflow> {
    let own = state.account(&HEADQUARTERS).map_or(Amount::ZERO, |account| account.effective);
    let lacking = others(state).map(|account| account.effective).filter(|amount| *amount < Amount::ZERO);
    Amount::sum(std::iter::once(own).chain(lacking))
}

fn others(state: &CarriedState) -> impl Iterator<Item = &CarriedAccount> {
    state.accounts().filter(|account| account.owner != HEADQUARTERS)
}

/// Returns the accounts that have rows, and what each row has: the largest first, equal ones by name.
#[must_use]
pub fn ranked<'a>(state: &'a CarriedState, totals: &Totals) -> Vec<(&'a Owner, Amount)> {
    let own_row = std::iter::once(totals.headquarters);
    let headquarters = state.account(&HEADQUARTERS).into_iter().map(|account| &account.owner).zip(own_row);
    let positive = others(state).filter(|account| account.effective > Amount::ZERO);
    let mut rows: Vec<(&Owner, Amount)> =
        positive.map(|account| (&account.owner, account.effective)).chain(headquarters).collect();
    rows.sort_unstable_by(|(one, more), (other, less)| {
        less.cmp(more).then_with(|| name_of(one).cmp(&name_of(other)))
    });
    rows
}

/// Returns the name by which accounts of equal amounts are ordered. Equal amounts are rare, so no name is
/// kept.
fn name_of(owner: &Owner) -> String {
    owner.to_string()
}

/// The digest of a date's rows: the SHA-256 over the hashes of the rows, in the order of their ranks.
///
/// A row's hash is the SHA-256 of its amount, its ratio and its account, in this order, with `|` between them.
#[derive(Debug, Default)]
pub struct RowsDigest(Sha256);

impl RowsDigest {
    /// Adds the next row.
    pub fn add(&mut self, row: &Row) {
        let text = format!("{}|{}|{}", row.effective, row.ratio, row.owner);
        self.0.update(Sha256::digest(text));
    }

    /// Returns the digest.
    #[must_use]
    pub fn finish(self) -> PageHash {
        PageHash::from_bytes(self.0.finalize().into())
    }
}

/// Why a date's rows cannot be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unpublishable {
    /// HEADQUARTERS' row would be below zero.
    #[error("NEGATIVE: the row of HEADQUARTERS would be {headquarters}")]
    Negative {
        /// What its row would be.
        headquarters: Amount,
    },
    /// A sum needs more digits than there are.
    #[error(transparent)]
    Overflow(#[from] AmountOverflow),
}
