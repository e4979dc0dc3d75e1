//! The ledger's storage: a small [`Engine`] behind one trait object, and one module per kind of item.
//!
//! Every item has a key, a revision and a body. Every write is a write of one whole item, with one
//! [`Condition`] on what stands at its key. There are no transactions: the ledger's one decision is the
//! conditional write of a log page, and everything else follows from the log.
//!
//! The feature `engine-tests` adds `engine_tests`, which every engine passes.

pub mod audit;
pub mod books;
mod codec;
pub mod dates;
mod engine;
#[cfg(any(test, feature = "engine-tests"))]
pub mod engine_tests;
mod error;
pub mod events;
pub mod fold;
pub mod heads;
pub mod inbox;
mod item;
mod key;
pub mod lists;
pub mod log;
pub mod marks;
mod memory;
pub mod needs;
pub mod network;
pub mod progress;
pub mod quarantine;
pub mod rows;
mod shard;
pub mod snapshots;
pub mod talent;
pub mod truncates;
pub mod users;
pub mod webhooks;

pub use engine::{Answer, BoxFuture, Engine, each_item};
pub use error::StoreError;
pub use item::{Change, Condition, Item, Page, Query, Segment, Write, Written};
pub use key::{Key, Table};
pub use memory::MemoryEngine;
pub use shard::Shard;
