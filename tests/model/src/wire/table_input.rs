//! Calls of the table service.

use serde_json::Value;

use super::input::{Input, missing};
use crate::error::ServiceError;
use crate::expression::{Condition, Path, Placeholders, parse_condition, parse_projection, parse_update};
use crate::partiql::Statement;
use crate::table::{
    BatchGet, BatchPart, BatchStatement, BatchWrite, Effect, Get, PageOptions, Query, Request as Plain,
    ReturnValues, Scan, SingleStatement, TransactStatements, TransactWrite, Write,
};
use crate::value::{item_from_json, value_from_json};
use crate::world::{Request, TableRequest};

/// Reads what a write does.
type ReadEffect = fn(Input<'_>, &mut Placeholders) -> Result<Effect, ServiceError>;

/// How many parts a scan may have.
const MAX_SEGMENTS: u64 = 1_000_000;

/// Parameters of the older interface, which the model does not have.
const LEGACY: [&str; 8] = [
    "AttributesToGet",
    "AttributeUpdates",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
    "IndexName",
];

/// Reads a call; nothing where the service has none of this name.
pub(super) fn decode(call: &str, json: &Value) -> Option<Request> {
    let input = Input::new(json);
    let request = match call {
        "ExecuteTransaction" => {
            TableRequest::TransactStatements(checked(input).and_then(transact_statements))
        }
        "TransactWriteItems" => TableRequest::TransactWrite(checked(input).and_then(transact_write)),
        "TransactGetItems" => TableRequest::TransactGet(checked(input).and_then(transact_get)),
        _ => TableRequest::Plain(plain(call, input)?),
    };
    let actions = match call {
        "TransactWriteItems" | "TransactGetItems" => input.list("TransactItems").len(),
        "ExecuteTransaction" => input.list("TransactStatements").len(),
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" => 1,
        _ => 2,
    };
    Some(Request::Table { request, actions })
}

/// Reads a call that is evaluated in one moment; nothing where the service has none of this name.
fn plain(call: &str, input: Input<'_>) -> Option<Result<Plain, ServiceError>> {
    let checked = checked(input);
    Some(match call {
        "GetItem" => checked.and_then(get).map(Plain::Get),
        "PutItem" => checked.and_then(|input| single_write(input, put)).map(Plain::Write),
        "UpdateItem" => checked.and_then(|input| single_write(input, update)).map(Plain::Write),
        "DeleteItem" => checked.and_then(|input| single_write(input, delete)).map(Plain::Write),
        "Query" => checked.and_then(query).map(Plain::Query),
        "Scan" => checked.and_then(scan).map(Plain::Scan),
        "BatchGetItem" => checked.and_then(batch_get).map(Plain::BatchGet),
        "BatchWriteItem" => checked.and_then(batch_write).map(Plain::BatchWrite),
        "BatchExecuteStatement" => {
            checked.and_then(|input| statements(input, "Statements")).map(Plain::BatchStatements)
        }
        "ExecuteStatement" => checked.and_then(single_statement).map(Plain::Statement),
        _ => return None,
    })
}

/// Returns the input of a call, if what all calls have in common is right in it.
fn checked(input: Input<'_>) -> Result<Input<'_>, ServiceError> {
    match input.text("ReturnConsumedCapacity") {
        None | Some("NONE" | "TOTAL" | "INDEXES") => {}
        Some(other) => {
            return Err(ServiceError::validation(format!(
                "Value '{other}' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
            )));
        }
    }
    match input.text("ReturnItemCollectionMetrics") {
        None | Some("NONE" | "SIZE") => Ok(input),
        Some(other) => Err(ServiceError::validation(format!(
            "Value '{other}' at 'returnItemCollectionMetrics' failed to satisfy constraint: Member must satisfy enum value set: [SIZE, NONE]"
        ))),
    }
}

fn get(input: Input<'_>) -> Result<Get, ServiceError> {
    refuse_legacy(input)?;
    let mut placeholders = input.placeholders()?;
    let get = Get {
        table: table_name(input.required_text("TableName")?),
        key: input.item("Key")?,
        consistent: input.flag("ConsistentRead"),
        projection: projection(input, &mut placeholders)?,
    };
    placeholders.all_used()?;
    Ok(get)
}

/// Reads a write of one item; `effect` reads what it does and names the return values that it may ask for.
fn single_write(input: Input<'_>, effect: ReadEffect) -> Result<Write, ServiceError> {
    refuse_legacy(input)?;
    let mut write = write(input, effect)?;
    let updates = matches!(write.effect, Effect::Update(..));
    write.return_values = match input.text("ReturnValues") {
        None | Some("NONE") => ReturnValues::None,
        Some("ALL_OLD") => ReturnValues::AllOld,
        Some("ALL_NEW") if updates => ReturnValues::AllNew,
        Some("UPDATED_OLD") if updates => ReturnValues::UpdatedOld,
        Some("UPDATED_NEW") if updates => ReturnValues::UpdatedNew,
        Some(_) => return Err(ServiceError::validation("ReturnValues set to invalid value")),
    };
    Ok(write)
}

fn write(input: Input<'_>, effect: ReadEffect) -> Result<Write, ServiceError> {
    let mut placeholders = input.placeholders()?;
    let effect = effect(input, &mut placeholders)?;
    let condition = condition(input, "ConditionExpression", &mut placeholders)?;
    placeholders.all_used()?;
    Ok(Write {
        table: table_name(input.required_text("TableName")?),
        effect,
        condition,
        item_on_failure: item_on_failure(input)?,
        return_values: ReturnValues::None,
    })
}

fn put(input: Input<'_>, _: &mut Placeholders) -> Result<Effect, ServiceError> {
    input.item("Item").map(Effect::Put)
}

fn update(input: Input<'_>, placeholders: &mut Placeholders) -> Result<Effect, ServiceError> {
    let key = input.item("Key")?;
    let update = match input.text("UpdateExpression") {
        Some(text) => parse_update(text, placeholders)?,
        None => crate::expression::Update::default(),
    };
    Ok(Effect::Update(key, update))
}

/// Reads an update that has to say what it changes, as those of transactions have to.
fn required_update(input: Input<'_>, placeholders: &mut Placeholders) -> Result<Effect, ServiceError> {
    input.required_text("UpdateExpression")?;
    update(input, placeholders)
}

fn delete(input: Input<'_>, _: &mut Placeholders) -> Result<Effect, ServiceError> {
    input.item("Key").map(Effect::Delete)
}

fn check(input: Input<'_>, _: &mut Placeholders) -> Result<Effect, ServiceError> {
    input.required_text("ConditionExpression")?;
    input.item("Key").map(Effect::Check)
}

fn query(input: Input<'_>) -> Result<Query, ServiceError> {
    refuse_legacy(input)?;
    let mut placeholders = input.placeholders()?;
    let condition = parse_condition(input.required_text("KeyConditionExpression")?, &mut placeholders)?;
    let query = Query {
        table: table_name(input.required_text("TableName")?),
        condition,
        filter: self::condition(input, "FilterExpression", &mut placeholders)?,
        page: page(input, &mut placeholders)?,
        forward: input.member("ScanIndexForward").and_then(Value::as_bool).unwrap_or(true),
    };
    placeholders.all_used()?;
    Ok(query)
}

fn scan(input: Input<'_>) -> Result<Scan, ServiceError> {
    refuse_legacy(input)?;
    let mut placeholders = input.placeholders()?;
    let number = |name| input.member(name).and_then(Value::as_u64);
    let segment = match (number("Segment"), number("TotalSegments")) {
        (None, None) => None,
        (Some(segment), Some(total)) if segment < total && total <= MAX_SEGMENTS => Some((segment, total)),
        _ => {
            return Err(ServiceError::validation(
                "Segment must be less than TotalSegments, TotalSegments at most 1000000, and both be given",
            ));
        }
    };
    let scan = Scan {
        table: table_name(input.required_text("TableName")?),
        filter: condition(input, "FilterExpression", &mut placeholders)?,
        page: page(input, &mut placeholders)?,
        segment,
    };
    placeholders.all_used()?;
    Ok(scan)
}

fn page(input: Input<'_>, placeholders: &mut Placeholders) -> Result<PageOptions, ServiceError> {
    let limit = limit(input)?;
    let projection = projection(input, placeholders)?;
    let count_only = match input.text("Select") {
        None | Some("ALL_ATTRIBUTES") if projection.is_none() => false,
        None | Some("SPECIFIC_ATTRIBUTES") if projection.is_some() => false,
        Some("COUNT") if projection.is_none() => true,
        _ => return Err(ServiceError::validation("Select does not fit the other parameters")),
    };
    let start = input.member("ExclusiveStartKey").map(item_from_json).transpose()?;
    Ok(PageOptions { consistent: input.flag("ConsistentRead"), limit, start, projection, count_only })
}

fn batch_get(input: Input<'_>) -> Result<Vec<BatchGet>, ServiceError> {
    let tables = input.object("RequestItems").ok_or_else(|| missing("RequestItems"))?;
    let request = |(table, json): (&String, &Value)| {
        let input = Input::new(json);
        refuse_legacy(input)?;
        let mut placeholders = input.placeholders()?;
        let request = BatchGet {
            table: table_name(table),
            keys: input.list("Keys").iter().map(item_from_json).collect::<Result<_, _>>()?,
            consistent: input.flag("ConsistentRead"),
            projection: projection(input, &mut placeholders)?,
            projection_source: input
                .text("ProjectionExpression")
                .map(|text| (text.to_owned(), input.texts_by_name("ExpressionAttributeNames"))),
        };
        placeholders.all_used()?;
        Ok(request)
    };
    tables.iter().map(request).collect()
}

fn batch_write(input: Input<'_>) -> Result<Vec<BatchWrite>, ServiceError> {
    let tables = input.object("RequestItems").ok_or_else(|| missing("RequestItems"))?;
    let mut writes = Vec::new();
    for (table, requests) in tables {
        let requests = requests.as_array().ok_or_else(|| missing("RequestItems"))?;
        if requests.is_empty() {
            return Err(ServiceError::validation(format!("The batch has no request for the table {table}")));
        }
        for request in requests {
            let input = Input::new(request);
            let part = match (input.member("PutRequest"), input.member("DeleteRequest")) {
                (Some(put), None) => BatchPart::Put(Input::new(put).item("Item")?),
                (None, Some(delete)) => BatchPart::Delete(Input::new(delete).item("Key")?),
                _ => {
                    return Err(ServiceError::validation(
                        "Supplied WriteRequest must contain exactly one of PutRequest and DeleteRequest",
                    ));
                }
            };
            writes.push(BatchWrite { table: table_name(table), part });
        }
    }
    Ok(writes)
}

fn statements(input: Input<'_>, member: &str) -> Result<Vec<BatchStatement>, ServiceError> {
    input.list(member).iter().map(|json| statement(Input::new(json))).collect()
}

fn statement(input: Input<'_>) -> Result<BatchStatement, ServiceError> {
    let text = input.required_text("Statement")?;
    if input.member("Parameters").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return Err(ServiceError::validation("Parameters must have at least 1 member"));
    }
    let parameters = input.list("Parameters").iter().map(value_from_json).collect::<Result<_, _>>()?;
    Ok(BatchStatement {
        statement: Statement::parse(text, parameters),
        consistent: input.flag("ConsistentRead"),
        item_on_failure: item_on_failure(input)?,
    })
}

fn single_statement(input: Input<'_>) -> Result<SingleStatement, ServiceError> {
    let start = input.text("NextToken").map(|token| {
        let key = serde_json::from_str(token).map_err(|_| ServiceError::validation("Invalid NextToken"))?;
        Ok::<_, ServiceError>(item_from_json(&key)?)
    });
    Ok(SingleStatement { statement: statement(input)?, limit: limit(input)?, start: start.transpose()? })
}

fn transact_statements(input: Input<'_>) -> Result<TransactStatements, ServiceError> {
    let statements = statements(input, "TransactStatements")?;
    let contents = input.member("TransactStatements").ok_or_else(|| missing("TransactStatements"))?;
    let token = input.text("ClientRequestToken").map(str::to_owned);
    Ok(TransactStatements { statements, token, fingerprint: contents.to_string() })
}

fn limit(input: Input<'_>) -> Result<Option<usize>, ServiceError> {
    match input.member("Limit").map(|limit| limit.as_u64().and_then(|limit| usize::try_from(limit).ok())) {
        None => Ok(None),
        Some(Some(limit)) if limit > 0 => Ok(Some(limit)),
        Some(_) => Err(ServiceError::validation("Limit must be at least 1")),
    }
}

fn transact_write(input: Input<'_>) -> Result<TransactWrite, ServiceError> {
    let items = input.member("TransactItems").ok_or_else(|| missing("TransactItems"))?;
    let action = |json: &Value| {
        let input = Input::new(json);
        let kinds: [(&str, ReadEffect); 4] =
            [("Put", put), ("Update", required_update), ("Delete", delete), ("ConditionCheck", check)];
        let mut given = kinds.into_iter().filter_map(|(name, effect)| Some((input.member(name)?, effect)));
        match (given.next(), given.next()) {
            (Some((json, effect)), None) => write(Input::new(json), effect),
            _ => Err(ServiceError::validation(
                "TransactItems can only contain one of Check, Put, Update or Delete",
            )),
        }
    };
    Ok(TransactWrite {
        actions: input.list("TransactItems").iter().map(action).collect::<Result<_, _>>()?,
        token: input.text("ClientRequestToken").map(str::to_owned),
        fingerprint: items.to_string(),
    })
}

fn transact_get(input: Input<'_>) -> Result<Vec<Get>, ServiceError> {
    input
        .list("TransactItems")
        .iter()
        .map(|json| {
            let mut get = get(Input::new(json.get("Get").ok_or_else(|| missing("Get"))?))?;
            get.consistent = true;
            Ok(get)
        })
        .collect()
}

fn condition(
    input: Input<'_>,
    name: &str,
    placeholders: &mut Placeholders,
) -> Result<Option<Condition>, ServiceError> {
    input.text(name).map(|text| parse_condition(text, placeholders)).transpose()
}

fn projection(input: Input<'_>, placeholders: &mut Placeholders) -> Result<Option<Vec<Path>>, ServiceError> {
    input.text("ProjectionExpression").map(|text| parse_projection(text, placeholders)).transpose()
}

fn item_on_failure(input: Input<'_>) -> Result<bool, ServiceError> {
    match input.text("ReturnValuesOnConditionCheckFailure") {
        None | Some("NONE") => Ok(false),
        Some("ALL_OLD") => Ok(true),
        Some(_) => Err(ServiceError::validation("ReturnValuesOnConditionCheckFailure set to invalid value")),
    }
}

fn refuse_legacy(input: Input<'_>) -> Result<(), ServiceError> {
    match LEGACY.into_iter().find(|name| input.member(name).is_some()) {
        None => Ok(()),
        Some(name) => Err(ServiceError::validation(format!("The model does not have the parameter {name}"))),
    }
}

/// Returns a table's name, which may be given as its ARN.
fn table_name(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}
