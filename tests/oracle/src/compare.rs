//! What two ledgers in the golden form differ in. It compares values and reads nothing.

use std::fmt;

use serde_json::Value;

/// A place at which a ledger is not as expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where it is, such as `accounts.D1.total`.
    pub path: String,
    /// What the ledger has there, if anything.
    pub actual: Option<Value>,
    /// What it must have, if anything.
    pub expected: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<Value>| match value {
            Some(value) => value.to_string(),
            None => "nothing".to_owned(),
        };
        write!(formatter, "{}: {} instead of {}", self.path, shown(&self.actual), shown(&self.expected))
    }
}

/// Returns the first differences in these parts of two documents, at most so many.
#[must_use]
pub fn differences(actual: &Value, expected: &Value, parts: &[&str], limit: usize) -> Vec<Difference> {
    let mut found = Vec::new();
    for part in parts {
        compare(actual.get(part), expected.get(part), part, limit, &mut found);
    }
    found
}

fn compare(
    actual: Option<&Value>,
    expected: Option<&Value>,
    path: &str,
    limit: usize,
    found: &mut Vec<Difference>,
) {
    if found.len() >= limit || actual == expected {
        return;
    }
    match (actual, expected) {
        (Some(Value::Object(actual)), Some(Value::Object(expected))) => {
            let more = actual.keys().filter(|key| !expected.contains_key(*key));
            for key in expected.keys().chain(more) {
                compare(actual.get(key), expected.get(key), &format!("{path}.{key}"), limit, found);
            }
        }
        (Some(Value::Array(actual)), Some(Value::Array(expected))) => {
            for index in 0..actual.len().max(expected.len()) {
                compare(actual.get(index), expected.get(index), &format!("{path}[{index}]"), limit, found);
            }
        }
        _ => found.push(Difference {
            path: path.to_owned(),
            actual: actual.cloned(),
            expected: expected.cloned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_by_their_place() {
        let actual =
            json!({ "accounts": { "A": { "total": "1" }, "C": 3 }, "held": [[1, "STATUS"]], "more": 1 });
        let expected = json!({ "accounts": { "A": { "total": "2" }, "B": 2 }, "held": [[1, "STATUS"], 2] });
        let found = differences(&actual, &expected, &["accounts", "held"], 10);
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "accounts.A.total: \"1\" instead of \"2\"",
                "accounts.B: nothing instead of 2",
                "accounts.C: 3 instead of nothing",
                "held[1]: nothing instead of 2",
            ]
        );
        assert_eq!(differences(&actual, &expected, &["accounts", "held"], 2).len(), 2);
        assert_eq!(differences(&actual, &actual, &["accounts", "held", "more"], 2), []);
    }
}
