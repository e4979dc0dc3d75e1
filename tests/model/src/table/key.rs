//! Primary keys and which attributes make them up.

use crate::error::ServiceError;
use crate::value::{AttributeValue, Item, Text};

const MAX_PARTITION_BYTES: usize = 2_048;
const MAX_SORT_BYTES: usize = 1_024;

/// The primary key of an item. A table without a sort key has an empty one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The value of the partition key.
    pub partition: Text,
    /// The value of the sort key.
    pub sort: Text,
}

/// The names of a table's key attributes; their values are texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The partition key's attribute.
    pub partition: String,
    /// The sort key's attribute.
    pub sort: Option<String>,
}

impl Schema {
    /// Returns whether an attribute is part of the key.
    #[must_use]
    pub fn contains(&self, attribute: &str) -> bool {
        self.partition == attribute || self.sort.as_deref() == Some(attribute)
    }

    /// Returns the key of a whole item.
    pub fn key_of(&self, item: &Item) -> Result<Key, ServiceError> {
        let partition = key_text(item, &self.partition, MAX_PARTITION_BYTES)?;
        let sort = match &self.sort {
            Some(name) => key_text(item, name, MAX_SORT_BYTES)?,
            None => Text::default(),
        };
        Ok(Key { partition, sort })
    }

    /// Returns the key that consists of exactly the key attributes.
    pub fn exact_key(&self, attributes: &Item) -> Result<Key, ServiceError> {
        if attributes.len() != 1 + usize::from(self.sort.is_some()) {
            return Err(no_match());
        }
        self.key_of(attributes)
    }

    /// Returns whether attributes have the names and types of a key; exactly those, where `exact`.
    pub(super) fn fits(&self, attributes: &Item, exact: bool) -> bool {
        let mut names = [Some(&self.partition), self.sort.as_ref()].into_iter().flatten();
        (!exact || attributes.len() == 1 + usize::from(self.sort.is_some()))
            && names.all(|name| text_of(attributes, name).is_ok())
    }

    /// Returns a key's attributes.
    #[must_use]
    pub fn attributes_of(&self, key: &Key) -> Item {
        let mut attributes =
            Item::from([(self.partition.as_str(), AttributeValue::S(key.partition.clone()))]);
        if let Some(sort) = &self.sort {
            attributes.insert(sort.as_str(), AttributeValue::S(key.sort.clone()));
        }
        attributes
    }

    /// Returns a key in the form `partition/sort`.
    #[must_use]
    pub fn text_of(&self, key: &Key) -> String {
        match self.sort {
            Some(_) => format!("{}/{}", key.partition, key.sort),
            None => key.partition.to_string(),
        }
    }
}

fn key_text(item: &Item, name: &str, max_bytes: usize) -> Result<Text, ServiceError> {
    let text = text_of(item, name)?;
    if text.is_empty() || text.len() > max_bytes {
        return Err(ServiceError::validation(format!(
            "One or more parameter values are not valid. Size of key {name} must be from 1 to {max_bytes} bytes"
        )));
    }
    Ok(text.clone())
}

fn text_of<'item>(item: &'item Item, name: &str) -> Result<&'item Text, ServiceError> {
    let value = item.get(name).ok_or_else(|| {
        ServiceError::validation(format!("One of the required keys was not given a value: {name}"))
    })?;
    value.as_text().ok_or_else(|| {
        ServiceError::validation(format!(
            "One or more parameter values were invalid: Type mismatch for key {name}"
        ))
    })
}

fn no_match() -> ServiceError {
    ServiceError::validation("The provided key element does not match the schema")
}
