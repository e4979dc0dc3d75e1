//! What one adoption is shared out into, in its stored form.

use serde::{Deserialize, Serialize};

use crate::{
    AccountSequence, Amount, AmountOverflow, BusinessDate, Leg, Owner, Policy, Recipient, RegionCode, Slot,
    SystemAccount, Term, Unallocated, UnlockState, VersionNumber,
};

/// An adoption as posted: its terms, its upline, and which team legs the upline had unlocked.
///
/// Every leg follows from it and from the policy of its version, without any other state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The adopter.
    pub account: AccountSequence,
    /// The number of trees.
    pub trees: u32,
    /// Trees times contribution per tree.
    pub total: Amount,
    /// The adoption date.
    pub adoption_date: BusinessDate,
    /// The version of the rules that judges it.
    pub version: VersionNumber,
    /// The province that its PROVINCE leg is booked to.
    pub province: Option<RegionCode>,
    /// The city that its CITY leg is booked to.
    pub city: Option<RegionCode>,
    /// The adopter's ancestors, the referrer first, at most `level_count`.
    pub chain: Vec<AccountSequence>,
    /// Which team legs their would-be owners have.
    pub unlocked: UnlockedLegs,
}

/// Which team legs of an adoption belong to the ancestors they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlockedLegs {
    /// Bit k - 1 stands for `TEAM_LEVEL` k.
    levels: u32,
    /// Bit t - 1 stands for `TEAM_BONUS` t.
    bonuses: u32,
}

impl UnlockedLegs {
    /// Records that the leg of this slot belongs to its ancestor.
    pub fn set(&mut self, slot: Slot) {
        match slot {
            Slot::TeamLevel(level) => self.levels |= 1 << (level - 1),
            Slot::TeamBonus(tier) => self.bonuses |= 1 << (tier - 1),
            Slot::Personal | Slot::Operation | Slot::Province | Slot::City | Slot::Rounding => {}
        }
    }

    /// Returns whether the leg of this slot belongs to its ancestor.
    #[must_use]
    pub fn contains(self, slot: Slot) -> bool {
        match slot {
            Slot::TeamLevel(level) => self.levels & (1 << (level - 1)) != 0,
            Slot::TeamBonus(tier) => self.bonuses & (1 << (tier - 1)) != 0,
            Slot::Personal | Slot::Operation | Slot::Province | Slot::City | Slot::Rounding => false,
        }
    }

    /// Returns the legs that an upline with these unlocks has, the referrer's first.
    pub fn of_upline(unlocks: impl IntoIterator<Item = UnlockState>, policy: &Policy) -> Self {
        let mut unlocked = Self::default();
        for (level, unlock) in (1..).zip(unlocks) {
            for slot in Self::slots_of(level, policy).filter(|slot| unlock.opens(*slot)) {
                unlocked.set(slot);
            }
        }
        unlocked
    }

    /// Returns the team legs that the ancestor of this level is for, the referrer's being level 1.
    pub fn slots_of(level: u8, policy: &Policy) -> impl Iterator<Item = Slot> + use<> {
        let own_level = (level <= policy.level_count()).then_some(Slot::TeamLevel(level));
        let tiers = if level == 1 { policy.bonus_count() } else { 0 };
        own_level.into_iter().chain((1..=tiers).map(Slot::TeamBonus))
    }
}

impl Posting {
    /// Returns when its legs are active (rules, section 7).
    #[must_use]
    pub fn term(&self, policy: &Policy) -> Term {
        Term::starting(self.adoption_date.next(), policy.term_years())
    }

    /// Returns its legs (rules, section 4). They sum to the total exactly.
    ///
    /// A leg of zero is left out.
    #[must_use]
    pub fn legs(&self, policy: &Policy) -> Vec<Leg> {
        let rates = policy.rates();
        let system = |account| Recipient::Allocated(Owner::System(account));
        let fixed = [
            (Slot::Personal, Recipient::Allocated(Owner::User(self.account.clone())), rates.personal),
            (Slot::Operation, system(SystemAccount::Operation), rates.operation),
            (Slot::Province, system(SystemAccount::Province(self.province.clone())), rates.province),
            (Slot::City, system(SystemAccount::City(self.city.clone())), rates.city),
        ];
        let levels = (1..=policy.level_count()).map(Slot::TeamLevel).map(|slot| (slot, rates.team_level));
        let bonuses = (1..=policy.bonus_count()).map(Slot::TeamBonus).map(|slot| (slot, rates.team_bonus));
        let team = levels.chain(bonuses).map(|(slot, rate)| (slot, self.team_recipient(slot), rate));

        let mut legs: Vec<Leg> = Vec::with_capacity(24);
        let mut left_over = self.total;
        for (slot, recipient, rate) in fixed.into_iter().chain(team) {
            let amount = self.total.share(rate);
            left_over = left_over.checked_sub(amount).expect("shares are parts of the total");
            if !amount.is_zero() {
                legs.push(Leg { slot, recipient, amount });
            }
        }
        assert!(left_over >= Amount::ZERO, "the rates of a policy sum to one, and shares are rounded down");
        if !left_over.is_zero() {
            let recipient = system(SystemAccount::Headquarters);
            legs.push(Leg { slot: Slot::Rounding, recipient, amount: left_over });
        }
        legs
    }

    /// Returns who has the team leg of this slot.
    fn team_recipient(&self, slot: Slot) -> Recipient {
        match slot.decider(&self.chain) {
            None => Recipient::Unallocated(Unallocated::NoAncestor),
            Some(ancestor) if self.unlocked.contains(slot) => {
                Recipient::Allocated(Owner::User(ancestor.clone()))
            }
            Some(ancestor) => Recipient::Unallocated(Unallocated::Locked(ancestor.clone())),
        }
    }

    /// Returns trees times price, within the limit of one adoption's total.
    pub fn total_of(trees: u32, price: Amount) -> Result<Amount, AmountOverflow> {
        price.times(trees).ok().filter(|total| *total <= Amount::TOTAL_MAX).ok_or(AmountOverflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legs_of_an_incident_order_follow_from_chain_and_mask() {
        let policy = Policy::default();
        let account = |text: &str| text.parse::<AccountSequence>().expect("an account");
        let unlocks = [(true, 1), (true, 3), (false, 3)];
        let unlocks = unlocks.map(|(adopted, direct)| UnlockState::new(adopted, direct, &policy));
        let posting = Posting {
            account: account("D25122700019"),
            trees: 2,
            total: "45234".parse().expect("an amount"),
            adoption_date: "2026-01-09".parse().expect("a date"),
            version: 1,
            province: None,
            city: None,
            chain: ["D25122700018", "D25122700015", "D25122700014"].map(account).into(),
            unlocked: UnlockedLegs::of_upline(unlocks, &policy),
        };
        let legs = posting.legs(&policy);
        let sum = Amount::sum(legs.iter().map(|leg| leg.amount)).expect("within the limit");
        assert_eq!(sum, posting.total);
        let owners: Vec<String> = legs[4..8].iter().map(|leg| leg.recipient.owner().to_string()).collect();
        assert_eq!(owners, ["D25122700018", "D25122700015", "HEADQUARTERS", "HEADQUARTERS"]);
        assert_eq!(legs[19].recipient.owner().to_string(), "D25122700018", "bonus tier 1");
        assert_eq!(legs[20].recipient.owner().to_string(), "HEADQUARTERS", "bonus tier 2");
        assert_eq!(posting.term(&policy).expire_date.to_string(), "2028-01-10");
    }
}
