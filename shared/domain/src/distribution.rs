//! The distribution of one adoption (rules, section 4).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::account::text_form;
use crate::{
    AccountSequence, Amount, AmountOverflow, BusinessDate, ContributionPerTree, InvalidLeg, OrderId, Owner,
    Policy, Rate, RegionCode, Slot, SystemAccount, Term, TreeCount, UnlockState,
};

/// Returns the distribution of one adoption (rules, section 4).
///
/// `ancestors` are the adopter's, referrer first, each with the state that
/// [`evaluated_for`](crate::UnlockFacts::evaluated_for) returns for this order. The function reads at most as
/// many of them as the policy has levels. Where the slice ends, the chain ends.
///
/// The legs sum to the total exactly: each is rounded down, and the last leg is what is left over.
pub fn distribute(
    adoption: &Adoption,
    ancestors: &[Ancestor],
    policy: &Policy,
) -> Result<Distribution, AmountOverflow> {
    let total = adoption.total()?;
    let rates = policy.rates();

    let system = |account| Recipient::Allocated(Owner::System(account));
    let fixed = [
        (Slot::Personal, Recipient::Allocated(Owner::User(adoption.account.clone())), rates.personal),
        (Slot::Operation, system(SystemAccount::Operation), rates.operation),
        (Slot::Province, system(SystemAccount::Province(adoption.province.clone())), rates.province),
        (Slot::City, system(SystemAccount::City(adoption.city.clone())), rates.city),
    ];
    let levels = (1..=policy.level_count()).map(|level| {
        let ancestor = ancestors.get(usize::from(level) - 1);
        let recipient = Recipient::of_team(ancestor, |unlock| unlock.level_depth >= level);
        (Slot::TeamLevel(level), recipient, rates.team_level)
    });
    let bonuses = (1..=policy.bonus_count()).map(|tier| {
        let recipient = Recipient::of_team(ancestors.first(), |unlock| unlock.bonus_tiers >= tier);
        (Slot::TeamBonus(tier), recipient, rates.team_bonus)
    });

    let share =
        |(slot, recipient, rate): (Slot, Recipient, Rate)| Leg { slot, recipient, amount: total.share(rate) };
    let mut legs: Vec<Leg> = fixed.into_iter().chain(levels).chain(bonuses).map(share).collect();

    let shared_out = Amount::sum(legs.iter().map(|leg| leg.amount))?;
    let left_over = total.checked_sub(shared_out)?;
    assert!(left_over >= Amount::ZERO, "the rates of a policy sum to one, and shares are rounded down");
    if !left_over.is_zero() {
        let recipient = system(SystemAccount::Headquarters);
        legs.push(Leg { slot: Slot::Rounding, recipient, amount: left_over });
    }

    let term = Term::starting(adoption.adoption_date.next(), policy.term_years());
    Ok(Distribution { total, term, legs })
}

/// An order of trees that takes part in the ledger (认种).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Its place in the sequence that defines the ledger.
    pub order: OrderId,
    /// The adopter.
    pub account: AccountSequence,
    /// The number of trees.
    pub tree_count: TreeCount,
    /// The contribution of each tree, from the source or from the price ladder.
    pub contribution_per_tree: ContributionPerTree,
    /// The business date it was made on.
    pub adoption_date: BusinessDate,
    /// The province that receives a share, where the source names one.
    pub province: Option<RegionCode>,
    /// The city that receives a share, where the source names one.
    pub city: Option<RegionCode>,
}

impl Adoption {
    /// Returns the adoption's total: exact, and never negative.
    pub fn total(&self) -> Result<Amount, AmountOverflow> {
        let total = self.contribution_per_tree.amount().times(self.tree_count.get())?;
        if total <= Amount::TOTAL_MAX { Ok(total) } else { Err(AmountOverflow) }
    }
}

/// An account above the adopter, with its unlocks as of the adoption's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// The account.
    pub account: AccountSequence,
    /// Its unlocks.
    pub unlock: UnlockState,
}

/// One adoption, shared out. The legs ascend by slot and sum to the total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The adoption's total.
    pub total: Amount,
    /// The dates between which its legs are active.
    pub term: Term,
    /// The legs, at most one per slot.
    pub legs: Vec<Leg>,
}

/// One posting of one adoption to one account (明细).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The share of the adoption that this leg is.
    pub slot: Slot,
    /// The owner; for an unallocated leg, the reason.
    pub recipient: Recipient,
    /// The amount.
    pub amount: Amount,
}

impl Leg {
    /// Returns the leg's type. An unallocated leg has a type of its own.
    #[must_use]
    pub fn leg_type(&self) -> LegType {
        match (self.slot, &self.recipient) {
            (Slot::Personal, _) => LegType::Personal,
            (Slot::Operation, _) => LegType::Operation,
            (Slot::Province, _) => LegType::Province,
            (Slot::City, _) => LegType::City,
            (Slot::TeamLevel(_), Recipient::Allocated(_)) => LegType::TeamLevel,
            (Slot::TeamLevel(_), Recipient::Unallocated(_)) => LegType::LevelOverflow,
            (Slot::TeamBonus(_), Recipient::Allocated(_)) => LegType::TeamBonus,
            (Slot::TeamBonus(tier), Recipient::Unallocated(_)) => LegType::BonusTier(tier),
            (Slot::Rounding, _) => LegType::Rounding,
        }
    }

