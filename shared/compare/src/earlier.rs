//! What the earlier service's tables say, as it is handed in.

use std::collections::BTreeMap;

use domain::{AccountSequence, Amount, BusinessDate, OrderId, Owner, Slot, SystemAccount};

/// The earlier service's tables, as far as they are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EarlierService {
    /// `contribution_accounts`: what each account says it has in total.
    pub accounts: BTreeMap<AccountSequence, Amount>,
    /// `contribution_records`, `system_contribution_records` and `unallocated_contributions`.
    pub legs: Vec<EarlierLeg>,
    /// `daily_contribution_snapshots`.
    pub snapshots: BTreeMap<BusinessDate, Vec<EarlierSnapshotRow>>,
}

/// A record of the earlier service: one part of one adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierLeg {
    /// The adoption, as that service calls it.
    pub adoption: String,
    /// Its order number, if it is known.
    pub order: Option<OrderId>,
    /// Which part.
    pub slot: Slot,
    /// Who has it.
    pub owner: Owner,
    /// Who was meant to have it, where it was not allocated.
    pub would_be: Option<AccountSequence>,
    /// The amount.
    pub amount: Amount,
    /// How many trees, where the record says so.
    pub trees: Option<i64>,
    /// The contribution of a tree, where the record says so.
    pub per_tree: Option<Amount>,
    /// When it was booked, in microseconds since 1970.
    pub booked_us: i64,
}

/// A row of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierSnapshotRow {
    /// The account.
    pub owner: Owner,
    /// What was effective.
    pub effective: Amount,
    /// What the whole network had.
    pub network: Amount,
    /// The share by which was paid, in 10⁻¹⁸.
    pub ratio: i128,
}

/// Returns the owner with this name in the earlier service's tables.
#[must_use]
pub fn owner(name: &str) -> Option<Owner> {
    let name = name.trim_end();
    Some(match name {
        "OPERATION" => Owner::System(SystemAccount::Operation),
        "PROVINCE" => Owner::System(SystemAccount::Province(None)),
        "CITY" => Owner::System(SystemAccount::City(None)),
        "HEADQUARTERS" => Owner::System(SystemAccount::Headquarters),
        account => Owner::User(account.parse().ok()?),
    })
}

/// Returns the part that a record of `contribution_records` is.
#[must_use]
pub fn slot(source_type: &str, level: Option<u8>, tier: Option<u8>) -> Option<Slot> {
    match (source_type.trim_end(), level, tier) {
        ("PERSONAL", ..) => Some(Slot::Personal),
        ("TEAM_LEVEL", Some(level @ 1..=32), _) => Some(Slot::TeamLevel(level)),
        ("TEAM_BONUS", _, Some(tier @ 1..=32)) => Some(Slot::TeamBonus(tier)),
        _ => None,
    }
}

/// Returns the part that a record of `unallocated_contributions` is.
#[must_use]
pub fn unallocated_slot(unallocated_type: &str, level: Option<u8>) -> Option<Slot> {
    match (unallocated_type.trim_end(), level) {
        ("LEVEL_OVERFLOW", Some(level @ 1..=32)) => Some(Slot::TeamLevel(level)),
        (other, _) => {
            let tier: u8 = other.strip_prefix("BONUS_TIER_")?.parse().ok()?;
            (1..=32).contains(&tier).then_some(Slot::TeamBonus(tier))
        }
    }
}

/// Returns a decimal as whole units of `scale` decimals; `None` of a number with more.
#[must_use]
pub fn units(text: &str, scale: usize) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let kept = decimals.trim_end_matches('0');
    if kept.len() > scale || whole.is_empty() {
        return None;
    }
    format!("{whole}{kept:0<scale$}").parse::<i128>().ok().map(|units| sign * units)
}

/// Returns an amount.
#[must_use]
pub fn amount(text: &str) -> Option<Amount> {
    Amount::from_units(units(text, Amount::SCALE as usize)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_postgresql_are_read_to_the_last_digit() {
        assert_eq!(units("0.003000000000000000", 18), Some(3_000_000_000_000_000));
        assert_eq!(units("-12.5", 2), Some(-1_250));
        assert_eq!(units("1.005", 2), None);
        assert_eq!(units("NaN", 2), None);
        assert_eq!(
            amount("11534.6700000000").map(|amount| amount.to_string()),
            Some("11534.6700000000".into())
        );
    }

    #[test]
    fn types_of_records_are_parts_of_an_adoption() {
        assert_eq!(slot("TEAM_LEVEL", Some(15), None), Some(Slot::TeamLevel(15)));
        assert_eq!(slot("TEAM_BONUS", None, Some(2)), Some(Slot::TeamBonus(2)));
        assert_eq!(slot("TEAM_BONUS", None, None), None);
        assert_eq!(unallocated_slot("BONUS_TIER_3", None), Some(Slot::TeamBonus(3)));
        assert_eq!(unallocated_slot("LEVEL_OVERFLOW", Some(4)), Some(Slot::TeamLevel(4)));
    }
}
