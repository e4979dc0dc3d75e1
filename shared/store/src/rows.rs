//! The source's rows: `Source` `ROW#<table>#<key>` / `ROW`. The revision counts the changes of a row.
//!
//! A row is its primary key. What is stored of it is the business of the decoder, whose form describes itself: it is kept
//! as JSON, and this module does not read it.

use std::collections::BTreeMap;

use domain::RowKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::unreadable;
use crate::engine::{Answer, Engine, StoreError};
use crate::item::{Condition, Item, Key, Table, Write};

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
    Key::new(Table::Source, format!("ROW#{}#{row}", table.name()), SORT)
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
                let row = serde_json::from_slice(&item.body)
                    .map_err(|error| unreadable(item, error.to_string()))?;
                Ok((name, StoredRow { row, revision: item.revision }))
            })
            .collect()
    })
}

/// Returns the row that an item holds, for tools that scan the table; `None` where it holds something else.
pub fn row_of<T: DeserializeOwned>(
    item: &Item,
) -> Result<Option<(RowTable, RowKey, StoredRow<T>)>, StoreError> {
    let tables = [RowTable::Users, RowTable::Referrals, RowTable::Adoptions];
    let name = item.key.partition.strip_prefix("ROW#").and_then(|name| {
        let of = |table: RowTable| Some((table, name.strip_prefix(table.name())?.strip_prefix('#')?));
        tables.into_iter().find_map(of)
    });
    let Some((table, key)) = name else { return Ok(None) };
    let row = serde_json::from_slice(&item.body).map_err(|error| unreadable(item, error.to_string()))?;
    Ok(Some((table, RowKey::new(key), StoredRow { row, revision: item.revision })))
}

/// Returns the write that puts a row in the place of its state at `before`; 0 where there was none.
#[must_use]
pub fn put<T: Serialize>(table: RowTable, name: &RowKey, row: &T, before: u64) -> Write {
    let condition = if before == 0 { Condition::Absent } else { Condition::Revision(before) };
    let body = serde_json::to_vec(row).expect("what is kept of a row can be written as JSON");
    Write::put(Item::new(key(table, name), before + 1, body), condition)
}
