//! All queues of one endpoint, and what happens between them.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use uuid::Uuid;

use crate::error::QueueError;
use crate::id_source::IdSource;
use crate::message::NewMessage;
use crate::message_store::{Message, MessageCounts};
use crate::move_task::MoveTask;
use crate::queue::{Delivery, Queue, Sent};
use crate::queue_name::QueueName;
use crate::receipt_handle::ReceiptHandle;
use crate::settings::{Attributes, QueueSettings, RedrivePolicy};

/// The queues by name. Like a single queue, they are given the time with every call.
#[derive(Debug)]
pub(crate) struct Queues {
    region: String,
    ids: IdSource,
    by_name: BTreeMap<QueueName, Queue>,
    /// When queues were deleted: their names are free again a minute later.
    deleted_at_ms: BTreeMap<QueueName, u64>,
    /// The move tasks, the latest last.
    move_tasks: Vec<MoveTask>,
    /// The queues whose waiting receivers have to look again.
    stirred: BTreeSet<QueueName>,
}

/// What a receive asks for; whatever is left out is the queue's setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceiveRequest {
    pub(crate) max_messages: usize,
    pub(crate) visibility_timeout_seconds: Option<u32>,
    pub(crate) wait_seconds: Option<u32>,
}

impl Queues {
    pub(crate) fn new(region: &str, seed: Uuid) -> Self {
        Self {
            region: region.to_owned(),
            ids: IdSource::new(seed),
            by_name: BTreeMap::new(),
            deleted_at_ms: BTreeMap::new(),
            move_tasks: Vec::new(),
            stirred: BTreeSet::new(),
        }
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn set_region(&mut self, region: &str) {
        region.clone_into(&mut self.region);
    }

    /// Creates a queue, or confirms that there is one with these attributes.
    pub(crate) fn create(
        &mut self,
        now_ms: u64,
        name: &QueueName,
        attributes: &Attributes,
    ) -> Result<(), QueueError> {
        let defaults = if name.is_fifo() { QueueSettings::fifo() } else { QueueSettings::standard() };
        let asks_for_fifo =
            attributes.get("FifoQueue").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if asks_for_fifo != name.is_fifo() {
            return Err(QueueName::invalid(name.as_str()));
        }
        let settings = defaults.with(attributes)?;
        if let Some(existing) = self.by_name.get(name) {
            let (asked, present) = (settings.attributes(), existing.settings().attributes());
            return match attributes.keys().find(|key| asked.get(*key) != present.get(*key)) {
                Some(attribute) => Err(QueueError::QueueNameExists { attribute: attribute.clone() }),
                None => Ok(()),
            };
        }
        self.check_name_is_free_again(now_ms, name)?;
        self.check_redrive_policy(name, &settings)?;
        self.by_name.insert(name.clone(), Queue::new(self.ids.next(), settings, now_ms));
        Ok(())
    }

    /// Deletes a queue with its messages.
    pub(crate) fn delete(&mut self, now_ms: u64, name: &QueueName) -> Result<(), QueueError> {
        self.by_name.remove(name).ok_or(QueueError::QueueDoesNotExist)?;
        self.deleted_at_ms.insert(name.clone(), now_ms);
        self.stirred.insert(name.clone());
        Ok(())
    }

    /// Returns the names of all queues, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &QueueName> {
        self.by_name.keys()
    }

    /// Returns the queue of this name.
    pub(crate) fn get(&self, name: &QueueName) -> Result<&Queue, QueueError> {
        self.by_name.get(name).ok_or(QueueError::QueueDoesNotExist)
    }

    /// Returns how many messages of a queue are in which state.
    pub(crate) fn counts(&mut self, now_ms: u64, name: &QueueName) -> Result<MessageCounts, QueueError> {
        Ok(self.get_mut(name)?.counts(now_ms))
    }

