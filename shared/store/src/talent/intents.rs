//! Intents: which accounts an invocation is about to write.
//!
//! An intent is stored before the first of its writes, and removed when a look after the last of them found nothing
//! more to do. The intent of an invocation that ended between two writes stays, so that the schedule finds all accounts
//! of which some may have been written and others not.

use std::collections::BTreeSet;

use domain::AccountSequence;
use serde::{Deserialize, Serialize};

use super::record::TalentCause;
use super::shards::TalentShards;
use crate::codec::{decode, encode, unreadable};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write};
use crate::shard::Shard;

/// An intent names at most this many accounts, so that it fits into an item.
pub const INTENT_ACCOUNTS_MAX: usize = 1_000;

/// Which accounts an invocation is about to write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Intent {
    /// Tells the intent from every other one.
    pub number: u64,
    /// The accounts that it looked at or is about to write.
    pub accounts: BTreeSet<AccountSequence>,
    /// When the invocation ends at the latest, in milliseconds since 1970.
    pub until_ms: i64,
    /// What brought the writes about.
    pub cause: TalentCause,
}

#[derive(Serialize, Deserialize)]
struct StoredIntent {
    accounts: BTreeSet<AccountSequence>,
    until_ms: i64,
    cause: TalentCause,
}

fn partition(shard: Shard) -> String {
    format!("TALENT_INTENTS#{shard}")
}

fn key(number: u64, shards: TalentShards) -> Key {
    let sort = format!("{number:020}");
    Key::new(Table::Ledger, partition(shards.of(&sort)), sort)
}

fn decode_intent(item: &Item) -> Result<Intent, StoreError> {
    let number = item.key.sort.parse();
    let number = number.map_err(|_| unreadable(item, "its sort key is not a number".to_owned()))?;
    let StoredIntent { accounts, until_ms, cause } = decode(item)?;
    Ok(Intent { number, accounts, until_ms, cause })
}

/// Returns the write that stores an intent.
#[must_use]
pub fn put_intent(intent: &Intent, shards: TalentShards) -> Write {
    let Intent { accounts, until_ms, cause, .. } = intent.clone();
    let stored = StoredIntent { accounts, until_ms, cause };
    Write::put(Item::new(key(intent.number, shards), 1, encode(&stored)), Condition::None)
}

/// Returns the write that removes an intent.
#[must_use]
pub fn remove_intent(intent: &Intent, shards: TalentShards) -> Write {
    Write::delete(key(intent.number, shards), Condition::None)
}

/// Returns intents, at most `limit` of each shard.
pub fn intents(
    engine: &dyn Engine,
    shards: TalentShards,
    limit: usize,
) -> BoxFuture<'_, Result<Vec<Intent>, StoreError>> {
    Box::pin(async move {
        let page = |shard| engine.query(Query { limit, ..Query::partition(Table::Ledger, partition(shard)) });
        let pages = futures::future::try_join_all(shards.all().map(page)).await?;
        pages.iter().flat_map(|page| &page.items).map(decode_intent).collect()
    })
}
