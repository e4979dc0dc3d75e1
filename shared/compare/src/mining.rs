//! What was paid by the snapshots of each date.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Amount, AmountOverflow, BusinessDate, Owner};

use crate::earlier::{EarlierService, EarlierSnapshotRow};
use crate::ours::{OurDate, Ours, compared_owner};

/// A date that either closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MiningDate {
    /// The date.
    pub date: BusinessDate,
    /// What the earlier service said the network has; `None` where it has no snapshot of the date.
    pub earlier_network: Option<Amount>,
    /// What the ledger says; `None` where it has not closed the date.
    pub our_network: Option<Amount>,
    /// What the earlier service's shares sum to, in 10⁻¹⁸. The ledger's sum to one.
    pub earlier_ratio_sum: i128,
    /// Each account that either has a row of.
    pub rows: Vec<MiningRow>,
}

/// An account on a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MiningRow {
    /// The account.
    pub owner: Owner,
    /// What was effective in the earlier service.
    pub earlier_effective: Amount,
    /// What is effective in the ledger.
    pub our_effective: Amount,
    /// The share by which the earlier service paid, in 10⁻¹⁸.
    pub earlier_ratio: i128,
    /// The ledger's share, in 10⁻¹⁸.
    pub our_ratio: i128,
}

impl MiningDate {
    /// Returns the share that was paid to other accounts than the ledger pays it to, in 10⁻¹⁸: what accounts were paid
    /// too much.
    #[must_use]
    pub fn paid_too_much(&self) -> i128 {
        self.rows.iter().map(|row| (row.earlier_ratio - row.our_ratio).max(0)).sum()
    }

    /// Returns how many accounts have another share.
    #[must_use]
    pub fn differing(&self) -> usize {
        self.rows.iter().filter(|row| row.earlier_ratio != row.our_ratio).count()
    }
}

/// Compares every date that either closed.
///
/// # Errors
///
/// A sum has more digits than amounts have.
pub fn compare_mining(earlier: &EarlierService, ours: &Ours) -> Result<Vec<MiningDate>, AmountOverflow> {
    let dates: BTreeSet<BusinessDate> = earlier.snapshots.keys().chain(ours.dates.keys()).copied().collect();
    dates
        .into_iter()
        .map(|date| compare_date(date, earlier.snapshots.get(&date), ours.dates.get(&date)))
        .collect()
}

fn compare_date(
    date: BusinessDate,
    earlier: Option<&Vec<EarlierSnapshotRow>>,
    ours: Option<&OurDate>,
) -> Result<MiningDate, AmountOverflow> {
    let mut rows: BTreeMap<Owner, MiningRow> = BTreeMap::new();
    let none = |owner: &Owner| MiningRow {
        owner: owner.clone(),
        earlier_effective: Amount::ZERO,
        our_effective: Amount::ZERO,
        earlier_ratio: 0,
        our_ratio: 0,
    };
    for row in earlier.into_iter().flatten() {
        let entry = rows.entry(row.owner.clone()).or_insert_with(|| none(&row.owner));
        entry.earlier_effective = entry.earlier_effective.checked_add(row.effective)?;
        entry.earlier_ratio += row.ratio;
    }
    for (owner, (effective, ratio)) in ours.into_iter().flat_map(|date| &date.rows) {
        let owner = compared_owner(owner);
        let entry = rows.entry(owner.clone()).or_insert_with(|| none(&owner));
        entry.our_effective = entry.our_effective.checked_add(*effective)?;
        entry.our_ratio += ratio;
    }
    Ok(MiningDate {
        date,
        earlier_network: earlier.and_then(|rows| rows.first()).map(|row| row.network),
        our_network: ours.map(|date| date.network),
        earlier_ratio_sum: earlier.into_iter().flatten().map(|row| row.ratio).sum(),
        rows: rows.into_values().collect(),
    })
}
