//! Statements by themselves, and statements that happen together or not at all.

use super::database::{Database, Reply};
use super::key::Schema;
use super::request::{
    BatchStatement, Get, PageOptions, Query, Request, Response, Scan, SingleStatement, TransactStatements,
    TransactWrite,
};
use super::statement::{split_key, write_of};
use super::transaction::Prepared;
use crate::clock::Millis;
use crate::error::{CancellationCode, Details, ErrorKind, ServiceError};
use crate::expression::{Comparator, Condition, KeyCondition, Operand};
use crate::partiql::{Statement, StatementKind};

/// What a transaction of statements is.
#[derive(Debug)]
pub enum PreparedStatements {
    /// One of reads.
    Reads(Vec<Get>),
    /// One of writes, which is prepared.
    Writes(Prepared),
}

impl Database {
    /// Executes one statement; a read looks at a partition where it names one, else at the table.
    pub(super) fn single_statement(&mut self, now_ms: Millis, request: &SingleStatement) -> Reply {
        match self.meant(request) {
            Err(error) => Reply::refused(error),
            Ok(meant) => {
                let mut reply = self.execute(now_ms, &meant);
                reply.result = reply
                    .result
                    .map(as_items)
                    .map_err(|error| duplicate(request.statement.statement.as_ref().ok(), error));
                reply
            }
        }
    }

    /// Prepares statements as a transaction of writes, or says what a transaction of reads has to read.
    pub fn prepare_statements(
        &mut self,
        now_ms: Millis,
        answer_ms: Millis,
        request: &TransactStatements,
    ) -> Result<PreparedStatements, ServiceError> {
        let statements: Vec<(&BatchStatement, &Statement)> = request
            .statements
            .iter()
            .map(|statement| {
                statement.statement.as_ref().map(|parsed| (statement, parsed)).map_err(Clone::clone)
            })
            .collect::<Result<_, _>>()?;
        let reads = statements.iter().filter(|(_, statement)| statement.reads()).count();
        if reads == statements.len() && reads > 0 {
            let gets = statements.iter().map(|(request, statement)| self.get_of(request, statement));
            return gets.collect::<Result<_, _>>().map(PreparedStatements::Reads);
        }
        if reads > 0 {
            return Err(ServiceError::validation(
                "Transaction statements must be either all reads or all writes",
            ));
        }
        let mut actions = Vec::new();
        for (request, statement) in &statements {
            actions.push(write_of(self.table(&statement.table)?, request, statement)?);
        }
        let (token, fingerprint) = (request.token.clone(), request.fingerprint.clone());
        let prepared = self.prepare(now_ms, answer_ms, &TransactWrite { actions, token, fingerprint });
        Ok(PreparedStatements::Writes(match prepared {
            Prepared::Over(mut reply) => {
                reply.result = reply.result.map_err(|error| duplicates(&statements, error));
                Prepared::Over(reply)
            }
            held @ Prepared::Held(_) => held,
        }))
    }

    /// Returns the request that a statement means.
    fn meant(&self, request: &SingleStatement) -> Result<Request, ServiceError> {
        let statement = request.statement.statement.as_ref().map_err(Clone::clone)?;
        let table = self.table(&statement.table)?;
        let StatementKind::Select { projection, condition } = &statement.kind else {
            return write_of(table, &request.statement, statement).map(Request::Write);
        };
        let page = PageOptions {
            consistent: request.statement.consistent,
            limit: request.limit,
            start: None,
            projection: projection.clone(),
            count_only: false,
        };
        let conjuncts = condition.clone().map(Condition::into_conjuncts).unwrap_or_default();
        let (of_key, rest): (Vec<_>, Vec<_>) =
            conjuncts.into_iter().partition(|part| concerns_key(part, &table.schema));
        let of_key = Condition::all(of_key).filter(|of_key| names_partition(of_key, &table.schema));
        let table = statement.table.clone();
        Ok(match of_key {
            Some(of_key) => {
                let filter = Condition::all(rest);
                Request::Query(Query { table, condition: of_key, filter, page, forward: true })
            }
            None => Request::Scan(Scan { table, filter: condition.clone(), page, segment: None }),
        })
    }

    fn get_of(&self, request: &BatchStatement, statement: &Statement) -> Result<Get, ServiceError> {
        let StatementKind::Select { projection, condition } = &statement.kind else {
            unreachable!("only reads are asked for")
        };
        let (key, rest) = split_key(self.table(&statement.table)?, condition.as_ref())?;
        if rest.is_some() {
            return Err(ServiceError::validation(
                "Select statements within a transaction must specify exactly the primary key in the where clause",
            ));
        }
        let (table, projection) = (statement.table.clone(), projection.clone());
        Ok(Get { table, key, consistent: request.consistent, projection })
    }
}

/// Returns whether a condition could stand in a key condition.
fn concerns_key(condition: &Condition, schema: &Schema) -> bool {
    let comparable = matches!(
        condition,
        Condition::Compare(Operand::Path(_), comparator, Operand::Value(_))
        | Condition::Compare(Operand::Value(_), comparator, Operand::Path(_))
            if *comparator != Comparator::NotEqual
    ) || matches!(
        condition,
        Condition::Between(Operand::Path(_), Operand::Value(_), Operand::Value(_))
            | Condition::BeginsWith(Operand::Path(_), Operand::Value(_))
    );
    let mut of_key = comparable;
    condition.visit_paths(&mut |path| of_key &= path.steps.is_empty() && schema.contains(&path.root));
    of_key
}

fn names_partition(condition: &Condition, schema: &Schema) -> bool {
    KeyCondition::from_condition(condition.clone(), &schema.partition, schema.sort.as_deref()).is_ok()
}

fn as_items(response: Response) -> Response {
    match response {
        Response::Page(page) => Response::Items(page.items, page.last),
        Response::Written(item) => Response::Items(item.into_iter().collect(), None),
        other => other,
    }
}

fn inserts(statement: &Statement) -> bool {
    matches!(statement.kind, StatementKind::Insert { .. })
}

/// Returns the error of a statement, which has a name of its own for an item that is there already.
fn duplicate(statement: Option<&Statement>, error: ServiceError) -> ServiceError {
    if error.kind == ErrorKind::ConditionalCheckFailedException && statement.is_some_and(inserts) {
        return ErrorKind::DuplicateItemException.because("Duplicate primary key exists in table");
    }
    error
}

/// Returns the error of a transaction, whose reasons have a name of their own for an item that is there already.
fn duplicates(statements: &[(&BatchStatement, &Statement)], mut error: ServiceError) -> ServiceError {
    if let Details::Cancellation(reasons) = &mut error.details {
        for (reason, (_, statement)) in reasons.iter_mut().zip(statements) {
            if reason.code == CancellationCode::ConditionalCheckFailed && inserts(statement) {
                reason.code = CancellationCode::DuplicateItem;
            }
        }
    }
    error
}
