//! The attributes of one item: a short list that ascends by name, cheap to copy.

use std::ops::Index;

use super::AttributeValue;

/// The name of an attribute, or a text: short ones stand in place, long ones are shared.
pub type Text = smol_str::SmolStr;

/// The attributes of one item by name, or the members of a map. Few are in one, so that a sorted list is faster
/// than a tree, and most of what a run of the model does is to copy items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item(Vec<(Text, AttributeValue)>);

impl Item {
    /// Returns an item without attributes.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns the value of an attribute.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.place(name).ok().map(|place| &self.0[place].1)
    }

    /// Returns the value of an attribute, to be changed.
    #[must_use]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut AttributeValue> {
        self.place(name).ok().map(|place| &mut self.0[place].1)
    }

    /// Returns whether there is an attribute of a name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Puts an attribute in the place of the one of its name, which it returns.
    pub fn insert(&mut self, name: impl Into<Text>, value: AttributeValue) -> Option<AttributeValue> {
        let name = name.into();
        match self.place(&name) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.0.insert(place, (name, value));
                None
            }
        }
    }

    /// Takes an attribute out.
    pub fn remove(&mut self, name: &str) -> Option<AttributeValue> {
        self.place(name).ok().map(|place| self.0.remove(place).1)
    }

    /// Returns the number of attributes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no attribute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the attributes, ascending by name.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &AttributeValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        for (place, (present, _)) in self.0.iter().enumerate() {
            match present.as_str().cmp(name) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(place),
                std::cmp::Ordering::Greater => return Err(place),
            }
        }
        Err(self.0.len())
    }
}

impl Index<&str> for Item {
    type Output = AttributeValue;

    fn index(&self, name: &str) -> &AttributeValue {
        self.get(name).expect("the item has the attribute")
    }
}

impl<Name: Into<Text>> FromIterator<(Name, AttributeValue)> for Item {
    fn from_iter<All: IntoIterator<Item = (Name, AttributeValue)>>(attributes: All) -> Self {
        let mut item = Self::new();
        item.extend(attributes);
        item
    }
}

impl<Name: Into<Text>> Extend<(Name, AttributeValue)> for Item {
    fn extend<All: IntoIterator<Item = (Name, AttributeValue)>>(&mut self, attributes: All) {
        let attributes = attributes.into_iter();
        self.0.reserve(attributes.size_hint().0);
        for (name, value) in attributes {
            self.insert(name, value);
        }
    }
}

impl<Name: Into<Text>, const COUNT: usize> From<[(Name, AttributeValue); COUNT]> for Item {
    fn from(attributes: [(Name, AttributeValue); COUNT]) -> Self {
        attributes.into_iter().collect()
    }
}

impl IntoIterator for Item {
    type Item = (Text, AttributeValue);
    type IntoIter = std::vec::IntoIter<(Text, AttributeValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{AttributeValue, Item};

    #[test]
    fn attributes_ascend_by_name_and_each_name_is_there_once() {
        let mut item = Item::from([("b", AttributeValue::Null), ("a", AttributeValue::Null)]);
        assert_eq!(item.insert("b", AttributeValue::Bool(true)), Some(AttributeValue::Null));
        assert_eq!(item.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(item["b"], AttributeValue::Bool(true));
        assert_eq!(item.remove("a"), Some(AttributeValue::Null));
        assert_eq!((item.get("a"), item.len()), (None, 1));
    }
}