    /// Returns the name of the leg's type on every wire.
    #[must_use]
    pub fn type_name(&self) -> Cow<'static, str> {
        self.leg_type().name()
    }

    /// Returns the team level or bonus tier; `None` where the slot has neither.
    #[must_use]
    pub fn index(&self) -> Option<u8> {
        match self.slot {
            Slot::TeamLevel(index) | Slot::TeamBonus(index) => Some(index),
            _ => None,
        }
    }
}

/// The type of a leg: its slot, and whether it is unallocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LegType {
    /// The adopter's own share.
    Personal,
    /// The operation account's share.
    Operation,
    /// The province's share.
    Province,
    /// The city's share.
    City,
    /// A team level that its ancestor has unlocked.
    TeamLevel,
    /// An unallocated team level. It belongs to headquarters.
    LevelOverflow,
    /// A bonus that the referrer has unlocked.
    TeamBonus,
    /// An unallocated bonus of this tier. It belongs to headquarters.
    BonusTier(u8),
    /// What rounding left over.
    Rounding,
}

impl LegType {
    /// Returns the name used on every wire.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        let name = match self {
            Self::Personal => "PERSONAL",
            Self::Operation => "OPERATION",
            Self::Province => "PROVINCE",
            Self::City => "CITY",
            Self::TeamLevel => "TEAM_LEVEL",
            Self::LevelOverflow => "LEVEL_OVERFLOW",
            Self::TeamBonus => "TEAM_BONUS",
            Self::BonusTier(tier) => return format!("BONUS_TIER_{tier}").into(),
            Self::Rounding => "ROUNDING",
        };
        name.into()
    }
}

impl fmt::Display for LegType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}

impl FromStr for LegType {
    type Err = InvalidLeg;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = [
            Self::Personal,
            Self::Operation,
            Self::Province,
            Self::City,
            Self::TeamLevel,
            Self::LevelOverflow,
            Self::TeamBonus,
            Self::Rounding,
        ];
        let tier = || text.strip_prefix("BONUS_TIER_")?.parse().ok().filter(|tier| *tier >= 1);
        named
            .into_iter()
            .chain(tier().map(Self::BonusTier))
            .find(|leg_type| leg_type.name() == text)
            .ok_or_else(|| InvalidLeg::new(text, "a leg's type"))
    }
}

/// The recipient of a leg.
///
/// Written as the owner, or as `!NO_ANCESTOR` or `!LOCKED:D25122700018` for an unallocated leg. No owner
/// begins with `!`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Recipient {
    /// The account that the leg is meant for.
    Allocated(Owner),
    /// Headquarters, because the account that the leg is meant for is missing or has not unlocked it.
    Unallocated(Unallocated),
}

impl Recipient {
    /// Returns the account to which the leg is booked.
    #[must_use]
    pub fn owner(&self) -> Owner {
        match self {
            Self::Allocated(owner) => owner.clone(),
            Self::Unallocated(_) => Owner::System(SystemAccount::Headquarters),
        }
    }

    /// Returns whether the leg is booked to this user.
    #[must_use]
    pub fn is_allocated_to(&self, account: &AccountSequence) -> bool {
        matches!(self, Self::Allocated(Owner::User(owner)) if owner == account)
    }

    /// Returns the account for which an unallocated leg is meant; `None` without such an account.
    #[must_use]
    pub fn would_be(&self) -> Option<&AccountSequence> {
        match self {
            Self::Unallocated(Unallocated::Locked(account)) => Some(account),
            Self::Allocated(_) | Self::Unallocated(Unallocated::NoAncestor) => None,
        }
    }

    /// Returns the ancestor if it has unlocked the leg. The leg never goes to another ancestor instead.
    fn of_team(ancestor: Option<&Ancestor>, has_unlocked: impl FnOnce(UnlockState) -> bool) -> Self {
        match ancestor {
            None => Self::Unallocated(Unallocated::NoAncestor),
            Some(Ancestor { account, unlock }) if has_unlocked(*unlock) => {
                Self::Allocated(Owner::User(account.clone()))
            }
            Some(Ancestor { account, .. }) => Self::Unallocated(Unallocated::Locked(account.clone())),
        }
    }
}

/// The reason why a leg is unallocated (未分配).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unallocated {
    /// The chain of ancestors ends below the level.
    NoAncestor,
    /// This ancestor has not unlocked the leg.
    Locked(AccountSequence),
}

impl Unallocated {
    /// Returns the name of the reason on every wire.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoAncestor => "NO_ANCESTOR",
            Self::Locked(_) => "LOCKED",
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allocated(owner) => owner.fmt(formatter),
            Self::Unallocated(unallocated) => {
                write!(formatter, "!{}", unallocated.reason())?;
                self.would_be().map_or(Ok(()), |account| write!(formatter, ":{account}"))
            }
        }
    }
}

impl FromStr for Recipient {
    type Err = InvalidLeg;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let recipient = match text.strip_prefix('!') {
            None => text.parse().ok().map(Self::Allocated),
            Some("NO_ANCESTOR") => Some(Self::Unallocated(Unallocated::NoAncestor)),
            Some(unallocated) => unallocated
                .strip_prefix("LOCKED:")
                .and_then(|account| account.parse().ok())
                .map(|account| Self::Unallocated(Unallocated::Locked(account))),
        };
        recipient.ok_or_else(|| InvalidLeg::new(text, "a leg's recipient"))
    }
}

text_form!(LegType, Recipient);

#[cfg(test)]
mod tests;
