//! Writes of one item.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use store::{Change, Condition, Item, Key, StoreError, Write, Written};

use super::attributes::{self, Attributes, number, of_item, of_key};
use super::{DynamoEngine, unavailable_or_refused};
use crate::aws::call::{Attempts, Failure, SMALL};

pub(super) async fn write(engine: &DynamoEngine, write: Write) -> Result<Written, StoreError> {
    write_again(engine, write, Attempts::new()).await
}

/// Writes an item, after attempts that failed.
pub(super) async fn write_again(
    engine: &DynamoEngine,
    write: Write,
    mut attempts: Attempts,
) -> Result<Written, StoreError> {
    write.check_size()?;
    loop {
        let failure = match attempt(engine, &write, &mut attempts).await? {
            Attempt::Done => return Ok(Written::Done),
            Attempt::ConditionFailed(present) => {
                return Ok(condition_failed(&write, present, attempts.may_have_taken_effect));
            }
            Attempt::Failed(failure) => failure,
        };
        attempts.again(engine.clock.as_ref(), failure).await.map_err(unavailable_or_refused)?;
    }
}

/// Returns what became of a write whose condition did not hold.
///
/// If an earlier attempt may have taken effect, and the item that is there is the one of this write, then it did.
fn condition_failed(write: &Write, present: Option<Item>, may_have_taken_effect: bool) -> Written {
    let intended = match &write.change {
        Change::Put(item) => Some(item),
        Change::Delete(_) => None,
    };
    if may_have_taken_effect && present.as_ref() == intended {
        return Written::Done;
    }
    Written::ConditionFailed(present)
}

enum Attempt {
    Done,
    ConditionFailed(Option<Item>),
    Failed(Failure),
}

async fn attempt(
    engine: &DynamoEngine,
    write: &Write,
    attempts: &mut Attempts,
) -> Result<Attempt, StoreError> {
    let name = engine.names.name(write.key().table);
    let (condition, values) = expression(write.condition);
    let old_item = ReturnValuesOnConditionCheckFailure::AllOld;
    let clock = engine.clock.as_ref();
    let present = match &write.change {
        Change::Put(item) => {
            let call = engine
                .client
                .put_item()
                .table_name(name)
                .set_item(Some(of_item(item.clone())))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(old_item)
                .send();
            match attempts.make(clock, SMALL, call).await {
                Ok(_) => return Ok(Attempt::Done),
                Err(attempted) => match attempted.service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(exception)) => exception.item.clone(),
                    _ => return Ok(Attempt::Failed(attempted.failure())),
                },
            }
        }
        Change::Delete(key) => {
            let call = engine
                .client
                .delete_item()
                .table_name(name)
                .set_key(Some(of_key(key)))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(old_item)
                .send();
            match attempts.make(clock, SMALL, call).await {
                Ok(_) => return Ok(Attempt::Done),
                Err(attempted) => match attempted.service_error() {
                    Some(DeleteItemError::ConditionalCheckFailedException(exception)) => {
                        exception.item.clone()
                    }
                    _ => return Ok(Attempt::Failed(attempted.failure())),
                },
            }
        }
    };
    Ok(Attempt::ConditionFailed(present_item(write.key(), present)?))
}

/// Returns the item that an answer shows to stand at `key`.
pub(super) fn present_item(key: &Key, present: Option<Attributes>) -> Result<Option<Item>, StoreError> {
    present.filter(|item| !item.is_empty()).map(|item| attributes::item(key.table, item)).transpose()
}

fn expression(condition: Condition) -> (Option<String>, Option<Attributes>) {
    let (text, revision) = match condition {
        Condition::None => return (None, None),
        Condition::Absent => return (Some("attribute_not_exists(pk)".to_owned()), None),
        Condition::Revision(revision) => ("r = :r", revision),
        Condition::Below(revision) => ("attribute_not_exists(pk) OR r < :r", revision),
    };
    (Some(text.to_owned()), Some(Attributes::from([(":r".to_owned(), number(revision))])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_done_if_it_may_have_been_and_what_it_put_stands_there() {
        let item = |revision| Item::new(Key::new(store::Table::Log, "LOG", "1"), revision, vec![1]);
        let put = Write::put(item(2), Condition::Absent);
        assert_eq!(condition_failed(&put, Some(item(2)), true), Written::Done);
        let failed = Written::ConditionFailed(Some(item(2)));
        assert_eq!(condition_failed(&put, Some(item(2)), false), failed, "another put the same");
        let other = Written::ConditionFailed(Some(item(3)));
        assert_eq!(condition_failed(&put, Some(item(3)), true), other);
        let delete = Write::delete(item(2).key, Condition::Revision(2));
        assert_eq!(condition_failed(&delete, None, true), Written::Done);
        assert_eq!(condition_failed(&delete, None, false), Written::ConditionFailed(None));
    }
}
