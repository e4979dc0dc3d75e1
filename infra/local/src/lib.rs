//! The whole ledger on one machine.
//!
//! The same functions as on AWS run here, through the same event JSON: embedded tables and queues
//! stand in for DynamoDB and SQS, pollers for event source mappings, and an HTTP server for API
//! Gateway. What exists (tables, queues, triggers) is read from `infra/template.yaml`.

pub mod calls;
pub mod capture;
pub mod close;
pub mod endpoints;
pub mod export;
pub mod functions;
pub mod http_api;
pub mod inspect;
pub mod kafka;
pub mod replay;
pub mod resources;
pub mod stack;
pub mod streams;
pub mod summary;
pub mod template;
pub mod token;
pub mod triggers;
