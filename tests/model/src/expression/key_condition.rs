//! Key conditions: one partition, and a range of its sort keys.

use super::condition::{Comparator, Condition, Operand};
use super::path::Path;
use crate::error::ServiceError;
use crate::value::{AttributeValue, Text};

/// Which items a query reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCondition {
    /// The value of the partition key.
    pub partition: Text,
    /// The range of sort keys; all without.
    pub sort: Option<SortCondition>,
}

/// A range of sort keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortCondition {
    /// Exactly this one.
    Equal(Text),
    /// Those below.
    Less(Text),
    /// Those up to and including.
    LessOrEqual(Text),
    /// Those above.
    Greater(Text),
    /// Those from, included.
    GreaterOrEqual(Text),
    /// Those between, both included.
    Between(Text, Text),
    /// Those that begin so.
    BeginsWith(Text),
}

impl KeyCondition {
    /// Reads a condition on a table's key attributes.
    pub fn from_condition(
        condition: Condition,
        partition_name: &str,
        sort_name: Option<&str>,
    ) -> Result<Self, ServiceError> {
        let mut partition = None;
        let mut sort = None;
        for part in condition.into_conjuncts() {
            let (name, range) = range(part)?;
            if range.names_nothing() {
                return Err(ServiceError::validation(format!(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
                )));
            }
            if name == partition_name {
                let SortCondition::Equal(value) = range else {
                    return Err(ServiceError::validation("Query key condition not supported"));
                };
                if partition.replace(value).is_some() {
                    return Err(only_one_condition());
                }
            } else if Some(name.as_str()) == sort_name {
                if sort.replace(range).is_some() {
                    return Err(only_one_condition());
                }
            } else {
                return Err(missed_key(partition_name));
            }
        }
        Ok(Self { partition: partition.ok_or_else(|| missed_key(partition_name))?, sort })
    }
}

impl SortCondition {
    /// Reads a condition on the sort key, whatever its name.
    pub fn from_condition(condition: Condition) -> Result<Self, ServiceError> {
        range(condition).map(|(_, range)| range)
    }

    /// Returns whether the condition names an empty text, which is no key.
    fn names_nothing(&self) -> bool {
        match self {
            Self::Equal(value)
            | Self::Less(value)
            | Self::LessOrEqual(value)
            | Self::Greater(value)
            | Self::GreaterOrEqual(value)
            | Self::BeginsWith(value) => value.is_empty(),
            Self::Between(low, high) => low.is_empty() || high.is_empty(),
        }
    }

    /// Returns whether a sort key lies in the range.
    #[must_use]
    pub fn contains(&self, sort: &str) -> bool {
        match self {
            Self::Equal(value) => sort == value,
            Self::Less(value) => sort < value.as_str(),
            Self::LessOrEqual(value) => sort <= value.as_str(),
            Self::Greater(value) => sort > value.as_str(),
            Self::GreaterOrEqual(value) => sort >= value.as_str(),
            Self::Between(low, high) => (low.as_str()..=high.as_str()).contains(&sort),
            Self::BeginsWith(prefix) => sort.starts_with(prefix.as_str()),
        }
    }

    /// Returns the smallest sort key that can lie in the range.
    #[must_use]
    pub fn lower_bound(&self) -> &str {
        match self {
            Self::Less(_) | Self::LessOrEqual(_) => "",
            Self::Equal(value) | Self::Greater(value) | Self::GreaterOrEqual(value) => value,
            Self::Between(low, _) => low,
            Self::BeginsWith(prefix) => prefix,
        }
    }

    /// Returns whether all sort keys from this one on lie above the range.
    #[must_use]
    pub fn ends_before(&self, sort: &str) -> bool {
        match self {
            Self::Equal(value) | Self::LessOrEqual(value) => sort > value.as_str(),
            Self::Less(value) => sort >= value.as_str(),
            Self::Greater(_) | Self::GreaterOrEqual(_) => false,
            Self::Between(_, high) => sort > high.as_str(),
            Self::BeginsWith(prefix) => sort > prefix.as_str() && !sort.starts_with(prefix.as_str()),
        }
    }
}

fn range(condition: Condition) -> Result<(Text, SortCondition), ServiceError> {
    match condition {
        Condition::Compare(Operand::Path(path), comparator, Operand::Value(value)) => {
            let value = key_text(value)?;
            Ok((name(path)?, compared(comparator, value)?))
        }
        Condition::Compare(Operand::Value(value), comparator, Operand::Path(path)) => {
            let value = key_text(value)?;
            Ok((name(path)?, compared(mirrored(comparator), value)?))
        }
        Condition::Between(Operand::Path(path), Operand::Value(low), Operand::Value(high)) => {
            let (low, high) = (key_text(low)?, key_text(high)?);
            Ok((name(path)?, SortCondition::Between(low, high)))
        }
        Condition::BeginsWith(Operand::Path(path), Operand::Value(prefix)) => {
            Ok((name(path)?, SortCondition::BeginsWith(key_text(prefix)?)))
        }
        _ => Err(ServiceError::validation("Invalid operator used in KeyConditionExpression")),
    }
}

fn compared(comparator: Comparator, value: Text) -> Result<SortCondition, ServiceError> {
    Ok(match comparator {
        Comparator::Equal => SortCondition::Equal(value),
        Comparator::Less => SortCondition::Less(value),
        Comparator::LessOrEqual => SortCondition::LessOrEqual(value),
        Comparator::Greater => SortCondition::Greater(value),
        Comparator::GreaterOrEqual => SortCondition::GreaterOrEqual(value),
        Comparator::NotEqual => {
            return Err(ServiceError::validation("Invalid operator used in KeyConditionExpression: <>"));
        }
    })
}

fn mirrored(comparator: Comparator) -> Comparator {
    match comparator {
        Comparator::Less => Comparator::Greater,
        Comparator::LessOrEqual => Comparator::GreaterOrEqual,
        Comparator::Greater => Comparator::Less,
        Comparator::GreaterOrEqual => Comparator::LessOrEqual,
        same => same,
    }
}

fn name(path: Path) -> Result<Text, ServiceError> {
    if path.steps.is_empty() {
        Ok(path.root)
    } else {
        Err(ServiceError::validation("Invalid KeyConditionExpression: nested attributes are not keys"))
    }
}

fn key_text(value: AttributeValue) -> Result<Text, ServiceError> {
    match value {
        AttributeValue::S(text) => Ok(text),
        _ => Err(ServiceError::validation("Condition parameter type does not match schema type")),
    }
}

fn only_one_condition() -> ServiceError {
    ServiceError::validation("KeyConditionExpressions must only contain one condition per key")
}

fn missed_key(partition_name: &str) -> ServiceError {
    ServiceError::validation(format!("Query condition missed key schema element: {partition_name}"))
}
