//! Turns change records from Kafka into source rows and staged adoptions.
//!
//! Every record of a batch ends in exactly one of four ways: it is *applied*, it is a *duplicate* of
//! what is stored (or older), it is *control* (no row), or it is in *quarantine* with a reason and
//! its bytes. A record whose storage call failed is none of these: its partition is reported from
//! that record on, and Kafka's records come again. Everything here is safe to do twice.

mod adoptions;
mod batch;
mod outcome;
mod referrals;
mod response;
mod rows;
mod talents;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::event::kafka::KafkaEvent;
use chrono::{DateTime, Utc};
use ledger::cdc::{Profile, Row, SnapshotPhase};
use ledger::environment::{Environment, InvalidEnvironment};
use ledger::queue::SequencerTick;
use ledger::store::{
    Action, BatchWrite, Counts, Progress, Quarantined, RecordPosition, SnapshotState, StoreError,
};
use ledger::telemetry::Metrics;

use crate::adoptions::Adoptions;
use crate::batch::{Batch, Content, Received};
use crate::outcome::Outcome;
pub use crate::response::KafkaBatchResponse;
use crate::users::Users;

/// The name under which this function logs and counts.
pub const FUNCTION: &str = "cdc-ingest";
/// The variable that holds the URL of the queue of changes of talent levels.
pub const TALENT_QUEUE_VARIABLE: &str = "TALENT_QUEUE_URL";
/// The variable that holds the URL of the queue the sequencer listens to.
pub const TICKS_QUEUE_VARIABLE: &str = "SEQUENCER_TICKS_QUEUE_URL";

/// The function, built once per process.
#[derive(Debug)]
pub struct Ingest {
    environment: Environment,
    profile: Profile,
    ticks_queue_url: String,
    talent_queue_url: String,
}

impl Ingest {
    /// The function in this environment.
    pub fn new(environment: Environment) -> Result<Self, InvalidEnvironment> {
        let profile = environment.profile()?;
        let ticks_queue_url = environment.variables().required(TICKS_QUEUE_VARIABLE)?;
        let talent_queue_url = environment.variables().required(TALENT_QUEUE_VARIABLE)?;
        Ok(Self { environment, profile, ticks_queue_url, talent_queue_url })
    }

