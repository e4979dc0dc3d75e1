//! What was refused: `Source` `QUARANTINE` and `QUARANTINE_BYTES` / `<source>#<topic>#<partition>#<offset>#<hash>`.
//!
//! The bytes expire; the listing, with a hash of the bytes, stays. The hash is part of the key: in a topic that was
//! made anew another record may have the same offset, and takes no other's place.

use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode};
use crate::engine::{Answer, Engine};
use crate::item::{Condition, Item, Key, Query, Table, Write};
use crate::progress::PartitionName;

/// How long refused bytes are kept.
const BYTES_KEPT_S: i64 = 90 * 86_400;

/// A record that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Its partition.
    pub name: PartitionName,
    /// Its offset.
    pub offset: i64,
    /// Why, as a stable code.
    pub code: String,
    /// Why, in words, without any value of the row.
    pub message: String,
    /// The order it names, where the bytes allow it.
    pub order: Option<String>,
    /// The account it names, where the bytes allow it.
    pub account: Option<String>,
    /// The SHA-256 of its key and value, hexadecimal.
    pub hash: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// When it was refused, in milliseconds since 1970.
    pub refused_at_ms: i64,
}

/// The bytes of a record that was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedBytes {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

const PARTITION: &str = "QUARANTINE";

/// How many characters of a record's hash its key has.
const HASH_CHARACTERS: usize = 16;

fn place(name: &PartitionName, offset: i64) -> String {
    format!("{}#{}#{:06}#{offset:020}", name.source, name.topic, name.partition)
}

fn sort(record: &Quarantined) -> String {
    let hash: String = record.hash.chars().take(HASH_CHARACTERS).collect();
    format!("{}#{hash}", place(&record.name, record.offset))
}

fn bytes_key(record: &Quarantined) -> Key {
    Key::new(Table::Source, "QUARANTINE_BYTES", sort(record))
}

/// An item may have 400 KB; what is longer is cut.
const BYTES_MAX: usize = 150_000;

/// Returns the writes that keep a refused record and its bytes. Repeating them changes nothing.
#[must_use]
pub fn put(record: &Quarantined, mut bytes: RefusedBytes) -> Vec<Write> {
    for part in [&mut bytes.key, &mut bytes.value].into_iter().flatten() {
        part.truncate(BYTES_MAX);
    }
    let mut kept = Item::new(bytes_key(record), 1, encode(&bytes));
    kept.expires_at_s = Some(record.refused_at_ms / 1_000 + BYTES_KEPT_S);
    vec![Write::put(kept, Condition::None), list(record)]
}

/// Returns the write that lists a record without keeping its bytes.
#[must_use]
pub fn list(record: &Quarantined) -> Write {
    let key = Key::new(Table::Source, PARTITION, sort(record));
    Write::put(Item::new(key, 1, encode(record)), Condition::None)
}

/// Returns the write that purges the bytes of a refused record. Its listing stays.
#[must_use]
pub fn purge(record: &Quarantined) -> Write {
    Write::delete(bytes_key(record), Condition::None)
}

/// Returns refused records after `after`, at most `limit`, and the cursor of the next page.
pub fn read(
    engine: &dyn Engine,
    after: Option<String>,
    limit: usize,
) -> Answer<'_, (Vec<Quarantined>, Option<String>)> {
    Box::pin(async move {
        let query = Query { after, limit, ..Query::partition(Table::Source, PARTITION) };
        let page = engine.query(query).await?;
        let records = page.items.iter().map(decode).collect::<Result<_, _>>()?;
        Ok((records, page.next.map(|next| next.sort)))
    })
}

/// Returns the records that were refused at a place: one, or several where its topic was made anew.
pub fn at<'a>(engine: &'a dyn Engine, name: &PartitionName, offset: i64) -> Answer<'a, Vec<Quarantined>> {
    let from = place(name, offset);
    // No hash has a character from here on.
    let to = format!("{from}~");
    let query = Query { from: Some(from), to: Some(to), ..Query::partition(Table::Source, PARTITION) };
    Box::pin(async move { engine.query(query).await?.items.iter().map(decode).collect() })
}

/// Returns the bytes of a refused record, while they are kept.
pub fn bytes<'a>(engine: &'a dyn Engine, record: &Quarantined) -> Answer<'a, Option<RefusedBytes>> {
    let key = bytes_key(record);
    Box::pin(async move { engine.get(key).await?.as_ref().map(decode).transpose() })
}
