//! Propagates changes of the referral forest: teams, talent levels, and their publication (rules, section 9).
//!
//! To *settle* an account is to assess its level from its team, and to compare its report with the one that its
//! referrer's team includes. To *propagate* a change is to settle the ancestors that it reaches: at most twenty, unless
//! levels depend on levels. The log says who refers whom. The invocation that reads a page settles the accounts that
//! the page moves, and their referrers, and leaves a mark on each referrer. A message or the schedule has the change
//! propagated from there. The mark, not the message, is the trace of the work: an invocation removes it only when a
//! look that began after the mark was raised found nothing more to do.
//!
//! - Reads: `Source`, `Log`, `Ledger`.
//! - Writes: `Ledger` (talent records, lists, marks).
//! - Sends to: `TalentQueue`.

mod forest;
mod log;
mod propagate;
mod standards;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono_tz::Tz;
use domain::{AccountSequence, Versions};
use runtime::telemetry::Metrics;
use runtime::{Context, Function, FunctionError, Message, Queue, QueueError, Settings, Unique};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::talent::{self, Mark, MarkKind, TalentCause, TalentShards};
use store::{BoxFuture, StoreError};

use forest::{Reach, Work};
use propagate::{Propagated, Propagation, Propagator};

/// The name under which it is deployed, logs and counts.
const NAME: &str = "talent-propagation";
/// How many marks are propagated together at most, so that what an invocation holds in memory is bounded.
const STARTS_MAX: usize = 500;
/// How long a message stays invisible, in seconds, so that changes below one account are taken into account together.
const COALESCE_S: u16 = 2;
/// How many accounts a message names.
const ACCOUNTS_PER_MESSAGE: usize = 50;
/// More messages than these are not worth sending: a sweep takes everything together.
const MESSAGES_MAX: usize = 20;

/// Returns the function.
pub fn build(settings: &Settings) -> Result<Arc<dyn Function>, FunctionError> {
    let versions = Versions::starting(&settings.policy_json)
        .map_err(|error| FunctionError { message: error.to_string() })?;
    Ok(Arc::new(TalentPropagation {
        versions,
        zone: settings.policy.business_time_zone(),
        knows_activity: settings.profile.knows_activity(),
        unique: Unique::default(),
        shards: TalentShards::beside(settings.account_shards),
    }))
}

/// Runs the function on Lambda.
#[cfg(feature = "aws")]
#[must_use]
pub fn run() -> std::process::ExitCode {
    runtime::aws::run("talent-propagation", build)
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Propagate what is marked on these accounts.
    Accounts(BTreeSet<AccountSequence>),
    /// Read the log.
    Log,
    /// Read the log, and propagate everything that is marked.
    Everything,
}

impl Request {
    /// Returns the messages that name these accounts.
    pub fn messages(accounts: impl IntoIterator<Item = AccountSequence>) -> Vec<Message> {
        let accounts: Vec<AccountSequence> = accounts.into_iter().collect();
        if accounts.len() > ACCOUNTS_PER_MESSAGE * MESSAGES_MAX {
            return vec![Self::Everything.message()];
        }
        let named = |part: &[AccountSequence]| Self::Accounts(part.iter().cloned().collect()).message();
        accounts.chunks(ACCOUNTS_PER_MESSAGE).map(named).collect()
    }

    fn message(&self) -> Message {
        let body = serde_json::to_string(self).expect("accounts are text");
        Message { body, group: None, delay_s: Some(COALESCE_S) }
    }
}

/// Why something was not propagated. All of it is safe to do again.
#[derive(Debug, thiserror::Error)]
enum PropagationError {
    /// Storage failed, or holds what this system never writes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The message that has a change propagated could not be sent. Its mark is raised.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// There was more to do than the invocation's time allows. What was propagated stays.
    #[error("time ran out; what was propagated stays")]
    OutOfTime,
    /// Changes kept arriving.
    #[error("changes kept arriving while earlier ones were propagated")]
    Contended,
    /// A team is not the sum of the reports it includes. Talent must be rebuilt from the log.
    #[error("the team of {account} is not the sum of the reports made to it: rebuild it from the log")]
    DoesNotAddUp {
        /// The account.
        account: AccountSequence,
    },
}

struct TalentPropagation {
    versions: Versions,
    zone: Tz,
    knows_activity: bool,
    unique: Unique,
    shards: TalentShards,
}

impl Function for TalentPropagation {
    fn name(&self) -> &'static str {
        NAME
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let mut propagated = Propagated::default();
            let outcome = self.work_on(&event, context, &mut propagated).await;
            report(&propagated, context);
            outcome.map_err(|error| FunctionError {
                message: format!("talent levels could not be propagated: {error}"),
            })
        })
    }
}

