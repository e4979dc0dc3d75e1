//! The values of a row's key.

use super::decimal;
use super::value::{Field, Scalar};

/// Returns a value of a key in its normal form; nothing, where it is null.
pub(super) fn key_value(field: &Field<'_>) -> Option<String> {
    if let Some(number) = decimal::number_in_bytes(&field.value, field.schema) {
        return Some(number);
    }
    match &field.value {
        Scalar::Null => None,
        Scalar::Boolean(value) => Some(value.to_string()),
        Scalar::Number(number) => Some(decimal::without_point(number).into_owned()),
        // Blanks at the end mean nothing (`char(n)`).
        Scalar::Text(text) => Some(text.trim_end().to_owned()),
        Scalar::Other(json) => {
            let value: serde_json::Value = serde_json::from_str(json).ok()?;
            Some(value.to_string())
        }
    }
}

/// Returns the values of a key that Kafka Connect's `StringConverter` wrote, in order of their names: a bare text such
/// as `cccccccc-0000-4000-8000-000000000011`, `Struct{order_id=11}`, or `{order_id=11, id=7}` where a transform made a map
/// of it. Nothing, where it is half a JSON document, or binary.
pub(super) fn values_in_text(key: &[u8]) -> Option<Vec<(Option<&str>, String)>> {
    let text = std::str::from_utf8(key).ok()?.trim_end();
    if text.is_empty() || text.contains(char::is_control) {
        return None;
    }
    let within = |beginning: &str| text.strip_prefix(beginning).and_then(|rest| rest.strip_suffix('}'));
    let (fields, separator) = match (within("Struct{"), within("{")) {
        (Some(fields), _) => (fields, ","),
        (None, Some(fields)) if !fields.contains('"') => (fields, ", "),
        _ if text.starts_with(['{', '[', '"']) => return None,
        _ => return Some(vec![(None, text.to_owned())]),
    };
    let mut values: Vec<_> =
        fields.split(separator).map(|field| field.split_once('=')).collect::<Option<_>>()?;
    values.sort_unstable();
    Some(values.into_iter().map(|(name, value)| (Some(name), value.trim_end().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_no_json_are_the_text_that_a_string_converter_wrote() {
        let values = |key: &[u8]| -> Option<Vec<String>> {
            Some(values_in_text(key)?.into_iter().map(|(_, value)| value).collect())
        };
        for (key, expected) in [
            ("D26010100001", &["D26010100001"][..]),
            ("cccccccc-0000-4000-8000-000000000011", &["cccccccc-0000-4000-8000-000000000011"]),
            ("Struct{order_id=11}", &["11"]),
            ("Struct{tenant=7,id=a=b }", &["a=b", "7"]),
            ("{tenant=7, order_id=11}", &["11", "7"]),
        ] {
            assert_eq!(values(key.as_bytes()).expect("a key"), expected, "{key}");
        }
        for key in [
            &b""[..],
            b"{\"id\":1",
            b"{\"id\":\"a=b\"",
            b"{id}",
            b"{}",
            b"[1",
            b"\"x",
            b"\0\0\0\x0b",
            b"\xff",
            b"Struct{a,b}",
            b"Struct{}",
        ] {
            assert_eq!(values(key), None, "{key:?}");
        }
    }
}
