//! Updates and how they change an item.

use super::path::{Path, Step, refuse_overlaps};
use crate::error::ServiceError;
use crate::value::{AttributeValue, InvalidValue, Item, MAX_DEPTH, depth};

/// What an update does to an item: its four clauses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// Paths that get a value.
    pub set: Vec<(Path, SetOperand)>,
    /// Paths that disappear.
    pub remove: Vec<Path>,
    /// Numbers to add, or elements to put into sets.
    pub add: Vec<(Path, AttributeValue)>,
    /// Elements to take out of sets.
    pub delete: Vec<(Path, AttributeValue)>,
}

/// What a path is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum SetOperand {
    /// The present value at a path.
    Path(Path),
    /// A given value.
    Value(AttributeValue),
    /// The value at the path, or the other where there is none.
    IfNotExists(Path, Box<SetOperand>),
    /// Two lists, one after the other.
    ListAppend(Box<SetOperand>, Box<SetOperand>),
    /// The sum of two numbers.
    Plus(Box<SetOperand>, Box<SetOperand>),
    /// The difference of two numbers.
    Minus(Box<SetOperand>, Box<SetOperand>),
    /// A set with elements put in.
    SetAdd(Box<SetOperand>, Box<SetOperand>),
    /// A set with elements taken out.
    SetDelete(Box<SetOperand>, Box<SetOperand>),
}

impl Update {
    /// Returns every path that the update changes.
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        let set = self.set.iter().map(|(path, _)| path);
        let add = self.add.iter().map(|(path, _)| path);
        let delete = self.delete.iter().map(|(path, _)| path);
        set.chain(&self.remove).chain(add).chain(delete).cloned().collect()
    }

    /// Refuses an update that changes one place twice.
    pub fn check_paths(&self) -> Result<(), ServiceError> {
        refuse_overlaps(&self.paths())
    }

    /// Refuses given operands that the operation can never take, whatever the item is.
    pub fn check_operands(&self) -> Result<(), ServiceError> {
        self.set.iter().try_for_each(|(_, operand)| operand.check())?;
        let adds = |value: &AttributeValue| matches!(value, AttributeValue::N(_)) || is_set(value);
        if self.add.iter().all(|(_, value)| adds(value)) && self.delete.iter().all(|(_, value)| is_set(value))
        {
            return Ok(());
        }
        Err(wrong_type())
    }

    /// Returns the item after the update; every operand is read from the item before it.
    pub fn apply(&self, before: &Item) -> Result<Item, ServiceError> {
        let mut after = before.clone();
        // By path, so that elements beyond the end of a list are appended in the order of their numbers.
        let mut set: Vec<&(Path, SetOperand)> = self.set.iter().collect();
        set.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (path, operand) in set {
            match operand.evaluate(before)? {
                Some(value) => put(&mut after, path, value)?,
                None => remove(&mut after, path)?,
            }
        }
        for (path, addend) in &self.add {
            put(&mut after, path, added(path.find(before), addend)?)?;
        }
        for (path, elements) in &self.delete {
            match path.find(before).map(|present| without(present, elements)).transpose()? {
                None => check_place(&mut after, path)?,
                Some(Some(rest)) => put(&mut after, path, rest)?,
                Some(None) => remove(&mut after, path)?,
            }
        }
        // From the last element of a list to the first, so that positions keep their meaning.
        let mut removed: Vec<&Path> = self.remove.iter().collect();
        removed.sort_by(|left, right| right.cmp(left));
        for path in removed {
            remove(&mut after, path)?;
        }
        self.check_depth(&after)?;
        Ok(after)
    }

    /// Refuses a document that a value in its inside has made too deep.
    fn check_depth(&self, after: &Item) -> Result<(), ServiceError> {
        let mut inside = self.set.iter().filter(|(path, _)| !path.steps.is_empty());
        let too_deep = |root: &str| after.get(root).is_some_and(|value| depth(value) > MAX_DEPTH);
        if inside.any(|(path, _)| too_deep(&path.root)) { Err(InvalidValue::TooDeep.into()) } else { Ok(()) }
    }
}