    /// Returns everything there is to know about a queue.
    pub(crate) fn attributes(&mut self, now_ms: u64, name: &QueueName) -> Result<Attributes, QueueError> {
        let queue = self.get_mut(name)?;
        let counts = queue.counts(now_ms);
        let mut attributes = queue.settings().attributes();
        attributes.extend(
            [
                ("ApproximateNumberOfMessages", counts.visible.to_string()),
                ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
                ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
                ("CreatedTimestamp", (queue.created_at_ms() / 1_000).to_string()),
                ("LastModifiedTimestamp", (queue.modified_at_ms() / 1_000).to_string()),
                ("QueueArn", name.arn(&self.region)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(attributes)
    }

    /// Changes the attributes given, and leaves the others.
    pub(crate) fn set_attributes(
        &mut self,
        now_ms: u64,
        name: &QueueName,
        attributes: &Attributes,
    ) -> Result<(), QueueError> {
        let settings = self.get(name)?.settings().with(attributes)?;
        // A policy that has lost its dead-letter queue must not stand in the way of other changes.
        if attributes.contains_key("RedrivePolicy") {
            self.check_redrive_policy(name, &settings)?;
        }
        self.stir(name)?.set_settings(now_ms, settings);
        Ok(())
    }

    /// Deletes all messages of a queue, at most once a minute.
    pub(crate) fn purge(&mut self, now_ms: u64, name: &QueueName) -> Result<(), QueueError> {
        self.get_mut(name)?.purge(now_ms)
    }

    /// Checks what a batch as a whole needs: on a FIFO queue, a group and an id for each of its messages.
    pub(crate) fn check_batch<'a>(
        &self,
        name: &QueueName,
        messages: impl IntoIterator<Item = &'a NewMessage>,
    ) -> Result<(), QueueError> {
        let Some(fifo) = self.get(name)?.settings().fifo else { return Ok(()) };
        for message in messages {
            if message.group_id.is_none() {
                return Err(QueueError::InvalidParameterValue {
                    name: "MessageGroupId".to_owned(),
                    value: String::new(),
                    reason: "The request must contain the parameter MessageGroupId.".to_owned(),
                });
            }
            if message.deduplication_id.is_none() && !fifo.content_based_deduplication {
                return Err(QueueError::DeduplicationIdRequired);
            }
        }
        Ok(())
    }

    /// Sends a message.
    pub(crate) fn send(
        &mut self,
        now_ms: u64,
        name: &QueueName,
        message: NewMessage,
    ) -> Result<Sent, QueueError> {
        let id = self.ids.next();
        self.stir(name)?.send(now_ms, id, message)
    }

    /// Receives what can be received now; messages that were received too often go to the
    /// dead-letter queue instead.
    pub(crate) fn receive(
        &mut self,
        now_ms: u64,
        name: &QueueName,
        request: ReceiveRequest,
    ) -> Result<Vec<Delivery>, QueueError> {
        let redrive = self.get(name)?.settings().redrive_policy.as_ref().and_then(|policy| {
            // Without its dead-letter queue, a queue goes on delivering the message rather than lose it.
            let target = self.dead_letter_queue(policy)?;
            Some((policy.max_receive_count, target))
        });
        let queue = self.get_mut(name)?;
        let visibility_timeout_seconds =
            request.visibility_timeout_seconds.unwrap_or(queue.settings().visibility_timeout_seconds);
        let max_receive_count = redrive.as_ref().map(|(count, _)| *count);
        let received =
            queue.receive(now_ms, request.max_messages, visibility_timeout_seconds, max_receive_count);
        if let Some((_, target)) = redrive {
            let source_arn = name.arn(&self.region);
            for mut message in received.dead_letters {
                message.dead_letter_source_arn = Some(source_arn.clone());
                self.stir(&target)?.accept(now_ms, message);
            }
        }
        Ok(received.deliveries)
    }

    /// Deletes a message.
    pub(crate) fn delete_message(
        &mut self,
        now_ms: u64,
        name: &QueueName,
        receipt_handle: &str,
    ) -> Result<(), QueueError> {
        let queue = self.stir(name)?;
        queue.delete(now_ms, &receipt_handle.parse::<ReceiptHandle>()?)
    }

    /// Changes when a message in flight becomes visible again.
    pub(crate) fn change_visibility(
        &mut self,
        now_ms: u64,
        name: &QueueName,
        receipt_handle: &str,
        visibility_timeout_seconds: u32,
    ) -> Result<(), QueueError> {
        let queue = self.stir(name)?;
        queue.change_visibility(now_ms, &receipt_handle.parse::<ReceiptHandle>()?, visibility_timeout_seconds)
    }

    /// Moves every receivable message out of a dead-letter queue, in order, up to one with nowhere to go.
    pub(crate) fn start_move_task(
        &mut self,
        now_ms: u64,
        source_arn: &str,
        destination_arn: Option<&str>,
        max_messages_per_second: Option<u32>,
    ) -> Result<MoveTask, QueueError> {
        let source = self.existing("SourceArn", source_arn)?;
        let destination = match destination_arn {
            Some(arn) => Some(self.existing("DestinationArn", arn)?),
            None => None,
        };
        self.check_move(source_arn, &source, destination.as_ref())?;
        let messages_to_move = self.counts(now_ms, &source)?.visible;
        let mut messages_moved = 0;
        let mut failure_reason = None;
        while let Some(message) = self.stir(&source)?.first_receivable(now_ms) {
            let origin_arn = message.dead_letter_source_arn.clone();
            let origin = || self.existing("DestinationArn", &origin_arn?).ok();
            let Some(target) = destination.clone().or_else(origin) else {
                failure_reason = Some("CouldNotDetermineMessageSource");
                break;
            };
            self.move_first_as_new(now_ms, &source, &target)?;
            messages_moved += 1;
        }
        let task = MoveTask {
            handle: self.ids.next().to_string(),
            source,
            destination,
            max_messages_per_second,
            messages_to_move,
            messages_moved,
            failure_reason,
            started_at_ms: now_ms,
        };
        self.move_tasks.push(task.clone());
        Ok(task)
    }

    /// Returns the latest move tasks of a queue, the latest first.
    pub(crate) fn move_tasks(
        &self,
        source_arn: &str,
        max_results: usize,
    ) -> Result<Vec<MoveTask>, QueueError> {
        let source = self.existing("SourceArn", source_arn)?;
        let tasks = self.move_tasks.iter().rev().filter(|task| task.source == source);
        Ok(tasks.take(max_results).cloned().collect())
    }

    /// Returns the queues in which messages may have become receivable since the last call, other than by
    /// time, and those that are gone.
    ///
    /// A receive wakes nothing in its own queue: each receive that waits there has looked again since the
    /// messages became receivable, or is about to, and finds out when they come back.
    pub(crate) fn take_stirred(&mut self) -> BTreeSet<QueueName> {
        mem::take(&mut self.stirred)
    }

    fn get_mut(&mut self, name: &QueueName) -> Result<&mut Queue, QueueError> {
        self.by_name.get_mut(name).ok_or(QueueError::QueueDoesNotExist)
    }

    /// Returns the queue of this name, for a change that may make a message receivable.
    fn stir(&mut self, name: &QueueName) -> Result<&mut Queue, QueueError> {
        let queue = self.by_name.get_mut(name).ok_or(QueueError::QueueDoesNotExist)?;
        self.stirred.insert(name.clone());
        Ok(queue)
    }

    fn existing(&self, parameter: &'static str, arn: &str) -> Result<QueueName, QueueError> {
        QueueName::from_arn(arn, &self.region)
            .filter(|name| self.by_name.contains_key(name))
            .ok_or(QueueError::ResourceNotFound { parameter })
    }

    fn dead_letter_queue(&self, policy: &RedrivePolicy) -> Option<QueueName> {
        self.existing("RedrivePolicy", &policy.dead_letter_target_arn).ok()
    }

    /// Moves a queue's first receivable message as if it had just been sent: with a new id, and
    /// never received.
    fn move_first_as_new(
        &mut self,
        now_ms: u64,
        source: &QueueName,
        target: &QueueName,
    ) -> Result<(), QueueError> {
        let id = self.ids.next();
        if let Some(message) = self.stir(source)?.take_first_receivable(now_ms) {
            self.stir(target)?.accept(now_ms, Message::new(id, message.content, now_ms));
        }
        Ok(())
    }

    fn check_name_is_free_again(&self, now_ms: u64, name: &QueueName) -> Result<(), QueueError> {
        const UNTIL_FREE_MS: u64 = 60_000;
        match self.deleted_at_ms.get(name) {
            Some(deleted_at_ms) if now_ms < deleted_at_ms + UNTIL_FREE_MS => {
                Err(QueueError::QueueDeletedRecently)
            }
            _ => Ok(()),
        }
    }

    fn check_redrive_policy(&self, name: &QueueName, settings: &QueueSettings) -> Result<(), QueueError> {
        let Some(policy) = &settings.redrive_policy else { return Ok(()) };
        let invalid = |reason: &str| {
            Err(QueueError::InvalidAttributeValue {
                name: "RedrivePolicy".to_owned(),
                reason: reason.to_owned(),
            })
        };
        match self.dead_letter_queue(policy) {
            None => invalid("Dead letter target does not exist."),
            Some(target) if target == *name => invalid("Dead letter target owner is the queue itself."),
            Some(target) if target.is_fifo() != name.is_fifo() => {
                invalid("Dead-letter queue must be same type of queue as the source.")
            }
            Some(_) => Ok(()),
        }
    }

    fn check_move(
        &self,
        source_arn: &str,
        source: &QueueName,
        destination: Option<&QueueName>,
    ) -> Result<(), QueueError> {
        let invalid = |name: &str, reason: &str| {
            Err(QueueError::InvalidParameterValue {
                name: name.to_owned(),
                value: source_arn.to_owned(),
                reason: reason.to_owned(),
            })
        };
        let gives_up_to_source = |queue: &Queue| {
            queue
                .settings()
                .redrive_policy
                .as_ref()
                .is_some_and(|policy| policy.dead_letter_target_arn == source_arn)
        };
        if !self.by_name.values().any(gives_up_to_source) {
            return invalid("SourceArn", "Source queue must be configured as a Dead Letter Queue.");
        }
        match destination {
            Some(destination) if destination == source => {
                invalid("DestinationArn", "Source queue and destination queue must not be the same.")
            }
            Some(destination) if destination.is_fifo() != source.is_fifo() => {
                invalid("DestinationArn", "Source queue and destination queue must be of the same type.")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
