//! Writes of single items.

use std::sync::Arc;

use super::capacity::Direction;
use super::key::Key;
use super::request::{Effect, ReturnValues, Write};
use super::store::Table;
use super::stored::Stored;
use super::units::Units;
use crate::clock::Millis;
use crate::error::{Details, ErrorKind, ServiceError};
use crate::expression::project;
use crate::value::{Item, MAX_ITEM_BYTES, item_bytes};

/// What a write would do to the item that is there.
pub(super) struct Plan {
    pub(super) before: Option<Arc<Stored>>,
    pub(super) outcome: Outcome,
    /// What it costs as a single write.
    pub(super) units: Units,
}

/// How a write would end.
pub(super) enum Outcome {
    /// Its condition is false.
    ConditionFalse,
    /// Its result may not be stored.
    Invalid(ServiceError),
    /// The item becomes another one, or disappears.
    Becomes(Option<Item>),
    /// The item stays as it is: a mere check.
    Stays,
}

impl Table {
    /// Refuses what is wrong whatever the table contains, and returns the item's key.
    pub(super) fn check(&self, effect: &Effect) -> Result<Key, ServiceError> {
        match effect {
            Effect::Put(item) => self.schema.key_of(item),
            Effect::Update(key, update) => {
                let key = self.schema.exact_key(key)?;
                match update.paths().iter().find(|path| self.schema.contains(&path.root)) {
                    None => Ok(key),
                    Some(path) => Err(ServiceError::validation(format!(
                        "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
                        path.root
                    ))),
                }
            }
            Effect::Delete(key) | Effect::Check(key) => self.schema.exact_key(key),
        }
    }

    /// Returns what a write would do now; `key` is its key.
    pub(super) fn plan(&self, key: &Key, write: &Write) -> Plan {
        let before = self.items.get(key).cloned();
        let empty = Item::new();
        let present = before.as_ref().map_or(&empty, |stored| &stored.item);
        let bytes_before = before.as_ref().map_or(0, |stored| stored.bytes);
        if write.condition.as_ref().is_some_and(|condition| !condition.holds(present)) {
            return Plan { units: Units::write(bytes_before), before, outcome: Outcome::ConditionFalse };
        }
        let outcome = match &write.effect {
            Effect::Put(item) if item_bytes(item) > MAX_ITEM_BYTES => Outcome::Invalid(too_large()),
            Effect::Put(item) => Outcome::Becomes(Some(item.clone())),
            Effect::Delete(_) => Outcome::Becomes(None),
            Effect::Check(_) => Outcome::Stays,
            Effect::Update(key, update) => match update.apply(if before.is_some() { present } else { key }) {
                Ok(item) if item_bytes(&item) > MAX_ITEM_BYTES => Outcome::Invalid(too_large()),
                Ok(item) => Outcome::Becomes(Some(item)),
                Err(error) => Outcome::Invalid(error),
            },
        };
        let bytes_after = match &outcome {
            Outcome::Becomes(Some(item)) => item_bytes(item),
            _ => 0,
        };
        Plan { units: Units::write(bytes_before.max(bytes_after)), before, outcome }
    }

    /// Writes one item: validity, running transactions, capacity, condition, in this order.
    pub(super) fn write(
        &mut self,
        now_ms: Millis,
        write: &Write,
    ) -> (Result<Option<Item>, ServiceError>, Units) {
        let key = match self.check(&write.effect).and_then(|key| check_size(&write.effect).map(|()| key)) {
            Ok(key) => key,
            Err(error) => return (Err(error), Units::ZERO),
        };
        if self.held.contains_key(&key) {
            let conflict =
                ErrorKind::TransactionConflictException.because("Transaction is ongoing for the item");
            return (Err(conflict), Units::ZERO);
        }
        let plan = self.plan(&key, write);
        if let Outcome::Invalid(error) = plan.outcome {
            return (Err(error), Units::ZERO);
        }
        if let Err(throttled) = self.charge(now_ms, Direction::Write, &key.partition, plan.units) {
            return (Err(throttled), Units::ZERO);
        }
        let before = plan.before.as_ref().map(|stored| &stored.item);
        let result = match plan.outcome {
            Outcome::ConditionFalse => Err(condition_failed(write, before)),
            Outcome::Becomes(after) => {
                let shown = shown(write, before, after.as_ref());
                self.apply(now_ms, &key, after);
                Ok(shown)
            }
            Outcome::Stays | Outcome::Invalid(_) => Ok(None),
        };
        (result, plan.units)
    }
}

/// Returns the error of a failed condition, with the present item where the write asked for it.
fn condition_failed(write: &Write, before: Option<&Item>) -> ServiceError {
    let error = ErrorKind::ConditionalCheckFailedException.because("The conditional request failed");
    match before {
        Some(item) if write.item_on_failure => error.with(Details::Item(item.clone())),
        _ => error,
    }
}

fn shown(write: &Write, before: Option<&Item>, after: Option<&Item>) -> Option<Item> {
    let updated = |item: Option<&Item>| {
        let Effect::Update(_, update) = &write.effect else { return None };
        item.map(|item| project(item, &update.paths())).filter(|item| !item.is_empty())
    };
    match write.return_values {
        ReturnValues::None => None,
        ReturnValues::AllOld => before.cloned(),
        ReturnValues::AllNew => after.cloned(),
        ReturnValues::UpdatedOld => updated(before),
        ReturnValues::UpdatedNew => updated(after),
    }
}

/// Refuses an item that is too large to be put.
pub(super) fn check_size(effect: &Effect) -> Result<(), ServiceError> {
    match effect {
        Effect::Put(item) if item_bytes(item) > MAX_ITEM_BYTES => Err(too_large()),
        _ => Ok(()),
    }
}

fn too_large() -> ServiceError {
    ServiceError::validation("Item size has exceeded the maximum allowed size")
}
