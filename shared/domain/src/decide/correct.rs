//! Compares an adoption with what should stand, and decides the difference.

use super::Decider;
use super::desired::{Desired, Outcome};
use super::state::Need;
use crate::heads::{AdoptionHead, AdoptionState};
use crate::log::{Cause, Correction, Entry, FirstOrderChange, Held, HoldReason, PauseScope};
use crate::{OrderId, OrderRange, Posting, TermsColumn};

/// An order that this page has begun to correct. The page is not finished before it is.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    order: OrderId,
    cause: Cause,
    /// Whether it was posted, so that to post it again is a correction and nothing new.
    was_posted: bool,
}

impl Decider {
    /// Decides whatever makes `order` what it should be.
    ///
    /// Nothing is decided before everything that the decision needs is in memory, but for one case: an adoption
    /// that moves to another account is taken back first, and is then begun.
    pub(super) fn correct_order(&mut self, order: OrderId, cause: &Cause) -> Result<(), Vec<Need>> {
        self.correct_or_hold(order, cause, false)
    }

    /// Corrects `order` before this page is finished, because of what this page says already.
    pub(super) fn begin_to_correct(&mut self, order: OrderId, cause: Cause) {
        assert!(self.begun.is_none(), "one order is corrected after the other");
        self.begun = Some(Begun { order, cause, was_posted: false });
    }

    /// Completes the order that this page has begun to correct.
    pub(super) fn complete_begun(&mut self) -> Result<bool, Vec<Need>> {
        let Some(Begun { order, cause, was_posted }) = self.begun.clone() else { return Ok(false) };
        self.correct_or_hold(order, &cause, was_posted)?;
        self.begun = None;
        Ok(true)
    }

    /// Holds an order that is not posted, if an account that decides it cannot be read.
    fn correct_or_hold(&mut self, order: OrderId, cause: &Cause, was_posted: bool) -> Result<(), Vec<Need>> {
        let needs = match self.correct_by_heads(order, cause, was_posted) {
            Ok(()) => return Ok(()),
            Err(needs) => needs,
        };
        let Some(account) = self.state.unreadable_among(&needs) else { return Err(needs) };
        let head = self.state.adoption(order)?;
        if head.posting().is_none() {
            let eligible_trees = self.eligible_trees(order)?;
            let outcome = Outcome::Hold(HoldReason::AccountUnreadable(account));
            self.replace(order, Desired { eligible_trees, outcome }, cause)?;
        }
        Ok(())
    }

    fn correct_by_heads(&mut self, order: OrderId, cause: &Cause, was_posted: bool) -> Result<(), Vec<Need>> {
        let mut desired = self.desired(order)?;
        let head = self.state.adoption(order)?;
        let paused = &self.state.network.paused;
        if let AdoptionState::Posted(was) = &head.state {
            let was = was.clone();
            return match desired.outcome {
                Outcome::Post(is) if *was == *is => self.note_eligible(order, desired.eligible_trees),
                _ if paused.contains_key(&PauseScope::Corrections) && *cause != Cause::Repair => {
                    self.compare_once_resumed(order, cause);
                    Ok(())
                }
                Outcome::Post(is) if was.account == is.account => {
                    self.note_eligible(order, desired.eligible_trees)?;
                    self.correct(order, *was, *is, cause)
                }
                _ => {
                    self.withdraw(order, was, cause)?;
                    // Another account's unlocks may be other without it.
                    self.begun = Some(Begun { order, cause: cause.clone(), was_posted: true });
                    self.complete_begun().map(|_| ())
                }
            };
        }
        if matches!(desired.outcome, Outcome::Post(_))
            && paused.contains_key(&PauseScope::Posting)
            && !was_posted
        {
            desired.outcome = Outcome::Hold(HoldReason::PostingPaused);
        }
        self.replace(order, desired, cause)
    }

