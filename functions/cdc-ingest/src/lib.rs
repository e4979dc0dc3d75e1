//! Keeps the rows of the source as they finally are, and announces to the decider which ones were named.
//!
//! Every record of a batch ends in exactly one way: it is applied, a duplicate, older than what is known, ambiguous,
//! without a row, or in quarantine with a reason. A record whose storage call failed is none of these: it is named in
//! the answer, and Kafka's records come again. Everything here can be repeated.
//!
//! The order of writes matters: rows, then the announcement, then the progress of the partitions. So progress never
//! says that something was read which the decider cannot find.
//!
//! - Reads: `Source`.
//! - Writes: `Source` (rows, users, progress, announcements, quarantine); `Ledger` (marks of users, where the source
//!   says when they were last seen).
//! - Sends to: `DecisionsQueue`.

mod announce;
mod batch;
mod outcome;
mod progress;
mod quarantine;
mod report;
mod rows;
mod users;

use std::collections::BTreeSet;
use std::sync::Arc;

use runtime::{Context, Function, FunctionError, Settings, Unique};
use serde_json::{Value, json};
use store::BoxFuture;
use store::talent::TalentShards;

use crate::batch::{Batch, Content, Received};
use crate::outcome::Outcome;
use crate::users::Users;

/// Takes changes in that no connector sent: rows that an operator has had read at the source. They are folded, stored
/// and announced like those of a batch, and say nothing about how far the source was read. `account_shards` is the
/// number of the deployment.
///
/// # Errors
///
/// It says which storage call failed. What was stored is announced when the same changes are taken in again.
#[must_use]
pub fn take_in<'a>(
    context: &'a Context,
    profile: &'a cdc::Profile,
    account_shards: u32,
    changes: Vec<cdc::Change>,
) -> BoxFuture<'a, Result<(), String>> {
    Box::pin(async move {
        let engine = &*context.engine;
        let batch = Batch::of_changes(changes);
        let mut outcomes: Vec<Outcome> = batch.records.iter().map(Received::initial_outcome).collect();
        let folded = rows::fold_and_store(engine, profile, &batch, &mut outcomes).await;
        let (shards, unique) = (TalentShards::beside(account_shards), &Unique::default());
        Users { profile, shards, unique }.keep(context, &folded, &batch, &mut outcomes).await;
        announce::announce(context, &batch, &mut outcomes).await?;
        let failure = outcomes.into_iter().find_map(|outcome| match outcome {
            Outcome::Failed(message) => Some(message),
            _ => None,
        });
        failure.map_or(Ok(()), Err)
    })
}

/// Returns the function.
pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    Ok(Arc::new(CdcIngest {
        profile: settings.profile.clone(),
        source_name: settings.source_name.clone(),
        shards: TalentShards::beside(settings.account_shards),
        unique: Unique::default(),
    }))
}

/// Runs the function on Lambda.
#[cfg(feature = "aws")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    runtime::aws::run("cdc-ingest", build)
}

struct CdcIngest {
    profile: cdc::Profile,
    source_name: Option<String>,
    shards: TalentShards,
    unique: Unique,
}

impl Function for CdcIngest {
    fn name(&self) -> &'static str {
        "cdc-ingest"
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let batch = Batch::decode(&event, &self.profile, self.source_name.as_deref())?;
            let outcomes = self.work(&batch, context).await;
            report::report(self.name(), &batch, &outcomes, context);
            Ok(answer(&batch, &outcomes))
        })
    }
}

impl CdcIngest {
    /// Works through a batch; returns what became of each record, in the batch's order.
    async fn work(&self, batch: &Batch, context: &Context) -> Vec<Outcome> {
        let engine = &*context.engine;
        let mut outcomes: Vec<Outcome> = batch.records.iter().map(Received::initial_outcome).collect();
        let folded = rows::fold_and_store(engine, &self.profile, batch, &mut outcomes).await;
        let users = Users { profile: &self.profile, shards: self.shards, unique: &self.unique };
        users.keep(context, &folded, batch, &mut outcomes).await;
        quarantine::keep(engine, batch, &mut outcomes, context.clock.now().timestamp_millis()).await;
        if let Err(error) = announce::announce(context, batch, &mut outcomes).await {
            fail_changes(batch, &mut outcomes, &error);
        }
        if let Err(error) = progress::record(engine, batch, &outcomes, &self.profile, context).await {
            tracing::warn!(%error, "the progress of partitions was not recorded; closes and prices wait longer");
        }
        outcomes
    }
}

/// Marks every record with a row as failed: what was stored of it may not have been announced.
fn fail_changes(batch: &Batch, outcomes: &mut [Outcome], message: &str) {
    for (record, outcome) in batch.records.iter().zip(outcomes) {
        if matches!(record.content, Content::Change(_) | Content::Truncate(_)) {
            *outcome = Outcome::Failed(message.to_owned());
        }
    }
}

/// Returns the answer that names every failed record, which is right whichever way the service reads it.
fn answer(batch: &Batch, outcomes: &[Outcome]) -> Value {
    let failed: BTreeSet<(String, i64)> = batch
        .records
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
        .map(|(record, _)| (record.event_key.clone(), record.offset))
        .collect();
    let failures: Vec<Value> = failed
        .into_iter()
        .map(|(partition, offset)| json!({ "itemIdentifier": { "partition": partition, "offset": offset } }))
        .collect();
    json!({ "batchItemFailures": failures })
}

#[cfg(test)]
mod tests;
