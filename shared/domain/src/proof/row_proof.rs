//! The proof of one row, and its verification.

use serde::{Deserialize, Serialize};

use super::secret::{Salt, Secret};
use super::shape::{carries_sum, way_up};
use super::step::Step;
use super::tree::{Leaf, Tree, joined, sealed, with_sum};
use crate::log::PageHash;
use crate::snapshot::Row;
use crate::{Amount, AmountOverflow, BusinessDate, Owner, Ratio, SystemAccount};

/// Proves that a row is in the snapshot of a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowProof {
    /// The date.
    pub date: BusinessDate,
    /// The account.
    pub account: Owner,
    /// What it had.
    pub effective: Amount,
    /// Which part of the network that was.
    pub ratio: Ratio,
    /// What its leaf is hashed with.
    pub salt: Salt,
    /// The number of its leaf, from 0.
    pub index: u64,
    /// How many rows the snapshot has.
    pub rows: u64,
    /// The sum of all rows.
    pub network_total: Amount,
    /// The way from the leaf to the top.
    pub path: Vec<Step>,
}

impl RowProof {
    /// Returns the proof of the row whose leaf is `index` of the tree, given the leaves of its block.
    pub fn of(
        row: &Row,
        date: BusinessDate,
        secret: &Secret,
        tree: &Tree,
        index: u64,
        block: &[Leaf],
    ) -> Result<Self, AmountOverflow> {
        Ok(Self {
            date,
            account: row.owner.clone(),
            effective: row.effective,
            ratio: row.ratio,
            salt: secret.salt(date, &row.owner),
            index,
            rows: tree.rows(),
            network_total: tree.sum()?,
            path: tree.steps(index, block)?,
        })
    }

    /// Verifies that the row is in the snapshot whose root is `root`.
    pub fn verify(&self, root: PageHash) -> Result<(), InvalidProof> {
        let is_part = Amount::ZERO <= self.effective && self.effective <= self.network_total;
        if self.index >= self.rows || !is_part {
            return Err(InvalidProof::Row);
        }
        let is_of_rest = self.account == Owner::System(SystemAccount::Headquarters);
        if !is_of_rest && self.effective.ratio_of(self.network_total) != self.ratio {
            return Err(InvalidProof::Row);
        }
        let row = Row { owner: self.account.clone(), effective: self.effective, ratio: self.ratio };
        let mut hash = Leaf::of(&row, self.date, &self.salt).hash;
        // The sum of what is below, once a node carries one.
        let mut sum = (self.rows == 1).then_some(self.effective);
        let way = way_up(self.rows, self.index);
        if way.len() != self.path.len() {
            return Err(InvalidProof::Path);
        }
        for (turn, step) in way.into_iter().zip(&self.path) {
            if step.sibling_sum.is_some() != carries_sum(turn.sibling_leaves) {
                return Err(InvalidProof::Path);
            }
            let sibling =
                step.sibling_sum.map_or(step.sibling, |sibling_sum| with_sum(sibling_sum, step.sibling));
            hash = if turn.is_right { joined(sibling, hash) } else { joined(hash, sibling) };
            if carries_sum(turn.leaves) {
                let above = self.sum_above(sum, step)?;
                hash = with_sum(above, hash);
                sum = Some(above);
            } else if step.sum.is_some() {
                return Err(InvalidProof::Path);
            }
        }
        if sum.is_some_and(|sum| sum != self.network_total) {
            return Err(InvalidProof::Sum);
        }
        if sealed(self.date, self.rows, self.network_total, hash) == root {
            Ok(())
        } else {
            Err(InvalidProof::Root)
        }
    }

    /// Returns the sum of a node: that of both sides where both carry one, and otherwise the one that is stated.
    fn sum_above(&self, own: Option<Amount>, step: &Step) -> Result<Amount, InvalidProof> {
        let sibling = step.sibling_sum.unwrap_or_default();
        let least = own.unwrap_or(self.effective).checked_add(sibling).map_err(|_| InvalidProof::Sum)?;
        let is_known = own.is_some() && step.sibling_sum.is_some();
        match step.sum {
            None if is_known && sibling >= Amount::ZERO => Ok(least),
            Some(sum) if !is_known && sibling >= Amount::ZERO && sum >= least => Ok(sum),
            _ => Err(InvalidProof::Sum),
        }
    }
}

/// A proof that proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// The row contradicts itself.
    #[error("the row's amount, ratio and number do not fit each other")]
    Row,
    /// The way up is not that of a row with this number.
    #[error("the path is not that of this row among so many")]
    Path,
    /// The sums on the way up contradict each other.
    #[error("the sums on the path do not lead to the network's total")]
    Sum,
    /// The way up leads elsewhere.
    #[error("the path does not lead to the published root")]
    Root,
}
