//! Reads a PostgreSQL server: the tables of the source for `reconcile`, those of the earlier service for `compare`.
//!
//! A server is read by one connection whose session is read-only, whose statements end after
//! [`ConnectOptions::statement_timeout`], and which rests after each statement for as long as that took, so that it is
//! busy for half of the time at most.
//!
//! The client is `tokio-postgres`, the protocol in Rust on the runtime that is here anyway; of what it needs, 20
//! packages are new. It comes without TLS: that would be as much code again, and a library in C. A server that requires
//! TLS is reached through a tunnel, which deployments have for their operators in any case.

mod connection;
mod earlier_service;
mod source;

pub use connection::{ConnectError, ConnectOptions, Connection};
pub use earlier_service::{EarlierServiceError, read_earlier_service};
pub use source::PostgresSource;
