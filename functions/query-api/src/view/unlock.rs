//! What an account has unlocked, and what is missing for more.

use domain::{OrderId, Policy, Slot, UnlockFacts, UnlockState};
use serde::Serialize;

use super::order_text;

/// What an account has unlocked by one version of the rules.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UnlockView {
    has_adopted: bool,
    direct_referral_adopted_count: u32,
    unlocked_level_depth: u8,
    unlocked_bonus_tiers: u8,
    level_count: u8,
    bonus_count: u8,
    first_order_id: Option<String>,
    direct_referral_first_order_ids: Vec<String>,
    /// What comes next, the nearest first; empty where everything is unlocked.
    next: Vec<NextUnlockView>,
}

/// Legs that are not unlocked, and what is missing for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NextUnlockView {
    /// `TEAM_LEVEL` or `TEAM_BONUS`.
    r#type: &'static str,
    first_index: u8,
    last_index: u8,
    missing: Vec<MissingView>,
}

/// What an account lacks for a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "requirement", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum MissingView {
    /// An adoption of its own.
    OwnAdoption,
    /// More direct referrals with an adoption.
    DirectAdopters {
        /// How many there must be.
        needed: u32,
        /// How many there are.
        found: u32,
    },
}

impl UnlockView {
    /// Returns what these facts unlock by a policy.
    pub(crate) fn new(facts: &UnlockFacts, policy: &Policy) -> Self {
        let state = facts.latest(policy);
        Self {
            has_adopted: state.has_adopted,
            direct_referral_adopted_count: facts.direct_adopter_count(),
            unlocked_level_depth: state.level_depth,
            unlocked_bonus_tiers: state.bonus_tiers,
            level_count: policy.level_count(),
            bonus_count: policy.bonus_count(),
            first_order_id: facts.first_order().map(order_text),
            direct_referral_first_order_ids: orders(facts.direct_first_orders()),
            next: next(state, policy),
        }
    }
}

fn orders(orders: &[OrderId]) -> Vec<String> {
    orders.iter().copied().map(order_text).collect()
}

/// Returns what comes next: the step of levels above those that are open, and the next tier.
fn next(state: UnlockState, policy: &Policy) -> Vec<NextUnlockView> {
    let mut next = Vec::new();
    if state.level_depth < policy.level_count() {
        let missing = missing_for(Slot::TeamLevel(state.level_depth + 1), state, policy);
        // An own adoption may open several steps at once.
        let reached =
            policy.depth_steps().iter().rev().find(|step| step.direct_adopters <= state.direct_adopters);
        let following = policy.depth_steps().iter().find(|step| step.depth > state.level_depth);
        let opened = reached.filter(|step| step.depth > state.level_depth).or(following);
        if let Some(step) = opened {
            next.push(NextUnlockView {
                r#type: "TEAM_LEVEL",
                first_index: state.level_depth + 1,
                last_index: step.depth,
                missing,
            });
        }
    }
    // Tiers are counted, so the next one is opened by whichever of its conditions comes first.
    if state.bonus_tiers < policy.bonus_count() {
        let tier = state.bonus_tiers + 1;
        let missing = next_tier(state, policy);
        next.push(NextUnlockView { r#type: "TEAM_BONUS", first_index: tier, last_index: tier, missing });
    }
    next.sort_by_key(|unlock| unlock.missing.iter().map(MissingView::distance).sum::<u32>());
    next
}

/// Returns the nearest thing that opens one more tier: the own adoption, or direct adopters.
fn next_tier(state: UnlockState, policy: &Policy) -> Vec<MissingView> {
    if !state.has_adopted {
        return vec![MissingView::OwnAdoption];
    }
    let step = policy.bonus_tier_steps().iter().find(|step| **step > state.direct_adopters);
    let missing =
        step.map(|needed| MissingView::DirectAdopters { needed: *needed, found: state.direct_adopters });
    missing.into_iter().collect()
}

/// Returns what an account in this state lacks for a leg.
pub(crate) fn missing_for(slot: Slot, state: UnlockState, policy: &Policy) -> Vec<MissingView> {
    let (needs_own, needed) = match slot {
        Slot::TeamLevel(level) => {
            let step = policy.depth_steps().iter().find(|step| step.depth >= level);
            (policy.team_requires_own_adoption(), step.map_or(0, |step| step.direct_adopters))
        }
        // The own adoption opens one tier, and each step one more.
        Slot::TeamBonus(tier) => {
            let step = usize::from(tier).checked_sub(2).and_then(|step| policy.bonus_tier_steps().get(step));
            (true, step.copied().unwrap_or(0))
        }
        Slot::Personal | Slot::Operation | Slot::Province | Slot::City | Slot::Rounding => (false, 0),
    };
    let mut missing = Vec::new();
    if needs_own && !state.has_adopted {
        missing.push(MissingView::OwnAdoption);
    }
    if state.direct_adopters < needed {
        missing.push(MissingView::DirectAdopters { needed, found: state.direct_adopters });
    }
    missing
}

impl MissingView {
    /// Returns how many adoptions it takes.
    fn distance(&self) -> u32 {
        match self {
            Self::OwnAdoption => 1,
            Self::DirectAdopters { needed, found } => needed - found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(has_adopted: bool, direct_adopters: u32) -> Vec<NextUnlockView> {
        let policy = Policy::default();
        next(UnlockState::new(has_adopted, direct_adopters, &policy), &policy)
    }

    fn unlock(r#type: &'static str, first: u8, last: u8, missing: &[MissingView]) -> NextUnlockView {
        NextUnlockView { r#type, first_index: first, last_index: last, missing: missing.to_vec() }
    }

    #[test]
    fn what_is_nearest_comes_first() {
        let direct = |needed, found| MissingView::DirectAdopters { needed, found };
        assert_eq!(
            next_of(true, 1),
            [unlock("TEAM_BONUS", 2, 2, &[direct(2, 1)]), unlock("TEAM_LEVEL", 6, 10, &[direct(3, 1)])]
        );
        assert_eq!(
            next_of(false, 0),
            [
                unlock("TEAM_BONUS", 1, 1, &[MissingView::OwnAdoption]),
                unlock("TEAM_LEVEL", 1, 5, &[MissingView::OwnAdoption, direct(1, 0)])
            ]
        );
        assert_eq!(next_of(true, 5), []);
    }

    #[test]
    fn an_own_adoption_opens_every_step_that_direct_adopters_have_reached() {
        let levels = next_of(false, 5).into_iter().find(|next| next.r#type == "TEAM_LEVEL");
        assert_eq!(levels, Some(unlock("TEAM_LEVEL", 1, 15, &[MissingView::OwnAdoption])));
    }
}
