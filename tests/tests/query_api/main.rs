//! The API over ledgers that the functions made of captures.

mod access;
mod accounts;
mod adoptions;
mod commands;
mod contract;
mod costs;
mod days;
mod ledger;
mod operators_log;
mod records;
mod schema;
mod simulations;