impl SetOperand {
    /// Returns the value at a path or another one, which is neither that of the same path nor a joined list.
    pub fn if_not_exists(path: Path, otherwise: Self) -> Result<Self, ServiceError> {
        match &otherwise {
            Self::Path(same) if *same == path => Err(ServiceError::validation(
                "Invalid UpdateExpression: The first operand must be distinct from the remaining operands for this operator or function; operator: if_not_exists",
            )),
            Self::ListAppend(..) => Err(ServiceError::validation(
                "Invalid UpdateExpression: list_append may not stand within if_not_exists",
            )),
            _ => Ok(Self::IfNotExists(path, Box::new(otherwise))),
        }
    }

    /// Refuses a given value where another type is needed.
    fn check(&self) -> Result<(), ServiceError> {
        let (left, right, takes): (_, _, fn(&AttributeValue) -> bool) = match self {
            Self::Plus(left, right) | Self::Minus(left, right) => {
                (left, right, |value| matches!(value, AttributeValue::N(_)))
            }
            Self::ListAppend(left, right) => (left, right, |value| matches!(value, AttributeValue::L(_))),
            Self::IfNotExists(_, otherwise) => return otherwise.check(),
            Self::Path(_) | Self::Value(_) | Self::SetAdd(..) | Self::SetDelete(..) => return Ok(()),
        };
        for operand in [left, right] {
            match &**operand {
                Self::Value(value) if !takes(value) => return Err(wrong_type()),
                other => other.check()?,
            }
        }
        Ok(())
    }

    /// Returns the operand's value; none where a set lost its last element.
    fn evaluate(&self, item: &Item) -> Result<Option<AttributeValue>, ServiceError> {
        Ok(Some(match self {
            Self::Path(path) => path.find(item).cloned().ok_or_else(missing_attribute)?,
            Self::Value(value) => value.clone(),
            Self::IfNotExists(path, otherwise) => match path.find(item) {
                Some(value) => value.clone(),
                None => otherwise.required(item)?,
            },
            Self::ListAppend(left, right) => match (left.required(item)?, right.required(item)?) {
                (AttributeValue::L(mut left), AttributeValue::L(right)) => {
                    left.extend(right);
                    AttributeValue::L(left)
                }
                _ => return Err(wrong_type()),
            },
            Self::Plus(left, right) => match (left.required(item)?, right.required(item)?) {
                (AttributeValue::N(left), AttributeValue::N(right)) => AttributeValue::N(left.plus(right)?),
                _ => return Err(wrong_type()),
            },
            Self::Minus(left, right) => match (left.required(item)?, right.required(item)?) {
                (AttributeValue::N(left), AttributeValue::N(right)) => AttributeValue::N(left.minus(right)?),
                _ => return Err(wrong_type()),
            },
            Self::SetAdd(set, elements) => {
                let set = match &**set {
                    Self::Path(path) => path.find(item).cloned(),
                    other => other.evaluate(item)?,
                };
                added(set.as_ref(), &elements.required(item)?)?
            }
            Self::SetDelete(set, _) if set.is_missing(item) => return Ok(None),
            Self::SetDelete(set, elements) => {
                return without(&set.required(item)?, &elements.required(item)?);
            }
        }))
    }

    fn is_missing(&self, item: &Item) -> bool {
        matches!(self, Self::Path(path) if path.find(item).is_none())
    }

    fn required(&self, item: &Item) -> Result<AttributeValue, ServiceError> {
        self.evaluate(item)?.ok_or_else(missing_attribute)
    }
}

