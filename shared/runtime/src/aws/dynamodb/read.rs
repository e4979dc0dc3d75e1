//! Reads items from DynamoDB, all of them strongly consistent.

use std::collections::HashMap;
use std::ops::Bound;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures::{StreamExt, TryStreamExt, stream};
use store::{Item, Key, Page, Query, Segment, StoreError, Table};

use super::attributes::{self, Attributes, of_key, text};
use super::{DynamoEngine, unavailable_or_refused};
use crate::aws::call::{Attempts, Failure, FailureKind, HUGE, LARGE, SMALL, repeat};

/// Keys in one batch (a limit of DynamoDB).
const BATCH_KEYS_MAX: usize = 100;
/// Batches under way at a time.
const BATCHES_MAX: usize = 8;

pub(super) async fn get(engine: &DynamoEngine, key: Key) -> Result<Option<Item>, StoreError> {
    let call = || {
        engine
            .client
            .get_item()
            .table_name(engine.names.name(key.table))
            .set_key(Some(of_key(&key)))
            .consistent_read(true)
            .send()
    };
    let answer = repeat(engine.clock.as_ref(), SMALL, call).await.map_err(unavailable_or_refused)?;
    answer.item.map(|item| attributes::item(key.table, item)).transpose()
}

pub(super) async fn get_many(engine: &DynamoEngine, mut keys: Vec<Key>) -> Result<Vec<Item>, StoreError> {
    keys.sort();
    keys.dedup();
    let batches: Vec<Vec<Key>> = keys.chunks(BATCH_KEYS_MAX).map(<[Key]>::to_vec).collect();
    let found: Vec<Vec<Item>> = stream::iter(batches)
        .map(|batch| get_batch(engine, batch))
        .buffer_unordered(BATCHES_MAX)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// Reads up to a hundred items, in as many calls as the service needs: one call gives at most 16 MB, and at
/// most 1 MB of a partition.
async fn get_batch(engine: &DynamoEngine, keys: Vec<Key>) -> Result<Vec<Item>, StoreError> {
    let clock = engine.clock.as_ref();
    let mut found = Vec::with_capacity(keys.len());
    let mut wanted = request(engine, &keys);
    let mut attempts = Attempts::new();
    while !wanted.is_empty() {
        let call = engine.client.batch_get_item().set_request_items(Some(wanted.clone())).send();
        let failure = match attempts.make(clock, HUGE, call).await {
            Ok(answer) => {
                let before = found.len();
                for (name, items) in answer.responses.unwrap_or_default() {
                    let table = engine.names.table(&name).expect("the answer is of tables that were asked");
                    for item in items {
                        found.push(attributes::item(table, item)?);
                    }
                }
                wanted = answer.unprocessed_keys.unwrap_or_default();
                if wanted.is_empty() || found.len() > before {
                    // What did not fit comes with the next call.
                    attempts = Attempts::new();
                    continue;
                }
                let message = "a batch of reads stayed unprocessed".to_owned();
                Failure { kind: FailureKind::NotNow, message }
            }
            Err(attempted) => attempted.failure(),
        };
        attempts.again(clock, failure).await.map_err(unavailable_or_refused)?;
    }
    Ok(found)
}

fn request(engine: &DynamoEngine, keys: &[Key]) -> HashMap<String, KeysAndAttributes> {
    let mut by_table: HashMap<Table, Vec<Attributes>> = HashMap::new();
    for key in keys {
        by_table.entry(key.table).or_default().push(of_key(key));
    }
    by_table
        .into_iter()
        .map(|(table, keys)| {
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            (engine.names.name(table).to_owned(), keys.expect("keys are all that must be there"))
        })
        .collect()
}

pub(super) async fn query(engine: &DynamoEngine, query: Query) -> Result<Page, StoreError> {
    let Some((low, high)) = query.bounds().filter(|_| query.limit > 0) else { return Ok(Page::default()) };
    // The service takes the end of an earlier page as a key, and only one that lies within the range.
    let start = match (low, high) {
        (Bound::Excluded(after), _) | (_, Bound::Excluded(after)) => {
            Some(of_key(&Key::new(query.table, &query.partition, after)))
        }
        _ => None,
    };
    let mut condition = "pk = :pk".to_owned();
    let mut values = Attributes::from([(":pk".to_owned(), text(&query.partition))]);
    let from = query.from.as_ref().filter(|from| !from.is_empty());
    condition.push_str(match (from, &query.to) {
        (Some(_), Some(_)) => " AND sk BETWEEN :from AND :to",
        (Some(_), None) => " AND sk >= :from",
        (None, Some(_)) => " AND sk <= :to",
        (None, None) => "",
    });
    for (name, sort) in [(":from", from), (":to", query.to.as_ref())] {
        if let Some(sort) = sort {
            values.insert(name.to_owned(), text(sort));
        }
    }
    let call = || {
        engine
            .client
            .query()
            .table_name(engine.names.name(query.table))
            .consistent_read(true)
            .scan_index_forward(!query.descending)
            .limit(i32::try_from(query.limit).unwrap_or(i32::MAX))
            .key_condition_expression(&condition)
            .set_expression_attribute_values(Some(values.clone()))
            .set_exclusive_start_key(start.clone())
            .send()
    };
    let answer = repeat(engine.clock.as_ref(), LARGE, call).await.map_err(unavailable_or_refused)?;
    page(query.table, answer.items, answer.last_evaluated_key)
}

pub(super) async fn scan(
    engine: &DynamoEngine,
    table: Table,
    segment: Segment,
    start: Option<Key>,
) -> Result<Page, StoreError> {
    let as_number = |count| i32::try_from(count).expect("a table has at most a million segments");
    let call = || {
        engine
            .client
            .scan()
            .table_name(engine.names.name(table))
            .consistent_read(true)
            .segment(as_number(segment.index))
            .total_segments(as_number(segment.count))
            .set_exclusive_start_key(start.as_ref().map(of_key))
            .send()
    };
    let answer = repeat(engine.clock.as_ref(), LARGE, call).await.map_err(unavailable_or_refused)?;
    page(table, answer.items, answer.last_evaluated_key)
}

fn page(table: Table, items: Option<Vec<Attributes>>, last: Option<Attributes>) -> Result<Page, StoreError> {
    Ok(Page {
        items: items
            .unwrap_or_default()
            .into_iter()
            .map(|item| attributes::item(table, item))
            .collect::<Result<_, _>>()?,
        next: last.map(|mut last| attributes::key(table, &mut last)).transpose()?,
    })
}