    /// Replaces the state of an order that is not posted by the state that it should have.
    fn replace(&mut self, order: OrderId, desired: Desired, cause: &Cause) -> Result<(), Vec<Need>> {
        let head = self.state.adoption(order)?;
        let look_again_ms = match &desired.outcome {
            Outcome::Hold(reason) => self.look_again_ms(head, reason),
            Outcome::Gone | Outcome::Unpriced | Outcome::Post(_) => None,
        };
        let stands = match (&head.state, &desired.outcome) {
            (AdoptionState::Held(reason), Outcome::Hold(desired)) => {
                reason == desired && head.look_again_ms == look_again_ms
            }
            (AdoptionState::Unpriced, Outcome::Unpriced) | (AdoptionState::Absent, Outcome::Gone) => true,
            _ => false,
        };
        if stands {
            return self.note_eligible(order, desired.eligible_trees);
        }
        let hold_before = match &head.state {
            AdoptionState::Held(reason) => {
                Some(Held { order, reason: reason.clone(), look_again_ms: head.look_again_ms })
            }
            AdoptionState::Absent | AdoptionState::Unpriced | AdoptionState::Posted(_) => None,
        };
        let (first_order, facts) = match &desired.outcome {
            Outcome::Post(posting) => {
                let change = self.first_order_change(order, &posting.account)?;
                let facts = self.facts_before(order, &posting.account, change.as_ref())?;
                (change, facts)
            }
            Outcome::Gone | Outcome::Unpriced | Outcome::Hold(_) => (None, Vec::new()),
        };
        self.note_eligible(order, desired.eligible_trees)?;
        if let Some(hold_before) = hold_before {
            self.push(Entry::HoldEnded(hold_before));
        }
        match desired.outcome {
            Outcome::Gone => self.push(Entry::Gone { order }),
            Outcome::Hold(reason) => self.push(Entry::Held(Held { order, reason, look_again_ms })),
            Outcome::Unpriced => {
                let committed_ms = self.committed_ms(order);
                self.push(Entry::Unpriced { order, committed_ms });
            }
            Outcome::Post(posting) => {
                self.push(Entry::Posted { order, posting, first_order, cause: cause.clone() });
                self.compare_below(order, facts);
            }
        }
        Ok(())
    }

    /// Puts the legs of a posted adoption right that stays with its account.
    fn correct(&mut self, order: OrderId, was: Posting, is: Posting, cause: &Cause) -> Result<(), Vec<Need>> {
        let moves_backfill = was.adoption_date != is.adoption_date && self.backfills();
        let account = was.account.clone();
        let referrer = self.state.node(&account)?.link().referrer().cloned();
        let is_first = self.state.node(&account)?.facts.first_order() == Some(order);
        self.push(Entry::Corrected(Box::new(Correction { order, was, is, cause: cause.clone() })));
        // Whether a leg's term is over when it is unlocked follows from the date of what unlocks it.
        if moves_backfill && is_first {
            for account in std::iter::once(account).chain(referrer) {
                let orders = OrderRange { from: OrderId::MIN, to: Some(order) };
                self.begin_walk(account, orders, Cause::Unlock { order });
            }
        }
        Ok(())
    }

    /// Takes a posted adoption back, and what it unlocked with it.
    fn withdraw(&mut self, order: OrderId, posting: Box<Posting>, cause: &Cause) -> Result<(), Vec<Need>> {
        let account = &posting.account;
        let node = self.state.node(account)?;
        let before = node.facts.first_order();
        let first_order = if before == Some(order) {
            let after = self.next_posted(account, order)?;
            Some(FirstOrderChange { before, after, referrer: node.link().referrer().cloned() })
        } else {
            None
        };
        let facts = self.facts_before(order, account, first_order.as_ref())?;
        self.push(Entry::Withdrawn { order, posting, first_order, cause: cause.clone() });
        self.compare_below(order, facts);
        Ok(())
    }

    /// Records how many trees of the order count for the prices of later ones.
    fn note_eligible(&mut self, order: OrderId, after: u32) -> Result<(), Vec<Need>> {
        let before = self.state.adoption(order)?.eligible_trees;
        if before != after {
            self.push(Entry::Eligible { order, before, after });
        }
        Ok(())
    }

    /// Returns when an order that is held for this reason is looked at again, in milliseconds since 1970.
    fn look_again_ms(&self, head: &AdoptionHead, reason: &HoldReason) -> Option<i64> {
        let date = head.row().and_then(|row| row.date.read(TermsColumn::Date).ok()).copied();
        let look_again = match (reason, date) {
            (HoldReason::NotYet, Some(date)) => Some(date.previous()),
            // A row without a date is judged by the version in force today.
            (HoldReason::Status | HoldReason::InvalidTerms(_), None) => {
                self.state.network.versions.next_change_after(self.today())
            }
            _ => None,
        };
        look_again.map(|date| date.begins_at(self.parameters.zone).timestamp_millis())
    }

    /// Decides an entry: it goes into the draft, and into everything in memory.
    pub(super) fn push(&mut self, entry: Entry) {
        self.state.apply(&entry, self.draft.position(), self.draft.time_ms());
        self.draft.push(entry);
    }
}
