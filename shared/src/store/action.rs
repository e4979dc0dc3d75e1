//! One write with its condition, alone or as part of a transaction.

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, ConsumedCapacity, Delete, Put, ReturnConsumedCapacity, TransactWriteItem,
    Update,
};

use super::client::unavailable;
use super::item::Item;
use super::key::Key;
use super::{StoreError, Tables};

/// A write of one item.
#[derive(Debug, Clone)]
pub struct Action {
    key: Key,
    kind: Kind,
    condition: Option<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

#[derive(Debug, Clone)]
enum Kind {
    Put(Item),
    Update { sets: Vec<String>, adds: Vec<String>, removes: Vec<String> },
    Delete,
    Check,
}

impl Action {
    /// Writes the whole item.
    pub fn put(item: Item) -> Result<Self, StoreError> {
        Ok(Self::new(item.key()?, Kind::Put(item)))
    }

    /// Changes attributes of an item, creating it if need be.
    #[must_use]
    pub fn update(key: Key) -> Self {
        Self::new(key, Kind::Update { sets: Vec::new(), adds: Vec::new(), removes: Vec::new() })
    }

    /// Removes the item, if it is there.
    #[must_use]
    pub fn delete(key: Key) -> Self {
        Self::new(key, Kind::Delete)
    }

    /// Changes nothing; only its condition matters.
    #[must_use]
    pub fn check(key: Key) -> Self {
        Self::new(key, Kind::Check)
    }

    fn new(key: Key, kind: Kind) -> Self {
        Self { key, kind, condition: None, names: HashMap::new(), values: HashMap::new() }
    }

    /// Where this action writes.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Sets an attribute to a value.
    #[must_use]
    pub fn set(mut self, name: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(name), self.value(value));
        if let Kind::Update { sets, .. } = &mut self.kind {
            sets.push(format!("{name} = {value}"));
        }
        self
    }

