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

    /// Returns whether one path goes into a map where the other goes into a list.
    fn conflicts(&self, other: &Self) -> bool {
        let mut steps = self.steps.iter().zip(&other.steps);
        let parted = steps.find(|(mine, theirs)| mine != theirs);
        self.root == other.root
            && parted.is_some_and(|pair| {
                matches!(pair, (Step::Member(_), Step::Element(_)) | (Step::Element(_), Step::Member(_)))
            })
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

/// Refuses paths of which one contains another, or that take one value for a map and for a list.
pub(super) fn refuse_overlaps(paths: &[Path]) -> Result<(), ServiceError> {
    for (position, path) in paths.iter().enumerate() {
        let others = &paths[position + 1..];
        if let Some(other) = others.iter().find(|other| path.conflicts(other)) {
            return Err(ServiceError::validation(format!(
                "Invalid expression: Two document paths conflict with each other; path one: [{path}], path two: [{other}]"
            )));
        }
        if let Some(other) = others.iter().find(|other| path.overlaps(other)) {
            return Err(ServiceError::validation(format!(
                "Invalid expression: Two document paths overlap with each other; path one: [{path}], path two: [{other}]"
            )));
        }
    }
    Ok(())
}
