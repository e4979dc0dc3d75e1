//! Attribute values in the form they have on the wire: `{"S": "text"}`.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{AttributeValue, InvalidNumber, Item, MAX_DEPTH, Number, Text};

/// Why a JSON value is not an attribute value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// The value is not an object with exactly one type.
    #[error("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")]
    NotOneType,
    /// The type is unknown or its content is of another kind.
    #[error("Supplied AttributeValue has content that is not of type {0}")]
    WrongContent(String),
    /// A set has no element.
    #[error("One or more parameter values were invalid: An set may not be empty")]
    EmptySet,
    /// A set has an element twice.
    #[error("One or more parameter values were invalid: Input collection contains duplicates")]
    DuplicateInSet,
    /// A number is none that a table can hold.
    #[error(transparent)]
    Number(#[from] InvalidNumber),
    /// Lists and maps are nested too deeply.
    #[error("Nesting Levels have exceeded supported limits")]
    TooDeep,
}

/// Reads an item: an object of attribute values.
pub fn item_from_json(json: &Value) -> Result<Item, InvalidValue> {
    members(json, MAX_DEPTH + 1)
}

/// Reads one attribute value.
pub fn value_from_json(json: &Value) -> Result<AttributeValue, InvalidValue> {
    value_at_depth(json, MAX_DEPTH)
}

/// Writes an item as an object of attribute values.
#[must_use]
pub fn item_to_json(item: &Item) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.to_string(), value_to_json(value))).collect())
}

/// Writes one attribute value.
#[must_use]
pub fn value_to_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text.as_str() }),
        AttributeValue::N(number) => json!({ "N": number.to_string() }),
        AttributeValue::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
        AttributeValue::Bool(truth) => json!({ "BOOL": truth }),
        AttributeValue::Null => json!({ "NULL": true }),
        AttributeValue::L(elements) => json!({ "L": elements.iter().map(value_to_json).collect::<Vec<_>>() }),
        AttributeValue::M(members) => json!({ "M": item_to_json(members) }),
        AttributeValue::Ss(members) => json!({ "SS": members.iter().map(Text::as_str).collect::<Vec<_>>() }),
        AttributeValue::Ns(members) => {
            json!({ "NS": members.iter().map(Number::to_string).collect::<Vec<_>>() })
        }
        AttributeValue::Bs(members) => {
            json!({ "BS": members.iter().map(|bytes| STANDARD.encode(bytes)).collect::<Vec<_>>() })
        }
    }
}

fn members(json: &Value, depth: usize) -> Result<Item, InvalidValue> {
    let object = json.as_object().ok_or_else(|| InvalidValue::WrongContent("M".to_owned()))?;
    let depth = depth.checked_sub(1).ok_or(InvalidValue::TooDeep)?;
    object.iter().map(|(name, value)| Ok((name.as_str(), value_at_depth(value, depth)?))).collect()
}

fn value_at_depth(json: &Value, depth: usize) -> Result<AttributeValue, InvalidValue> {
    let (type_name, content) = only_member(json.as_object().ok_or(InvalidValue::NotOneType)?)?;
    let wrong = || InvalidValue::WrongContent(type_name.to_owned());
    let text = |value: &Value| value.as_str().map(Text::from).ok_or_else(wrong);
    let number = |value: &Value| Ok(Number::parse(value.as_str().ok_or_else(wrong)?)?);
    let bytes = |value: &Value| {
        let decoded = STANDARD.decode(value.as_str().ok_or_else(wrong)?);
        decoded.map(Bytes::from).map_err(|_| wrong())
    };
    Ok(match type_name {
        "S" => AttributeValue::S(text(content)?),
        "N" => AttributeValue::N(number(content)?),
        "B" => AttributeValue::B(bytes(content)?),
        "BOOL" => AttributeValue::Bool(content.as_bool().ok_or_else(wrong)?),
        "NULL" if content == &Value::Bool(true) => AttributeValue::Null,
        "L" => {
            let depth = depth.checked_sub(1).ok_or(InvalidValue::TooDeep)?;
            let elements = content.as_array().ok_or_else(wrong)?;
            AttributeValue::L(
                elements.iter().map(|element| value_at_depth(element, depth)).collect::<Result<_, _>>()?,
            )
        }
        "M" => AttributeValue::M(members(content, depth)?),
        "SS" => AttributeValue::Ss(set(content.as_array().ok_or_else(wrong)?, text)?),
        "NS" => AttributeValue::Ns(set(content.as_array().ok_or_else(wrong)?, number)?),
        "BS" => AttributeValue::Bs(set(content.as_array().ok_or_else(wrong)?, bytes)?),
        _ => return Err(wrong()),
    })
}

fn only_member(object: &Map<String, Value>) -> Result<(&str, &Value), InvalidValue> {
    let mut members = object.iter();
    match (members.next(), members.next()) {
        (Some((name, content)), None) => Ok((name, content)),
        _ => Err(InvalidValue::NotOneType),
    }
}

fn set<T: Ord>(
    elements: &[Value],
    read: impl Fn(&Value) -> Result<T, InvalidValue>,
) -> Result<BTreeSet<T>, InvalidValue> {
    if elements.is_empty() {
        return Err(InvalidValue::EmptySet);
    }
    let set = elements.iter().map(read).collect::<Result<BTreeSet<T>, _>>()?;
    if set.len() == elements.len() { Ok(set) } else { Err(InvalidValue::DuplicateInSet) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{InvalidValue, item_from_json, item_to_json, value_from_json};

    #[test]
    fn every_type_survives_reading_and_writing() {
        let item = json!({
            "s": {"S": ""}, "n": {"N": "-1.5"}, "b": {"B": "AQI="}, "t": {"BOOL": false}, "z": {"NULL": true},
            "l": {"L": [{"S": "x"}, {"M": {"k": {"N": "1"}}}]}, "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2"]},
            "bs": {"BS": ["AQ==", "Ag=="]}
        });
        assert_eq!(item_to_json(&item_from_json(&item).expect("an item")), item);
    }

    #[test]
    fn malformed_values_are_refused() {
        assert_eq!(value_from_json(&json!({})), Err(InvalidValue::NotOneType));
        assert_eq!(value_from_json(&json!({"S": "a", "N": "1"})), Err(InvalidValue::NotOneType));
        assert_eq!(value_from_json(&json!({"SS": []})), Err(InvalidValue::EmptySet));
        assert_eq!(value_from_json(&json!({"NS": ["1", "1.0"]})), Err(InvalidValue::DuplicateInSet));
        assert!(matches!(value_from_json(&json!({"S": 1})), Err(InvalidValue::WrongContent(_))));
    }

    #[test]
    fn at_most_thirty_one_lists_lie_around_a_value() {
        let nested = |levels: usize| (0..levels).fold(json!({"S": "x"}), |inner, _| json!({"L": [inner]}));
        assert!(value_from_json(&nested(31)).is_ok());
        assert_eq!(value_from_json(&nested(32)), Err(InvalidValue::TooDeep));
    }
}
