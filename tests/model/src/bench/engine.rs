//! The tables of a world as functions know them.

use futures::{StreamExt, TryStreamExt, stream};
use store::{
    BoxFuture, Condition, Engine, Item, Key, Page, Query, Segment, StoreError, Table, Write, Written,
};

use super::attempts::{Attempts, Failure, FailureKind};
use super::mutation::{Operation, Touch};
use super::requests::{
    condition_failed, fits_a_statement, get_request, key_of, of_attributes, of_key, query_request, read,
    request_of, scan_request, statement, table_named,
};
use super::shared::{Caller, Shared};
use crate::error::Details;
use crate::table::{self as tables, BatchGet, Response};
use crate::world::{CallError, Output, Request, TableRequest};

const STATEMENTS_MAX: usize = 25;
const WRITE_CALLS_MAX: usize = 32;
const BATCH_KEYS_MAX: usize = 100;
const READ_CALLS_MAX: usize = 8;

/// The tables of a world, for one invocation or for a client without faults.
///
/// Items have the attributes that the deployed tables give them, and calls are tried again as the deployed
/// client tries them: throttles, conflicts and lost answers for about two seconds.
#[derive(Clone)]
pub struct ModelEngine {
    pub(super) shared: Shared,
    /// The invocation; none for a client of the bench.
    pub(super) caller: Option<Caller>,
}

type Outcome = Result<Written, StoreError>;

impl ModelEngine {
    /// Returns the tables of a world, each of which has its logical name there.
    #[must_use]
    pub(super) fn new(shared: Shared, caller: Option<Caller>) -> Self {
        Self { shared, caller }
    }

    async fn attempt(
        &self,
        attempts: &mut Attempts,
        request: tables::Request,
    ) -> Result<Response, CallError> {
        if std::mem::take(&mut attempts.fails_first) {
            attempts.was_provoked = true;
            return Err(first_attempt_fails());
        }
        self.call(request).await
    }

    async fn call(&self, request: tables::Request) -> Result<Response, CallError> {
        let actions =
            usize::from(!matches!(request, tables::Request::Get(_) | tables::Request::Write(_))) + 1;
        let request = Request::Table { request: TableRequest::Plain(Ok(request)), actions };
        match self.shared.call(self.caller.as_ref(), request).await? {
            Output::Table(response) => Ok(response),
            _ => unreachable!("a table answers as a table"),
        }
    }

    /// Makes a read until it is answered.
    async fn repeat(&self, request: tables::Request, mut attempts: Attempts) -> Result<Response, StoreError> {
        loop {
            match self.attempt(&mut attempts, request.clone()).await {
                Ok(response) => return Ok(response),
                Err(error) => self.again(&mut attempts, &error).await?,
            }
        }
    }

    async fn again(&self, attempts: &mut Attempts, error: &CallError) -> Result<(), StoreError> {
        attempts.count(error);
        attempts.again(&self.shared, Failure::of(error)).await.map_err(store_error)
    }

    async fn get_batch(&self, keys: Vec<Key>) -> Result<Vec<Item>, StoreError> {
        let is_tried = |key: &Key| self.tries_again(|function| Touch::reads(function, key));
        let is_failed = |key: &Key| self.fails_first(|function| Touch::reads(function, key));
        let (tries_again, fails_first) = (keys.iter().all(is_tried), keys.iter().any(is_failed));
        let mut wanted: Vec<BatchGet> = Vec::new();
        for key in keys {
            let name = key.table.logical_name();
            if wanted.last().is_none_or(|last| last.table != name) {
                let consistent = self.is_consistent(&key.partition);
                wanted.push(BatchGet { table: name.to_owned(), consistent, ..BatchGet::default() });
            }
            wanted.last_mut().expect("one was put there").keys.push(of_key(&key));
        }
        let mut found = Vec::new();
        let mut attempts = Attempts::new(tries_again, self.caller.as_ref());
        attempts.fails_first = fails_first;
        while !wanted.is_empty() {
            match self.attempt(&mut attempts, tables::Request::BatchGet(wanted.clone())).await {
                Ok(Response::BatchGot(responses, unprocessed)) => {
                    let before = found.len();
                    for (name, items) in responses {
                        let table = table_named(&name);
                        found.extend(items.into_iter().map(|item| of_attributes(table, item)));
                    }
                    wanted = unprocessed;
                    if wanted.is_empty() || found.len() > before {
                        // What did not fit comes with the next call.
                        attempts = Attempts::new(tries_again, self.caller.as_ref());
                        continue;
                    }
                    let message = "a batch of reads stayed unprocessed".to_owned();
                    let failure = Failure { kind: FailureKind::NotNow, message };
                    attempts.again(&self.shared, failure).await.map_err(store_error)?;
                }
                Ok(_) => unreachable!("a batch of reads answers as one"),
                Err(error) => self.again(&mut attempts, &error).await?,
            }
        }
        Ok(found)
    }

