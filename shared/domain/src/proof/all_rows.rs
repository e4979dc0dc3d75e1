//! The verification of all rows of a date together.

use super::secret::Secret;
use super::tree::{Leaf, TreeBuilder};
use crate::log::PageHash;
use crate::snapshot::{Placement, Row};
use crate::{Amount, AmountOverflow, BusinessDate, Ratio};

/// Verifies that these are all rows of the snapshot whose root is `root`. They may come in any order.
pub fn verify_rows(
    rows: &[Row],
    date: BusinessDate,
    secret: &Secret,
    root: PageHash,
) -> Result<(), InvalidRows> {
    let mut placed: Vec<(Placement, &Row)> =
        rows.iter().map(|row| (Placement::of(&row.owner), row)).collect();
    placed.sort_by_key(|(place, _)| *place);
    if placed.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(InvalidRows::Doubled);
    }
    let ratios = rows.iter().try_fold(Ratio::ZERO, |sum, row| sum.checked_add(row.ratio));
    if ratios != Some(Ratio::ONE) || rows.iter().any(|row| row.effective < Amount::ZERO) {
        return Err(InvalidRows::Ratios);
    }
    let mut tree = TreeBuilder::new(rows.len() as u64);
    for (_, row) in placed {
        tree.add(Leaf::of(row, date, &secret.salt(date, &row.owner)))?;
    }
    if tree.finish().root(date)? == root { Ok(()) } else { Err(InvalidRows::Root) }
}

/// Rows that are not those of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRows {
    /// An account has two rows.
    #[error("an account has two rows")]
    Doubled,
    /// The ratios do not sum to one, or an amount is below zero.
    #[error("the ratios do not sum to exactly one, or an amount is below zero")]
    Ratios,
    /// A row is missing, added or changed.
    #[error("the rows do not lead to the published root: one is missing, added or changed")]
    Root,
    /// The sum needs more digits than there are.
    #[error(transparent)]
    Overflow(#[from] AmountOverflow),
}
