//! Translates a function's calls of the store into requests to the modelled tables, and their answers
//! back. Pure.

use bytes::Bytes;
use store::{Change, Condition, Item, Key, Query, Segment, Table, Write, Written};

use super::attempts::{Failure, FailureKind};
use crate::error::CancellationCode;
use crate::expression::{Comparator, Condition as Expression, Operand, Path, SetOperand, Update};
use crate::partiql::{Returning, Statement, StatementKind};
use crate::table::{self as tables, BatchStatement, Effect, PageOptions, StatementOutcome};
use crate::value::{AttributeValue, Item as Attributes, Number, Text};

pub(super) fn get_request(key: &Key, consistent: bool) -> tables::Request {
    tables::Request::Get(tables::Get {
        table: key.table.logical_name().to_owned(),
        key: of_key(key),
        consistent,
        projection: None,
    })
}

pub(super) fn scan_request(table: Table, segment: Segment, start: Option<&Key>) -> tables::Request {
    tables::Request::Scan(tables::Scan {
        table: table.logical_name().to_owned(),
        filter: None,
        page: PageOptions { consistent: true, start: start.map(of_key), ..PageOptions::default() },
        segment: Some((u64::from(segment.index), u64::from(segment.count))),
    })
}

/// Returns what became of a write whose condition failed. One that is repeated because its answer was lost is
/// done if what stands there is what it put.
pub(super) fn condition_failed(write: &Write, present: Option<Item>, may_have_taken_effect: bool) -> Written {
    let intended = match &write.change {
        Change::Put(item) => Some(item),
        Change::Delete(_) => None,
    };
    if may_have_taken_effect && present.as_ref() == intended {
        return Written::Done;
    }
    Written::ConditionFailed(present)
}

pub(super) fn request_of(write: &Write) -> tables::Write {
    let absent = || Expression::NotExists(Path::attribute("pk"));
    let revision = |comparator, revision| {
        Expression::Compare(Operand::Path(Path::attribute("r")), comparator, Operand::Value(number(revision)))
    };
    let condition = match write.condition {
        Condition::None => None,
        Condition::Absent => Some(absent()),
        Condition::Revision(expected) => Some(revision(Comparator::Equal, expected)),
        Condition::Below(bound) => {
            Some(Expression::Or(Box::new(absent()), Box::new(revision(Comparator::Less, bound))))
        }
    };
    let effect = match &write.change {
        Change::Put(item) => Effect::Put(of_item(item)),
        Change::Delete(key) => Effect::Delete(of_key(key)),
    };
    tables::Write {
        table: write.key().table.logical_name().to_owned(),
        effect,
        condition,
        item_on_failure: true,
        return_values: tables::ReturnValues::None,
    }
}

pub(super) fn fits_a_statement(write: &Write) -> bool {
    let has_condition = match write.change {
        Change::Put(_) => matches!(write.condition, Condition::Absent | Condition::Revision(_)),
        Change::Delete(_) => matches!(write.condition, Condition::Revision(_)),
    };
    has_condition && write.check_size().is_ok()
}

pub(super) fn statement(write: &Write) -> BatchStatement {
    let equals = |name: &str, value: AttributeValue| {
        Expression::Compare(Operand::Path(Path::attribute(name)), Comparator::Equal, Operand::Value(value))
    };
    let stands = |key: &Key, revision: u64| {
        Expression::all(vec![
            equals("pk", AttributeValue::S(Text::from(&key.partition))),
            equals("sk", AttributeValue::S(Text::from(&key.sort))),
            equals("r", number(revision)),
        ])
    };
    let kind = match (&write.change, write.condition) {
        (Change::Put(item), Condition::Revision(revision)) => StatementKind::Update {
            update: replacement(item),
            condition: stands(&item.key, revision),
            returning: Returning::Nothing,
        },
        (Change::Put(item), _) => StatementKind::Insert { item: of_item(item) },
        (Change::Delete(key), Condition::Revision(revision)) => {
            StatementKind::Delete { condition: stands(key, revision), returning: Returning::Nothing }
        }
        (Change::Delete(_), _) => unreachable!("such a delete is written alone"),
    };
    let table = write.key().table.logical_name().to_owned();
    BatchStatement { statement: Ok(Statement { table, kind }), consistent: false, item_on_failure: true }
}

pub(super) fn replacement(item: &Item) -> Update {
    let value = |name: &str, value| (Path::attribute(name), SetOperand::Value(value));
    let mut update = Update {
        set: vec![
            value("r", number(item.revision)),
            value("b", AttributeValue::B(Bytes::copy_from_slice(&item.body))),
        ],
        ..Update::default()
    };
    match item.expires_at_s {
        Some(at_s) => update.set.push(value("t", AttributeValue::N(Number::from(at_s)))),
        None => update.remove.push(Path::attribute("t")),
    }
    update
}