    /// Sets an attribute to a value, unless it has one.
    #[must_use]
    pub fn set_if_absent(mut self, name: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(name), self.value(value));
        if let Kind::Update { sets, .. } = &mut self.kind {
            sets.push(format!("{name} = if_not_exists({name}, {value})"));
        }
        self
    }

    /// Adds to a number, starting from zero.
    #[must_use]
    pub fn add(mut self, name: &str, number: impl Display) -> Self {
        let (name, value) = (self.name(name), self.value(AttributeValue::N(number.to_string())));
        if let Kind::Update { adds, .. } = &mut self.kind {
            adds.push(format!("{name} {value}"));
        }
        self
    }

    /// Removes an attribute.
    #[must_use]
    pub fn remove(mut self, name: &str) -> Self {
        let name = self.name(name);
        if let Kind::Update { removes, .. } = &mut self.kind {
            removes.push(name);
        }
        self
    }

    /// Only if the item does not exist.
    #[must_use]
    pub fn if_absent(self) -> Self {
        self.if_attribute_absent("pk")
    }

    /// Only if the attribute does not exist.
    #[must_use]
    pub fn if_attribute_absent(mut self, name: &str) -> Self {
        let name = self.name(name);
        self.require(format!("attribute_not_exists({name})"))
    }

    /// Only if the attribute exists.
    #[must_use]
    pub fn if_attribute_exists(mut self, name: &str) -> Self {
        let name = self.name(name);
        self.require(format!("attribute_exists({name})"))
    }

    /// Only if the attribute has this value.
    #[must_use]
    pub fn if_equal(mut self, name: &str, value: AttributeValue) -> Self {
        let (name, value) = (self.name(name), self.value(value));
        self.require(format!("{name} = {value}"))
    }

    /// Only if the number is still what was read: `None` if it was not there.
    #[must_use]
    pub fn if_number_is(self, name: &str, number: Option<impl Display>) -> Self {
        match number {
            Some(number) => self.if_equal(name, AttributeValue::N(number.to_string())),
            None => self.if_attribute_absent(name),
        }
    }

    /// Only if the number is absent or at most this.
    #[must_use]
    pub fn if_number_at_most(mut self, name: &str, number: impl Display) -> Self {
        let (name, value) = (self.name(name), self.value(AttributeValue::N(number.to_string())));
        self.require(format!("(attribute_not_exists({name}) OR {name} <= {value})"))
    }

    fn require(mut self, condition: String) -> Self {
        self.condition = Some(match self.condition {
            Some(earlier) => format!("{earlier} AND {condition}"),
            None => condition,
        });
        self
    }

    /// A placeholder for the attribute name; every name has one, so none can be a reserved word.
    fn name(&mut self, name: &str) -> String {
        if let Some((placeholder, _)) = self.names.iter().find(|(_, known)| *known == name) {
            return placeholder.clone();
        }
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    fn expression_names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    fn expression_values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }

    pub(super) fn into_transact_item(self, tables: &Tables) -> TransactWriteItem {
        const COMPLETE: &str = "table, key and expression are set";
        let table = tables.name(self.key.table);
        let (names, values) = (self.expression_names(), self.expression_values());
        let item = TransactWriteItem::builder();
        match self.kind {
            Kind::Put(content) => item
                .put(
                    Put::builder()
                        .table_name(table)
                        .set_item(Some(content.into_attributes()))
                        .set_condition_expression(self.condition)
                        .set_expression_attribute_names(names)
                        .set_expression_attribute_values(values)
                        .build()
                        .expect(COMPLETE),
                )
                .build(),
            Kind::Update { sets, adds, removes } => item
                .update(
                    Update::builder()
                        .table_name(table)
                        .set_key(Some(self.key.attributes()))
                        .update_expression(update_expression(&sets, &adds, &removes))
                        .set_condition_expression(self.condition)
                        .set_expression_attribute_names(names)
                        .set_expression_attribute_values(values)
                        .build()
                        .expect(COMPLETE),
                )
                .build(),
            Kind::Delete => item
                .delete(
                    Delete::builder()
                        .table_name(table)
                        .set_key(Some(self.key.attributes()))
                        .set_condition_expression(self.condition)
                        .set_expression_attribute_names(names)
                        .set_expression_attribute_values(values)
                        .build()
                        .expect(COMPLETE),
                )
                .build(),
            Kind::Check => item
                .condition_check(
                    ConditionCheck::builder()
                        .table_name(table)
                        .set_key(Some(self.key.attributes()))
                        .condition_expression(self.condition.expect("a check has a condition"))
                        .set_expression_attribute_names(names)
                        .set_expression_attribute_values(values)
                        .build()
                        .expect(COMPLETE),
                )
                .build(),
        }
    }

    /// Sends this action by itself. Whether its condition held, and what it cost.
    pub(super) async fn send(
        self,
        client: &Client,
        tables: &Tables,
    ) -> Result<(bool, Option<ConsumedCapacity>), StoreError> {
        let table = tables.name(self.key.table);
        let (names, values) = (self.expression_names(), self.expression_values());
        macro_rules! sent {
            ($request:expr) => {
                match $request
                    .table_name(table)
                    .set_condition_expression(self.condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
                    .await
                {
                    Ok(output) => Ok((true, output.consumed_capacity)),
                    Err(error)
                        if error
                            .as_service_error()
                            .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
                    {
                        Ok((false, None))
                    }
                    Err(error) => Err(unavailable(error)),
                }
            };
        }
        match self.kind {
            Kind::Put(content) => sent!(client.put_item().set_item(Some(content.into_attributes()))),
            Kind::Update { sets, adds, removes } => sent!(
                client
                    .update_item()
                    .set_key(Some(self.key.attributes()))
                    .update_expression(update_expression(&sets, &adds, &removes))
            ),
            Kind::Delete => sent!(client.delete_item().set_key(Some(self.key.attributes()))),
            Kind::Check => unreachable!("a check by itself would be a read"),
        }
    }
}

fn update_expression(sets: &[String], adds: &[String], removes: &[String]) -> String {
    [("SET", sets), ("ADD", adds), ("REMOVE", removes)]
        .into_iter()
        .filter(|(_, clauses)| !clauses.is_empty())
        .map(|(verb, clauses)| format!("{verb} {}", clauses.join(", ")))
        .collect::<Vec<_>>()
        .join(" ")
}
