//! Batches of statements: each one is a read or a write of one item.

use super::database::{Database, Reply};
use super::request::{
    BatchStatement, Effect, Get, Response, ReturnValues, StatementError, StatementOutcome, Write,
};
use super::store::{Table, cancellation_code};
use super::units::Consumed;
use crate::clock::Millis;
use crate::error::{CancellationCode, Details, ErrorKind, ServiceError};
use crate::expression::{Comparator, Condition, Operand, Path};
use crate::partiql::{Returning, Statement, StatementKind};
use crate::value::{AttributeValue, Item, Text};

const MAX_STATEMENTS: usize = 25;

impl Database {
    /// Executes statements, which either all read or all write, each by itself.
    pub(super) fn batch_statements(&mut self, now_ms: Millis, statements: &[BatchStatement]) -> Reply {
        if statements.is_empty() || statements.len() > MAX_STATEMENTS {
            return Reply::refused(ServiceError::validation(
                "Member must have length less than or equal to 25, and greater than or equal to 1",
            ));
        }
        let mut parsed = statements.iter().filter_map(|statement| statement.statement.as_ref().ok());
        let first_reads = parsed.next().map(Statement::reads);
        if parsed.any(|statement| Some(statement.reads()) != first_reads) {
            return Reply::refused(ServiceError::validation(
                "Batch statements must be either all reads or all writes",
            ));
        }
        let mut reply = Reply::empty();
        let outcomes =
            statements.iter().map(|statement| self.one_statement(now_ms, statement, &mut reply)).collect();
        reply.result = Ok(Response::Statements(outcomes));
        reply
    }

    fn one_statement(
        &mut self,
        now_ms: Millis,
        request: &BatchStatement,
        reply: &mut Reply,
    ) -> StatementOutcome {
        let statement = match &request.statement {
            Ok(statement) => statement,
            Err(error) => return failed(None, error, CancellationCode::ValidationError),
        };
        let name = Some(statement.table.clone());
        let table = match self.table_mut(&statement.table) {
            Ok(table) => table,
            Err(error) => return failed(name, &error, CancellationCode::ResourceNotFound),
        };
        let (result, consumed) = execute(table, now_ms, request, statement);
        reply.charge(&statement.table, consumed);
        match result {
            Ok(item) => StatementOutcome { table: name, item, error: None },
            Err(error) => {
                let inserts = matches!(statement.kind, StatementKind::Insert { .. });
                let code = match cancellation_code(error.kind) {
                    CancellationCode::ConditionalCheckFailed if inserts => CancellationCode::DuplicateItem,
                    code => code,
                };
                failed(name, &error, code)
            }
        }
    }
}

fn execute(
    table: &mut Table,
    now_ms: Millis,
    request: &BatchStatement,
    statement: &Statement,
) -> (Result<Option<Item>, ServiceError>, Consumed) {
    if let StatementKind::Check { .. } = statement.kind {
        return (Err(only_in_transactions()), Consumed::default());
    }
    if let StatementKind::Select { projection, condition, .. } = &statement.kind {
        let get = match split_key(table, condition.as_ref()) {
            Ok((key, None)) => Get {
                table: statement.table.clone(),
                key,
                consistent: request.consistent,
                projection: projection.clone(),
            },
            Ok((_, Some(_))) => {
                let error = "Select statements within a batch must specify exactly the primary key in the where clause";
                return (Err(ServiceError::validation(error)), Consumed::default());
            }
            Err(error) => return (Err(error), Consumed::default()),
        };
        let (result, units) = table.read(now_ms, &get);
        return (result, Consumed::read(units));
    }
    match write_of(table, request, statement) {
        Ok(write) => {
            let (result, units) = table.write(now_ms, &write);
            (result, Consumed::write(units))
        }
        Err(error) => (Err(error), Consumed::default()),
    }
}

/// Returns the write that a statement means.
pub(super) fn write_of(
    table: &Table,
    request: &BatchStatement,
    statement: &Statement,
) -> Result<Write, ServiceError> {
    let partition = Path::attribute(table.schema.partition.clone());
    let (effect, condition, returning) = match &statement.kind {
        StatementKind::Insert { item } => {
            (Effect::Put(item.clone()), Some(Condition::NotExists(partition)), Returning::Nothing)
        }
        StatementKind::Update { update, condition, returning } => {
            let (key, rest) = split_key(table, condition.as_ref())?;
            let exists = Condition::Exists(partition);
            let condition = Condition::all([exists].into_iter().chain(rest).collect());
            (Effect::Update(key, update.clone()), condition, *returning)
        }
        StatementKind::Delete { condition, returning } => {
            // Deleting what is not there succeeds, whatever else the statement asks for.
            let (key, rest) = split_key(table, condition.as_ref())?;
            let condition =
                rest.map(|rest| Condition::Or(Box::new(Condition::NotExists(partition)), Box::new(rest)));
            (Effect::Delete(key), condition, *returning)
        }
        StatementKind::Check { condition } => {
            let (key, rest) = split_key(table, condition.as_ref())?;
            let rest = rest.ok_or_else(|| {
                ServiceError::validation("EXISTS must contain the primary key and another condition")
            })?;
            (Effect::Check(key), Condition::all(vec![Condition::Exists(partition), rest]), Returning::Nothing)
        }
        StatementKind::Select { .. } => unreachable!("reads are not writes"),
    };
    let return_values = match returning {
        Returning::Nothing => ReturnValues::None,
        Returning::AllOld => ReturnValues::AllOld,
        Returning::AllNew => ReturnValues::AllNew,
        Returning::ModifiedOld => ReturnValues::UpdatedOld,
        Returning::ModifiedNew => ReturnValues::UpdatedNew,
    };
    Ok(Write {
        table: statement.table.clone(),
        effect,
        condition,
        item_on_failure: request.item_on_failure,
        return_values,
    })
}

/// Splits a `WHERE` into the key that it names by equality and the rest.
pub(super) fn split_key(
    table: &Table,
    condition: Option<&Condition>,
) -> Result<(Item, Option<Condition>), ServiceError> {
    let mut key = Item::new();
    let mut rest = Vec::new();
    for part in condition.cloned().map(Condition::into_conjuncts).unwrap_or_default() {
        match key_equality(table, &part) {
            Some((name, value)) if !key.contains_key(&name) => {
                key.insert(name, value);
            }
            _ => rest.push(part),
        }
    }
    if key.len() != 1 + usize::from(table.schema.sort.is_some()) {
        return Err(ServiceError::validation(
            "Where clause does not contain a mandatory equality on all key attributes",
        ));
    }
    Ok((key, Condition::all(rest)))
}

fn key_equality(table: &Table, condition: &Condition) -> Option<(Text, AttributeValue)> {
    let (Condition::Compare(Operand::Path(path), Comparator::Equal, Operand::Value(value))
    | Condition::Compare(Operand::Value(value), Comparator::Equal, Operand::Path(path))) = condition
    else {
        return None;
    };
    (path.steps.is_empty() && table.schema.contains(&path.root)).then(|| (path.root.clone(), value.clone()))
}

/// Returns the error of a check that stands outside of a transaction.
pub(super) fn only_in_transactions() -> ServiceError {
    ServiceError::validation("EXISTS can only be used in transactions")
}

fn failed(table: Option<String>, error: &ServiceError, code: CancellationCode) -> StatementOutcome {
    let item = match &error.details {
        Details::Item(item) if error.kind == ErrorKind::ConditionalCheckFailedException => Some(item.clone()),
        _ => None,
    };
    let error = StatementError { code, message: error.message.clone(), item };
    StatementOutcome { table, item: None, error: Some(error) }
}
