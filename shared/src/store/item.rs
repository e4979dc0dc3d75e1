//! Reading and building items with checked attributes.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::key::Key;
use super::{StoreError, Table};
use crate::rules::Amount;

/// An item of one of the tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    table: Table,
    attributes: HashMap<String, AttributeValue>,
}

impl Item {
    /// What the store answered.
    #[must_use]
    pub fn new(table: Table, attributes: HashMap<String, AttributeValue>) -> Self {
        Self { table, attributes }
    }

    /// An item with only its key.
    #[must_use]
    pub fn at(key: &Key) -> Self {
        Self { table: key.table, attributes: key.attributes() }
    }

    /// An item with this key and the fields of `content`.
    pub fn encode<T: Serialize>(key: &Key, content: &T) -> Self {
        let mut attributes: HashMap<String, AttributeValue> =
            serde_dynamo::aws_sdk_dynamodb_1::to_item(content)
                .expect("stored types are structs of plain fields");
        attributes.extend(key.attributes());
        Self { table: key.table, attributes }
    }

    /// Reads the fields of a stored type.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, StoreError> {
        let key = self.key()?;
        serde_dynamo::aws_sdk_dynamodb_1::from_item(self.attributes)
            .map_err(|error| StoreError::Corrupt { key: Box::new(key), message: error.to_string() })
    }

    /// The table it belongs to.
    #[must_use]
    pub fn table(&self) -> Table {
        self.table
    }

    /// Where it is stored.
    pub fn key(&self) -> Result<Key, StoreError> {
        Ok(Key::new(self.table, self.text("pk")?, self.text("sk")?))
    }

    /// The same item with one more text attribute.
    #[must_use]
    pub fn with_text(mut self, name: &str, value: impl Display) -> Self {
        self.attributes.insert(name.to_owned(), AttributeValue::S(value.to_string()));
        self
    }

    /// The same item with one more number.
    #[must_use]
    pub fn with_number(mut self, name: &str, value: impl Display) -> Self {
        self.attributes.insert(name.to_owned(), AttributeValue::N(value.to_string()));
        self
    }

    /// The same item with one more attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.attributes.insert(name.to_owned(), value);
        self
    }

    /// Whether the attribute is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    /// Every attribute with its name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A text attribute that must be there.
    pub fn text(&self, name: &str) -> Result<&str, StoreError> {
        match self.attributes.get(name) {
            Some(AttributeValue::S(text)) => Ok(text),
            _ => Err(self.corrupt(name)),
        }
    }

    /// A text attribute that must be there, read as a value.
    pub fn parse<T: FromStr>(&self, name: &str) -> Result<T, StoreError> {
        self.text(name)?.parse().map_err(|_| self.corrupt(name))
    }

    /// A number that must be there.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<T, StoreError> {
        self.number_if_present(name)?.ok_or_else(|| self.corrupt(name))
    }

    /// A number, if it is there.
    pub fn number_if_present<T: FromStr>(&self, name: &str) -> Result<Option<T>, StoreError> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(text)) => text.parse().map(Some).map_err(|_| self.corrupt(name)),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    /// An amount kept as a number, zero if it is not there.
    pub fn amount(&self, name: &str) -> Result<Amount, StoreError> {
        Ok(self.number_if_present(name)?.unwrap_or_default())
    }

    /// The raw attributes.
    #[must_use]
    pub fn into_attributes(self) -> HashMap<String, AttributeValue> {
        self.attributes
    }

    /// The error for an attribute that is missing or not what it should be.
    #[must_use]
    pub fn corrupt(&self, attribute: &str) -> StoreError {
        let part = |name: &str| match self.attributes.get(name) {
            Some(AttributeValue::S(text)) => text.clone(),
            _ => "?".to_owned(),
        };
        StoreError::Corrupt {
            key: Box::new(Key::new(self.table, part("pk"), part("sk"))),
            message: format!("attribute {attribute:?} is missing or not what it should be"),
        }
    }
}
