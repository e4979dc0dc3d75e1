//! Finds what no message asks for: marks whose message was lost, intents of invocations that ended between two writes,
//! users that arrived unannounced, accounts that were not seen for long, and every account when another table of levels
//! comes into force.
//!
//! Touches: `Ledger` (reads, writes), `Source` (reads users), the clock.

use std::collections::BTreeSet;

use domain::AccountSequence;
use runtime::Context;
use store::Segment;
use store::talent::{self, Awaiting, Intent, TablePass, TalentCause};

use crate::forest::{Reach, Work};
use crate::propagate::Propagated;
use crate::{PropagationError, STARTS_MAX, TalentPropagation};

/// Work is begun only while more than this is left of the invocation, in milliseconds.
const WORK_TAKES_MS: i64 = 3_000;
/// Intents are read in this number from each shard.
const INTENTS_READ: usize = 20;

impl TalentPropagation {
    /// Propagates from every mark until none is left, and settles what became due.
    pub(crate) async fn sweep(
        &self,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<(), PropagationError> {
        let standards = self.standards(context).await?;
        if self.knows_activity && standards.table().asks_for_activity() {
            self.look_at_active(context, propagated).await?;
        }
        self.compare_with_table(context, propagated).await?;
        self.look_for_users(context, propagated).await?;
        self.settle_intents(context, propagated).await?;
        let mut failed = BTreeSet::new();
        while has_time(context) {
            let mut marks = talent::raised(&*context.engine, self.shards, self.read_at_once()).await?;
            marks.retain(|mark| !failed.contains(mark));
            if marks.is_empty() {
                break;
            }
            let Err(error) = self.propagate_marks(marks.clone(), Vec::new(), context, propagated).await
            else {
                continue;
            };
            if matches!(error, PropagationError::OutOfTime) {
                return Ok(());
            }
            tracing::warn!(%error, marks = marks.len(), "marks could not be propagated together; each is tried alone");
            for mark in marks {
                let alone = self.propagate_marks(vec![mark.clone()], Vec::new(), context, propagated).await;
                if let Err(error) = alone {
                    let account = mark.account.as_str();
                    tracing::error!(account, %error, "changes of talent levels could not be propagated");
                    failed.insert(mark);
                }
            }
        }
        Ok(())
    }

    /// Returns how many marks or entries are read at once from each shard.
    fn read_at_once(&self) -> usize {
        (STARTS_MAX / self.shards.count() as usize).max(1)
    }

    /// Settles the accounts of every intent whose invocation must have ended, and removes the intent.
    ///
    /// Each account is written first, so that a write which that invocation still has under way fails.
    async fn settle_intents(
        &self,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<(), PropagationError> {
        let now_ms = context.clock.now().timestamp_millis();
        let has_ended = |intent: &Intent| intent.until_ms < now_ms;
        let intents = talent::intents(&*context.engine, self.shards, INTENTS_READ).await?;
        for intent in intents.into_iter().filter(has_ended) {
            if !has_time(context) {
                return Ok(());
            }
            let causes = intent.accounts.iter().map(|account| (account.clone(), intent.cause.clone()));
            let work = Work {
                starts: causes.clone().collect(),
                ring_starts: causes.collect(),
                fenced: intent.accounts.clone(),
                reach: Reach::Ancestors,
                ..Work::default()
            };
            match self.propagate(work, context, propagated).await {
                Ok(_) => drop(context.engine.write(talent::remove_intent(&intent, self.shards)).await?),
                Err(error) => {
                    tracing::error!(intent = intent.number, %error, "an intent could not be settled; the next sweep tries again");
                }
            }
        }
        Ok(())
    }

    /// Publishes levels whose users have arrived.
    async fn look_for_users(
        &self,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<(), PropagationError> {
        for shard in self.shards.all() {
            let mut after: Option<Awaiting> = None;
            loop {
                if !has_time(context) {
                    return Ok(());
                }
                let awaiting = talent::awaiting(&*context.engine, shard, after.as_ref(), STARTS_MAX).await?;
                let Some(last) = awaiting.last() else { break };
                after = Some(last.clone());
                let accounts: Vec<AccountSequence> = awaiting.iter().map(|one| one.account.clone()).collect();
                let known = store::users::read(&*context.engine, accounts).await?;
                let arrived =
                    |account: &AccountSequence| known.get(account).is_some_and(|rows| rows.user().is_some());
                let records = talent::read_all(
                    &*context.engine,
                    awaiting.iter().map(|one| one.account.clone()).collect(),
                )
                .await?;
                let mut starts = Vec::new();
                for one in awaiting {
                    // The entry is stored before the record that begins to wait.
                    let stored = &records[&one.account];
                    let may_begin_to_wait = stored.revision < one.since_revision;
                    let waits_on = stored.talent.awaits_user_since == Some(one.since_revision);
                    if !waits_on && !may_begin_to_wait {
                        let removal = talent::remove_awaiting(&one, self.shards);
                        let _ = context.engine.write(removal).await?;
                    } else if arrived(&one.account) {
                        starts.push(one.account);
                    }
                }
                self.propagate_marks(Vec::new(), starts, context, propagated).await?;
            }
        }
        Ok(())
    }

    /// Settles the accounts that were last seen so long ago that they may no longer count as active.
    async fn look_at_active(
        &self,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<(), PropagationError> {
        while has_time(context) {
            let now_ms = context.clock.now().timestamp_millis();
            let limit = self.read_at_once();
            let due = talent::active_until_past(&*context.engine, self.shards, now_ms, limit).await?;
            if due.is_empty() {
                return Ok(());
            }
            let ended = |account: &AccountSequence| TalentCause::ActivityEnded { account: account.clone() };
            let work = Work {
                starts: due.iter().map(|due| (due.account.clone(), ended(&due.account))).collect(),
                users: due.iter().map(|due| due.account.clone()).collect(),
                reach: Reach::Ancestors,
                ..Work::default()
            };
            self.propagate(work, context, propagated).await?;
            let removals = due.iter().map(|one| talent::remove_active_until(one, self.shards)).collect();
            for removed in context.engine.write_many(removals).await {
                let _ = removed?;
            }
        }
        Ok(())
    }

    /// Compares accounts with the table in force, as far as time goes, where another one was in force before.
    async fn compare_with_table(
        &self,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<(), PropagationError> {
        let engine = &*context.engine;
        while has_time(context) {
            let state = talent::state(engine).await?;
            let Some(pass) = &state.pass else { return Ok(()) };
            let (records, next) = talent::scan(engine, Segment::WHOLE, pass.start()).await?;
            let cause = TalentCause::TableChanged { version: state.version };
            for part in records.chunks(STARTS_MAX) {
                let work = Work {
                    starts: part.iter().map(|(account, _)| (account.clone(), cause.clone())).collect(),
                    users: part.iter().map(|(account, _)| account.clone()).collect(),
                    reach: Reach::Ancestors,
                    ..Work::default()
                };
                self.propagate(work, context, propagated).await?;
            }
            let pass = next.map(|key| TablePass { after: Some((key.partition, key.sort)) });
            talent::put_state(engine, &store::talent::TalentState { pass, ..state }).await?;
        }
        Ok(())
    }
}

fn has_time(context: &Context) -> bool {
    (context.deadline - context.clock.now()).num_milliseconds() > WORK_TAKES_MS
}
