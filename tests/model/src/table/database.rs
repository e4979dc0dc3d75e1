//! All tables together: the one entry for requests that are evaluated in one moment.

use std::collections::BTreeMap;

use super::request::{Request, Response};
use super::running::Transactions;
use super::store::{Table, TableOptions};
use super::units::Consumed;
use crate::clock::Millis;
use crate::error::{ErrorKind, ServiceError};

/// The tables, and the transactions that run over them.
#[derive(Debug, Default)]
pub struct Database {
    tables: BTreeMap<String, Table>,
    pub(super) transactions: Transactions,
}

/// The answer to a request and what it consumed.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer.
    pub result: Result<Response, ServiceError>,
    /// What was consumed of each table.
    pub consumed: BTreeMap<String, Consumed>,
}

impl Database {
    /// Makes a table.
    pub fn create(&mut self, options: TableOptions) -> &mut Table {
        let name = options.name.clone();
        self.tables.entry(name).or_insert_with(|| Table::new(options))
    }

    /// Returns a table.
    pub fn table(&self, name: &str) -> Result<&Table, ServiceError> {
        self.tables.get(name).ok_or_else(|| not_found(name))
    }

    /// Returns a table that is to change.
    pub fn table_mut(&mut self, name: &str) -> Result<&mut Table, ServiceError> {
        self.tables.get_mut(name).ok_or_else(|| not_found(name))
    }

    /// Returns all tables by name.
    #[must_use]
    pub fn tables(&self) -> &BTreeMap<String, Table> {
        &self.tables
    }

    /// Returns whether a watched table has changes to be taken.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.tables.values().any(Table::has_changes)
    }

    /// Evaluates a request now.
    pub fn execute(&mut self, now_ms: Millis, request: &Request) -> Reply {
        match request {
            Request::Get(get) => self.single(&get.table, |table| {
                let (result, units) = table.read(now_ms, get);
                (result.map(Response::Got), Consumed::read(units))
            }),
            Request::Write(write) => self.single(&write.table, |table| {
                let (result, units) = table.write(now_ms, write);
                (result.map(Response::Written), Consumed::write(units))
            }),
            Request::Query(query) => self.single(&query.table, |table| {
                let (result, units) = table.query(now_ms, query);
                (result.map(Response::Page), Consumed::read(units))
            }),
            Request::Scan(scan) => self.single(&scan.table, |table| {
                let (result, units) = table.scan(now_ms, scan);
                (result.map(Response::Page), Consumed::read(units))
            }),
            Request::BatchGet(requests) => self.batch_get(now_ms, requests),
            Request::BatchWrite(writes) => self.batch_write(now_ms, writes),
            Request::BatchStatements(statements) => self.batch_statements(now_ms, statements),
            Request::Statement(statement) => self.single_statement(now_ms, statement),
        }
    }

    pub(super) fn single(
        &mut self,
        name: &str,
        evaluate: impl FnOnce(&mut Table) -> (Result<Response, ServiceError>, Consumed),
    ) -> Reply {
        match self.table_mut(name) {
            Err(error) => Reply::refused(error),
            Ok(table) => {
                let (result, consumed) = evaluate(table);
                let mut reply = Reply { result, consumed: BTreeMap::new() };
                reply.charge(name, consumed);
                reply
            }
        }
    }
}

fn not_found(name: &str) -> ServiceError {
    ErrorKind::ResourceNotFoundException.because(format!("Requested resource not found: {name}"))
}

impl Reply {
    /// Returns the answer to a request that was refused and consumed nothing.
    #[must_use]
    pub fn refused(error: ServiceError) -> Self {
        Self { result: Err(error), consumed: BTreeMap::new() }
    }

    pub(super) fn empty() -> Self {
        Self { result: Ok(Response::Transacted), consumed: BTreeMap::new() }
    }

    pub(super) fn charge(&mut self, table: &str, consumed: Consumed) {
        if consumed != Consumed::default() {
            *self.consumed.entry(table.to_owned()).or_default() += consumed;
        }
    }

    /// Returns what was consumed of all tables.
    #[must_use]
    pub fn total(&self) -> Consumed {
        let mut total = Consumed::default();
        for consumed in self.consumed.values() {
            total += *consumed;
        }
        total
    }
}
