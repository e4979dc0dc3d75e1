//! The table service: items, conditions, transactions, units, limits and streams.

mod batch;
mod capacity;
mod database;
mod key;
mod read;
mod request;
mod running;
mod single_statement;
mod statement;
mod store;
mod stored;
mod stream;
mod transaction;
mod units;
mod write;

pub use capacity::{Billing, Capacity, Direction, Limit, Throughput};
pub use database::{Database, Reply};
pub use key::{Key, Schema};
pub use request::{
    BatchGet, BatchPart, BatchStatement, BatchWrite, Effect, Get, Page, PageOptions, Query, Request,
    Response, ReturnValues, Scan, SingleStatement, StatementError, StatementOutcome, TransactStatements,
    TransactWrite, Write,
};
pub use single_statement::PreparedStatements;
pub use store::{Change, Table, TableOptions};
pub use stored::Stored;
pub use stream::{ChangeKind, RETENTION_MS, Stream, StreamRecord, ViewType};
pub use transaction::{Prepared, ReadSet};
pub use units::{Consumed, Units};
