//! The distribution of one adoption (rules, section 4).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::account::text_form;
use crate::{
    AccountSequence, Amount, AmountOverflow, BusinessDate, ContributionPerTree, OrderId, Owner, Policy, Rate,
    RegionCode, SystemAccount, Term, TreeCount, UnlockState,
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
            .ok_or_else(|| InvalidLeg { text: text.to_owned(), expected: "a leg's type" })
    }
}

/// The share of an adoption that a leg is. Slots ascend in the order in which legs are written.
///
/// Written `PERSONAL`, `OPERATION`, `PROVINCE`, `CITY`, `L1` to `L15`, `B1` to `B3`, `ROUNDING`:
/// readable where it is stored, and short where there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Slot {
    /// The adopter's own share.
    Personal,
    /// The operation account's share.
    Operation,
    /// The province's share.
    Province,
    /// The city's share.
    City,
    /// The share of the ancestor this many levels up; 1 is the referrer.
    TeamLevel(u8),
    /// The referrer's bonus of this tier, counted from 1.
    TeamBonus(u8),
    /// What rounding left over.
    Rounding,
}

impl Slot {
    /// Returns the ancestor whose unlocks decide the owner of this share. `ancestors` are the adopter's,
    /// referrer first. Returns `None` if no unlock decides the share, or the chain ends below that ancestor.
    #[must_use]
    pub fn decider<T>(self, ancestors: &[T]) -> Option<&T> {
        match self {
            Self::TeamLevel(level) => ancestors.get(usize::from(level) - 1),
            Self::TeamBonus(_) => ancestors.first(),
            Self::Personal | Self::Operation | Self::Province | Self::City | Self::Rounding => None,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Personal => formatter.write_str("PERSONAL"),
            Self::Operation => formatter.write_str("OPERATION"),
            Self::Province => formatter.write_str("PROVINCE"),
            Self::City => formatter.write_str("CITY"),
            Self::TeamLevel(level) => write!(formatter, "L{level}"),
            Self::TeamBonus(tier) => write!(formatter, "B{tier}"),
            Self::Rounding => formatter.write_str("ROUNDING"),
        }
    }
}

impl FromStr for Slot {
    type Err = InvalidLeg;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let index = |digits: &str| digits.parse().ok().filter(|index| *index >= 1);
        let slot = match text {
            "PERSONAL" => Some(Self::Personal),
            "OPERATION" => Some(Self::Operation),
            "PROVINCE" => Some(Self::Province),
            "CITY" => Some(Self::City),
            "ROUNDING" => Some(Self::Rounding),
            _ => match text.split_at_checked(1) {
                Some(("L", level)) => index(level).map(Self::TeamLevel),
                Some(("B", tier)) => index(tier).map(Self::TeamBonus),
                _ => None,
            },
        };
        // One slot has one spelling, although `parse` also reads `+1` and `01`.
        slot.filter(|slot| slot.to_string() == text)
            .ok_or_else(|| InvalidLeg { text: text.to_owned(), expected: "a leg's slot" })
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
        recipient.ok_or_else(|| InvalidLeg { text: text.to_owned(), expected: "a leg's recipient" })
    }
}

/// Text that is not part of a leg.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct InvalidLeg {
    text: String,
    expected: &'static str,
}

text_form!(LegType, Slot, Recipient);

#[cfg(test)]
mod tests {
    use super::*;

    fn adoption(order: u64, account: &str, tree_count: u32, contribution_per_tree: &str) -> Adoption {
        Adoption {
            order: OrderId::new(order).expect("an order number"),
            account: account.parse().expect("an account"),
            tree_count: TreeCount::new(tree_count).expect("at least one"),
            contribution_per_tree: contribution_per_tree
                .parse::<Amount>()
                .expect("an amount")
                .try_into()
                .expect("not negative"),
            adoption_date: "2026-01-09".parse().expect("a date"),
            province: None,
            city: None,
        }
    }

    /// Returns ancestors, referrer first, from account, own adoption and number of direct adopters.
    fn ancestors(chain: &[(&str, bool, u32)]) -> Vec<Ancestor> {
        let ancestor = |(account, has_adopted, direct_adopters): &(&str, bool, u32)| Ancestor {
            account: account.parse().expect("an account"),
            unlock: UnlockState::new(*has_adopted, *direct_adopters, &Policy::default()),
        };
        chain.iter().map(ancestor).collect()
    }

    /// Returns a line per leg: type, index, owner, amount and would-be account.
    fn lines(distribution: &Distribution) -> Vec<String> {
        let line = |leg: &Leg| {
            let index = leg.index().map(|index| format!(" {index}")).unwrap_or_default();
            let would_be =
                leg.recipient.would_be().map(|account| format!(" ({account})")).unwrap_or_default();
            format!("{}{index} {} {}{would_be}", leg.type_name(), leg.recipient.owner(), leg.amount)
        };
        distribution.legs.iter().map(line).collect()
    }

