//! Document paths: `order.lines[2].price`.

use std::fmt;

use crate::error::ServiceError;
use crate::value::{AttributeValue, Item, Text};

/// The place of a value in an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// The attribute.
    pub root: Text,
    /// The way from the attribute's value to a value inside it.
    pub steps: Vec<Step>,
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into the member of a map.
    Member(Text),
    /// Into the element of a list.
    Element(usize),
}

impl Path {
    /// Returns the path of a whole attribute.
    #[must_use]
    pub fn attribute(name: impl Into<Text>) -> Self {
        Self { root: name.into(), steps: Vec::new() }
    }

    /// Returns the value at the path, if there is one.
    #[must_use]
    pub fn find<'item>(&self, item: &'item Item) -> Option<&'item AttributeValue> {
        self.steps.iter().try_fold(item.get(&self.root)?, |value, step| match (value, step) {
            (AttributeValue::M(members), Step::Member(name)) => members.get(name),
            (AttributeValue::L(elements), Step::Element(index)) => elements.get(*index),
            _ => None,
        })
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.root == other.root && self.steps.iter().zip(&other.steps).all(|(mine, theirs)| mine == theirs)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.root)?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Member(name) => write!(formatter, ".{name}"),
            Step::Element(index) => write!(formatter, "[{index}]"),
        })
    }
}

/// Refuses paths of which one contains another.
pub(super) fn refuse_overlaps(paths: &[Path]) -> Result<(), ServiceError> {
    for (position, path) in paths.iter().enumerate() {
        if let Some(other) = paths[position + 1..].iter().find(|other| path.overlaps(other)) {
            return Err(ServiceError::validation(format!(
                "Invalid expression: Two document paths overlap with each other; path one: [{path}], path two: [{other}]"
            )));
        }
    }
    Ok(())
}
