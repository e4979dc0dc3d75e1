//! Invocations: what a function is called with, by whom, and how it ends.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::function::Environment;
use super::record::{KafkaRecord, Record};
use crate::clock::Millis;
use crate::queue::Delivered;
use crate::table::StreamRecord;

/// A call of a function.
#[derive(Clone, Debug, Hash)]
pub struct Invocation {
    /// Its number among all invocations.
    pub number: u64,
    /// The function.
    pub function: String,
    /// Where it runs.
    pub environment: Environment,
    /// When its handler begins.
    pub begins_ms: Millis,
    /// Who asked for it.
    pub origin: Origin,
    /// What it is called with.
    pub payload: Arc<Payload>,
}

/// Who asked for an invocation and gets its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A client that waits for the answer to this call.
    Call(u64),
    /// The queue of asynchronous invocations, for this entry.
    Asynchronous(u64),
    /// A batch of a queue's trigger.
    Queue {
        /// The mapping.
        mapping: usize,
        /// The batch.
        batch: u64,
    },
    /// A feeder of a topic's or a stream's trigger.
    Feeder {
        /// The mapping.
        mapping: usize,
        /// The poller or the lane.
        feeder: usize,
    },
}

/// What a function is called with.
#[derive(Clone)]
pub enum Payload {
    /// A text, by a client.
    Direct(String),
    /// A tick of a schedule.
    Tick,
    /// Messages of a queue.
    Messages {
        /// The queue.
        queue: String,
        /// The messages.
        messages: Vec<Delivered>,
    },
    /// Records of a topic.
    TopicRecords(Vec<KafkaRecord>),
    /// Records of a table's stream.
    StreamRecords {
        /// The table.
        table: String,
        /// The records.
        records: Vec<StreamRecord>,
    },
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With an answer.
    Succeeded(Option<String>),
    /// With a list of records that failed, by their positions in the event.
    Partial(Vec<usize>),
    /// With an error.
    Failed(String),
    /// It was stopped because it ran too long.
    TimedOut,
    /// Its environment died.
    Killed,
}

/// Names the records, without what they say.
impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(text) => write!(formatter, "Direct({} bytes)", text.len()),
            Self::Tick => formatter.write_str("Tick"),
            Self::Messages { queue, messages } => {
                write!(formatter, "Messages({queue}")?;
                messages.iter().try_for_each(|delivered| write!(formatter, " {}", delivered.receipt))?;
                formatter.write_str(")")
            }
            Self::TopicRecords(records) => {
                formatter.write_str("TopicRecords(")?;
                for record in records {
                    write!(formatter, " {}-{}@{}", record.topic, record.partition, record.offset)?;
                }
                formatter.write_str(")")
            }
            Self::StreamRecords { table, records } => {
                write!(formatter, "StreamRecords({table}")?;
                records.iter().try_for_each(|record| write!(formatter, " {}", record.sequence))?;
                formatter.write_str(")")
            }
        }
    }
}

/// Takes the records, without what they say.
impl Hash for Payload {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Direct(text) => text.len().hash(state),
            Self::Tick => {}
            Self::Messages { queue, messages } => {
                queue.hash(state);
                for delivered in messages {
                    delivered.receipt.hash(state);
                }
            }
            Self::TopicRecords(records) => {
                for record in records {
                    (&record.topic, record.partition, record.offset).hash(state);
                }
            }
            Self::StreamRecords { table, records } => {
                table.hash(state);
                for record in records {
                    record.sequence.hash(state);
                }
            }
        }
    }
}

impl Payload {
    /// Returns the texts of the records, in their order.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Direct(text) => vec![text.clone()],
            Self::Tick => vec!["tick".to_owned()],
            Self::Messages { messages, .. } => {
                messages.iter().map(|delivered| delivered.message.body.clone()).collect()
            }
            Self::TopicRecords(records) => records.iter().map(Record::text).collect(),
            Self::StreamRecords { records, .. } => records.iter().map(Record::text).collect(),
        }
    }

    /// Returns how often each message was received.
    #[must_use]
    pub fn receive_counts(&self) -> Vec<u32> {
        match self {
            Self::Messages { messages, .. } => {
                messages.iter().map(|delivered| delivered.message.receive_count).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Outcome {
    /// Returns whether the environment survives.
    #[must_use]
    pub fn environment_survives(&self) -> bool {
        !matches!(self, Self::TimedOut | Self::Killed)
    }

    /// Returns whether the invocation as a whole is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::TimedOut | Self::Killed)
    }
}
