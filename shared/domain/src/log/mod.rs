//! The log: pages of inputs and decisions, each with the hash of the page before.
//!
//! Everything the ledger is follows from these pages in their order. A page is written once, on condition
//! that its number is free; that write is the only decision there is.

mod command;
mod entry;
mod outbound;
mod page;

pub use command::{AdjustmentTerms, Command, CommandOutcome, PauseScope, Paused, StatedChange, Truncate};
pub use entry::{
    Cause, ChangedBecause, CloseTerms, Correction, Entry, FirstOrderChange, Held, HoldReason, OrderWait,
    PartitionProgress, UplineChange, UplineWait, Walk, WalkId, WalkPlace, WalkScope,
};
pub use outbound::{
    DeliveryId, EventPlace, EventType, InvalidDeliveryId, InvalidEventPlace, InvalidEventType,
    InvalidWebhookName, WebhookChange, WebhookName,
};
pub use page::{InvalidPage, Page, PageHash, Position};
