//! Picks the named parts of an item.

use std::collections::BTreeMap;

use super::path::{Path, Step};
use crate::value::{AttributeValue, Item};

/// Returns what the paths name, in the shape that it has in the item; lists keep only the named elements.
#[must_use]
pub fn project(item: &Item, paths: &[Path]) -> Item {
    let mut selections: BTreeMap<&str, Selection> = BTreeMap::new();
    for path in paths {
        selections.entry(&path.root).or_default().add(&path.steps);
    }
    selections
        .into_iter()
        .filter_map(|(name, selection)| Some((name.to_owned(), selection.pick(item.get(name)?)?)))
        .collect()
}

/// What is wanted of one value: all of it, or the parts below it.
#[derive(Default)]
struct Selection<'path> {
    all: bool,
    parts: BTreeMap<&'path Step, Selection<'path>>,
}

impl<'path> Selection<'path> {
    fn add(&mut self, steps: &'path [Step]) {
        match steps.split_first() {
            None => self.all = true,
            Some((first, rest)) => self.parts.entry(first).or_default().add(rest),
        }
    }

    fn pick(&self, value: &AttributeValue) -> Option<AttributeValue> {
        if self.all {
            return Some(value.clone());
        }
        match value {
            AttributeValue::M(members) => {
                let picked: Item = self
                    .parts
                    .iter()
                    .filter_map(|(step, part)| match step {
                        Step::Member(name) => Some((name.clone(), part.pick(members.get(name)?)?)),
                        Step::Element(_) => None,
                    })
                    .collect();
                (!picked.is_empty()).then_some(AttributeValue::M(picked))
            }
            AttributeValue::L(elements) => {
                let picked: Vec<AttributeValue> = self
                    .parts
                    .iter()
                    .filter_map(|(step, part)| match step {
                        Step::Element(index) => part.pick(elements.get(*index)?),
                        Step::Member(_) => None,
                    })
                    .collect();
                (!picked.is_empty()).then_some(AttributeValue::L(picked))
            }
            _ => None,
        }
    }
}
