//! Filters of triggers: which records a function gets.

use serde_json::{Map, Value, json};

use super::record::KafkaRecord;
use crate::error::{ErrorKind, ServiceError};
use crate::queue::Delivered;
use crate::table::{StreamRecord, ViewType};
use crate::value::{Item, item_to_json};

const MAX_PATTERNS: usize = 5;
const MAX_PATTERN_BYTES: usize = 4_096;

/// The patterns of a trigger; a record needs to fit one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    patterns: Vec<Map<String, Value>>,
}

impl Filter {
    /// Reads `FilterCriteria`; nothing where it names no pattern.
    pub fn parse(criteria: &Value) -> Result<Option<Self>, ServiceError> {
        let filters = criteria["Filters"].as_array().map_or(&[][..], Vec::as_slice);
        if filters.len() > MAX_PATTERNS {
            return Err(refused("more than five filters"));
        }
        let patterns =
            filters.iter().map(|filter| pattern(&filter["Pattern"])).collect::<Result<Vec<_>, _>>()?;
        Ok((!patterns.is_empty()).then_some(Self { patterns }))
    }

    /// Returns whether a message of a queue fits.
    #[must_use]
    pub fn passes_message(&self, delivered: &Delivered) -> bool {
        let message = &delivered.message;
        let mut attributes = json!({
            "ApproximateReceiveCount": message.receive_count.to_string(),
            "SentTimestamp": message.sent_ms.to_string(),
        });
        if let Some(group) = &message.group {
            attributes["MessageGroupId"] = group.clone().into();
        }
        let sender = message.attributes.as_object().into_iter().flatten();
        let sender: Map<String, Value> = sender
            .map(|(name, attribute)| {
                let (value, kind) = (&attribute["StringValue"], &attribute["DataType"]);
                (name.clone(), json!({ "stringValue": value, "dataType": kind }))
            })
            .collect();
        self.passes(&json!({
            "messageId": message.id,
            "body": content(&message.body),
            "attributes": attributes,
            "messageAttributes": sender,
            "eventSource": "aws:sqs",
        }))
    }

    /// Returns whether a record of a topic fits.
    #[must_use]
    pub fn passes_topic_record(&self, record: &KafkaRecord) -> bool {
        let mut shown = json!({
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.at_ms,
        });
        for (name, text) in [("key", &record.key), ("value", &record.value)] {
            if let Some(text) = text {
                shown[name] = content(text);
            }
        }
        self.passes(&shown)
    }

    /// Returns whether a record of a stream fits, of which the images of the view and the key are shown.
    #[must_use]
    pub fn passes_stream_record(&self, record: &StreamRecord, keys: &Item, view: ViewType) -> bool {
        let mut shown = json!({ "Keys": item_to_json(keys) });
        let images = [
            ("NewImage", &record.after, matches!(view, ViewType::NewImage | ViewType::NewAndOldImages)),
            ("OldImage", &record.before, matches!(view, ViewType::OldImage | ViewType::NewAndOldImages)),
        ];
        for (name, stored, is_shown) in images {
            if let (Some(stored), true) = (stored, is_shown) {
                shown[name] = item_to_json(&stored.item);
            }
        }
        let event = json!({
            "eventName": record.kind.name(),
            "eventSource": "aws:dynamodb",
            "dynamodb": shown,
        });
        self.passes(&event)
    }

    fn passes(&self, record: &Value) -> bool {
        self.patterns.iter().any(|pattern| fits(pattern, Some(record)))
    }
}

/// Reads one pattern, and refuses rules that the model does not have.
fn pattern(text: &Value) -> Result<Map<String, Value>, ServiceError> {
    let text = text.as_str().unwrap_or_default();
    if text.len() > MAX_PATTERN_BYTES {
        return Err(refused("a pattern of more than 4096 bytes"));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(pattern)) => check(&pattern).map(|()| pattern),
        _ => Err(refused("a pattern is no JSON object")),
    }
}

fn check(pattern: &Map<String, Value>) -> Result<(), ServiceError> {
    pattern.iter().try_for_each(|(name, expected)| match expected {
        Value::Object(inner) if !inner.is_empty() => check(inner),
        Value::Array(others) if !others.is_empty() && name == "$or" => {
            others.iter().try_for_each(|other| match other {
                Value::Object(pattern) if !pattern.is_empty() => check(pattern),
                _ => Err(refused("$or has something that is no pattern")),
            })
        }
        Value::Array(rules) if !rules.is_empty() => rules.iter().try_for_each(check_rule),
        _ => Err(refused(&format!("{name} has no list of rules that the model knows"))),
    })
}

fn check_rule(rule: &Value) -> Result<(), ServiceError> {
    let Value::Object(members) = rule else {
        return if rule.is_array() { Err(refused("a rule is a list")) } else { Ok(()) };
    };
    let mut members = members.iter();
    let known = match (members.next(), members.next()) {
        (Some((name, operand)), None) => match name.as_str() {
            "prefix" | "suffix" | "equals-ignore-case" => operand.is_string(),
            "exists" => operand.is_boolean(),
            "anything-but" => operand.is_string() || operand.is_number() || plain_values(operand),
            "numeric" => operand.as_array().is_some_and(|parts| is_range(parts)),
            _ => false,
        },
        _ => false,
    };
    if known { Ok(()) } else { Err(refused(&format!("the model does not know the rule {rule}"))) }
}

fn plain_values(operand: &Value) -> bool {
    let plain = |value: &Value| value.is_string() || value.is_number();
    operand.as_array().is_some_and(|values| !values.is_empty() && values.iter().all(plain))
}

