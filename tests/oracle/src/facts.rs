//! What accounts have unlocked as of an order (rules, section 5).

use crate::parties::Party;
use crate::policy::Policy;
use crate::rows::OrderId;

/// For every party, which orders decide what it has unlocked.
#[derive(Debug)]
pub(crate) struct Facts {
    first_adoption: Vec<Option<OrderId>>,
    /// The first adoption of each direct referral that has one, ascending.
    direct_adoptions: Vec<Vec<OrderId>>,
}

/// An account's state of unlocking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unlock {
    pub(crate) has_adopted: bool,
    pub(crate) direct_adopters: usize,
}

impl Facts {
    pub(crate) fn new(parties: usize) -> Self {
        Self { first_adoption: vec![None; parties], direct_adoptions: vec![Vec::new(); parties] }
    }

    /// Counts a posted adoption. They come in ascending order.
    pub(crate) fn count(&mut self, order_id: OrderId, account: Party, referrer: Option<Party>) {
        if self.first_adoption[account.0].is_none() {
            self.first_adoption[account.0] = Some(order_id);
            if let Some(referrer) = referrer {
                self.direct_adoptions[referrer.0].push(order_id);
            }
        }
    }

    pub(crate) fn first_adoption(&self, account: Party) -> Option<OrderId> {
        self.first_adoption[account.0]
    }

    pub(crate) fn direct_adoptions(&self, account: Party) -> &[OrderId] {
        &self.direct_adoptions[account.0]
    }

    /// Returns an account's state as of an order, which counts itself.
    pub(crate) fn as_of(&self, account: Party, order_id: OrderId) -> Unlock {
        Unlock {
            has_adopted: self.first_adoption(account).is_some_and(|first| first <= order_id),
            direct_adopters: self.direct_adoptions(account).partition_point(|first| *first <= order_id),
        }
    }

    /// Returns an account's state as of all orders.
    pub(crate) fn in_the_end(&self, account: Party) -> Unlock {
        Unlock {
            has_adopted: self.first_adoption(account).is_some(),
            direct_adopters: self.direct_adoptions(account).len(),
        }
    }

    /// Returns the first order as of which `is_open` holds of an account's state.
    ///
    /// More direct adopters than any step asks for make no difference, so their orders are not tried.
    pub(crate) fn first_order(
        &self,
        account: Party,
        policy: &Policy,
        is_open: impl Fn(Unlock) -> bool,
    ) -> Option<OrderId> {
        let asked = policy.depth_steps.iter().map(|step| step.direct_adopters);
        let most = asked.chain(policy.bonus_tier_steps.iter().copied()).max().unwrap_or(0);
        let mut orders: Vec<OrderId> = self.direct_adoptions(account).iter().copied().take(most).collect();
        orders.extend(self.first_adoption(account));
        orders.sort_unstable();
        orders.into_iter().find(|order_id| is_open(self.as_of(account, *order_id)))
    }
}

impl Unlock {
    /// Returns how many team levels are open under a policy.
    pub(crate) fn level_depth(self, policy: &Policy) -> usize {
        if policy.team_requires_own_adoption && !self.has_adopted {
            return 0;
        }
        let open = policy.depth_steps.iter().filter(|step| step.direct_adopters <= self.direct_adopters);
        open.map(|step| step.depth).max().unwrap_or(0)
    }

    /// Returns how many bonus tiers are open under a policy.
    pub(crate) fn bonus_tiers(self, policy: &Policy) -> usize {
        let by_team = policy.bonus_tier_steps.iter().filter(|step| **step <= self.direct_adopters);
        usize::from(self.has_adopted) + by_team.count()
    }
}