    async fn write_again(&self, write: Write, mut attempts: Attempts) -> Outcome {
        write.check_size()?;
        loop {
            let Err(error) = self.attempt(&mut attempts, tables::Request::Write(request_of(&write))).await
            else {
                self.note_progress(&write);
                return Ok(Written::Done);
            };
            if let CallError::Service(service) = &error
                && service.kind == crate::error::ErrorKind::ConditionalCheckFailedException
            {
                let present = match &service.details {
                    Details::Item(item) => Some(of_attributes(write.key().table, item.clone())),
                    _ => None,
                };
                let written = condition_failed(&write, present, attempts.may_have_taken_effect);
                self.note(&write, &written);
                return Ok(written);
            }
            self.again(&mut attempts, &error).await?;
        }
    }

    /// Counts that an invocation recorded how far a partition is read.
    fn note_progress(&self, write: &Write) {
        if let (Some(caller), "PROGRESS") = (&self.caller, write.key().partition.as_str()) {
            *self.shared.lock().partitions_recorded.entry(caller.invocation).or_default() += 1;
        }
    }

    /// Counts a write that met what another invocation had written, or what its own first attempt had. An audit that
    /// met another one gives way to it.
    fn note(&self, write: &Write, written: &Written) {
        let Some(caller) = &self.caller else { return };
        let key = write.key();
        let kind = key.partition.split('#').next().unwrap_or_default();
        let note = match (written, key.table, kind) {
            (Written::Done, ..) if write.condition == Condition::None => return,
            (Written::ConditionFailed(_), Table::Log, _) => "a page's number was taken",
            (Written::ConditionFailed(_), Table::Ledger, "ACCOUNT" | "ADOPTION" | "SUM") => {
                "another projector had moved a head"
            }
            (Written::ConditionFailed(_), Table::Ledger, "MARKS") => "another projector had moved a mark",
            (Written::ConditionFailed(_), Table::Ledger, "TALENT") => {
                "a talent record was written by another run"
            }
            (Written::ConditionFailed(_), Table::Ledger, "AUDIT") => {
                self.shared.lock().gave_way.insert(caller.invocation);
                "an audit met another one"
            }
            (Written::ConditionFailed(_), Table::Ledger, "ACTIVATION" | "EXPIRY") => {
                "an index of dates was moved by another run"
            }
            (Written::ConditionFailed(_), Table::Ledger, "WEBHOOK_STATES") => {
                "another invocation had moved a subscription"
            }
            (Written::ConditionFailed(_), Table::Ledger, "WEBHOOKS") => {
                "another invocation had read further for subscriptions"
            }
            (Written::ConditionFailed(_), Table::Source, "COMMAND") => {
                "a command was asked for under a key that was used"
            }
            (Written::ConditionFailed(_), Table::Source, "ROW") => "another ingest had stored a row",
            (Written::ConditionFailed(_), Table::Snapshots, _) => "a part of a snapshot was there already",
            _ => return,
        };
        self.shared.lock().note(note);
    }

    async fn write_together(&self, numbered: Vec<(usize, Write)>) -> Vec<(usize, Outcome)> {
        if let [(number, write)] = numbered.as_slice() {
            return vec![(*number, self.write_again(write.clone(), self.attempts(write)).await)];
        }
        let statements = numbered.iter().map(|(_, write)| statement(write)).collect();
        let answer = if numbered.iter().any(|(_, write)| self.attempts(write).fails_first) {
            Err(first_attempt_fails())
        } else {
            self.call(tables::Request::BatchStatements(statements)).await
        };
        let results: Vec<Result<Written, Failure>> = match answer {
            Ok(Response::Statements(outcomes)) => numbered
                .iter()
                .zip(outcomes)
                .map(|((_, write), outcome)| {
                    let result = read(write, outcome);
                    if let Ok(written) = &result {
                        self.note(write, written);
                    }
                    result
                })
                .collect(),
            Ok(_) => unreachable!("statements are answered as such"),
            Err(error) => numbered.iter().map(|_| Err(Failure::of(&error))).collect(),
        };
        stream::iter(numbered.into_iter().zip(results))
            .map(|((number, write), result)| async move { (number, self.settle(write, result).await) })
            .buffered(STATEMENTS_MAX)
            .collect()
            .await
    }

    async fn settle(&self, write: Write, result: Result<Written, Failure>) -> Outcome {
        let failure = match result {
            Ok(written) => return Ok(written),
            Err(failure) => failure,
        };
        let mut attempts = self.attempts(&write);
        attempts.was_provoked = std::mem::take(&mut attempts.fails_first);
        attempts.again(&self.shared, failure).await.map_err(store_error)?;
        self.write_again(write, attempts).await
    }

    fn attempts(&self, write: &Write) -> Attempts {
        self.attempts_of(|function| Touch::writes(function, write))
    }

