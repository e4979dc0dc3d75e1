//! What the rows of a batch mean for talent levels: the referrer's changes here and now, and those of
//! the ancestors above are left to the queue.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ledger::cdc::{ReferralChange, Row, SnapshotPhase, UserChange};
use ledger::queue::TalentRaised;
use ledger::rules::AccountSequence;
use ledger::store::{StoreError, TalentCause, TalentMark};
use ledger::talent::{Climbed, Start, Talents};
use ledger::telemetry::Metrics;

use crate::batch::{Batch, Content};
use crate::outcome::Outcome;
use crate::{FUNCTION, FinishError, Ingest};

/// The account a row is about, and its referrer.
const LEVELS_AT_ONCE: usize = 2;

impl Ingest {
    /// Brings the talent levels of this batch's accounts and their referrers up to date.
    ///
    /// Rows that were applied before are looked at again, because an earlier delivery may have ended
    /// between storing them and this.
    pub(crate) async fn carry_up(
        &self,
        batch: &Batch,
        outcomes: &[Outcome],
        now: DateTime<Utc>,
    ) -> Result<(), FinishError> {
        let starts = self.starts(batch, outcomes).await?;
        if starts.is_empty() {
            return Ok(());
        }
        // A snapshot brings changes below nearly everybody. They are carried up together when it has
        // been read, and need no messages.
        let announces = batch.has_streamed_rows();
        let talents = Talents {
            store: &self.environment.store,
            table: self.environment.policy.talent(),
            knows_activity: self.profile.knows_activity(),
            announces,
            now,
        };
        let mut climbed = Climbed::default();
        let mut outcome = talents.climb(starts.clone(), LEVELS_AT_ONCE, &mut climbed).await;
        report(&climbed, now);
        if let Err(error @ (StoreError::Corrupt { .. } | StoreError::Rejected { .. })) = &outcome {
            // No delivery of this batch would do better, and rows behind it must not wait for it.
            tracing::error!(%error, accounts = starts.len(), "talent levels are left to the queue");
            outcome = self.leave_to_queue(starts, announces, &mut climbed, now).await;
        }
        if announces {
            let messages = climbed.unannounced.into_iter().map(TalentRaised::from);
            self.environment.queues.send_all(&self.talent_queue_url, messages).await?;
        }
        Ok(outcome?)
    }

    /// Marks these accounts, so that each is settled, or fails, by itself.
    async fn leave_to_queue(
        &self,
        starts: Vec<Start>,
        announces: bool,
        climbed: &mut Climbed,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        for Start { account, .. } in starts {
            let mark = TalentMark::on(account, None);
            let (now_ms, now_micros) = (now.timestamp_millis(), now.timestamp_micros());
            let by = format!("{FUNCTION}#{now_micros}");
            self.environment.store.apply(mark.raise(by, announces, now_ms)).await?;
            climbed.unannounced.push(mark);
        }
        Ok(())
    }

    /// The accounts of this batch that may not be settled.
    async fn starts(&self, batch: &Batch, outcomes: &[Outcome]) -> Result<Vec<Start>, StoreError> {
        let mut referred = BTreeSet::new();
        let mut users = BTreeSet::new();
        for (received, outcome) in batch.records.iter().zip(outcomes) {
            let Content::Change { change, .. } = &received.content else { continue };
            if matches!(outcome, Outcome::Failed(_)) {
                continue;
            }
            match &change.row {
                Row::Referral(ReferralChange::Upsert { account, .. }) => {
                    referred.insert(account.clone());
                }
                Row::User(UserChange::Upsert(row)) => {
                    users.insert(row.account.clone());
                }
                Row::Referral(ReferralChange::Delete { .. })
                | Row::User(UserChange::Delete { .. })
                | Row::Adoption(_) => {}
            }
        }
        // A user nobody reported anything to has nothing to catch up with.
        let known = self.environment.store.talents(users).await?;
        let users = known.into_values().filter(|talent| talent.revision > 0).map(|talent| Start {
            cause: Some(TalentCause::UserChanged { account: talent.account.clone() }),
            account: talent.account,
        });
        let referred = referred.into_iter().map(|account: AccountSequence| Start { account, cause: None });
        Ok(referred.chain(users).collect())
    }
}

impl Batch {
    /// Whether any row came after its snapshot, or may have.
    fn has_streamed_rows(&self) -> bool {
        self.records.iter().any(|received| match &received.content {
            Content::Change { change, .. } => match change.snapshot {
                SnapshotPhase::Streaming | SnapshotPhase::Unknown => true,
                SnapshotPhase::Reading | SnapshotPhase::LastOfCollection | SnapshotPhase::Last => false,
            },
            Content::Control | Content::Refused(_) | Content::Malformed(_) => false,
        })
    }
}

fn report(climbed: &Climbed, now: DateTime<Utc>) {
    if let Some(first) = climbed.without_user.first() {
        tracing::warn!(
            accounts = climbed.without_user.len(),
            account = first.as_str(),
            "talent levels were left as they were, because the accounts' users have not arrived"
        );
    }
    Metrics::of(FUNCTION)
        .count("TalentLevelsChanged", climbed.level_changes.len() as u64)
        .count("TalentAncestorsWithoutUser", climbed.without_user.len() as u64)
        .emit(now.timestamp_millis());
}
