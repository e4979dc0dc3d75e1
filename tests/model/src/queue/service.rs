//! All queues together: the one entry for requests.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::{QueueAttributes, check_names};
use super::batch::{batch, check_batch};
use super::description::{asked_for, described, has_all};
use super::message::{Message, Receipt};
use super::receive::Delivered;
use super::request::{
    BatchResult, Entry, FailedEntry, QueueReply, QueueRequest, QueueResponse, ReceiveOptions, Sent,
};
use super::store::Queue;
use super::throughput::Action;
use super::{ThroughputScope, is_fifo};
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};

const MAX_BATCH_BYTES: usize = 1_024 * 1_024;
const MAX_VISIBILITY_SECONDS: u64 = 43_200;
const MAX_WAIT_SECONDS: u64 = 20;
const PURGE_PAUSE_MS: Millis = 60_000;
/// How long no queue of the name of a removed one can be made.
const REMOVED_PAUSE_MS: Millis = 60_000;
const MAX_NAME_BYTES: usize = 80;
const ATTEMPT_MEMORY_MS: Millis = 5 * 60 * 1_000;

/// The queues, and what happened in them that the triggers must know.
#[derive(Debug, Default)]
pub struct Queues {
    by_name: BTreeMap<String, Queue>,
    /// Queues in which something became visible, or was deleted, since this was last asked.
    touched: BTreeSet<String>,
    /// When queues were removed, by name.
    removed: BTreeMap<String, Millis>,
    last_number: u32,
}

impl Queues {
    /// Makes a queue.
    pub fn create(
        &mut self,
        name: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<&mut Queue, ServiceError> {
        let attributes = QueueAttributes::parse(name, attributes)?;
        let last_number = &mut self.last_number;
        Ok(self.by_name.entry(name.to_owned()).or_insert_with(|| {
            *last_number += 1;
            Queue::new(*last_number, name, attributes)
        }))
    }

    /// Returns a queue.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Queue> {
        self.by_name.get(name)
    }

