//! Answers of the table service.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::table::{BatchGet, BatchPart, BatchWrite, Consumed, Page, Response, StatementOutcome};
use crate::value::item_to_json;

/// What an answer says about units, where the call asked for it.
#[derive(Clone, Copy, Debug)]
pub struct ConsumedReport<'call> {
    /// What was consumed of each table.
    pub tables: &'call [(String, Consumed)],
    /// Whether the answer is a list, one entry a table.
    pub as_list: bool,
    /// Whether read and write units are told apart, as transactions do.
    pub by_direction: bool,
    /// Whether the table is told apart from its indexes, of which the model has none.
    pub by_index: bool,
}

/// Writes an answer.
#[must_use]
pub fn table_output(response: &Response, report: Option<ConsumedReport<'_>>) -> Value {
    let mut output = match response {
        Response::Got(item) => optional("Item", item.as_ref().map(item_to_json)),
        Response::Written(attributes) => optional("Attributes", attributes.as_ref().map(item_to_json)),
        Response::Page(page) => page_output(page),
        Response::BatchGot(responses, unprocessed) => {
            let responses: Map<String, Value> = responses
                .iter()
                .map(|(table, items)| (table.clone(), items.iter().map(item_to_json).collect()))
                .collect();
            object([("Responses", responses.into()), ("UnprocessedKeys", unprocessed_keys(unprocessed))])
        }
        Response::BatchWritten(unprocessed) => object([("UnprocessedItems", unprocessed_items(unprocessed))]),
        Response::Statements(outcomes) => {
            object([("Responses", outcomes.iter().map(statement_output).collect())])
        }
        Response::Items(items, last) => {
            let mut output = object([("Items", items.iter().map(item_to_json).collect())]);
            // The token by which the client goes on is the last key as a text.
            output
                .extend(optional("NextToken", last.as_ref().map(|key| item_to_json(key).to_string().into())));
            output.extend(optional("LastEvaluatedKey", last.as_ref().map(item_to_json)));
            output
        }
        Response::Transacted => Map::new(),
        Response::TransactionRead(items) => {
            let response =
                |item: &Option<_>| Value::Object(optional("Item", item.as_ref().map(item_to_json)));
            object([("Responses", items.iter().map(response).collect())])
        }
    };
    if let Some(report) = report {
        output.insert("ConsumedCapacity".to_owned(), consumed(report));
    }
    Value::Object(output)
}

fn page_output(page: &Page) -> Map<String, Value> {
    let mut output = object([("Count", page.count.into()), ("ScannedCount", page.scanned.into())]);
    if !page.count_only {
        output.insert("Items".to_owned(), page.items.iter().map(item_to_json).collect());
    }
    if let Some(last) = &page.last {
        output.insert("LastEvaluatedKey".to_owned(), item_to_json(last));
    }
    output
}

fn unprocessed_keys(unprocessed: &[BatchGet]) -> Value {
    let request = |request: &BatchGet| {
        let mut output = object([
            ("Keys", request.keys.iter().map(item_to_json).collect()),
            ("ConsistentRead", request.consistent.into()),
        ]);
        if let Some((projection, names)) = &request.projection_source {
            output.insert("ProjectionExpression".to_owned(), projection.clone().into());
            if !names.is_empty() {
                output.insert("ExpressionAttributeNames".to_owned(), json!(names));
            }
        }
        (request.table.clone(), Value::Object(output))
    };
    Value::Object(unprocessed.iter().map(request).collect())
}

fn unprocessed_items(unprocessed: &[BatchWrite]) -> Value {
    let mut tables: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for write in unprocessed {
        tables.entry(&write.table).or_default().push(match &write.part {
            BatchPart::Put(item) => json!({ "PutRequest": { "Item": item_to_json(item) } }),
            BatchPart::Delete(key) => json!({ "DeleteRequest": { "Key": item_to_json(key) } }),
        });
    }
    json!(tables)
}

fn statement_output(outcome: &StatementOutcome) -> Value {
    let mut output = optional("Item", outcome.item.as_ref().map(item_to_json));
    if let Some(table) = &outcome.table {
        output.insert("TableName".to_owned(), table.clone().into());
    }
    if let Some(error) = &outcome.error {
        let mut member =
            object([("Code", format!("{:?}", error.code).into()), ("Message", error.message.clone().into())]);
        if let Some(item) = &error.item {
            member.insert("Item".to_owned(), item_to_json(item));
        }
        output.insert("Error".to_owned(), Value::Object(member));
    }
    Value::Object(output)
}

fn consumed(report: ConsumedReport<'_>) -> Value {
    let capacity = |consumed: Consumed| {
        let mut output = object([("CapacityUnits", consumed.total().as_f64().into())]);
        if report.by_direction {
            let directions = [("ReadCapacityUnits", consumed.read), ("WriteCapacityUnits", consumed.write)];
            for (name, units) in directions.into_iter().filter(|(_, units)| units.as_f64() > 0.0) {
                output.insert(name.to_owned(), units.as_f64().into());
            }
        }
        output
    };
    let entry = |(table, consumed): &(String, Consumed)| {
        let mut output = capacity(*consumed);
        output.insert("TableName".to_owned(), table.clone().into());
        if report.by_index {
            output.insert("Table".to_owned(), Value::Object(capacity(*consumed)));
        }
        Value::Object(output)
    };
    if report.as_list {
        report.tables.iter().map(entry).collect()
    } else {
        report.tables.first().map_or(Value::Null, entry)
    }
}

pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn optional(name: &str, value: Option<Value>) -> Map<String, Value> {
    value.into_iter().map(|value| (name.to_owned(), value)).collect()
}
