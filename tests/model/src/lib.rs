//! A model of the service in virtual time: tables, queues, triggers and functions, deterministic by seed.

pub mod bench;
pub mod campaign;
pub mod clock;
pub mod conformance;
pub mod deployed;
pub mod error;
pub mod expression;
pub mod lambda;
pub mod measure;
pub mod partiql;
pub mod queue;
pub mod random;
pub mod table;
pub mod value;
pub mod wire;
pub mod world;
