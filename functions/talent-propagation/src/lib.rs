//! Carries changes of the referral forest up: teams, talent levels, and their publication (rules, section 9).
//!
//! An account reports to its referrer how many accounts are at each level below it, and its own level. A change goes up
//! report by report, at most twenty levels unless levels depend on levels. The log says which account hangs where. What
//! a page changes reaches the referrer in the invocation that reads the page; there it leaves a mark, from which the
//! ancestors above are settled when a message or the schedule asks for it. The mark, not the message, is the trace of
//! the work: it goes only when a look that began after it was raised found nothing more to do.
//!
//! - Reads: `Source`, `Log`, `Ledger`.
//! - Writes: `Ledger` (talent records, lists, marks).
//! - Sends to: `TalentQueue`.

mod climb;
mod forest;
mod log;
mod standards;
mod sweep;
mod unique;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono_tz::Tz;
use domain::{AccountSequence, Versions};
use runtime::telemetry::Metrics;
use runtime::{Context, Function, FunctionError, Message, Queue, QueueError, Settings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::talent::{self, Mark, MarkKind, TalentCause};
use store::{BoxFuture, StoreError};

use climb::{Climbed, Climber};
use forest::Work;
use unique::Unique;

/// The name under which it is deployed, logs and counts.
const NAME: &str = "talent-propagation";
/// Marks that a climb begins from at most, so that what it holds in memory is bounded.
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
    Ok(Arc::new(Propagation {
        versions,
        zone: settings.policy.business_time_zone(),
        knows_activity: settings.profile.knows_activity(),
        unique: Unique::default(),
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
    /// Carry up what is marked on these accounts, and publish their levels if their users have arrived.
    Accounts(BTreeSet<AccountSequence>),
    /// Read the log.
    Log,
    /// Read the log, and carry up everything that is marked.
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

/// Why something was not carried up. All of it is safe to do again.
#[derive(Debug, thiserror::Error)]
enum PropagationError {
    /// Storage failed, or holds what this system never writes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What goes on above could not be announced. Its mark is raised.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// There was more to do than the invocation's time allows. What was carried up stays.
    #[error("time ran out; what was carried up stays")]
    OutOfTime,
    /// Changes kept arriving.
    #[error("changes kept arriving while earlier ones were carried up")]
    Contended,
    /// A team is not the sum of the reports it includes. Talent must be rebuilt from the log.
    #[error("the team of {account} is not the sum of the reports made to it: rebuild it from the log")]
    DoesNotAddUp {
        /// Whose.
        account: AccountSequence,
    },
}

struct Propagation {
    versions: Versions,
    zone: Tz,
    knows_activity: bool,
    unique: Unique,
}

impl Function for Propagation {
    fn name(&self) -> &'static str {
        NAME
    }

    fn handle<'a>(
        &'a self,
        event: Value,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let mut climbed = Climbed::default();
            let outcome = self.work_on(&event, context, &mut climbed).await;
            report(&climbed, context);
            outcome.map_err(|error| FunctionError {
                message: format!("talent levels could not be carried up: {error}"),
            })
        })
    }
}

impl Propagation {
    async fn work_on(
        &self,
        event: &Value,
        context: &Context,
        climbed: &mut Climbed,
    ) -> Result<Value, PropagationError> {
        let records = event["Records"].as_array();
        let is_from_queue = |record: &Value| record["eventSource"] == "aws:sqs";
        if let Some(messages) = records.filter(|records| records.iter().any(is_from_queue)) {
            return Ok(self.carry_up_from_messages(messages, context, climbed).await);
        }
        self.read_log(context, climbed).await?;
        if records.is_none() {
            self.sweep(context, climbed).await?;
        }
        Ok(json!({ "batchItemFailures": [] }))
    }

