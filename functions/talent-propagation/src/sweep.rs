//! What no message brings: what a message was lost for, whose user arrived unannounced, who was not seen for long, and
//! every account, when another table of levels comes into force.
//!
//! Touches: `Ledger` (reads, writes), `Source` (reads users).

use std::collections::BTreeSet;

use domain::AccountSequence;
use runtime::Context;
use store::talent::{self, RAISED_SHARDS, TablePass, TalentCause};
use store::{Segment, Shard};

use crate::climb::Climbed;
use crate::forest::Work;
use crate::{Propagation, PropagationError, STARTS_MAX};

/// Work is begun only while more than this is left of the invocation, in milliseconds.
const WORK_TAKES_MS: i64 = 3_000;
/// Marks are read in this number from each shard.
const MARKS_READ: usize = STARTS_MAX / RAISED_SHARDS as usize;

impl Propagation {
    /// Carries up from every mark until none is left, and looks at what time has brought.
    pub(crate) async fn sweep(
        &self,
        context: &Context,
        climbed: &mut Climbed,
    ) -> Result<(), PropagationError> {
        let standards = self.standards(context).await?;
        if self.knows_activity && standards.table().asks_for_activity() {
            self.look_at_active(context, climbed).await?;
        }
        self.compare_with_table(context, climbed).await?;
        self.look_for_users(context, climbed).await?;
        let mut failed = BTreeSet::new();
        while has_time(context) {
            let mut marks = talent::raised(&*context.engine, MARKS_READ).await?;
            marks.retain(|mark| !failed.contains(mark));
            if marks.is_empty() {
                break;
            }
            let Err(error) = self.carry_up_marks(marks.clone(), Vec::new(), context, climbed).await else {
                continue;
            };
            if matches!(error, PropagationError::OutOfTime) {
                return Ok(());
            }
            tracing::warn!(%error, marks = marks.len(), "marks could not be carried up together; each is tried alone");
            for mark in marks {
                let alone = self.carry_up_marks(vec![mark.clone()], Vec::new(), context, climbed).await;
                if let Err(error) = alone {
                    let account = mark.account.as_str();
                    tracing::error!(account, %error, "changes of talent levels could not be carried up");
                    failed.insert(mark);
                }
            }
        }
        Ok(())
    }

    /// Publishes levels whose users have arrived.
    async fn look_for_users(&self, context: &Context, climbed: &mut Climbed) -> Result<(), PropagationError> {
        for shard in Shard::all(RAISED_SHARDS) {
            let mut after: Option<AccountSequence> = None;
            loop {
                if !has_time(context) {
                    return Ok(());
                }
                let awaiting = talent::awaiting(&*context.engine, shard, after.as_ref(), STARTS_MAX).await?;
                let Some(last) = awaiting.last() else { break };
                after = Some(last.account.clone());
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
                    if records[&one.account].talent.awaits_user_since.is_none() {
                        let removal = talent::remove_awaiting(&one);
                        let _ = context.engine.write(removal).await?;
                    } else if arrived(&one.account) {
                        starts.push(one.account);
                    }
                }
                self.carry_up_marks(Vec::new(), starts, context, climbed).await?;
            }
        }
        Ok(())
    }

    /// Settles who was not seen for so long that they may no longer count as active.
    async fn look_at_active(&self, context: &Context, climbed: &mut Climbed) -> Result<(), PropagationError> {
        while has_time(context) {
            let now_ms = context.clock.now().timestamp_millis();
            let due = talent::active_until_past(&*context.engine, now_ms, MARKS_READ).await?;
            if due.is_empty() {
                return Ok(());
            }
            let ended = |account: &AccountSequence| TalentCause::ActivityEnded { account: account.clone() };
            let work = Work {
                starts: due.iter().map(|due| (due.account.clone(), ended(&due.account))).collect(),
                users: due.iter().map(|due| due.account.clone()).collect(),
                goes_on: true,
                ..Work::default()
            };
            self.climb(work, context, climbed).await?;
            let removals = due.iter().map(talent::remove_active_until).collect();
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
        climbed: &mut Climbed,
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
                    goes_on: true,
                    ..Work::default()
                };
                self.climb(work, context, climbed).await?;
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