    /// Returns a queue that is to be changed; whatever is done to it, the triggers look at it afterwards.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Queue> {
        let queue = self.by_name.get_mut(name)?;
        self.touched.insert(name.to_owned());
        Some(queue)
    }

    /// Returns all queues by name.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<String, Queue> {
        &self.by_name
    }

    /// Returns the queues that something was done to since the last time.
    pub fn take_touched(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.touched)
    }

    /// Says that nothing was done to a queue that has to be looked at.
    pub fn untouch(&mut self, name: &str) {
        self.touched.remove(name);
    }

    /// Returns whether a message of a queue became visible since this was last asked.
    pub fn take_became_visible(&mut self, name: &str) -> bool {
        self.by_name.get_mut(name).is_some_and(Queue::take_became_visible)
    }

    /// Evaluates a request now.
    pub fn execute(&mut self, now_ms: Millis, name: &str, request: QueueRequest) -> QueueReply {
        if !matches!(request, QueueRequest::Create(_) | QueueRequest::List(_))
            && !self.by_name.contains_key(name)
        {
            let error = ErrorKind::QueueDoesNotExist.because("The specified queue does not exist.");
            return QueueReply::Now(Err(error));
        }
        match self.administer(now_ms, name, request) {
            Ok(answer) => QueueReply::Now(answer),
            Err(request) => self.use_queue(now_ms, name, request),
        }
    }

    /// Answers a request that is about queues as a whole; gives back any other.
    fn administer(
        &mut self,
        now_ms: Millis,
        name: &str,
        request: QueueRequest,
    ) -> Result<Result<QueueResponse, ServiceError>, QueueRequest> {
        let urls = |what, names: Vec<String>| {
            QueueResponse::Urls(what, names.iter().map(|name| url(name)).collect())
        };
        Ok(match request {
            QueueRequest::Create(attributes) => {
                self.create_call(now_ms, name, attributes).map(QueueResponse::Url)
            }
            QueueRequest::Remove => {
                self.by_name.remove(name);
                self.removed.insert(name.to_owned(), now_ms);
                Ok(QueueResponse::Done)
            }
            QueueRequest::List(prefix) => {
                let listed = self.by_name.keys().filter(|name| name.starts_with(&prefix)).cloned();
                Ok(urls("QueueUrls", listed.collect()))
            }
            QueueRequest::DeadLetterSources => {
                let sources = self.dead_letter_sources(name).iter().map(ToString::to_string).collect();
                Ok(urls("queueUrls", sources))
            }
            QueueRequest::MoveMessages(destination) => {
                self.move_messages(now_ms, name, destination.as_deref())
            }
            QueueRequest::SetAttributes(changes) => self.set_attributes(now_ms, name, changes),
            other => return Err(other),
        })
    }

    /// Answers a request that is about one queue's messages or attributes.
    fn use_queue(&mut self, now_ms: Millis, name: &str, request: QueueRequest) -> QueueReply {
        let queue = self.get_mut(name).expect("it was found before");
        queue.advance(now_ms);
        QueueReply::Now(match request {
            QueueRequest::Create(_)
            | QueueRequest::Remove
            | QueueRequest::List(_)
            | QueueRequest::DeadLetterSources
            | QueueRequest::MoveMessages(_)
            | QueueRequest::SetAttributes(_) => unreachable!("answered above"),
            QueueRequest::Receive(options) => return self.receive_call(now_ms, name, &options),
            QueueRequest::Send(entry) => send(queue, now_ms, entry).map(QueueResponse::Sent),
            QueueRequest::SendBatch(entries) => {
                send_batch(queue, now_ms, entries).map(QueueResponse::SentBatch)
            }
            QueueRequest::Delete(handle) => throttle(queue, now_ms, Action::Delete)
                .and_then(|()| delete(queue, &handle))
                .map(|()| QueueResponse::Done),
            QueueRequest::DeleteBatch(entries) => throttle(queue, now_ms, Action::Delete)
                .and_then(|()| batch(entries, |handle| delete(queue, &handle)))
                .map(QueueResponse::Batch),
            QueueRequest::ChangeVisibility(handle, seconds) => {
                change_visibility(queue, now_ms, &handle, seconds).map(|()| QueueResponse::Done)
            }
            QueueRequest::ChangeVisibilityBatch(entries) => {
                let entries =
                    entries.into_iter().map(|(id, handle, seconds)| (id, (handle, seconds))).collect();
                batch(entries, |(handle, seconds)| change_visibility(queue, now_ms, &handle, seconds))
                    .map(QueueResponse::Batch)
            }
            QueueRequest::GetAttributes(names) => {
                asked_for(described(queue), &names).map(QueueResponse::Attributes)
            }
            QueueRequest::GetUrl => Ok(QueueResponse::Url(url(name))),
            QueueRequest::Purge => purge(queue, now_ms).map(|()| QueueResponse::Done),
        })
    }

    /// Receives up to `max` messages for the queue's own visibility timeout or another; dead ones move on.
    pub fn receive(
        &mut self,
        now_ms: Millis,
        name: &str,
        max: usize,
        visibility_ms: Option<Millis>,
    ) -> Vec<Delivered> {
        let Some(queue) = self.get_mut(name) else { return Vec::new() };
        queue.advance(now_ms);
        let visibility_ms = visibility_ms.unwrap_or(queue.attributes.visibility_ms);
        let received = queue.receive(now_ms, max, visibility_ms);
        let dead_letter_queue =
            queue.attributes.redrive.as_ref().map(|redrive| redrive.dead_letter_queue.clone());
        if let Some(target) = dead_letter_queue {
            self.bury(now_ms, name, &target, received.dead);
        }
        received.delivered
    }

    /// Puts a message that no client sent into a queue: an on-failure destination's.
    pub fn deposit(&mut self, now_ms: Millis, name: &str, body: String) {
        if let Some(queue) = self.get_mut(name) {
            let group = queue.is_fifo().then(|| "destination".to_owned());
            let deduplication_id = queue.is_fifo().then(|| format!("{}-{}", now_ms, queue.last_sequence));
            queue.send(now_ms, Entry { body, group, deduplication_id, ..Entry::default() });
        }
    }

    fn receive_call(&mut self, now_ms: Millis, name: &str, options: &ReceiveOptions) -> QueueReply {
        let queue = self.by_name.get_mut(name).expect("the queue was found before");
        if let Err(error) = check_receive(queue, now_ms, options) {
            return QueueReply::Now(Err(error));
        }
        let wait_ms = options.wait_seconds.map_or(queue.attributes.wait_ms, |seconds| seconds * 1_000);
        if !queue.is_fifo() && wait_ms == 0 && queue.in_flight() >= queue.in_flight_limit {
            return QueueReply::Now(Err(ErrorKind::OverLimit.because("Too many messages are in flight.")));
        }
        let messages = self.receive_options(now_ms, name, options);
        if messages.is_empty() && wait_ms > 0 {
            return QueueReply::Waits { wait_ms };
        }
        QueueReply::Now(Ok(QueueResponse::Received(messages)))
    }

    /// Receives as a call asked for it, for the first time or after it waited.
    pub fn receive_options(
        &mut self,
        now_ms: Millis,
        name: &str,
        options: &ReceiveOptions,
    ) -> Vec<Delivered> {
        let visibility_ms = options.visibility_seconds.map(|seconds| seconds * 1_000);
        if let (Some(attempt_id), Some(queue)) = (&options.attempt_id, self.by_name.get_mut(name)) {
            let visibility_ms = visibility_ms.unwrap_or(queue.attributes.visibility_ms);
            if let Some(repeated) = queue.repeated(now_ms, attempt_id, visibility_ms) {
                return repeated;
            }
        }
        let max = usize::try_from(options.max_messages.unwrap_or(1)).expect("at most ten");
        let delivered = self.receive(now_ms, name, max, visibility_ms);
        if let (Some(attempt_id), Some(queue)) = (&options.attempt_id, self.by_name.get_mut(name)) {
            let receipts: Vec<Receipt> = delivered.iter().map(|delivered| delivered.receipt).collect();
            queue.attempts.insert(attempt_id.clone(), (now_ms + ATTEMPT_MEMORY_MS, receipts));
        }
        delivered
    }

    /// Makes a queue that a call asks for, unless it is there with other attributes.
    fn create_call(
        &mut self,
        now_ms: Millis,
        name: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<String, ServiceError> {
        let invalid = |message: &str| Err(ErrorKind::InvalidParameterValue.because(message));
        let base = name.strip_suffix(".fifo").unwrap_or(name);
        let valid = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        if base.is_empty() || name.len() > MAX_NAME_BYTES || !base.chars().all(valid) {
            return invalid(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            );
        }
        let wants_fifo = attributes.get("FifoQueue").is_some_and(|value| value == "true");
        if wants_fifo != is_fifo(name) {
            return invalid(
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix.",
            );
        }
        check_names(&attributes, true)?;
        if let Some(queue) = self.by_name.get(name) {
            if !has_all(queue, &attributes) {
                return Err(ErrorKind::QueueNameExists.because(
                    "A queue already exists with the same name and a different value for an attribute",
                ));
            }
            return Ok(url(name));
        }
        if self.removed.get(name).is_some_and(|removed_ms| now_ms < removed_ms + REMOVED_PAUSE_MS) {
            return Err(ErrorKind::QueueDeletedRecently.because(
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
            ));
        }
        self.check_dead_letter_queue(name, &QueueAttributes::parse(name, attributes.clone())?)?;
        let queue = self.create(name, attributes)?;
        (queue.created_ms, queue.modified_ms) = (now_ms, now_ms);
        Ok(url(name))
    }

    fn set_attributes(
        &mut self,
        now_ms: Millis,
        name: &str,
        changes: BTreeMap<String, String>,
    ) -> Result<QueueResponse, ServiceError> {
        let queue = self.get_mut(name).expect("it was found before");
        queue.advance(now_ms);
        check_names(&changes, false)?;
        let mut given = queue.attributes.given.clone();
        given.extend(changes);
        let attributes = QueueAttributes::parse(name, given)?;
        self.check_dead_letter_queue(name, &attributes)?;
        self.get_mut(name).expect("it was found before").change_attributes(now_ms, attributes);
        Ok(QueueResponse::Done)
    }

    /// Refuses a redrive policy whose dead-letter queue is not there or does not want this source.
    fn check_dead_letter_queue(&self, name: &str, attributes: &QueueAttributes) -> Result<(), ServiceError> {
        let Some(redrive) = &attributes.redrive else { return Ok(()) };
        let reason = match self.by_name.get(&redrive.dead_letter_queue) {
            None => "Dead letter target does not exist.",
            Some(target) if !target.attributes.allows_redrive_from(name) => {
                "Queue is not allowed to use the dead letter target."
            }
            Some(_) => return Ok(()),
        };
        Err(ErrorKind::InvalidParameterValue
            .because(format!("Value for parameter RedrivePolicy is invalid. Reason: {reason}")))
    }

    fn dead_letter_sources(&self, name: &str) -> Vec<String> {
        let leads_here = |queue: &&Queue| {
            queue.attributes.redrive.as_ref().is_some_and(|redrive| redrive.dead_letter_queue == name)
        };
        self.by_name.values().filter(leads_here).map(|queue| queue.name.clone()).collect()
    }

    /// Moves the visible messages of a dead-letter queue at once; the service takes its time and promises none.
    fn move_messages(
        &mut self,
        now_ms: Millis,
        name: &str,
        destination: Option<&str>,
    ) -> Result<QueueResponse, ServiceError> {
        if self.dead_letter_sources(name).is_empty() {
            return Err(ErrorKind::InvalidParameterValue
                .because("Source queue must be configured as a Dead Letter Queue."));
        }
        if destination.is_some_and(|destination| !self.by_name.contains_key(destination)) {
            return Err(ErrorKind::ResourceNotFoundException
                .because("The resource that you specified for the DestinationArn parameter doesn't exist."));
        }
        let queue = self.get_mut(name).expect("it was found before");
        queue.advance(now_ms);
        for message in queue.take_visible(destination.is_none()) {
            let target = destination.map(str::to_owned).or_else(|| message.came_from.clone());
            self.bury(now_ms, name, &target.expect("only those with a target are taken"), vec![message]);
        }
        Ok(QueueResponse::Task(format!("task-{name}-{now_ms}")))
    }

    fn bury(&mut self, now_ms: Millis, source: &str, target: &str, dead: Vec<Message>) {
        for mut message in dead {
            message.came_from = Some(source.to_owned());
            if let Some(queue) = self.get_mut(target) {
                queue.take_in(now_ms, message);
            }
        }
    }
}

