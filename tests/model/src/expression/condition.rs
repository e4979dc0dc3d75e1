//! Conditions and how they are evaluated against an item.

use std::cmp::Ordering;

use super::path::Path;
use crate::error::ServiceError;
use crate::value::{AttributeValue, Item, Number};

/// A condition on one item, or a filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Both hold.
    And(Box<Condition>, Box<Condition>),
    /// One of them holds.
    Or(Box<Condition>, Box<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A comparison of two operands.
    Compare(Operand, Comparator, Operand),
    /// An operand lies between two others, both included.
    Between(Operand, Operand, Operand),
    /// An operand equals one of others.
    In(Operand, Vec<Operand>),
    /// There is a value at the path.
    Exists(Path),
    /// There is no value at the path.
    NotExists(Path),
    /// The value at the path is of the named type.
    HasType(Path, Operand),
    /// A text or bytes begin with others.
    BeginsWith(Operand, Operand),
    /// A text contains a text; a set or list contains an element.
    Contains(Operand, Operand),
}

/// How two operands are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparator {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// The value at a path.
    Path(Path),
    /// A given value.
    Value(AttributeValue),
    /// The size of the value at a path.
    Size(Box<Operand>),
}

/// How many operands the list of an `IN` may have.
const MAX_CANDIDATES: usize = 100;

impl Condition {
    /// Returns a comparison; what an ordering operator is given must have an order.
    pub fn compare(left: Operand, comparator: Comparator, right: Operand) -> Result<Self, ServiceError> {
        if !matches!(comparator, Comparator::Equal | Comparator::NotEqual) {
            check_ordered(&[&left, &right])?;
        }
        Ok(Self::Compare(left, comparator, right))
    }

    /// Returns the condition that an operand equals one of others, of which there may not be too many.
    pub fn is_in(value: Operand, candidates: Vec<Operand>) -> Result<Self, ServiceError> {
        if candidates.len() > MAX_CANDIDATES {
            return Err(ServiceError::validation(
                "Invalid expression: The IN operator is provided with too many operands; maximum: 100",
            ));
        }
        Ok(Self::In(value, candidates))
    }