    /// Does what messages ask for: together, so that who is above several accounts is settled once. If that fails,
    /// each alone, so that one item fails only its own message.
    async fn carry_up_from_messages(
        &self,
        messages: &[Value],
        context: &Context,
        climbed: &mut Climbed,
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
        if let Err(error) = self.carry_up_from(together, context, climbed).await {
            tracing::warn!(%error, "changes could not be carried up together; each message is tried alone");
            for (id, request) in &requests {
                if let Err(error) = self.carry_up_from(accounts(request), context, climbed).await {
                    tracing::error!(message_id = id, %error, "a change was not carried up; its message comes again");
                    failed.insert(id);
                }
            }
        }
        // One look does for all messages that ask for it; the most that is asked for is done.
        let looks = requests.iter().filter(|(_, request)| *request != Request::Accounts(accounts(request)));
        if let Some((id, request)) = looks.max_by_key(|(_, request)| *request == Request::Everything) {
            let outcome = match self.read_log(context, climbed).await {
                Ok(()) if *request == Request::Everything => self.sweep(context, climbed).await,
                outcome => outcome,
            };
            if let Err(error) = outcome {
                tracing::error!(message_id = id, %error, "not everything was carried up; the message comes again");
                failed.insert(id);
            }
        }
        let failures: Vec<Value> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
        json!({ "batchItemFailures": failures })
    }

    /// Carries up what is marked on these accounts, and publishes their levels if their users have arrived.
    async fn carry_up_from(
        &self,
        accounts: BTreeSet<AccountSequence>,
        context: &Context,
        climbed: &mut Climbed,
    ) -> Result<(), PropagationError> {
        let accounts: Vec<AccountSequence> = accounts.into_iter().collect();
        let marks = talent::raised_on(&*context.engine, &accounts).await?;
        let awaiting = talent::awaiting_of(&*context.engine, accounts).await?;
        self.carry_up_marks(marks, awaiting, context, climbed).await
    }

    /// Carries up what these marks stand for, and takes them away.
    async fn carry_up_marks(
        &self,
        marks: Vec<Mark>,
        awaiting: Vec<AccountSequence>,
        context: &Context,
        climbed: &mut Climbed,
    ) -> Result<(), PropagationError> {
        let mut work = Work { goes_on: true, ..Work::default() };
        for account in awaiting {
            let cause = TalentCause::UserChanged { account: account.clone() };
            work.starts.insert(account, cause);
        }
        for mark in &marks {
            work.starts.insert(mark.account.clone(), mark.cause.clone());
            match mark.kind {
                MarkKind::Report => {}
                MarkKind::Rings | MarkKind::Guard => {
                    work.ring_starts.insert(mark.account.clone(), mark.cause.clone());
                }
                MarkKind::User => drop(work.users.insert(mark.account.clone())),
            }
        }
        if work.starts.is_empty() {
            return Ok(());
        }
        self.climb(work, context, climbed).await?;
        talent::clear(&*context.engine, marks).await?;
        Ok(())
    }

    /// Does the work by the table in force, and again if another came into force meanwhile.
    async fn climb(
        &self,
        work: Work,
        context: &Context,
        climbed: &mut Climbed,
    ) -> Result<forest::Forest, PropagationError> {
        loop {
            let standards = self.standards(context).await?;
            let by_table = Climber {
                context,
                unique: &self.unique,
                table: standards.table(),
                knows_activity: self.knows_activity,
            };
            let forest = by_table.climb(work.clone(), climbed).await?;
            if standards.are_in_force(context).await? {
                return Ok(forest);
            }
        }
    }
}

fn report(climbed: &Climbed, context: &Context) {
    for (account, change) in &climbed.published {
        tracing::info!(
            account = account.as_str(),
            old_level = change.old_level.get(),
            new_level = change.new_level.get(),
            "a talent level changed"
        );
    }
    if let Some(first) = climbed.without_user.first() {
        tracing::warn!(
            accounts = climbed.without_user.len(),
            account = first.as_str(),
            "talent levels are not published, because the accounts' users have not arrived"
        );
    }
    Metrics::of(NAME)
        .count("TalentRecordsWritten", climbed.written)
        .count("TalentLevelsPublished", climbed.published.len() as u64)
        .count("TalentLevelsWithoutUser", climbed.without_user.len() as u64)
        .emit(context.clock.now());
}

/// Wakes the function for these accounts.
async fn wake(context: &Context, accounts: BTreeSet<AccountSequence>) -> Result<(), QueueError> {
    if accounts.is_empty() {
        return Ok(());
    }
    context.queues.send(Queue::Talent, Request::messages(accounts)).await
}