fn throttle(queue: &mut Queue, now_ms: Millis, action: Action) -> Result<(), ServiceError> {
    let limited = queue.is_fifo() && queue.attributes.throughput == ThroughputScope::Queue;
    if limited && !queue.throughput.take(now_ms, action, "") { Err(throttled()) } else { Ok(()) }
}

fn throttled() -> ServiceError {
    ErrorKind::RequestThrottled.because("Rate exceeded")
}

fn send(queue: &mut Queue, now_ms: Millis, entry: Entry) -> Result<Sent, ServiceError> {
    queue.check_entry(&entry)?;
    if queue.throttled_sends(now_ms, &[entry.group.as_deref().unwrap_or_default()])[0] {
        return Err(throttled());
    }
    Ok(queue.send(now_ms, entry))
}

fn send_batch(
    queue: &mut Queue,
    now_ms: Millis,
    entries: Vec<(String, Entry)>,
) -> Result<BatchResult<Sent>, ServiceError> {
    check_batch(entries.iter().map(|(id, _)| id.as_str()))?;
    if entries.iter().map(|(_, entry)| entry.bytes()).sum::<usize>() > MAX_BATCH_BYTES {
        return Err(
            ErrorKind::BatchRequestTooLong.because("Batch requests cannot be longer than 1048576 bytes.")
        );
    }
    entries.iter().try_for_each(|(_, entry)| queue.check_order(entry))?;
    let groups: Vec<&str> =
        entries.iter().map(|(_, entry)| entry.group.as_deref().unwrap_or_default()).collect();
    let over = queue.throttled_sends(now_ms, &groups);
    if over.iter().all(|over| *over) {
        return Err(throttled());
    }
    let mut result = BatchResult { successful: Vec::new(), failed: Vec::new() };
    for ((id, entry), over) in entries.into_iter().zip(over) {
        match if over { Err(throttled()) } else { queue.check_entry(&entry) } {
            Ok(()) => {
                let sent = queue.send(now_ms, entry);
                result.successful.push((id, sent));
            }
            Err(error) => result.failed.push(FailedEntry { id, error }),
        }
    }
    Ok(result)
}

