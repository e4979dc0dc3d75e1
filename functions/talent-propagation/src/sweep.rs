//! What no message brings: what a snapshot brought, what a message was lost for, and who was not
//! seen for long.

use chrono::{DateTime, TimeDelta, Utc};
use ledger::store::{ActiveUntil, SnapshotState, TalentCause, TalentMark};
use ledger::talent::{Climbed, Start};

use crate::{PropagationError, Propagator, SweepSummary};

/// Marks read at a time. Their accounts and all above them are held in memory.
const MARKS_READ_MAX: usize = 8_000;
/// Marks carried up together: neighbours on the list, and so mostly of the same trees.
const MARKS_TOGETHER_MAX: usize = 2_000;
/// Accounts looked at again, because they may no longer be active, at a time.
const ACTIVE_READ_MAX: usize = 1_000;
/// A mark this old is dealt with even while a snapshot is being read: perhaps nothing marks its end.
const MARK_AGE_MAX: TimeDelta = TimeDelta::minutes(15);

impl Propagator {
    /// Carries up from every mark that is old enough, until none is left or `deadline` is near.
    pub(crate) async fn sweep(
        &self,
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
        climbed: &mut Climbed,
    ) -> Result<SweepSummary, PropagationError> {
        let mut summary = SweepSummary::default();
        self.look_at_active_again(clock, deadline, climbed).await?;
        loop {
            let now = clock();
            let waiting = self.is_reading_snapshot(now).await?;
            let age_min = if waiting { MARK_AGE_MAX } else { self.sweep_after };
            let youngest_ms = (now - age_min).timestamp_millis();
            let mut marks = self.environment.store.raised_talent_marks(MARKS_READ_MAX).await?;
            let read = marks.len();
            marks.retain(|mark| mark.raised_at_ms <= youngest_ms);
            summary.waiting = waiting && marks.len() < read;
            marks.sort_by(|one, other| (&one.tree, &one.account).cmp(&(&other.tree, &other.account)));
            let cleared_before = summary.cleared;
            for together in marks.chunks(MARKS_TOGETHER_MAX) {
                if clock() >= deadline {
                    return Ok(summary);
                }
                self.sweep_together(together, clock, deadline, climbed, &mut summary).await?;
            }
            if summary.cleared == cleared_before {
                break;
            }
        }
        if summary.failed > 0 {
            return Err(PropagationError::MarksFailed { failed: summary.failed });
        }
        Ok(summary)
    }

    /// Carries up from these marks together; if that fails, from each alone, so that one bad item
    /// keeps nobody else from being settled.
    async fn sweep_together(
        &self,
        marks: &[TalentMark],
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
        climbed: &mut Climbed,
        summary: &mut SweepSummary,
    ) -> Result<(), PropagationError> {
        match self.carry_up(marks.to_vec(), clock, deadline, climbed).await {
            Ok(()) => {
                summary.cleared += marks.len() as u64;
                return Ok(());
            }
            Err(PropagationError::OutOfTime) => {
                tracing::warn!(marks = marks.len(), "a sweep ran out of time; the next one goes on");
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(%error, marks = marks.len(), "a sweep failed; each mark is tried alone");
            }
        }
        for mark in marks {
            match self.carry_up(vec![mark.clone()], clock, deadline, climbed).await {
                Ok(()) => summary.cleared += 1,
                Err(PropagationError::OutOfTime) => return Ok(()),
                Err(error) => {
                    summary.failed += 1;
                    tracing::error!(
                        account = mark.account.as_str(),
                        %error,
                        "changes of talent levels could not be carried up"
                    );
                }
            }
        }
        Ok(())
    }

    /// Settles whoever was not seen for so long that they may no longer count as active.
    async fn look_at_active_again(
        &self,
        clock: &impl Fn() -> DateTime<Utc>,
        deadline: DateTime<Utc>,
        climbed: &mut Climbed,
    ) -> Result<(), PropagationError> {
        let table = self.environment.policy.talent();
        if !self.knows_activity || !table.asks_for_activity() {
            return Ok(());
        }
        let store = &self.environment.store;
        let now = clock();
        let due = store.no_longer_active(now.timestamp_millis(), ACTIVE_READ_MAX).await?;
        let starts = due.iter().map(|due| Start {
            account: due.account.clone(),
            cause: Some(TalentCause::ActivityChanged { account: due.account.clone() }),
        });
        self.climb(starts.collect(), clock, deadline, climbed).await?;
        let users = store.users(due.iter().map(|due| due.account.clone())).await?;
        let days = TimeDelta::days(i64::from(table.active_within_days()));
        for due in due {
            // Seen again since: the next look is due when that is long ago.
            let seen = users.get(&due.account).and_then(|user| user.row.as_ref()?.last_activity);
            if let Some(until) = seen.map(|seen| seen + days).filter(|until| *until > now) {
                let again = ActiveUntil { until_ms: until.timestamp_millis(), account: due.account.clone() };
                store.apply(again.write()?).await?;
            }
            store.apply(due.remove()).await?;
        }
        Ok(())
    }

    /// Whether a snapshot is being read, so that more is to come below nearly everybody.
    async fn is_reading_snapshot(&self, now: DateTime<Utc>) -> Result<bool, PropagationError> {
        let progress = self.environment.store.progress().await?;
        Ok(progress.iter().any(|progress| {
            progress.snapshot == SnapshotState::Reading
                && progress.quiet_ms(now) < self.quiet_period.num_milliseconds()
        }))
    }
}
