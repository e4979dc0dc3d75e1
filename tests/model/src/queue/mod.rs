//! The queue service: standard and FIFO queues, visibility, deduplication and dead letters.

mod attributes;
mod batch;
mod contents;
mod description;
mod message;
mod receive;
mod request;
mod send;
mod service;
mod store;
mod throughput;

pub use attributes::{QueueAttributes, RedrivePolicy, ThroughputScope};
pub use message::{Message, Receipt};
pub use receive::Delivered;
pub use request::{
    BatchResult, Entry, FailedEntry, QueueReply, QueueRequest, QueueResponse, ReceiveOptions, Sent,
};
pub(crate) use send::hex;
pub use service::Queues;
pub use store::Queue;

/// Returns whether a queue of this name keeps the order of each group.
#[must_use]
pub fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}
