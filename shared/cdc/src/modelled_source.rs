//! A modelled source: a database with a log, and a connector that reads it as Debezium 3.6.3 does.
//!
//! What the table holds in the end is the truth that every folding of the records has to come to. The
//! database has overlapping transactions with row locks; the connector has initial, blocking and
//! incremental snapshots, restarts that send old changes again, and a log that starts over after a
//! failover; its topics get more partitions and are made anew.
//!
//! Everything is a function of the calls made and of a seed: no clock and no other randomness.

mod connector;
mod database;
mod dice;
mod history;

pub use connector::{Chunk, Connector, Deletes, Form, Format, Keys, Seen};
pub use database::{Database, Row, TableName, TransactionId};
pub use dice::Dice;
pub use history::{History, Variety};
