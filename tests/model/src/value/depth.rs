//! How deep lists and maps lie in one another.

use super::AttributeValue;

/// How many lists and maps may lie around a value of an item, which is the outermost level itself.
pub const MAX_DEPTH: usize = 31;

/// Returns how many lists and maps lie around the innermost value.
#[must_use]
pub fn depth(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::L(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        AttributeValue::M(members) => 1 + members.iter().map(|(_, member)| depth(member)).max().unwrap_or(0),
        _ => 0,
    }
}
