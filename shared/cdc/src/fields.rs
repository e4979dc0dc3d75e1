//! The fields of a JSON object, each left as its text until it is asked for.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The fields of an object, each as its JSON text.
///
/// Not a tree of values: numbers keep all their digits, and what is not asked for is never decoded.
pub(super) type Fields<'a> = BTreeMap<Name<'a>, &'a RawValue>;

/// Returns the fields of a JSON object; `None` of anything else.
pub(super) fn fields(raw: &RawValue) -> Option<Fields<'_>> {
    if raw.get().starts_with('{') { serde_json::from_str(raw.get()).ok() } else { None }
}

/// The name of a field, borrowed from the message unless it is written with escapes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl Borrow<str> for Name<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Returns whether a JSON object is a value of a union in Avro's JSON encoding: one field, named by its type.
pub(super) fn is_avro_union(json: &str) -> bool {
    const PRIMITIVES: [&str; 8] = ["string", "long", "int", "bytes", "double", "float", "boolean", "array"];

    if !json.starts_with('{') {
        return false;
    }
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(json) else { return false };
    let mut names = fields.keys();
    match (names.next(), names.next()) {
        // A record's name is qualified; Debezium's ends in `.Value`, `.Key` or `.Envelope`.
        (Some(name), None) => PRIMITIVES.contains(&name.0.as_ref()) || name.0.contains('.'),
        _ => false,
    }
}