    fn attempts_of(&self, touch: impl Fn(&str) -> Touch) -> Attempts {
        let mut attempts = Attempts::new(self.tries_again(&touch), self.caller.as_ref());
        attempts.fails_first = self.fails_first(touch);
        attempts
    }

    async fn write_all(&self, writes: Vec<Write>) -> Vec<Outcome> {
        self.stand_still_by_chance(&writes).await;
        let count = writes.len();
        let writes: Vec<Write> = writes.into_iter().map(|write| self.with_what_is_left(write)).collect();
        let (together, alone): (Vec<_>, Vec<_>) =
            writes.into_iter().enumerate().partition(|(_, write)| fits_a_statement(write));
        let calls = together
            .chunks(STATEMENTS_MAX)
            .map(<[(usize, Write)]>::to_vec)
            .chain(alone.into_iter().map(|one| vec![one]))
            .collect::<Vec<_>>();
        let done: Vec<Vec<(usize, Outcome)>> = stream::iter(calls)
            .map(|numbered| self.write_together(numbered))
            .buffer_unordered(WRITE_CALLS_MAX)
            .collect()
            .await;
        let mut outcomes: Vec<Option<Outcome>> = (0..count).map(|_| None).collect();
        for (number, outcome) in done.into_iter().flatten() {
            outcomes[number] = Some(outcome);
        }
        outcomes.into_iter().map(|outcome| outcome.expect("every write was in one call")).collect()
    }

    async fn page(
        &self,
        table: Table,
        request: tables::Request,
        attempts: Attempts,
    ) -> Result<Page, StoreError> {
        match self.repeat(request, attempts).await? {
            Response::Page(page) => Ok(Page {
                items: page.items.into_iter().map(|item| of_attributes(table, item)).collect(),
                next: page.last.map(|last| key_of(table, &last)),
            }),
            _ => unreachable!("a page is answered as such"),
        }
    }
}

impl Engine for ModelEngine {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        self.count_touch(|function| Touch::reads(function, &key));
        let request = get_request(&key, self.is_consistent(&key.partition));
        Box::pin(async move {
            let attempts = self.attempts_of(|function| Touch::reads(function, &key));
            match self.repeat(request, attempts).await? {
                Response::Got(item) => {
                    let item = item.map(|item| of_attributes(key.table, item));
                    Ok(self.seen(item.into_iter().collect()).pop())
                }
                _ => unreachable!("a read of one item is answered as such"),
            }
        })
    }

    fn get_many(&self, mut keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        keys.sort();
        keys.dedup();
        self.count_reads(&keys, Operation::Get);
        Box::pin(async move {
            let batches: Vec<Vec<Key>> = keys.chunks(BATCH_KEYS_MAX).map(<[Key]>::to_vec).collect();
            let found: Vec<Vec<Item>> = stream::iter(batches)
                .map(|batch| self.get_batch(batch))
                .buffer_unordered(READ_CALLS_MAX)
                .try_collect()
                .await?;
            Ok(self.seen(found.into_iter().flatten().collect()))
        })
    }

    fn query(&self, query: Query) -> BoxFuture<'_, Result<Page, StoreError>> {
        let query = self.with_small_page(query);
        let key = Key::new(query.table, query.partition.clone(), "");
        self.count_touch(|function| Touch::of(function, &key, Operation::Query));
        Box::pin(async move {
            let Some(request) = query_request(&query, self.is_consistent(&query.partition)) else {
                return Ok(Page::default());
            };
            let attempts = self.attempts_of(|function| Touch::of(function, &key, Operation::Query));
            let page = self.page(query.table, request, attempts).await?;
            Ok(self.seen_page(&query, page))
        })
    }

    fn scan(
        &self,
        table: Table,
        segment: Segment,
        start: Option<Key>,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        let request = scan_request(table, segment, start.as_ref());
        let key = Key::new(table, "", "");
        self.count_touch(|function| Touch::of(function, &key, Operation::Scan));
        let attempts = self.attempts_of(|function| Touch::of(function, &key, Operation::Scan));
        Box::pin(self.page(table, request, attempts))
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            self.stand_still_by_chance(std::slice::from_ref(&write)).await;
            let write = self.with_what_is_left(write);
            let attempts = self.attempts(&write);
            self.write_again(write, attempts).await
        })
    }

    fn write_many(&self, writes: Vec<Write>) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(self.write_all(writes))
    }
}

fn first_attempt_fails() -> CallError {
    let error = crate::error::ErrorKind::InternalServerError;
    CallError::Service(error.because("The first attempt fails in this mutation run"))
}

fn store_error(failure: Failure) -> StoreError {
    let message = failure.message;
    match failure.kind {
        FailureKind::NotNow | FailureKind::Unknown => StoreError::Unavailable { message },
        FailureKind::Refused => StoreError::Refused { message },
    }
}
