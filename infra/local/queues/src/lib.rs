//! SQS queues in memory, as an endpoint for the unmodified AWS SDKs. It may touch memory, and the port that it is
//! given.
//!
//! `examples/serve.rs` serves them: point the endpoint URL of an SQS client at the address that it prints.
//!
//! # What it emulates
//!
//! The AWS JSON 1.0 protocol of SQS, standard and FIFO queues, and of their behaviour what a
//! program can come to rely on:
//!
//! - **Queues**: `CreateQueue` (again with the same attributes is fine), `GetQueueUrl`,
//!   `ListQueues`, `GetQueueAttributes`, `SetQueueAttributes`, `DeleteQueue`, `PurgeQueue`.
//! - **Messages**: `SendMessage`, `ReceiveMessage` with long polling, `DeleteMessage`,
//!   `ChangeMessageVisibility`, and the batches of all but receive. Limits are those of SQS: 1 MiB
//!   per message and per batch, ten entries per batch.
//! - **FIFO order**: a group's messages are received in the order they were sent. While one of them
//!   is in flight, none behind it is received, but one receive may take several from the front of a
//!   group, and one that comes back is received again although those behind it are still in flight: then
//!   two receivers have messages of one group. A group whose message comes back goes behind the groups
//!   that wait.
//! - **Deduplication**: by id or by content, per queue or per group, for five minutes from the
//!   first send, even if the message is deleted before that. A purge forgets it.
//! - **Time**: visibility timeouts, delays (per message on standard queues only), retention
//!   periods.
//! - **Dead letters**: a receive that would exceed `maxReceiveCount` moves the message instead. It
//!   keeps its id, group and receive count, and its group goes on without it.
//!   `StartMessageMoveTask` moves messages back, and `ListMessageMoveTasks` lists what came of it.
//! - **Receipt handles**: once a message has been delivered again, the older delivery's handle no
//!   longer deletes it.
//!
//! # What it deliberately does not
//!
//! - **It keeps nothing.** Queues are in memory, and a process that is killed loses them. A message
//!   is never the only trace of work, so its sender can send it again.
//! - **It does not misbehave at random.** A standard queue may reorder and repeat messages; this
//!   one does neither.
//! - **It trusts everyone.** Signatures are not checked; policies, encryption settings and
//!   `RedriveAllowPolicy` are kept and shown without effect. Permissions and tags are not there at
//!   all.
//! - **It has no quotas**: neither on throughput nor on messages in flight.
//! - **A move task is over when it was started**, at whatever rate it was asked for, so none can be
//!   cancelled. Messages that are in flight, and those behind them in their group, stay in the
//!   dead-letter queue.
//! - **A receive cannot be repeated**: `ReceiveRequestAttemptId` is ignored.
//!
//! # How it is made
//!
//! The queues are a plain state machine that is given the time with every call; tests drive it without
//! waiting, and through [`ManualClock`] the whole service. [`QueueService`] puts a lock, a clock
//! and the waiting of long polls around it, and [`serve`] puts HTTP around that.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails by panicking says where"))]

mod actions;
mod clock;
mod deduplication;
mod digest;
mod error;
mod http;
mod id_source;
mod message;
mod message_store;
mod move_task;
mod queue;
mod queue_name;
mod queues;
mod receipt_handle;
mod service;
mod settings;

pub use clock::{Clock, ManualClock};
pub use error::QueueError;
pub use http::{serve, serve_until};
pub use message_store::MessageCounts;
pub use service::{QueueService, QueueSummary};