/// Deletes a message; one that is gone already is no error, a FIFO queue's handle that has ended is one.
fn delete(queue: &mut Queue, handle: &str) -> Result<(), ServiceError> {
    let receipt = queue.receipt(handle)?;
    if queue.delete(receipt) || !queue.is_fifo() || !queue.messages.contains_key(&receipt.sequence) {
        return Ok(());
    }
    Err(ErrorKind::InvalidParameterValue
        .because("Value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."))
}

fn change_visibility(
    queue: &mut Queue,
    now_ms: Millis,
    handle: &str,
    seconds: u64,
) -> Result<(), ServiceError> {
    if seconds > MAX_VISIBILITY_SECONDS {
        return Err(ErrorKind::InvalidParameterValue.because("VisibilityTimeout must be from 0 to 43200."));
    }
    let receipt = queue.receipt(handle)?;
    if !queue.messages.contains_key(&receipt.sequence) {
        return Err(ErrorKind::InvalidParameterValue.because(
            "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
        ));
    }
    let received_ms = queue.delivered(receipt).map(|message| message.received_ms);
    if received_ms
        .is_some_and(|received_ms| now_ms + seconds * 1_000 > received_ms + MAX_VISIBILITY_SECONDS * 1_000)
    {
        return Err(ErrorKind::InvalidParameterValue
            .because("Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"));
    }
    if queue.change_visibility(now_ms, receipt, seconds * 1_000) {
        return Ok(());
    }
    Err(ErrorKind::MessageNotInflight.because("The message referred to is not in flight."))
}

