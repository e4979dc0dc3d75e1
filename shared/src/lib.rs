//! The contribution ledger: business rules, change decoding, storage, queues and telemetry.
//!
//! [`rules`] is pure and depends on nothing else here; [`cdc`] turns bytes into changes of rows;
//! [`store`] is the only module that knows a table, a key or an attribute name; [`explain`] says why
//! a leg is where it is; [`talent`] carries changes up the referral forest.

pub mod closing;
pub mod environment;
pub mod events;
pub mod explain;
pub mod export;
pub mod queue;
pub mod store;
pub mod talent;
pub mod telemetry;

pub use cdc;
pub use domain as rules;