impl TalentPropagation {
    async fn work_on(
        &self,
        event: &Value,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<Value, PropagationError> {
        let records = event["Records"].as_array();
        let is_from_queue = |record: &Value| record["eventSource"] == "aws:sqs";
        if let Some(messages) = records.filter(|records| records.iter().any(is_from_queue)) {
            return Ok(self.propagate_messages(messages, context, propagated).await);
        }
        self.read_log(context, propagated).await?;
        if records.is_none() {
            self.sweep(context, propagated).await?;
        }
        Ok(json!({ "batchItemFailures": [] }))
    }

    /// Does what messages ask for: together, so that the common ancestors of several accounts are settled once. If that
    /// fails, each message alone, so that one item fails only its own message.
    async fn propagate_messages(
        &self,
        messages: &[Value],
        context: &Context,
        propagated: &mut Propagated,
    ) -> Value {
        let mut failed: BTreeSet<&str> = BTreeSet::new();
        let mut requests: Vec<(&str, Request)> = Vec::new();
        for message in messages {
            let id = message["messageId"].as_str().unwrap_or_default();
            match serde_json::from_str(message["body"].as_str().unwrap_or_default()) {
                Ok(request) => requests.push((id, request)),
                Err(error) => {
                    tracing::error!(message_id = id, %error, "a message asks for nothing that is known");
                    failed.insert(id);
                }
            }
        }
        let accounts = |request: &Request| match request {
            Request::Accounts(accounts) => accounts.clone(),
            Request::Log | Request::Everything => BTreeSet::new(),
        };
        let together: BTreeSet<AccountSequence> =
            requests.iter().flat_map(|(_, request)| accounts(request)).collect();
        if let Err(error) = self.propagate_from(together, context, propagated).await {
            tracing::warn!(%error, "changes could not be propagated together; each message is tried alone");
            for (id, request) in &requests {
                if let Err(error) = self.propagate_from(accounts(request), context, propagated).await {
                    tracing::error!(message_id = id, %error, "a change was not propagated; its message comes again");
                    failed.insert(id);
                }
            }
        }
        // However many messages ask for it, the log is read once, and marks are propagated if one of them asks for
        // that.
        let looks = requests.iter().filter(|(_, request)| *request != Request::Accounts(accounts(request)));
        if let Some((id, request)) = looks.max_by_key(|(_, request)| *request == Request::Everything) {
            let outcome = match self.read_log(context, propagated).await {
                Ok(()) if *request == Request::Everything => self.sweep(context, propagated).await,
                outcome => outcome,
            };
            if let Err(error) = outcome {
                tracing::error!(message_id = id, %error, "not everything was propagated; the message comes again");
                failed.insert(id);
            }
        }
        let failures: Vec<Value> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
        json!({ "batchItemFailures": failures })
    }

    /// Propagates what is marked on these accounts.
    async fn propagate_from(
        &self,
        accounts: BTreeSet<AccountSequence>,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<(), PropagationError> {
        let accounts: Vec<AccountSequence> = accounts.into_iter().collect();
        let marks = talent::raised_on(&*context.engine, self.shards, &accounts).await?;
        self.propagate_marks(marks, Vec::new(), context, propagated).await
    }

    /// Propagates what these marks stand for, and removes them.
    async fn propagate_marks(
        &self,
        marks: Vec<Mark>,
        awaiting: Vec<AccountSequence>,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<(), PropagationError> {
        let mut work = Work { reach: Reach::Ancestors, ..Work::default() };
        for account in awaiting {
            let cause = TalentCause::UserChanged { account: account.clone() };
            work.starts.insert(account, cause);
        }
        for mark in &marks {
            work.starts.insert(mark.account.clone(), mark.cause.clone());
            match mark.kind {
                MarkKind::Report => {}
                MarkKind::Rings => {
                    work.ring_starts.insert(mark.account.clone(), mark.cause.clone());
                }
                MarkKind::User => drop(work.users.insert(mark.account.clone())),
            }
        }
        if work.starts.is_empty() {
            return Ok(());
        }
        self.propagate(work, context, propagated).await?;
        talent::clear(&*context.engine, self.shards, marks).await?;
        Ok(())
    }

    /// Does the work by the table in force, and again if another came into force meanwhile.
    async fn propagate(
        &self,
        work: Work,
        context: &Context,
        propagated: &mut Propagated,
    ) -> Result<forest::Forest, PropagationError> {
        let mut intents = Vec::new();
        let mut written: BTreeSet<AccountSequence> = BTreeSet::new();
        loop {
            let standards = self.standards(context).await?;
            let by_table = Propagator {
                context,
                unique: &self.unique,
                shards: self.shards,
                standards: &standards,
                knows_activity: self.knows_activity,
            };
            // What was written by a former table is settled again: the comparison of all accounts may have gone past
            // it.
            let cause = TalentCause::TableChanged { version: standards.number() };
            let mut work = work.clone();
            work.starts.extend(written.iter().map(|account| (account.clone(), cause.clone())));
            work.users.extend(written.iter().cloned());
            match by_table.propagate(work, &mut intents, propagated).await? {
                Propagation::Lasting(mut forest) => {
                    forest.keep_all_written(written);
                    return Ok(forest);
                }
                Propagation::ByFormerTable(forest) => written.extend(forest.written().iter().cloned()),
            }
        }
    }
}

fn report(propagated: &Propagated, context: &Context) {
    for (account, change) in &propagated.published {
        tracing::info!(
            account = account.as_str(),
            old_level = change.old_level.get(),
            new_level = change.new_level.get(),
            "a talent level changed"
        );
    }
    if let Some(first) = propagated.without_user.first() {
        tracing::warn!(
            accounts = propagated.without_user.len(),
            account = first.as_str(),
            "talent levels are not published, because the accounts' users have not arrived"
        );
    }
    Metrics::of(NAME)
        .count("TalentRecordsWritten", propagated.written)
        .count("TalentLevelsPublished", propagated.published.len() as u64)
        .count("TalentLevelsWithoutUser", propagated.without_user.len() as u64)
        .emit(context.clock.now());
}

/// Wakes the function for these accounts.
async fn wake(context: &Context, accounts: BTreeSet<AccountSequence>) -> Result<(), QueueError> {
    if accounts.is_empty() {
        return Ok(());
    }
    context.queues.send(Queue::Talent, Request::messages(accounts)).await
}
