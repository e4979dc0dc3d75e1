//! Marks, `TALENT_MARKS#<shard>`: from which accounts changes have still to be propagated.
//!
//! Every change raises a mark under a revision that nothing else has. A mark is taken away only by that revision, so
//! that a mark which was raised again meanwhile stays. It is not a lock: any number may work from one mark at once.

use domain::AccountSequence;
use serde::{Deserialize, Serialize};

use super::record::TalentCause;
use super::shards::TalentShards;
use crate::codec::{decode, encode, unreadable};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write};
use crate::shard::Shard;

/// What is to be done from an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MarkKind {
    /// Compare its level and its report with what stands, and go on above.
    Report,
    /// The same, after the rings above it were looked for.
    Rings,
    /// The same, after its user's row was read.
    User,
}

impl MarkKind {
    const ALL: [Self; 3] = [Self::Report, Self::Rings, Self::User];

    fn name(self) -> &'static str {
        match self {
            Self::Report => "REPORT",
            Self::Rings => "RINGS",
            Self::User => "USER",
        }
    }
}

/// A mark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The account.
    pub account: AccountSequence,
    /// What is to be done.
    pub kind: MarkKind,
    /// What raised it, by a number that nothing else has.
    pub raised_by: u64,
    /// What brought it about.
    pub cause: TalentCause,
}

fn partition(shard: Shard) -> String {
    format!("TALENT_MARKS#{shard}")
}

fn key(account: &AccountSequence, kind: MarkKind, shards: TalentShards) -> Key {
    let shard = shards.of(account.as_str());
    Key::new(Table::Ledger, partition(shard), format!("{account}#{}", kind.name()))
}

fn decode_mark(item: &Item) -> Result<Mark, StoreError> {
    let wrong = || unreadable(item, "its sort key is not an account and a kind".to_owned());
    let (account, kind) = item.key.sort.split_once('#').ok_or_else(wrong)?;
    Ok(Mark {
        account: account.parse().map_err(|_| wrong())?,
        kind: MarkKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(wrong)?,
        raised_by: item.revision,
        cause: decode(item)?,
    })
}

/// Raises marks.
pub fn raise(
    engine: &dyn Engine,
    shards: TalentShards,
    marks: Vec<Mark>,
) -> BoxFuture<'_, Result<(), StoreError>> {
    let put = move |mark: Mark| {
        let item = Item::new(key(&mark.account, mark.kind, shards), mark.raised_by, encode(&mark.cause));
        Write::put(item, Condition::None)
    };
    Box::pin(async move {
        let written = engine.write_many(marks.into_iter().map(put).collect()).await;
        written.into_iter().try_for_each(|written| written.map(|_| ()))
    })
}

/// Takes marks away that were not raised again since they were read.
pub fn clear(
    engine: &dyn Engine,
    shards: TalentShards,
    marks: Vec<Mark>,
) -> BoxFuture<'_, Result<(), StoreError>> {
    let delete = move |mark: Mark| {
        Write::delete(key(&mark.account, mark.kind, shards), Condition::Revision(mark.raised_by))
    };
    Box::pin(async move {
        let written = engine.write_many(marks.into_iter().map(delete).collect()).await;
        written.into_iter().try_for_each(|written| written.map(|_| ()))
    })
}

/// Returns the marks that are raised on these accounts.
pub fn raised_on<'a>(
    engine: &'a dyn Engine,
    shards: TalentShards,
    accounts: &[AccountSequence],
) -> BoxFuture<'a, Result<Vec<Mark>, StoreError>> {
    let of_all_kinds = |account| MarkKind::ALL.map(|kind| key(account, kind, shards));
    let keys = accounts.iter().flat_map(of_all_kinds).collect();
    Box::pin(async move { engine.get_many(keys).await?.iter().map(decode_mark).collect() })
}

/// Returns marks that are raised, at most `limit` of each shard.
pub fn raised(
    engine: &dyn Engine,
    shards: TalentShards,
    limit: usize,
) -> BoxFuture<'_, Result<Vec<Mark>, StoreError>> {
    Box::pin(async move {
        let page = |shard| engine.query(Query { limit, ..Query::partition(Table::Ledger, partition(shard)) });
        let pages = futures::future::try_join_all(shards.all().map(page)).await?;
        pages.iter().flat_map(|page| &page.items).map(decode_mark).collect()
    })
}
