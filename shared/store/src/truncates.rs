//! Tables that the source truncated: `Source` `TRUNCATES` / `<key>`, and how far their rows were checked.
//!
//! A truncate waits until an operator lets it go. From then on every row that is stored is deleted by it if it is
//! older, and the rows that were there before are checked part by part.

use domain::log::PageHash;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::unreadable;
use crate::engine::{Answer, BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write, Written};

const PARTITION: &str = "TRUNCATES";
/// How many characters of a record's hash its key has.
const HASH_CHARACTERS: usize = 8;

/// A table that the source truncated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTruncate<T> {
    /// Where it stands in the source; it is let go under this key.
    pub key: String,
    /// What the decoder made of it.
    pub truncate: T,
    /// Since when stored rows are deleted by it, in milliseconds since 1970; `None` while it waits.
    pub in_force_ms: Option<i64>,
    /// How far the rows that were there before were checked.
    pub sweep: Sweep,
    revision: u64,
}

/// How far the rows of a truncated table were checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sweep {
    /// Up to this key of the table `Source`, partition and sort key; `None` before the first.
    At(Option<(String, String)>),
    /// All of them.
    Done,
}

#[derive(Serialize, Deserialize)]
struct Body<T> {
    truncate: T,
    in_force_ms: Option<i64>,
    sweep: Sweep,
}

/// Returns the key of the truncate that a record with this hash tells of.
///
/// The hash is part of it: in a topic that was made anew another truncate may have the same offset, and takes no other's place.
#[must_use]
pub fn key(topic: &str, partition: i32, offset: i64, hash: &PageHash) -> String {
    let hash: String = hash.to_string().chars().take(HASH_CHARACTERS).collect();
    format!("{topic}-{partition}-{offset}-{hash}")
}

/// Stores a truncate, unless it is stored already. Returns whether it is new.
pub fn put<'a, T: Serialize>(
    engine: &'a dyn Engine,
    key: &str,
    truncate: &T,
) -> BoxFuture<'a, Result<bool, StoreError>> {
    let item = item(key, 1, &Body { truncate, in_force_ms: None, sweep: Sweep::At(None) });
    Box::pin(
        async move { Ok(matches!(engine.write(Write::put(item, Condition::Absent)).await?, Written::Done)) },
    )
}

/// Returns every truncate that is stored.
pub fn read<T: DeserializeOwned + Send>(engine: &dyn Engine) -> Answer<'_, Vec<StoredTruncate<T>>> {
    Box::pin(async move {
        let mut query = Query::partition(Table::Source, PARTITION);
        let mut all = Vec::new();
        loop {
            let page = engine.query(query.clone()).await?;
            for item in page.items {
                let body: Body<T> = serde_json::from_slice(&item.body)
                    .map_err(|error| unreadable(&item, error.to_string()))?;
                let Body { truncate, in_force_ms, sweep } = body;
                let (key, revision) = (item.key.sort, item.revision);
                all.push(StoredTruncate { key, truncate, in_force_ms, sweep, revision });
            }
            match page.next {
                Some(next) => query.after = Some(next.sort),
                None => return Ok(all),
            }
        }
    })
}

/// Stores how far it has come. Returns whether it still was as it was read.
pub fn advance<'a, T: Serialize>(
    engine: &'a dyn Engine,
    stored: &StoredTruncate<T>,
) -> BoxFuture<'a, Result<bool, StoreError>> {
    let StoredTruncate { key, truncate, in_force_ms, sweep, revision } = stored;
    let body = Body { truncate, in_force_ms: *in_force_ms, sweep: sweep.clone() };
    let write = Write::put(item(key, revision + 1, &body), Condition::Revision(*revision));
    Box::pin(async move { Ok(matches!(engine.write(write).await?, Written::Done)) })
}

fn item<T: Serialize>(key: &str, revision: u64, body: &Body<T>) -> Item {
    let body = serde_json::to_vec(body).expect("a truncate can be written as JSON");
    Item::new(Key::new(Table::Source, PARTITION, key), revision, body)
}