pub(super) fn read(write: &Write, outcome: StatementOutcome) -> Result<Written, Failure> {
    let Some(error) = outcome.error else { return Ok(Written::Done) };
    let present = error.item.map(|item| of_attributes(write.key().table, item));
    match (error.code, present) {
        // The service does not show what is there where an insert met it: the write is tried alone.
        (CancellationCode::DuplicateItem, None) => Err(Failure {
            kind: FailureKind::NotNow,
            message: "the item that is there was not shown".to_owned(),
        }),
        (CancellationCode::ConditionalCheckFailed | CancellationCode::DuplicateItem, present) => {
            Ok(Written::ConditionFailed(present))
        }
        (code, _) => Err(Failure::of_statement(code, &error.message)),
    }
}

pub(super) fn query_request(query: &Query, consistent: bool) -> Option<tables::Request> {
    use std::ops::Bound;

    let (low, high) = query.bounds().filter(|_| query.limit > 0)?;
    let start = match (low, high) {
        (Bound::Excluded(after), _) | (_, Bound::Excluded(after)) => {
            Some(of_key(&Key::new(query.table, &query.partition, after)))
        }
        _ => None,
    };
    let sort = || Operand::Path(Path::attribute("sk"));
    let text = |text: &str| Operand::Value(AttributeValue::S(text.into()));
    let partition =
        Expression::Compare(Operand::Path(Path::attribute("pk")), Comparator::Equal, text(&query.partition));
    let from = query.from.as_deref().filter(|from| !from.is_empty());
    let range = match (from, query.to.as_deref()) {
        (Some(from), Some(to)) => Some(Expression::Between(sort(), text(from), text(to))),
        (Some(from), None) => Some(Expression::Compare(sort(), Comparator::GreaterOrEqual, text(from))),
        (None, Some(to)) => Some(Expression::Compare(sort(), Comparator::LessOrEqual, text(to))),
        (None, None) => None,
    };
    Some(tables::Request::Query(tables::Query {
        table: query.table.logical_name().to_owned(),
        condition: Expression::all([partition].into_iter().chain(range).collect()).expect("one at least"),
        filter: None,
        page: PageOptions { consistent, limit: Some(query.limit), start, ..PageOptions::default() },
        forward: !query.descending,
    }))
}

pub(super) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(Number::from(number))
}

pub(super) fn of_key(key: &Key) -> Attributes {
    Attributes::from([
        ("pk", AttributeValue::S(Text::from(&key.partition))),
        ("sk", AttributeValue::S(Text::from(&key.sort))),
    ])
}

pub(super) fn of_item(item: &Item) -> Attributes {
    let mut attributes = of_key(&item.key);
    attributes.insert("r", number(item.revision));
    attributes.insert("b", AttributeValue::B(Bytes::copy_from_slice(&item.body)));
    if let Some(at_s) = item.expires_at_s {
        attributes.insert("t", AttributeValue::N(Number::from(at_s)));
    }
    attributes
}

pub(super) fn key_of(table: Table, attributes: &Attributes) -> Key {
    let part = |name| attributes.get(name).and_then(AttributeValue::as_text).map_or("", Text::as_str);
    Key::new(table, part("pk"), part("sk"))
}

pub(super) fn of_attributes(table: Table, mut attributes: Attributes) -> Item {
    let text = |value: Option<AttributeValue>| match value {
        Some(AttributeValue::S(text)) => text.into(),
        _ => String::new(),
    };
    let key = Key::new(table, text(attributes.remove("pk")), text(attributes.remove("sk")));
    let body = match attributes.remove("b") {
        Some(AttributeValue::B(body)) => body.into(),
        _ => Vec::new(),
    };
    let (revision, expires_at_s) = (revision_of(&attributes), whole(&attributes, "t"));
    Item { key, revision, body, expires_at_s }
}

/// Returns an item as it stands in a table.
pub(super) fn item_of(table: Table, attributes: &Attributes) -> Item {
    let (revision, expires_at_s) = (revision_of(attributes), whole(attributes, "t"));
    Item { key: key_of(table, attributes), revision, body: body_of(attributes).to_vec(), expires_at_s }
}

pub(super) fn body_of(attributes: &Attributes) -> &[u8] {
    match attributes.get("b") {
        Some(AttributeValue::B(body)) => body,
        _ => &[],
    }
}

pub(super) fn revision_of(attributes: &Attributes) -> u64 {
    whole(attributes, "r").expect("every write of this engine has a revision")
}

fn whole<T: TryFrom<i128>>(attributes: &Attributes, name: &str) -> Option<T> {
    match attributes.get(name)? {
        AttributeValue::N(number) => T::try_from(number.as_whole()?).ok(),
        _ => None,
    }
}

pub(super) fn table_named(name: &str) -> Table {
    let table = Table::ALL.into_iter().find(|table| table.logical_name() == name);
    table.expect("the answer is of tables that were asked")
}