fn added(present: Option<&AttributeValue>, addend: &AttributeValue) -> Result<AttributeValue, ServiceError> {
    use AttributeValue::{Bs, N, Ns, Ss};
    Ok(match (present, addend) {
        (None, N(_) | Ss(_) | Ns(_) | Bs(_)) => addend.clone(),
        (Some(N(present)), N(addend)) => N(present.plus(*addend)?),
        (Some(Ss(present)), Ss(addend)) => Ss(present | addend),
        (Some(Ns(present)), Ns(addend)) => Ns(present | addend),
        (Some(Bs(present)), Bs(addend)) => Bs(present | addend),
        _ => return Err(wrong_type()),
    })
}

/// Returns a set without some elements; none where no element is left.
fn without(
    present: &AttributeValue,
    elements: &AttributeValue,
) -> Result<Option<AttributeValue>, ServiceError> {
    use AttributeValue::{Bs, Ns, Ss};
    Ok(match (present, elements) {
        (Ss(present), Ss(elements)) => Some(present - elements).filter(|rest| !rest.is_empty()).map(Ss),
        (Ns(present), Ns(elements)) => Some(present - elements).filter(|rest| !rest.is_empty()).map(Ns),
        (Bs(present), Bs(elements)) => Some(present - elements).filter(|rest| !rest.is_empty()).map(Bs),
        _ => return Err(wrong_type()),
    })
}

fn is_set(value: &AttributeValue) -> bool {
    matches!(value, AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_))
}

/// Refuses a path whose last step does not fit what contains it.
fn check_place(item: &mut Item, path: &Path) -> Result<(), ServiceError> {
    let Some((last, parents)) = path.steps.split_last() else { return Ok(()) };
    match (container(item, &path.root, parents), last) {
        (Some(AttributeValue::M(_)), Step::Member(_)) | (Some(AttributeValue::L(_)), Step::Element(_)) => {
            Ok(())
        }
        _ => Err(invalid_path()),
    }
}

fn put(item: &mut Item, path: &Path, value: AttributeValue) -> Result<(), ServiceError> {
    let Some((last, parents)) = path.steps.split_last() else {
        item.insert(path.root.clone(), value);
        return Ok(());
    };
    match (container(item, &path.root, parents).ok_or_else(invalid_path)?, last) {
        (AttributeValue::M(members), Step::Member(name)) => {
            members.insert(name.clone(), value);
        }
        (AttributeValue::L(elements), Step::Element(index)) => match elements.get_mut(*index) {
            Some(element) => *element = value,
            None => elements.push(value),
        },
        _ => return Err(invalid_path()),
    }
    Ok(())
}

fn remove(item: &mut Item, path: &Path) -> Result<(), ServiceError> {
    let Some((last, parents)) = path.steps.split_last() else {
        item.remove(&path.root);
        return Ok(());
    };
    match (container(item, &path.root, parents).ok_or_else(invalid_path)?, last) {
        (AttributeValue::M(members), Step::Member(name)) => {
            members.remove(name);
        }
        (AttributeValue::L(elements), Step::Element(index)) => {
            if *index < elements.len() {
                elements.remove(*index);
            }
        }
        _ => return Err(invalid_path()),
    }
    Ok(())
}

fn container<'item>(item: &'item mut Item, root: &str, steps: &[Step]) -> Option<&'item mut AttributeValue> {
    steps.iter().try_fold(item.get_mut(root)?, |value, step| match (value, step) {
        (AttributeValue::M(members), Step::Member(name)) => members.get_mut(name),
        (AttributeValue::L(elements), Step::Element(index)) => elements.get_mut(*index),
        _ => None,
    })
}

fn missing_attribute() -> ServiceError {
    ServiceError::validation("The provided expression refers to an attribute that does not exist in the item")
}

fn wrong_type() -> ServiceError {
    ServiceError::validation("An operand in the update expression has an incorrect data type")
}

fn invalid_path() -> ServiceError {
    ServiceError::validation("The document path provided in the update expression is invalid for update")
}