    /// Works through a batch of records. What it answers are the partitions to deliver again, each
    /// from its first record that was not dealt with.
    pub async fn handle(&self, event: KafkaEvent, now: DateTime<Utc>) -> KafkaBatchResponse {
        let started = Utc::now();
        let batch = Batch::decode(event, &self.profile);
        let outcomes = match self.begin(&batch, now).await {
            // Boxed, because the three tables' futures together are deeper than the compiler looks.
            Ok(()) => Box::pin(self.apply(&batch, now)).await,
            Err(error) => batch.records.iter().map(|_| Outcome::Failed(error.clone())).collect(),
        };
        let outcomes = self.quarantine(&batch, outcomes, now).await;

        let mut response = KafkaBatchResponse::default();
        for (received, outcome) in batch.records.iter().zip(&outcomes) {
            if let Outcome::Failed(error) = outcome {
                response.fail_from(&received.position);
                tracing::error!(
                    topic = received.position.topic,
                    partition = received.position.partition,
                    offset = received.position.offset,
                    %error,
                    "a record was not stored; its partition will be delivered again from here"
                );
            }
        }
        let finished = match self.carry_up(&batch, &outcomes, now).await {
            Ok(()) => self.finish(&batch, &outcomes, &response, now + (Utc::now() - started)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = finished {
            // Rows are stored, but who must hear of them may not have, so nothing is acknowledged.
            tracing::error!(%error, "a batch could not be finished; all of it will be delivered again");
            for received in &batch.records {
                response.fail_from(&received.position);
            }
        }
        report(&batch, &outcomes, started);
        response
    }

    /// Says which partitions are being read.
    async fn begin(&self, batch: &Batch, now: DateTime<Utc>) -> Result<(), StoreError> {
        let positions = batch.records.iter().map(|received| &received.position);
        let partitions: BTreeSet<(&str, &str, i32)> = positions
            .map(|position| (position.source.as_str(), position.topic.as_str(), position.partition))
            .collect();
        let begun = partitions
            .into_iter()
            .map(|(source, topic, partition)| Progress::begin(source, topic, partition, now))
            .map(|begin: Action| self.environment.store.apply(begin));
        futures::future::try_join_all(begun).await.map(|_| ())
    }

    /// Applies each table's changes; the tables do not depend on each other here.
    async fn apply(&self, batch: &Batch, now: DateTime<Utc>) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = batch.records.iter().map(Received::initial_outcome).collect();
        let (mut users, mut referrals, mut adoptions) = (Vec::new(), Vec::new(), Vec::new());
        for (index, received) in batch.records.iter().enumerate() {
            if let Content::Change { change, version } = &received.content {
                match &change.row {
                    Row::User(user) => users.push((index, version.clone(), user.clone())),
                    Row::Referral(referral) => referrals.push((index, version.clone(), referral.clone())),
                    Row::Adoption(adoption) => adoptions.push((index, version.clone(), adoption.clone())),
                }
            }
        }
        let Environment { store, policy, .. } = &self.environment;
        let adoptions_table = Adoptions { policy, now };
        let applied = tokio::join!(
            rows::apply(&Users, store, users),
            referrals::apply(store, referrals, now),
            rows::apply(&adoptions_table, store, adoptions),
        );
        for (index, outcome) in applied.0.into_iter().chain(applied.1).chain(applied.2) {
            outcomes[index] = outcome;
        }
        outcomes
    }

    /// Keeps what was refused. A refusal that could not be kept is a failure.
    async fn quarantine(
        &self,
        batch: &Batch,
        mut outcomes: Vec<Outcome>,
        now: DateTime<Utc>,
    ) -> Vec<Outcome> {
        // A capture may repeat a record within a batch, and a batch of writes may not repeat an item.
        let mut refused: BTreeMap<&RecordPosition, Vec<BatchWrite>> = BTreeMap::new();
        for (received, outcome) in batch.records.iter().zip(&outcomes) {
            if let Outcome::Refused { reason, message } = outcome {
                tracing::warn!(
                    topic = received.position.topic,
                    partition = received.position.partition,
                    offset = received.position.offset,
                    reason = %reason,
                    "a record was refused: {message}"
                );
                let quarantined = Quarantined {
                    position: received.position.clone(),
                    reason: reason.clone(),
                    message: message.clone(),
                    key: received.key.clone(),
                    value: received.value.clone(),
                    refused_at_ms: now.timestamp_millis(),
                };
                refused.insert(&received.position, quarantined.writes());
            }
        }
        let writes = refused.into_values().flatten().collect();
        if let Err(error) = self.environment.store.batch_write(writes).await {
            for outcome in &mut outcomes {
                if matches!(outcome, Outcome::Refused { .. }) {
                    *outcome = Outcome::Failed(error.clone());
                }
            }
        }
        outcomes
    }

    /// Records how far each partition was read, and wakes the sequencer.
    async fn finish(
        &self,
        batch: &Batch,
        outcomes: &[Outcome],
        response: &KafkaBatchResponse,
        now: DateTime<Utc>,
    ) -> Result<(), FinishError> {
        let mut of_partition: BTreeMap<(&str, &str, i32), Progress> = BTreeMap::new();
        for (received, outcome) in batch.records.iter().zip(outcomes) {
            if response.has_failed(&received.position) {
                // It comes again, and is counted then.
                continue;
            }
            let position = &received.position;
            let progress = of_partition
                .entry((&position.source, &position.topic, position.partition))
                .or_insert_with(|| Progress {
                    source: position.source.clone(),
                    topic: position.topic.clone(),
                    partition: position.partition,
                    offset: position.offset,
                    lsn: None,
                    source_ts_ms: None,
                    snapshot: SnapshotState::Complete,
                    read_at_ms: now.timestamp_millis(),
                    reading_until_ms: None,
                    counts: Counts::default(),
                });
            progress.offset = position.offset;
            progress.counts.add(outcome.counts());
            if let Content::Change { change, version } = &received.content {
                progress.lsn = version.lsn.or(progress.lsn);
                progress.source_ts_ms = version.source_ts_ms.or(progress.source_ts_ms);
                progress.snapshot = match change.snapshot {
                    SnapshotPhase::Reading | SnapshotPhase::Unknown => SnapshotState::Reading,
                    SnapshotPhase::Streaming | SnapshotPhase::LastOfCollection | SnapshotPhase::Last => {
                        SnapshotState::Complete
                    }
                };
            }
        }
        let updates = of_partition.values().map(Progress::update);
        futures::future::try_join_all(updates.map(|update: Action| self.environment.store.apply(update)))
            .await?;
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Applied)) {
            let tick = SequencerTick::message("cdc-ingest", now);
            self.environment.queues.send_in_groups(&self.ticks_queue_url, [tick]).await?;
        }
        Ok(())
    }
}

/// What kept a batch from being finished.
#[derive(Debug, thiserror::Error)]
enum FinishError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] ledger::queue::QueueError),
}

fn report(batch: &Batch, outcomes: &[Outcome], started: DateTime<Utc>) {
    let mut counts = Counts::default();
    let mut failed = 0;
    for outcome in outcomes {
        counts.add(outcome.counts());
        failed += u64::from(matches!(outcome, Outcome::Failed(_)));
    }
    let now = Utc::now();
    let lag_ms = batch.latest_source_ts_ms().map_or(0, |source_ts_ms| now.timestamp_millis() - source_ts_ms);
    Metrics::of(FUNCTION)
        .count("RecordsApplied", counts.applied)
        .count("RecordsDuplicated", counts.duplicated)
        .count("RecordsControl", counts.control)
        .count("RecordsQuarantined", counts.quarantined)
        .count("RecordsFailed", failed)
        .milliseconds("SourceLag", lag_ms)
        .milliseconds("Duration", (now - started).num_milliseconds())
        .emit(now.timestamp_millis());
}
