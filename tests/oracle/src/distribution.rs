//! The legs of one adoption (rules, sections 4, 5 and 7).

use chrono::{Days, Months, NaiveDate};

use crate::parties::{HEADQUARTERS, Party, PartyKind};
use crate::policy::{Policy, Rates};
use crate::rows::OrderId;
use crate::{Amount, Rate};

/// An adoption that is posted.
#[derive(Debug)]
pub(crate) struct Posting {
    pub(crate) order_id: OrderId,
    pub(crate) account: Party,
    pub(crate) trees: u64,
    pub(crate) total: Amount,
    pub(crate) adoption_date: NaiveDate,
    /// The number of the version that judges it.
    pub(crate) version: u32,
    pub(crate) operation: Party,
    pub(crate) province: Party,
    pub(crate) city: Party,
    /// Who takes part in it, the referrer first.
    pub(crate) upline: Vec<Party>,
}

impl Posting {
    /// Returns the first date on which it counts.
    pub(crate) fn effective_date(&self) -> NaiveDate {
        self.adoption_date + Days::new(1)
    }

    /// Returns the first date on which it no longer counts; 29 February becomes the 28th.
    pub(crate) fn expire_date(&self, policy: &Policy) -> NaiveDate {
        self.effective_date() + Months::new(12 * policy.term_years)
    }
}

/// A kind of leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LegKind {
    /// The adopter's.
    Personal,
    /// The operation account's.
    Operation,
    /// The province's.
    Province,
    /// The city's.
    City,
    /// An ancestor's, of this level.
    TeamLevel(usize),
    /// A level's that no ancestor gets.
    LevelOverflow(usize),
    /// The referrer's, of this tier.
    TeamBonus(usize),
    /// A bonus tier's that the referrer does not get.
    BonusTier(usize),
    /// What rounding leaves over.
    Rounding,
    /// One side of an adjustment by hand.
    Adjustment,
}

impl LegKind {
    /// Returns its name in the golden files.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Personal => "PERSONAL".to_owned(),
            Self::Operation => "OPERATION".to_owned(),
            Self::Province => "PROVINCE".to_owned(),
            Self::City => "CITY".to_owned(),
            Self::TeamLevel(_) => "TEAM_LEVEL".to_owned(),
            Self::LevelOverflow(_) => "LEVEL_OVERFLOW".to_owned(),
            Self::TeamBonus(_) => "TEAM_BONUS".to_owned(),
            Self::BonusTier(tier) => format!("BONUS_TIER_{tier}"),
            Self::Rounding => "ROUNDING".to_owned(),
            Self::Adjustment => "ADJUSTMENT".to_owned(),
        }
    }

    /// Returns the level or the tier.
    #[must_use]
    pub fn index(self) -> Option<usize> {
        match self {
            Self::TeamLevel(index)
            | Self::LevelOverflow(index)
            | Self::TeamBonus(index)
            | Self::BonusTier(index) => Some(index),
            _ => None,
        }
    }
}

/// Why headquarters has a leg of the upline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unallocated {
    /// The chain of ancestors ends below.
    NoAncestor,
    /// The ancestor has not unlocked it.
    Locked,
}

impl Unallocated {
    /// Returns its name in the rules.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoAncestor => "NO_ANCESTOR",
            Self::Locked => "LOCKED",
        }
    }
}

/// A part of an adoption, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) kind: LegKind,
    pub(crate) owner: Party,
    /// Who would own it, had they unlocked it; only if they have not.
    pub(crate) would_be: Option<Party>,
    pub(crate) amount: Amount,
    /// The first date on which it counts.
    pub(crate) from: NaiveDate,
    /// The first date on which it no longer counts.
    pub(crate) until: Option<NaiveDate>,
}

impl Leg {
    pub(crate) fn is_active_on(&self, date: NaiveDate) -> bool {
        self.from <= date && self.until.is_none_or(|until| date < until)
    }

    pub(crate) fn unallocated(&self) -> Option<Unallocated> {
        match (self.kind, self.would_be) {
            (LegKind::LevelOverflow(_) | LegKind::BonusTier(_), None) => Some(Unallocated::NoAncestor),
            (LegKind::LevelOverflow(_) | LegKind::BonusTier(_), Some(_)) => Some(Unallocated::Locked),
            _ => None,
        }
    }
}

/// Returns the legs of an adoption, which sum to its total exactly.
///
/// `is_open` says whether an ancestor gets a level or a tier of it; `kind_of` says what a party is.
pub(crate) fn legs(
    posting: &Posting,
    policy: &Policy,
    is_open: impl Fn(Party, LegKind) -> bool,
    kind_of: impl Fn(Party) -> PartyKind,
) -> Vec<Leg> {
    let Rates { personal, operation, province, city, team_level, team_bonus } = policy.rates;
    let mut legs = Vec::with_capacity(5 + policy.level_count + policy.bonus_count);
    let mut add = |kind, owner, would_be, amount| {
        let never_expires = match kind_of(owner) {
            PartyKind::Account => false,
            PartyKind::System(kind) => policy.never_expires.contains(&kind),
        };
        let until = (!never_expires).then(|| posting.expire_date(policy));
        if amount != Amount::ZERO {
            legs.push(Leg { kind, owner, would_be, amount, from: posting.effective_date(), until });
        }
        amount
    };
    let share = |rate: Rate| posting.total.share(rate);

    let mut booked = add(LegKind::Personal, posting.account, None, share(personal));
    booked += add(LegKind::Operation, posting.operation, None, share(operation));
    booked += add(LegKind::Province, posting.province, None, share(province));
    booked += add(LegKind::City, posting.city, None, share(city));
    let mut upwards = |ancestor: Option<Party>, wanted, otherwise, rate| match ancestor {
        Some(ancestor) if is_open(ancestor, wanted) => add(wanted, ancestor, None, share(rate)),
        would_be => add(otherwise, HEADQUARTERS, would_be, share(rate)),
    };
    for level in 1..=policy.level_count {
        let ancestor = posting.upline.get(level - 1).copied();
        booked += upwards(ancestor, LegKind::TeamLevel(level), LegKind::LevelOverflow(level), team_level);
    }
    for tier in 1..=policy.bonus_count {
        let ancestor = posting.upline.first().copied();
        booked += upwards(ancestor, LegKind::TeamBonus(tier), LegKind::BonusTier(tier), team_bonus);
    }
    add(LegKind::Rounding, HEADQUARTERS, None, posting.total - booked);
    legs
}
