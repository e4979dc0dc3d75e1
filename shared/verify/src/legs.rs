//! What a posting shares out, worked out from its own terms and the numbers of its version.

use domain::{BusinessDate, Posting, Slot};

use crate::numbers::Numbers;

/// An amount in units of 10⁻¹⁰.
pub(crate) type Units = i128;

/// A leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leg {
    /// Its place: `PERSONAL`, `L1`, `B1` and so on.
    pub(crate) slot: String,
    /// Its type on every wire.
    pub(crate) type_name: String,
    /// The level or tier.
    pub(crate) index: Option<u8>,
    pub(crate) owner: String,
    /// What it counts as in its owner's totals.
    pub(crate) kind: Kind,
    pub(crate) amount: Units,
    pub(crate) effective_date: BusinessDate,
    pub(crate) expire_date: Option<BusinessDate>,
}

/// What a leg counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Personal,
    TeamLevel,
    TeamBonus,
    System,
}

/// Returns the legs of a posting that are not zero; `None` if they do not sum to its total.
pub(crate) fn legs_of(posting: &Posting, numbers: &Numbers) -> Option<Vec<Leg>> {
    let total: Units = posting.total.units();
    let effective_date = posting.adoption_date.next();
    let expires = effective_date.plus_years(numbers.term_years);
    let mut legs: Vec<Leg> = Vec::new();
    let mut add =
        |slot: String, type_name: String, index: Option<u8>, owner: String, kind: Kind, amount: Units| {
            let kind_of_owner = owner.split(':').next().unwrap_or_default();
            let never =
                kind == Kind::System && numbers.never_expires.iter().any(|name| name == kind_of_owner);
            let expire_date = (!never).then_some(expires);
            if amount != 0 {
                legs.push(Leg { slot, type_name, index, owner, kind, amount, effective_date, expire_date });
            }
            amount
        };
    let share = |rate: i128| total * rate / 1_000_000;
    let coded = |name: &str, code: Option<&str>| {
        code.map_or_else(|| name.to_owned(), |code| format!("{name}:{code}"))
    };
    let named = |name: &str| (name.to_owned(), name.to_owned());

    let (slot, type_name) = named("PERSONAL");
    let adopter = posting.account.as_str().to_owned();
    let mut shared = add(slot, type_name, None, adopter, Kind::Personal, share(numbers.rates.personal));
    let province = coded("PROVINCE", posting.province.as_ref().map(domain::RegionCode::as_str));
    let city = coded("CITY", posting.city.as_ref().map(domain::RegionCode::as_str));
    let fixed = [
        ("OPERATION", "OPERATION".to_owned(), numbers.rates.operation),
        ("PROVINCE", province, numbers.rates.province),
        ("CITY", city, numbers.rates.city),
    ];
    for (name, owner, rate) in fixed {
        let (slot, type_name) = named(name);
        shared += add(slot, type_name, None, owner, Kind::System, share(rate));
    }
    for level in 1..=numbers.level_count {
        let ancestor = posting.chain.get(usize::from(level) - 1);
        let open = ancestor.filter(|_| posting.unlocked.contains(Slot::TeamLevel(level)));
        let (owner, kind, type_name) = match open {
            Some(ancestor) => (ancestor.as_str().to_owned(), Kind::TeamLevel, "TEAM_LEVEL".to_owned()),
            None => ("HEADQUARTERS".to_owned(), Kind::System, "LEVEL_OVERFLOW".to_owned()),
        };
        shared +=
            add(format!("L{level}"), type_name, Some(level), owner, kind, share(numbers.rates.team_level));
    }
    for tier in 1..=numbers.bonus_count {
        let open = posting.chain.first().filter(|_| posting.unlocked.contains(Slot::TeamBonus(tier)));
        let (owner, kind, type_name) = match open {
            Some(ancestor) => (ancestor.as_str().to_owned(), Kind::TeamBonus, "TEAM_BONUS".to_owned()),
            None => ("HEADQUARTERS".to_owned(), Kind::System, format!("BONUS_TIER_{tier}")),
        };
        shared +=
            add(format!("B{tier}"), type_name, Some(tier), owner, kind, share(numbers.rates.team_bonus));
    }
    let (slot, type_name) = named("ROUNDING");
    let left_over = total - shared;
    add(slot, type_name, None, "HEADQUARTERS".to_owned(), Kind::System, left_over);
    (left_over >= 0 && total > 0).then_some(legs)
}

/// Returns an amount as text with ten decimals.
pub(crate) fn text_of(units: Units) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    format!("{sign}{}.{:010}", units / 10_000_000_000, units % 10_000_000_000)
}
