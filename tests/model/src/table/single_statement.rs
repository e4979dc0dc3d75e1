//! Statements by themselves, and statements that happen together or not at all.

use super::database::{Database, Reply};
use super::key::Schema;
use super::request::{
    BatchStatement, Get, PageOptions, PartitionRead, Request, Response, Scan, SingleStatement,
    TransactStatements, TransactWrite,
};
use super::statement::{only_in_transactions, split_key, write_of};
use super::transaction::Prepared;
use super::units::Consumed;
use crate::clock::Millis;
use crate::error::{CancellationCode, Details, ErrorKind, ServiceError};
use crate::expression::{Comparator, Condition, Operand, Path, SortCondition};
use crate::partiql::{Statement, StatementKind};
use crate::value::{AttributeValue, Text};

/// How many partitions a statement may name.
const MAX_PARTITIONS: usize = 50;
/// How many items a page of several partitions has at most.
const MAX_ITEMS_OF_SEVERAL: usize = 10;

/// What a transaction of statements is.
#[derive(Debug)]
pub enum PreparedStatements {
    /// One of reads.
    Reads(Vec<Get>),
    /// One of writes, which is prepared.
    Writes(Prepared),
}

/// What a single statement is.
enum Meant {
    /// Another request.
    Plain(Request),
    /// A read of some partitions of a table.
    Partitions(String, PartitionRead),
}

impl Database {
    /// Executes one statement; a read looks at the partitions that it names, or else at the table.
    pub(super) fn single_statement(&mut self, now_ms: Millis, request: &SingleStatement) -> Reply {
        match self.meant(request) {
            Err(error) => Reply::refused(error),
            Ok(meant) => {
                let mut reply = match &meant {
                    Meant::Plain(meant) => self.execute(now_ms, meant),
                    Meant::Partitions(table, read) => self.single(table, |table| {
                        let (result, units) = table.read_partitions(now_ms, read);
                        (result.map(Response::Page), Consumed::read(units))
                    }),
                };
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

    /// Returns what a statement means.
    fn meant(&self, request: &SingleStatement) -> Result<Meant, ServiceError> {
        let statement = request.statement.statement.as_ref().map_err(Clone::clone)?;
        let table = self.table(&statement.table)?;
        let StatementKind::Select { projection, condition, order } = &statement.kind else {
            if matches!(statement.kind, StatementKind::Check { .. }) {
                return Err(only_in_transactions());
            }
            return write_of(table, &request.statement, statement).map(Request::Write).map(Meant::Plain);
        };
        let page = PageOptions {
            consistent: request.statement.consistent,
            limit: request.limit,
            start: request.start.clone(),
            projection: projection.clone(),
            count_only: false,
        };
        let name = statement.table.clone();
        if let Some(read) = partition_read(&table.schema, condition.as_ref(), order, &page)? {
            return Ok(Meant::Partitions(name, read));
        }
        if !order.is_empty() {
            return Err(ServiceError::validation(
                "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
            ));
        }
        let filter = condition.clone();
        Ok(Meant::Plain(Request::Scan(Scan { table: name, filter, page, segment: None })))
    }

    fn get_of(&self, request: &BatchStatement, statement: &Statement) -> Result<Get, ServiceError> {
        let StatementKind::Select { projection, condition, .. } = &statement.kind else {
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

/// Returns the read that names its partitions; none where the condition names none. What does not choose among the
/// keys is a filter.
fn partition_read(
    schema: &Schema,
    condition: Option<&Condition>,
    order: &[(String, bool)],
    page: &PageOptions,
) -> Result<Option<PartitionRead>, ServiceError> {
    let mut conjuncts = condition.cloned().map(Condition::into_conjuncts).unwrap_or_default();
    let named = conjuncts
        .iter()
        .enumerate()
        .filter_map(|(position, part)| Some((position, named_values(part, &schema.partition)?)))
        .min_by_key(|(_, values)| values.len());
    let Some((position, values)) = named else { return Ok(None) };
    if values.len() > MAX_PARTITIONS {
        return Err(ServiceError::validation(
            "The IN operator is provided with too many hash key values; maximum: 50",
        ));
    }
    let mut partitions: Vec<Text> = Vec::new();
    for value in values {
        let AttributeValue::S(partition) = value else {
            return Err(ServiceError::validation("Condition parameter type does not match schema type"));
        };
        if !partitions.contains(&partition) {
            partitions.push(partition);
        }
    }
    conjuncts.remove(position);
    let ranges = |part: &Condition| schema.sort.as_ref().is_some_and(|sort| is_range(part, sort));
    let sort = conjuncts.iter().position(ranges).map(|position| conjuncts.remove(position));
    let forward = ordered(schema, order, &mut partitions)?;
    let mut page = page.clone();
    if partitions.len() > 1 {
        page.limit = Some(page.limit.map_or(MAX_ITEMS_OF_SEVERAL, |limit| limit.min(MAX_ITEMS_OF_SEVERAL)));
    }
    Ok(Some(PartitionRead {
        partitions,
        sort: sort.map(SortCondition::from_condition).transpose()?,
        filter: Condition::all(conjuncts),
        page,
        forward,
    }))
}

/// Returns the values of which a condition demands that the partition key is one.
fn named_values(condition: &Condition, partition: &str) -> Option<Vec<AttributeValue>> {
    let is_key = |path: &Path| path.steps.is_empty() && path.root == partition;
    match condition {
        Condition::Compare(Operand::Path(path), Comparator::Equal, Operand::Value(value))
        | Condition::Compare(Operand::Value(value), Comparator::Equal, Operand::Path(path))
            if is_key(path) =>
        {
            Some(vec![value.clone()])
        }
        Condition::In(Operand::Path(path), candidates) if is_key(path) => candidates
            .iter()
            .map(|candidate| match candidate {
                Operand::Value(value) => Some(value.clone()),
                _ => None,
            })
            .collect(),
        Condition::Or(left, right) => {
            let mut values = named_values(left, partition)?;
            values.extend(named_values(right, partition)?);
            Some(values)
        }
        _ => None,
    }
}

/// Returns whether a condition is a range of the sort key, as a key condition may contain it.
fn is_range(condition: &Condition, sort: &str) -> bool {
    let is_key = |path: &Path| path.steps.is_empty() && path.root == sort;
    match condition {
        Condition::Compare(Operand::Path(path), comparator, Operand::Value(_))
        | Condition::Compare(Operand::Value(_), comparator, Operand::Path(path)) => {
            *comparator != Comparator::NotEqual && is_key(path)
        }
        Condition::Between(Operand::Path(path), Operand::Value(_), Operand::Value(_))
        | Condition::BeginsWith(Operand::Path(path), Operand::Value(_)) => is_key(path),
        _ => false,
    }
}

/// Puts the partitions in the order that a statement asks for, and returns whether the sort keys ascend.
fn ordered(schema: &Schema, order: &[(String, bool)], partitions: &mut [Text]) -> Result<bool, ServiceError> {
    let mut forward = true;
    for (position, (name, descends)) in order.iter().enumerate() {
        if *name == schema.partition {
            partitions.sort();
            if *descends {
                partitions.reverse();
            }
        } else if schema.sort.as_ref() != Some(name) {
            return Err(ServiceError::validation(format!(
                "Variable reference {name} in ORDER BY clause must be part of the primary key"
            )));
        } else if position == 0 && partitions.len() > 1 {
            return Err(ServiceError::validation(
                "ORDER BY of several partitions must begin with the hash key",
            ));
        } else {
            forward = !descends;
        }
    }
    Ok(forward)
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
