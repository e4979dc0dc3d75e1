//! Partial matches of answers against what is expected.

use serde_json::{Map, Value};

/// Returns whether a value is as expected. Objects match if all named members do; lists must be equally long.
pub(super) fn matches(expected: &Value, actual: Option<&Value>) -> bool {
    if let Value::Object(members) = expected {
        if let Some(special) = special(members, actual) {
            return special;
        }
        let Some(actual) = actual.and_then(Value::as_object) else { return false };
        return members.iter().all(|(name, member)| matches(member, actual.get(name)));
    }
    match (expected, actual) {
        (Value::Array(expected), Some(Value::Array(actual))) => {
            expected.len() == actual.len()
                && expected.iter().zip(actual).all(|(expected, actual)| matches(expected, Some(actual)))
        }
        (Value::Number(expected), Some(Value::Number(actual))) => expected.as_f64() == actual.as_f64(),
        (Value::Null, None) => true,
        (expected, Some(actual)) => expected == actual,
        (_, None) => false,
    }
}

/// Returns whether a number is as expected: the same, within a pair, or as a matcher says.
pub(super) fn number_matches(expected: &Value, actual: f64) -> bool {
    match expected.as_array().map(Vec::as_slice) {
        Some([low, high]) => in_range(low, high, actual),
        _ => matches(expected, Some(&Value::from(actual))),
    }
}

/// Evaluates `$any` and the like; nothing where the object is an ordinary one.
fn special(members: &Map<String, Value>, actual: Option<&Value>) -> Option<bool> {
    let (name, content) = members.iter().next().filter(|(name, _)| name.starts_with('$'))?;
    Some(match name.as_str() {
        "$any" => actual.is_some_and(|actual| !actual.is_null()),
        "$absent" => is_absent(actual),
        "$len" => length(actual).is_some_and(|length| number_matches(content, length)),
        "$in" => {
            content.as_array().is_some_and(|choices| choices.iter().any(|choice| matches(choice, actual)))
        }
        "$range" => match (content.as_array().map(Vec::as_slice), actual.and_then(number)) {
            (Some([low, high]), Some(actual)) => in_range(low, high, actual),
            _ => false,
        },
        "$set" => match (content.as_array(), actual.and_then(Value::as_array)) {
            (Some(expected), Some(actual)) => set_matches(expected, actual),
            _ => false,
        },
        _ => false,
    })
}

fn is_absent(actual: Option<&Value>) -> bool {
    match actual {
        None | Some(Value::Null) => true,
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

#[expect(clippy::cast_precision_loss, reason = "lists are short")]
fn length(actual: Option<&Value>) -> Option<f64> {
    match actual {
        None | Some(Value::Null) => Some(0.0),
        Some(Value::Array(elements)) => Some(elements.len() as f64),
        Some(Value::Object(members)) => Some(members.len() as f64),
        Some(Value::String(text)) => Some(text.chars().count() as f64),
        Some(_) => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn in_range(low: &Value, high: &Value, actual: f64) -> bool {
    match (low.as_f64(), high.as_f64()) {
        (Some(low), Some(high)) => (low..=high).contains(&actual),
        _ => false,
    }
}

/// Returns whether the elements can be paired so that each pair matches.
fn set_matches(expected: &[Value], actual: &[Value]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return actual.is_empty() };
    expected.len() == actual.len()
        && (0..actual.len()).any(|position| {
            matches(first, Some(&actual[position])) && {
                let mut others = actual.to_vec();
                others.remove(position);
                set_matches(rest, &others)
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{matches, number_matches};

    #[test]
    fn named_members_must_match_and_others_do_not_matter() {
        assert!(matches(&json!({"a": 1}), Some(&json!({"a": 1.0, "b": 2}))));
        assert!(!matches(&json!({"a": 1}), Some(&json!({"b": 1}))));
        assert!(!matches(&json!([1]), Some(&json!([1, 2]))));
    }

    #[test]
    fn matchers_say_what_may_be_there() {
        assert!(matches(&json!({"$any": true}), Some(&json!(0))));
        assert!(!matches(&json!({"$any": true}), None));
        assert!(matches(&json!({"$absent": true}), Some(&json!([]))));
        assert!(!matches(&json!({"$absent": true}), Some(&json!(["x"]))));
        assert!(matches(&json!({"$len": [1, 2]}), Some(&json!(["x"]))));
        assert!(matches(&json!({"$in": [1, 2]}), Some(&json!(2))));
        assert!(!matches(&json!({"$range": [1, 2]}), Some(&json!(3))));
        assert!(matches(&json!({"$set": [{"$any": true}, "a"]}), Some(&json!(["a", "b"]))));
        assert!(!matches(&json!({"$set": ["a", "a"]}), Some(&json!(["a", "b"]))));
        assert!(number_matches(&json!([1, 2]), 1.5) && !number_matches(&json!(1), 1.5));
    }
}