fn check_receive(queue: &mut Queue, now_ms: Millis, options: &ReceiveOptions) -> Result<(), ServiceError> {
    let invalid = |name: &str| {
        Err(ErrorKind::InvalidParameterValue.because(format!("Value for parameter {name} is invalid.")))
    };
    if options.max_messages.is_some_and(|max| !(1..=10).contains(&max)) {
        return invalid("MaxNumberOfMessages");
    }
    if options.visibility_seconds.is_some_and(|seconds| seconds > MAX_VISIBILITY_SECONDS) {
        return invalid("VisibilityTimeout");
    }
    if options.wait_seconds.is_some_and(|seconds| seconds > MAX_WAIT_SECONDS) {
        return invalid("WaitTimeSeconds");
    }
    throttle(queue, now_ms, Action::Receive)
}

fn purge(queue: &mut Queue, now_ms: Millis) -> Result<(), ServiceError> {
    if queue.last_purge_ms.is_some_and(|last_ms| now_ms < last_ms + PURGE_PAUSE_MS) {
        return Err(ErrorKind::PurgeQueueInProgress
            .because("Only one PurgeQueue operation is allowed every 60 seconds."));
    }
    queue.last_purge_ms = Some(now_ms);
    queue.clear();
    Ok(())
}

fn url(name: &str) -> String {
    format!("http://sqs/000000000000/{name}")
}
