//! The tables of AWS and the loop of a Lambda function, against services in this process.

#![allow(clippy::unwrap_used, reason = "a test that fails by panicking says where")]

mod faults;
mod http_server;
mod lambda;
mod suite;
mod support;