    #[test]
    fn the_adoption_that_unlocks_its_own_upline_is_shared_out_as_captured() {
        // Order 57 of the ordering incident: the referrer adopted with order 55, two before, and this
        // adoption is the first below it.
        let chain = ancestors(&[
            ("D25122700018", true, 1),
            ("D25122700015", true, 3),
            ("D25122700014", false, 3),
            ("D25122700013", false, 0),
            ("D25122700007", false, 1),
            ("D25122700006", false, 0),
            ("D25122700005", true, 1),
            ("D25122700004", true, 3),
            ("D25122700001", true, 2),
        ]);
        let distribution = distribute(&adoption(57, "D25122700019", 2, "22617"), &chain, &Policy::default())
            .expect("within the limit");

        assert_eq!(distribution.total.to_string(), "45234.0000000000");
        assert_eq!(distribution.term.effective_date.to_string(), "2026-01-10");
        assert_eq!(distribution.term.expire_date.to_string(), "2028-01-10");
        assert_eq!(
            lines(&distribution),
            [
                "PERSONAL D25122700019 31663.8000000000",
                "OPERATION OPERATION 5428.0800000000",
                "PROVINCE PROVINCE 452.3400000000",
                "CITY CITY 904.6800000000",
                "TEAM_LEVEL 1 D25122700018 226.1700000000",
                "TEAM_LEVEL 2 D25122700015 226.1700000000",
                "LEVEL_OVERFLOW 3 HEADQUARTERS 226.1700000000 (D25122700014)",
                "LEVEL_OVERFLOW 4 HEADQUARTERS 226.1700000000 (D25122700013)",
                "LEVEL_OVERFLOW 5 HEADQUARTERS 226.1700000000 (D25122700007)",
                "LEVEL_OVERFLOW 6 HEADQUARTERS 226.1700000000 (D25122700006)",
                "LEVEL_OVERFLOW 7 HEADQUARTERS 226.1700000000 (D25122700005)",
                "TEAM_LEVEL 8 D25122700004 226.1700000000",
                "LEVEL_OVERFLOW 9 HEADQUARTERS 226.1700000000 (D25122700001)",
                "LEVEL_OVERFLOW 10 HEADQUARTERS 226.1700000000",
                "LEVEL_OVERFLOW 11 HEADQUARTERS 226.1700000000",
                "LEVEL_OVERFLOW 12 HEADQUARTERS 226.1700000000",
                "LEVEL_OVERFLOW 13 HEADQUARTERS 226.1700000000",
                "LEVEL_OVERFLOW 14 HEADQUARTERS 226.1700000000",
                "LEVEL_OVERFLOW 15 HEADQUARTERS 226.1700000000",
                "TEAM_BONUS 1 D25122700018 1130.8500000000",
                "BONUS_TIER_2 2 HEADQUARTERS 1130.8500000000 (D25122700018)",
                "BONUS_TIER_3 3 HEADQUARTERS 1130.8500000000 (D25122700018)",
            ]
        );
    }

    #[test]
    fn codes_name_the_regions_accounts_and_rounding_goes_to_headquarters() {
        // Order 109 of the flattened capture, whose price has a last digit that does not divide.
        let mut adoption = adoption(109, "D25122700012", 2, "22617.0000000001");
        adoption.province = Some("110000".parse().expect("a code"));
        adoption.city = Some("110100".parse().expect("a code"));
        adoption.adoption_date = "2026-01-20".parse().expect("a date");
        let chain = ancestors(&[
            ("D25122700010", true, 4),
            ("D25122700007", true, 3),
            ("D25122700006", false, 1),
            ("D25122700005", true, 1),
            ("D25122700002", true, 1),
            ("D25122700001", true, 4),
        ]);
        let distribution = distribute(&adoption, &chain, &Policy::default()).expect("within the limit");

        assert_eq!(distribution.total.to_string(), "45234.0000000002");
        assert_eq!(distribution.term.expire_date.to_string(), "2028-01-21");
        let lines = lines(&distribution);
        assert_eq!(
            lines[..11],
            [
                "PERSONAL D25122700012 31663.8000000001",
                "OPERATION OPERATION 5428.0800000000",
                "PROVINCE PROVINCE:110000 452.3400000000",
                "CITY CITY:110100 904.6800000000",
                "TEAM_LEVEL 1 D25122700010 226.1700000000",
                "TEAM_LEVEL 2 D25122700007 226.1700000000",
                "LEVEL_OVERFLOW 3 HEADQUARTERS 226.1700000000 (D25122700006)",
                "TEAM_LEVEL 4 D25122700005 226.1700000000",
                "TEAM_LEVEL 5 D25122700002 226.1700000000",
                "TEAM_LEVEL 6 D25122700001 226.1700000000",
                "LEVEL_OVERFLOW 7 HEADQUARTERS 226.1700000000",
            ]
        );
        assert_eq!(
            lines[19..],
            [
                "TEAM_BONUS 1 D25122700010 1130.8500000000",
                "TEAM_BONUS 2 D25122700010 1130.8500000000",
                "TEAM_BONUS 3 D25122700010 1130.8500000000",
                "ROUNDING HEADQUARTERS 0.0000000001",
            ]
        );
    }

