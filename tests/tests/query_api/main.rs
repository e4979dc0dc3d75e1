//! The API over ledgers that the functions made of captures.

mod access;
mod accounts;
mod adoptions;
mod brakes;
mod commands;
mod contract;
mod costs;
mod days;
mod events;
mod examples;
mod ledger;
mod log;
mod missed;
mod operators_log;
mod pattern;
mod random;
mod random_simulations;
mod random_statements;
mod records;
mod rounds;
mod schema;
mod simulations;
