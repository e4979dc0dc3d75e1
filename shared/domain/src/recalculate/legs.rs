//! The legs of a posting, by the numbers of their owners.

use super::adoption::{CompactPosting, TextNumber};
use super::people::Person;
use crate::{Amount, Policy, Slot, SystemAccountKind, UnlockedLegs};

/// Who has a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LegOwner {
    Person(Person),
    System(SystemAccountKind, Option<TextNumber>),
}

/// Shows every leg of a posting that is not zero. They sum to the total exactly.
pub(super) fn each_leg(
    posting: &CompactPosting,
    chain: &[Person],
    policy: &Policy,
    mut show: impl FnMut(LegOwner, Slot, Amount),
) {
    let rates = policy.rates();
    let headquarters = LegOwner::System(SystemAccountKind::Headquarters, None);
    let mut left_over = posting.total;
    let mut give = |owner: LegOwner, slot: Slot, amount: Amount| {
        left_over = left_over.checked_sub(amount).expect("shares are parts of the total");
        if !amount.is_zero() {
            show(owner, slot, amount);
        }
    };
    let share = |rate| posting.total.share(rate);
    give(LegOwner::Person(posting.account), Slot::Personal, share(rates.personal));
    give(LegOwner::System(SystemAccountKind::Operation, None), Slot::Operation, share(rates.operation));
    give(
        LegOwner::System(SystemAccountKind::Province, posting.province),
        Slot::Province,
        share(rates.province),
    );
    give(LegOwner::System(SystemAccountKind::City, posting.city), Slot::City, share(rates.city));
    let team = |slot: Slot, unlocked: UnlockedLegs| match slot.decider(chain) {
        Some(ancestor) if unlocked.contains(slot) => LegOwner::Person(*ancestor),
        Some(_) | None => headquarters,
    };
    let (level_amount, bonus_amount) = (share(rates.team_level), share(rates.team_bonus));
    for slot in (1..=policy.level_count()).map(Slot::TeamLevel) {
        give(team(slot, posting.unlocked), slot, level_amount);
    }
    for slot in (1..=policy.bonus_count()).map(Slot::TeamBonus) {
        give(team(slot, posting.unlocked), slot, bonus_amount);
    }
    if !left_over.is_zero() {
        show(headquarters, Slot::Rounding, left_over);
    }
}
