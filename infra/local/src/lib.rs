//! The whole ledger on one machine.
//!
//! The same functions as on AWS run here, through the same event JSON: embedded tables and queues
//! stand in for DynamoDB and SQS, and pollers for event source mappings. What exists (tables,
//! queues, triggers) is read from `infra/template.yaml`.

pub mod calls;
pub mod capture;
pub mod endpoints;
pub mod export;
pub mod functions;
pub mod kafka;
pub mod replay;
pub mod resources;
pub mod stack;
pub mod summary;
pub mod template;
pub mod triggers;
