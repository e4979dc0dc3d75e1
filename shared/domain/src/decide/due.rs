//! What becomes due: dates that come, and waits that are over (rules, section 6: brakes).

use super::Decider;
use super::state::Need;
use crate::heads::{Brake, Due};
use crate::log::{Cause, Entry, PauseScope, UplineWait};
use crate::{AccountSequence, LinkRef};

impl Decider {
    /// Looks at what has become due: dates that came, and waits that are over.
    pub(super) fn look_at_due(&mut self) -> Result<bool, Vec<Need>> {
        if self.due_looked_at {
            return Ok(false);
        }
        let time_ms = self.draft.time_ms();
        // What an operator let go does not wait out its time.
        let let_go_ms = self.state.network.brake.released_ms.map(|at_ms| at_ms + self.parameters.settle_ms);
        let looked_to_ms = let_go_ms.map_or(time_ms, |at_ms| at_ms.max(time_ms));
        let stopped = self.state.network.paused.contains_key(&PauseScope::Corrections);
        let is_braking = self.is_braking();
        let mut due = self.state.network.due.iter().take_while(|(at_ms, _)| *at_ms <= looked_to_ms);
        let next = due.find(|(at_ms, due)| match due {
            Due::Date(_) => *at_ms <= time_ms,
            Due::OrderWait(_) | Due::UplineWait(_) => {
                let is_over = *at_ms <= time_ms && !is_braking;
                !stopped && (is_over || self.was_released(*at_ms)) && !self.blocked.contains(due)
            }
        });
        match next.cloned() {
            None => {
                self.due_looked_at = true;
                Ok(false)
            }
            Some((_, Due::Date(order))) => {
                self.correct_order(order, &Cause::Date)?;
                Ok(true)
            }
            Some((until_ms, Due::OrderWait(order))) => {
                self.state.adoption(order)?;
                self.push(Entry::OrderWaitEnded { order, until_ms });
                self.begin_to_correct(order, Cause::Row);
                self.complete_begun()
            }
            Some((_, due @ Due::UplineWait(_))) => {
                let Due::UplineWait(account) = &due else { unreachable!("it is one") };
                match self.end_upline_wait(account) {
                    Err(needs) if self.state.unreadable_among(&needs).is_some() => {
                        self.blocked.insert(due);
                        Ok(true)
                    }
                    ended => ended.map(|()| true),
                }
            }
        }
    }

    /// Lets an upline that has waited long enough come into force as the source has it now.
    fn end_upline_wait(&mut self, account: &AccountSequence) -> Result<(), Vec<Need>> {
        let node = self.state.node(account)?;
        let (before, after) = (node.link(), node.latest_link());
        let waiting = node.waiting.clone().expect("what is due waits");
        let later_ms = self.waits_with(account, after.borrowed())?.filter(|ms| *ms > waiting.until_ms);
        self.needs_of_upline_change(account, &before, &after)?;
        self.push(Entry::UplineWaitEnded {
            account: account.clone(),
            until_ms: waiting.until_ms,
            adoptions: waiting.adoptions,
        });
        match later_ms {
            None => self.move_account(account, before, after),
            Some(until_ms) => {
                self.push(Entry::UplineWaits(UplineWait {
                    account: account.clone(),
                    in_force: waiting.in_force,
                    since_ms: waiting.since_ms,
                    until_ms,
                    adoptions: waiting.adoptions,
                    because: crate::log::ChangedBecause::RowChanged,
                }));
            }
        }
        Ok(())
    }

    /// Returns until when another account waits that closes a cycle with `account` below this link.
    ///
    /// Two accounts that swap places pass through a cycle. The first one waits for the second.
    fn waits_with(&self, account: &AccountSequence, link: LinkRef<'_>) -> Result<Option<i64>, Vec<Need>> {
        let mut until_ms = None;
        let mut current = link.referrer();
        for _ in 0..=self.state.network.versions.ancestors_max() {
            let Some(ancestor) = current else { return Ok(None) };
            if ancestor == account {
                return Ok(until_ms);
            }
            let node = self.state.node(ancestor)?;
            until_ms = until_ms.max(node.waiting.as_ref().map(|waiting| waiting.until_ms));
            current = node.link_in_force().referrer();
        }
        Ok(None)
    }

    /// Returns whether so much waits, or was let go within the hour, that an operator has to look.
    #[must_use]
    pub fn is_braking(&self) -> bool {
        let network = &self.state.network;
        let waiting = network.counts.orders_waiting + network.counts.adoptions_below_waiting;
        let concerned = network.brake.let_go_within_the_hour(self.draft.time_ms()) + waiting;
        concerned > self.parameters.brake_adoptions
    }

    /// Returns whether an operator let everything go after this began to wait.
    fn was_released(&self, until_ms: i64) -> bool {
        let since_ms = until_ms.saturating_sub(self.parameters.settle_ms);
        self.state.network.brake.released_ms.is_some_and(|released_ms| since_ms <= released_ms)
    }

    /// Returns when something is due, in milliseconds since 1970.
    pub(super) fn next_due_ms(&self) -> Option<i64> {
        let network = &self.state.network;
        let now_ms = self.draft.time_ms();
        let first = network.due.iter().map(|(at_ms, _)| *at_ms).find(|at_ms| *at_ms > now_ms);
        // What is due and did not go waits for the brake to open, or for an operator.
        let is_held_back = network.due.first().is_some_and(|(at_ms, _)| *at_ms <= now_ms);
        let brake_opens = network.brake.let_go.first().filter(|_| is_held_back);
        let brake_opens = brake_opens.map(|(at_ms, _)| Brake::counts_until(*at_ms));
        let midnight = network.close_asked.and_then(|asked| {
            let tomorrow = self.today().next();
            (asked.until >= tomorrow).then(|| tomorrow.begins_at(self.parameters.zone).timestamp_millis())
        });
        let window_ms = self.parameters.reorder_window_ms;
        let turn = network.unpriced.first_key_value().map(|(_, order)| order.committed_by_ms() + window_ms);
        [first, brake_opens, midnight, turn].into_iter().flatten().filter(|at_ms| *at_ms > now_ms).min()
    }
}