fn is_range(parts: &[Value]) -> bool {
    let known = |pair: &[Value]| match pair {
        [Value::String(comparator), Value::Number(_)] => {
            ["=", "<", "<=", ">", ">="].contains(&comparator.as_str())
        }
        _ => false,
    };
    matches!(parts.len(), 2 | 4) && parts.chunks(2).all(known)
}

/// Returns whether each member that a pattern names is as one of its rules says; `$or` names patterns of which one fits.
fn fits(pattern: &Map<String, Value>, record: Option<&Value>) -> bool {
    pattern.iter().all(|(name, expected)| {
        let value = record.and_then(|record| record.get(name));
        match expected {
            Value::Array(others) if name == "$or" => {
                others.iter().filter_map(Value::as_object).any(|other| fits(other, record))
            }
            Value::Array(rules) => rules.iter().any(|rule| follows(rule, value)),
            Value::Object(inner) => fits(inner, value),
            _ => false,
        }
    })
}

fn follows(rule: &Value, value: Option<&Value>) -> bool {
    if let Some(exists) = rule.get("exists").and_then(Value::as_bool) {
        return exists == value.is_some();
    }
    match value {
        None => false,
        Some(Value::Array(elements)) => elements.iter().any(|element| follows(rule, Some(element))),
        Some(value) => follows_one(rule, value),
    }
}

fn follows_one(rule: &Value, value: &Value) -> bool {
    if let Some(prefix) = rule.get("prefix").and_then(Value::as_str) {
        return value.as_str().is_some_and(|text| text.starts_with(prefix));
    }
    if let Some(suffix) = rule.get("suffix").and_then(Value::as_str) {
        return value.as_str().is_some_and(|text| text.ends_with(suffix));
    }
    if let Some(other) = rule.get("equals-ignore-case").and_then(Value::as_str) {
        return value.as_str().is_some_and(|text| text.to_lowercase() == other.to_lowercase());
    }
    if let Some(others) = rule.get("anything-but") {
        return match others {
            Value::Array(others) => !others.iter().any(|other| same(other, value)),
            other => !same(other, value),
        };
    }
    if let Some(parts) = rule.get("numeric").and_then(Value::as_array) {
        return value.as_f64().is_some_and(|number| parts.chunks(2).all(|pair| compares(number, pair)));
    }
    same(rule, value)
}

fn compares(number: f64, pair: &[Value]) -> bool {
    let bound = pair[1].as_f64().unwrap_or(f64::NAN);
    match pair[0].as_str() {
        Some("<") => number < bound,
        Some("<=") => number <= bound,
        Some(">") => number > bound,
        Some(">=") => number >= bound,
        _ => number.total_cmp(&bound).is_eq(),
    }
}

fn same(rule: &Value, value: &Value) -> bool {
    match (rule.as_f64(), value.as_f64()) {
        (Some(rule), Some(value)) => rule.total_cmp(&value).is_eq(),
        _ => rule == value,
    }
}

/// Returns a text as a pattern sees it: what it contains where it is a JSON object, else itself.
fn content(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(content @ Value::Object(_)) => content,
        _ => Value::String(text.to_owned()),
    }
}

fn refused(reason: &str) -> ServiceError {
    ErrorKind::InvalidParameterValueException.because(format!("Invalid filter pattern: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Filter;

    fn passes(pattern: &Value, record: &Value) -> bool {
        let criteria = json!({ "Filters": [{ "Pattern": pattern.to_string() }] });
        Filter::parse(&criteria).expect("the pattern is right").expect("there is one").passes(record)
    }

    #[test]
    fn every_member_that_is_named_must_follow_one_of_its_rules() {
        let record = json!({ "body": { "k": 1, "t": ["a", "b"], "s": "order-7", "n": null } });
        for (inner, expected) in [
            (json!({ "k": [1.0], "t": ["b"] }), true),
            (json!({ "k": [2, 1] }), true),
            (json!({ "k": [1], "t": ["c"] }), false),
            (json!({ "k": ["1"] }), false),
            (json!({ "s": [{ "prefix": "order-" }] }), true),
            (json!({ "s": [{ "anything-but": ["order-7"] }] }), false),
            (json!({ "s": [{ "anything-but": ["order-8"] }] }), true),
            (json!({ "missing": [{ "anything-but": ["x"] }] }), false),
            (json!({ "k": [{ "numeric": [">", 0, "<=", 1] }] }), true),
            (json!({ "k": [{ "numeric": [">", 1] }] }), false),
            (json!({ "n": [null] }), true),
            (json!({ "missing": { "deeper": [{ "exists": false }] } }), true),
            (json!({ "k": [{ "exists": false }] }), false),
            (json!({ "s": [{ "suffix": "-7" }] }), true),
            (json!({ "s": [{ "equals-ignore-case": "ORDER-7" }] }), true),
            (json!({ "$or": [{ "k": [2] }, { "s": [{ "suffix": "7" }] }] }), true),
            (json!({ "$or": [{ "k": [2] }, { "k": [3] }], "t": ["a"] }), false),
        ] {
            assert_eq!(passes(&json!({ "body": inner }), &record), expected, "{inner}");
        }
    }

    #[test]
    fn a_pattern_that_the_model_does_not_know_is_refused() {
        for pattern in
            ["no JSON", "[]", r#"{"k":1}"#, r#"{"k":[]}"#, r#"{"k":[{"wildcard":"x"}]}"#, r#"{"$or":[{}]}"#]
        {
            assert!(Filter::parse(&json!({ "Filters": [{ "Pattern": pattern }] })).is_err(), "{pattern}");
        }
        assert_eq!(Filter::parse(&json!({ "Filters": [] })).expect("nothing is asked for"), None);
    }
}
