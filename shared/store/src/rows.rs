//! The source's rows: `Source` `ROW#<table>#<key>` / `ROW`. The revision counts the changes of a row.
//!
//! A row is its primary key. What is stored of it is the business of the decoder, whose form describes itself: it is
//! kept as JSON, and this module does not read it.

use std::collections::BTreeMap;

use domain::RowKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::unreadable;
use crate::engine::{Answer, Engine, StoreError};
use crate::item::{Condition, Item, Key, Segment, Table, Write};

const SORT: &str = "ROW";

/// One of the source's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RowTable {
    /// Users.
    Users,
    /// Referrals.
    Referrals,
    /// Adoptions.
    Adoptions,
}

impl RowTable {
    /// Every table.
    pub const ALL: [Self; 3] = [Self::Users, Self::Referrals, Self::Adoptions];

    /// Returns the table's name in keys and on every wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "USER",
            Self::Referrals => "REFERRAL",
            Self::Adoptions => "ADOPTION",
        }
    }
}

/// A row as stored, with its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow<T> {
    /// What is known of it.
    pub row: T,
    /// How often it changed.
    pub revision: u64,
}

fn key(table: RowTable, row: &RowKey) -> Key {
    Key::new(Table::Source, format!("ROW#{}#{}/{}", table.name(), row.table(), row.primary_key()), SORT)
}

/// Returns the stored rows with these keys; those without one are left out.
pub fn read<T: DeserializeOwned + Send>(
    engine: &dyn Engine,
    rows: Vec<(RowTable, RowKey)>,
) -> Answer<'_, BTreeMap<(RowTable, RowKey), StoredRow<T>>> {
    Box::pin(async move {
        let keys: BTreeMap<Key, (RowTable, RowKey)> =
            rows.into_iter().map(|(table, row)| (key(table, &row), (table, row))).collect();
        let items = engine.get_many(keys.keys().cloned().collect()).await?;
        items
            .iter()
            .map(|item| {
                let name = keys.get(&item.key).expect("the engine answers what it was asked").clone();
                Ok((name, decode_row(item)?))
            })
            .collect()
    })
}

/// Rows of a page of the table, each with its table and key.
pub type ScannedRows<T> = Vec<((RowTable, RowKey), StoredRow<T>)>;

/// Returns the rows in a page of one part of the table, and where the next page starts.
pub fn scan<T: DeserializeOwned + Send>(
    engine: &dyn Engine,
    segment: Segment,
    start: Option<Key>,
) -> Answer<'_, (ScannedRows<T>, Option<Key>)> {
    Box::pin(async move {
        let page = engine.scan(Table::Source, segment, start).await?;
        let rows = page.items.iter().filter_map(|item| row_of(item).transpose());
        Ok((rows.collect::<Result<_, StoreError>>()?, page.next))
    })
}

/// Returns the row that an item holds, with its table and key: for tools that look at the table.
pub fn row_of<T: DeserializeOwned>(
    item: &Item,
) -> Result<Option<((RowTable, RowKey), StoredRow<T>)>, StoreError> {
    name_of(&item.key).map(|name| Ok((name, decode_row(item)?))).transpose()
}

fn decode_row<T: DeserializeOwned>(item: &Item) -> Result<StoredRow<T>, StoreError> {
    let row = serde_json::from_slice(&item.body).map_err(|error| unreadable(item, error.to_string()))?;
    Ok(StoredRow { row, revision: item.revision })
}

/// Returns the table and the key of the row that is kept at `key`, unless another kind of item is.
fn name_of(key: &Key) -> Option<(RowTable, RowKey)> {
    let (table, row) = key.partition.strip_prefix("ROW#")?.split_once('#')?;
    let table = RowTable::ALL.into_iter().find(|known| known.name() == table)?;
    // No topic has a slash in its name.
    let (topic, primary_key) = row.split_once('/')?;
    Some((table, RowKey::in_table(primary_key, topic)))
}

/// Returns the write that puts a row in the place of its state at `before`; 0 where there was none.
#[must_use]
pub fn put<T: Serialize>(table: RowTable, name: &RowKey, row: &T, before: u64) -> Write {
    let condition = if before == 0 { Condition::Absent } else { Condition::Revision(before) };
    let body = serde_json::to_vec(row).expect("what is kept of a row can be written as JSON");
    Write::put(Item::new(key(table, name), before + 1, body), condition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_an_item_names_the_row_that_it_was_made_for() {
        for primary_key in ["55", "a/b", "7#x", r#"["7","x"]"#] {
            let row = RowKey::in_table(primary_key, "dbserver1.rwa_planting.planting_orders");
            assert_eq!(name_of(&key(RowTable::Adoptions, &row)), Some((RowTable::Adoptions, row)));
        }
    }
}
