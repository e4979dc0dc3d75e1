//! As much of JSON Schema as the contract uses. A word that it does not know is a failure, so that nothing in the
//! contract goes unchecked.

use serde_json::{Map, Value};

use crate::pattern;

/// Returns what is wrong with `value` by `schema`; `root` is the document that references are into.
pub(crate) fn faults(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
    check(root, schema, value, "$")
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (word, rule) in schema.as_object().expect("a schema is an object") {
        faults.extend(check_word(root, schema, (word, rule), value, at));
    }
    faults
}

fn check_word(
    root: &Value,
    schema: &Value,
    (word, rule): (&str, &Value),
    value: &Value,
    at: &str,
) -> Vec<String> {
    let fault =
        |is_good: bool, message: String| if is_good { Vec::new() } else { vec![format!("{at}: {message}")] };
    let all = || rule.as_array().expect("a list of schemas").iter().map(|one| check(root, one, value, at));
    match word {
        "$schema" | "title" | "description" | "default" | "example" | "format" | "minLength"
        | "maxLength" => Vec::new(),
        "$ref" => check(root, target(root, rule), value, at),
        "type" => fault(has_type(rule, value), format!("{value} is not of type {rule}")),
        "const" => fault(value == rule, format!("{value} is not {rule}")),
        "enum" => {
            fault(rule.as_array().expect("values").contains(value), format!("{value} is none of {rule}"))
        }
        "minimum" => {
            let is_good = value.as_f64().is_none_or(|number| number >= rule.as_f64().expect("a number"));
            fault(is_good, format!("{value} is below {rule}"))
        }
        "pattern" => {
            let text = value.as_str();
            fault(
                text.is_none_or(|text| matches(rule.as_str().expect("a pattern"), text)),
                format!("{value} is not {rule}"),
            )
        }
        "not" => fault(!check(root, rule, value, at).is_empty(), format!("{value} is excluded by {rule}")),
        "allOf" => all().flatten().collect(),
        "oneOf" | "anyOf" => {
            let outcomes: Vec<Vec<String>> = all().collect();
            let good = outcomes.iter().filter(|faults| faults.is_empty()).count();
            let is_good = if word == "oneOf" { good == 1 } else { good > 0 };
            if is_good { Vec::new() } else { outcomes.into_iter().flatten().collect() }
        }
        "items" => {
            let items = value.as_array().into_iter().flatten().enumerate();
            items.flat_map(|(index, item)| check(root, rule, item, &format!("{at}[{index}]"))).collect()
        }
        "required" => {
            let missing = rule.as_array().expect("names").iter().filter_map(Value::as_str);
            let missing: Vec<&str> = missing
                .filter(|name| value.as_object().is_some_and(|object| !object.contains_key(*name)))
                .collect();
            fault(missing.is_empty(), format!("{missing:?} are missing"))
        }
        "properties" => members(value)
            .filter_map(|(name, member)| Some((name, rule.get(name)?, member)))
            .flat_map(|(name, rule, member)| check(root, rule, member, &format!("{at}.{name}")))
            .collect(),
        "additionalProperties" => {
            let known = schema.get("properties").and_then(Value::as_object);
            let others =
                members(value).filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
            others
                .flat_map(|(name, member)| match rule {
                    Value::Bool(false) => vec![format!("{at}: {name} is not described")],
                    Value::Bool(true) => Vec::new(),
                    rule => check(root, rule, member, &format!("{at}.{name}")),
                })
                .collect()
        }
        other => panic!("the word {other} of a schema is not checked"),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().map(Map::iter).into_iter().flatten()
}

fn target<'a>(root: &'a Value, reference: &Value) -> &'a Value {
    let pointer =
        reference.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference into the document");
    root.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not in the contract"))
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known"),
    };
    match rule {
        Value::String(name) => is(name),
        names => names.as_array().expect("types").iter().filter_map(Value::as_str).any(is),
    }
}

/// Returns whether a text is what one of the contract's few patterns says.
fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str, count: std::ops::RangeInclusive<usize>| {
        count.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    match pattern {
        r"^-?\d{1,28}\.\d{10}$" => {
            let text = text.strip_prefix('-').unwrap_or(text);
            text.split_once('.').is_some_and(|(whole, part)| digits(whole, 1..=28) && digits(part, 10..=10))
        }
        r"^[01]\.\d{18}$" => text
            .split_once('.')
            .is_some_and(|(whole, part)| ["0", "1"].contains(&whole) && digits(part, 18..=18)),
        r"^[1-9]\d{0,18}$" => digits(text, 1..=19) && !text.starts_with('0'),
        "^(PERSONAL|OPERATION|PROVINCE|CITY|TEAM_LEVEL|LEVEL_OVERFLOW|TEAM_BONUS|BONUS_TIER_[1-9][0-9]?|ROUNDING|ADJUSTMENT)$" =>
        {
            let names = pattern.trim_start_matches("^(").trim_end_matches(")$").split('|');
            let tier = text.strip_prefix("BONUS_TIER_").is_some_and(|tier| digits(tier, 1..=2));
            tier || names.into_iter().any(|name| name == text)
        }
        "^[0-9a-f]{64}$" => {
            text.len() == 64
                && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        }
        other => pattern::matches(other, text),
    }
}