    #[test]
    fn a_total_beyond_every_amount_is_an_overflow() {
        let largest = "999999999999999999.9999999999";
        let policy = Policy::default();
        assert!(distribute(&adoption(1, "A", 1, largest), &[], &policy).is_ok());
        assert_eq!(distribute(&adoption(1, "A", 2, largest), &[], &policy), Err(AmountOverflow));
        assert_eq!(distribute(&adoption(1, "A", u32::MAX, largest), &[], &policy), Err(AmountOverflow));
    }

    #[test]
    fn an_ancestor_past_the_last_level_gets_nothing() {
        let names: Vec<String> = (1..=16).map(|level| format!("A{level}")).collect();
        let chain: Vec<(&str, bool, u32)> = names.iter().map(|name| (name.as_str(), true, 5)).collect();
        let distribution = distribute(&adoption(1, "A0", 1, "1"), &ancestors(&chain), &Policy::default())
            .expect("within the limit");
        let owners: Vec<String> =
            distribution.legs.iter().map(|leg| leg.recipient.owner().to_string()).collect();
        assert_eq!(owners[4..19], names[..15]);
        assert!(!owners.contains(&names[15]));
    }

    #[test]
    fn legs_are_stored_short_and_readable() {
        let chain = ancestors(&[("D25122700018", true, 1), ("D25122700015", false, 0)]);
        let distribution =
            distribute(&adoption(57, "D25122700019", 2, "22617.0000000001"), &chain, &Policy::default())
                .expect("within the limit");

        let stored: Vec<String> =
            distribution.legs.iter().map(|leg| format!("{} {}", leg.slot, leg.recipient)).collect();
        assert_eq!(stored[0], "PERSONAL D25122700019");
        assert_eq!(stored[4], "L1 D25122700018");
        assert_eq!(stored[5], "L2 !LOCKED:D25122700015");
        assert_eq!(stored[6], "L3 !NO_ANCESTOR");
        assert_eq!(stored[20], "B2 !LOCKED:D25122700018");
        assert_eq!(stored[22], "ROUNDING HEADQUARTERS");
        assert!(stored.concat().len() < 512, "what is left of a kilobyte is for the amounts");

        let json = serde_json::to_string(&distribution.legs).expect("serialises");
        assert_eq!(serde_json::from_str::<Vec<Leg>>(&json).expect("reads"), distribution.legs);
    }

    #[test]
    fn text_that_is_no_part_of_a_leg_is_refused() {
        for text in ["", "L", "L0", "L01", "L+1", "L256", "B0", "l1", "LEVEL", "é1"] {
            assert!(text.parse::<Slot>().is_err(), "{text:?}");
        }
        for text in ["", "!", "!LOCKED", "!LOCKED:", "!LOCKED:CITY", "!NO_ANCESTOR:A", "LOCKED:A", "CITY:"] {
            assert!(text.parse::<Recipient>().is_err(), "{text:?}");
        }
        // Without its mark it is an account like any other.
        let account = "NO_ANCESTOR".parse::<Recipient>().expect("an owner");
        assert!(matches!(account, Recipient::Allocated(Owner::User(_))));
    }

    #[test]
    fn every_type_reads_back_as_written() {
        let chain = ancestors(&[("A1", true, 1), ("A2", false, 0)]);
        let distribution = distribute(&adoption(1, "A0", 1, "0.0000000001"), &chain, &Policy::default())
            .expect("within the limit");
        for leg in &distribution.legs {
            assert_eq!(leg.type_name().parse(), Ok(leg.leg_type()));
        }
        for text in ["", "BONUS_TIER_", "BONUS_TIER_0", "BONUS_TIER_01", "team_level"] {
            assert!(text.parse::<LegType>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn slots_are_ordered_as_legs_are_written() {
        let chain = ancestors(&[("A1", true, 5)]);
        let distribution = distribute(&adoption(1, "A0", 1, "0.0000000001"), &chain, &Policy::default())
            .expect("within the limit");
        assert!(distribution.legs.is_sorted_by(|one, next| one.slot < next.slot));
        assert_eq!(distribution.legs.last().map(|leg| leg.slot), Some(Slot::Rounding));
    }
}
