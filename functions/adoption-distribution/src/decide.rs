//! What is to be posted for one adoption: a pure comparison of what should be with what is.

use ledger::cdc::AdoptionRow;
use ledger::rules::{
    AccountSequence, Adoption, AmountOverflow, Ancestor, ContributionPerTree, Distribution, Leg, OrderId,
    Policy, Term, UnlockFacts, affected_orders, distribute,
};
use ledger::store::{AdoptionRecord, EntryCause, JournalEntry, ReassessTask, TreeId};

use crate::view::View;

/// An adoption and who is involved in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Involved<'a> {
    /// The adoption as the source has it now.
    pub(crate) record: &'a AdoptionRecord,
    /// The row, which every released adoption has.
    pub(crate) row: &'a AdoptionRow,
    /// The ancestors that take part, the referrer first.
    pub(crate) ancestors: &'a [AccountSequence],
    /// The trees they are all in; the adopter's own first.
    pub(crate) trees: &'a [TreeId],
}

/// What one adoption changes.
#[derive(Debug)]
pub(crate) struct Effect {
    /// The entry to post.
    pub(crate) entry: JournalEntry,
    /// Accounts whose unlock facts change.
    pub(crate) unlocks: Vec<(AccountSequence, UnlockFacts)>,
    /// What this proves wrong, perhaps.
    pub(crate) tasks: Vec<ReassessTask>,
}

/// What a reversal needs to know that the view does not hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct AfterReversal {
    /// The adopter's first order without the reversed one.
    pub(crate) next_first_order: Option<OrderId>,
    /// The first orders of all direct referrals of the referrer, if too few of them are kept.
    pub(crate) direct_first_orders: Option<Vec<OrderId>>,
}