    /// Returns the condition that an operand lies between two others; given bounds must be in order.
    pub fn between(value: Operand, low: Operand, high: Operand) -> Result<Self, ServiceError> {
        check_ordered(&[&value, &low, &high])?;
        if let (Operand::Value(low), Operand::Value(high)) = (&low, &high) {
            match order(low, high) {
                None => {
                    return Err(ServiceError::validation(
                        "Invalid expression: The BETWEEN operator requires same data type for lower and upper bounds",
                    ));
                }
                Some(Ordering::Greater) => {
                    return Err(ServiceError::validation(
                        "Invalid expression: The BETWEEN operator requires upper bound to be greater than or equal to lower bound",
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(Self::Between(value, low, high))
    }

    /// Returns the condition that an operand begins with another; given ones must be texts or bytes.
    pub fn begins_with(value: Operand, prefix: Operand) -> Result<Self, ServiceError> {
        for operand in [&value, &prefix] {
            if let Operand::Value(given) = operand
                && !matches!(given, AttributeValue::S(_) | AttributeValue::B(_))
            {
                return Err(wrong_operand("begins_with", given));
            }
        }
        Ok(Self::BeginsWith(value, prefix))
    }

    /// Returns whether the condition holds for an item; a missing item is an empty one.
    #[must_use]
    pub fn holds(&self, item: &Item) -> bool {
        match self {
            Self::And(left, right) => left.holds(item) && right.holds(item),
            Self::Or(left, right) => left.holds(item) || right.holds(item),
            Self::Not(inner) => !inner.holds(item),
            Self::Compare(left, comparator, right) => {
                comparator.holds(left.resolve(item).as_ref(), right.resolve(item).as_ref())
            }
            Self::Between(value, low, high) => {
                let value = value.resolve(item);
                Comparator::GreaterOrEqual.holds(value.as_ref(), low.resolve(item).as_ref())
                    && Comparator::LessOrEqual.holds(value.as_ref(), high.resolve(item).as_ref())
            }
            Self::In(value, candidates) => {
                let value = value.resolve(item);
                candidates.iter().any(|candidate| {
                    Comparator::Equal.holds(value.as_ref(), candidate.resolve(item).as_ref())
                })
            }
            Self::Exists(path) => path.find(item).is_some(),
            Self::NotExists(path) => path.find(item).is_none(),
            Self::HasType(path, name) => path.find(item).is_some_and(|value| {
                name.resolve(item)
                    .is_some_and(|name| name.as_text().is_some_and(|name| name == value.type_name()))
            }),
            Self::BeginsWith(value, prefix) => match (value.resolve(item), prefix.resolve(item)) {
                (Some(AttributeValue::S(value)), Some(AttributeValue::S(prefix))) => {
                    value.starts_with(prefix.as_str())
                }
                (Some(AttributeValue::B(value)), Some(AttributeValue::B(prefix))) => {
                    value.starts_with(&prefix)
                }
                _ => false,
            },
            Self::Contains(value, part) => match (value.resolve(item), part.resolve(item)) {
                (Some(value), Some(part)) => contains(&value, &part),
                _ => false,
            },
        }
    }

    /// Calls `visit` for each path that the condition reads.
    pub fn visit_paths(&self, visit: &mut impl FnMut(&Path)) {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.visit_paths(visit);
                right.visit_paths(visit);
            }
            Self::Not(inner) => inner.visit_paths(visit),
            Self::Compare(left, _, right) | Self::BeginsWith(left, right) | Self::Contains(left, right) => {
                left.visit_paths(visit);
                right.visit_paths(visit);
            }
            Self::Between(value, low, high) => {
                for operand in [value, low, high] {
                    operand.visit_paths(visit);
                }
            }
            Self::In(value, candidates) => {
                value.visit_paths(visit);
                for candidate in candidates {
                    candidate.visit_paths(visit);
                }
            }
            Self::Exists(path) | Self::NotExists(path) | Self::HasType(path, _) => visit(path),
        }
    }

    /// Returns the parts of a conjunction, from left to right.
    #[must_use]
    pub fn into_conjuncts(self) -> Vec<Condition> {
        match self {
            Self::And(left, right) => {
                let mut conjuncts = left.into_conjuncts();
                conjuncts.extend(right.into_conjuncts());
                conjuncts
            }
            other => vec![other],
        }
    }

    /// Returns the conjunction of conditions; none where there are none.
    #[must_use]
    pub fn all(conditions: Vec<Condition>) -> Option<Condition> {
        conditions.into_iter().reduce(|left, right| Self::And(Box::new(left), Box::new(right)))
    }
}

impl Operand {
    /// Returns the size of an operand; a given one must have a size.
    pub fn size_of(inner: Self) -> Result<Self, ServiceError> {
        match &inner {
            Self::Value(given @ (AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null)) => {
                Err(wrong_operand("size", given))
            }
            _ => Ok(Self::Size(Box::new(inner))),
        }
    }

    fn resolve(&self, item: &Item) -> Option<AttributeValue> {
        match self {
            Self::Path(path) => path.find(item).cloned(),
            Self::Value(value) => Some(value.clone()),
            Self::Size(inner) => size(&inner.resolve(item)?),
        }
    }

    fn visit_paths(&self, visit: &mut impl FnMut(&Path)) {
        match self {
            Self::Path(path) => visit(path),
            Self::Value(_) => {}
            Self::Size(inner) => inner.visit_paths(visit),
        }
    }
}

impl Comparator {
    /// Returns whether the comparison holds; of a missing value only "not equal" does.
    fn holds(self, left: Option<&AttributeValue>, right: Option<&AttributeValue>) -> bool {
        let (Some(left), Some(right)) = (left, right) else {
            return self == Self::NotEqual;
        };
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => order(left, right) == Some(Ordering::Less),
            Self::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
            Self::Greater => order(left, right) == Some(Ordering::Greater),
            Self::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
        }
    }
}

/// Refuses given operands that have no order: all but numbers, texts and bytes.
fn check_ordered(operands: &[&Operand]) -> Result<(), ServiceError> {
    operands.iter().try_for_each(|operand| match operand {
        Operand::Value(AttributeValue::N(_) | AttributeValue::S(_) | AttributeValue::B(_))
        | Operand::Path(_)
        | Operand::Size(_) => Ok(()),
        Operand::Value(given) => Err(wrong_operand("an ordering operator", given)),
    })
}

fn wrong_operand(operator: &str, given: &AttributeValue) -> ServiceError {
    ServiceError::validation(format!(
        "Invalid expression: Incorrect operand type for operator or function; operator or function: {operator}, operand type: {}",
        given.type_name()
    ))
}

/// Returns the order of two values that have one: numbers, texts and bytes, each among themselves.
fn order(left: &AttributeValue, right: &AttributeValue) -> Option<Ordering> {
    match (left, right) {
        (AttributeValue::N(left), AttributeValue::N(right)) => Some(left.cmp(right)),
        (AttributeValue::S(left), AttributeValue::S(right)) => Some(left.cmp(right)),
        (AttributeValue::B(left), AttributeValue::B(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn contains(value: &AttributeValue, part: &AttributeValue) -> bool {
    match (value, part) {
        (AttributeValue::S(value), AttributeValue::S(part)) => value.contains(part.as_str()),
        (AttributeValue::B(value), AttributeValue::B(part)) => {
            part.is_empty() || value.windows(part.len()).any(|window| window == part)
        }
        (AttributeValue::Ss(members), AttributeValue::S(part)) => members.contains(part),
        (AttributeValue::Ns(members), AttributeValue::N(part)) => members.contains(part),
        (AttributeValue::Bs(members), AttributeValue::B(part)) => members.contains(part),
        (AttributeValue::L(elements), part) => elements.contains(part),
        _ => false,
    }
}

fn size(value: &AttributeValue) -> Option<AttributeValue> {
    let count = match value {
        AttributeValue::S(text) => text.chars().count(),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::L(elements) => elements.len(),
        AttributeValue::M(members) => members.len(),
        AttributeValue::Ss(members) => members.len(),
        AttributeValue::Ns(members) => members.len(),
        AttributeValue::Bs(members) => members.len(),
        AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => return None,
    };
    Some(AttributeValue::N(Number::from(i64::try_from(count).ok()?)))
}