impl Involved<'_> {
    /// The adopter.
    fn adopter(&self) -> &AccountSequence {
        &self.row.account
    }

    /// What makes the adoption posted: its distribution, by the unlocks as of its order with itself
    /// counted in. In whatever sequence adoptions are posted, that is the same, but for those whose
    /// unlocks it changes and that were posted already: these become tasks.
    pub(crate) fn post(&self, view: &View, policy: &Policy, now_ms: i64) -> Result<Effect, AmountOverflow> {
        let order = self.record.order;
        let first = view.account(self.adopter()).unlock.first_order();
        let new_first = Some(first.map_or(order, |first| first.min(order)));
        let unlocks = self.unlocks_with(view, new_first, None);
        let distribution = self.distribution(view, &unlocks, policy)?;
        let position = view.position(order);
        let cause = match position.next_number {
            0 => EntryCause::Distribution,
            _ => EntryCause::Redistribution,
        };
        let entry = self.entry(cause, position.next_number, distribution.legs, policy, now_ms);
        let tasks = self.tasks(view, &unlocks, entry.number, policy);
        Ok(Effect { entry, unlocks, tasks })
    }

    /// What takes the adoption back, with what it unlocked.
    pub(crate) fn reverse(&self, view: &View, after: &AfterReversal, policy: &Policy, now_ms: i64) -> Effect {
        let order = self.record.order;
        let first = view.account(self.adopter()).unlock.first_order();
        let new_first = if first == Some(order) { after.next_first_order } else { first };
        let unlocks = self.unlocks_with(view, new_first, after.direct_first_orders.as_deref());
        let position = view.position(order);
        let entry =
            self.entry(EntryCause::Reversal, position.next_number, position.reversed_legs(), policy, now_ms);
        let tasks = self.tasks(view, &unlocks, entry.number, policy);
        Effect { entry, unlocks, tasks }
    }

    /// What moves each leg to whom the rules give it now; nothing if all are right.
    pub(crate) fn reassess(
        &self,
        task: &ReassessTask,
        view: &View,
        policy: &Policy,
        now_ms: i64,
    ) -> Result<Option<Effect>, AmountOverflow> {
        let position = view.position(self.record.order);
        let distribution = self.distribution(view, &[], policy)?;
        let moves = position.moves_to(&distribution.legs);
        if moves.is_empty() {
            return Ok(None);
        }
        let cause = EntryCause::Reassessment { order: task.cause, account: task.account.clone() };
        let entry = self.entry(cause, position.next_number, moves, policy, now_ms);
        Ok(Some(Effect { entry, unlocks: Vec::new(), tasks: Vec::new() }))
    }

    /// The facts of the adopter and its referrer with this first order of the adopter; only those
    /// that change.
    fn unlocks_with(
        &self,
        view: &View,
        new_first: Option<OrderId>,
        refill: Option<&[OrderId]>,
    ) -> Vec<(AccountSequence, UnlockFacts)> {
        let mut changed = Vec::new();
        let before = &view.account(self.adopter()).unlock;
        if before.first_order() == new_first {
            return changed;
        }
        let mut adopter = before.clone();
        adopter.set_first_order(new_first);
        changed.push((self.adopter().clone(), adopter));
        if let Some(referrer) = self.ancestors.first() {
            let mut facts = view.account(referrer).unlock.clone();
            facts.direct_first_order_changed(before.first_order(), new_first);
            if let Some(all) = refill {
                facts.refill(all.iter().copied());
            }
            changed.push((referrer.clone(), facts));
        }
        changed
    }

    /// How the rules share this adoption out, with these facts in place of those in view.
    fn distribution(
        &self,
        view: &View,
        unlocks: &[(AccountSequence, UnlockFacts)],
        policy: &Policy,
    ) -> Result<Distribution, AmountOverflow> {
        let row = self.row;
        let price = row.contribution_per_tree.expect("an adoption has its price when it is released");
        let adoption = Adoption {
            order: row.order,
            account: row.account.clone(),
            tree_count: row.tree_count,
            contribution_per_tree: ContributionPerTree::try_from(price)
                .expect("a row with a negative price is refused when it arrives"),
            adoption_date: row.adoption_date,
            province: row.province.clone(),
            city: row.city.clone(),
        };
        let ancestors: Vec<Ancestor> = self
            .ancestors
            .iter()
            .map(|account| {
                let changed = unlocks.iter().find(|(changed, _)| changed == account).map(|(_, facts)| facts);
                let facts = changed.unwrap_or(&view.account(account).unlock);
                Ancestor { account: account.clone(), unlock: facts.evaluated_for(row.order, policy) }
            })
            .collect();
        distribute(&adoption, &ancestors, policy)
    }

    fn entry(
        &self,
        cause: EntryCause,
        number: u32,
        legs: Vec<Leg>,
        policy: &Policy,
        now_ms: i64,
    ) -> JournalEntry {
        JournalEntry {
            order: self.record.order,
            number,
            cause,
            account: self.adopter().clone(),
            tree_count: self.row.tree_count,
            contribution_per_tree: ContributionPerTree::try_from(
                self.row.contribution_per_tree.expect("an adoption has its price when it is released"),
            )
            .expect("a row with a negative price is refused when it arrives"),
            term: Term::starting(self.row.adoption_date.next(), policy.term_years()),
            legs,
            posted_at_ms: now_ms,
        }
    }

    /// A task for each account whose changed facts concern orders that may be posted already.
    fn tasks(
        &self,
        view: &View,
        unlocks: &[(AccountSequence, UnlockFacts)],
        entry: u32,
        policy: &Policy,
    ) -> Vec<ReassessTask> {
        let order = self.record.order;
        let last_posted = self.trees.iter().filter_map(|tree| view.cursor(tree).last_order).max();
        let mut tasks = Vec::new();
        for (account, facts) in unlocks {
            let Some(range) = affected_orders(&view.account(account).unlock, facts, policy) else { continue };
            let concerns_later_ones = last_posted.is_some_and(|last| last > order);
            if concerns_later_ones || range.from < order {
                tasks.push(ReassessTask::new(self.trees[0].clone(), order, entry, account.clone(), range));
            }
        }
        tasks
    }
}
