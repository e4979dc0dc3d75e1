//! What the business day needs to find in the log: which pages concern a date, and where dates were closed.
//!
//! | what | key in `Ledger` |
//! |---|---|
//! | pages on whose legs something becomes active on a date | `ACTIVATION#<date>` / `HEAD` |
//! | pages on whose legs something ends on a date | `EXPIRY#<date>` / `HEAD` |
//! | earlier pages of either, a thousand ranges each | the same / `CHUNK#<number>` |
//! | closes, by date; [`books`](crate::books) need them as well, and so their projection lists them, too | `CLOSES` / `<date>` |
//! | versions of the rules but the first, by number | `VERSIONS` / `<number>` |
//!
//! The revision of a head is the position of the last page it names. [`project`] keeps all of it; how far it is says
//! the mark of [`Projection::Dates`](crate::marks::Projection::Dates).

mod projection;

use std::collections::BTreeMap;

use domain::heads::Closes;
use domain::log::Position;
use domain::snapshot::{PageRanges, Turn};
use domain::{BusinessDate, VersionTerms, Versions};
use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode, unreadable};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write};

pub use projection::{Projected, project};

const HEAD: &str = "HEAD";
const CLOSES: &str = "CLOSES";
const VERSIONS: &str = "VERSIONS";

/// The close of a date, as far as it is needed to find its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateClose {
    /// The date.
    pub date: BusinessDate,
    /// The page whose last entry closes it.
    pub position: Position,
    /// The page's time, in milliseconds since 1970.
    pub time_ms: i64,
}

/// The pages that concern a date in one way: those that are not in chunks, and how many chunks come before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct IndexHead {
    chunks: u32,
    pages: PageRanges,
}

/// One of the two indexes, and a date of it.
type IndexName = (Turn, BusinessDate);

fn index_partition((turn, date): IndexName) -> String {
    match turn {
        Turn::Begins => format!("ACTIVATION#{date}"),
        Turn::Ends => format!("EXPIRY#{date}"),
    }
}

fn head_key(name: IndexName) -> Key {
    Key::new(Table::Ledger, index_partition(name), HEAD)
}

fn chunk_key(name: IndexName, number: u32) -> Key {
    Key::new(Table::Ledger, index_partition(name), format!("CHUNK#{number:08}"))
}

/// Returns the pages on whose legs something becomes active or ends on `date`, in order, each once.
///
/// Pages after the mark of [`Projection::Dates`](crate::marks::Projection::Dates), as read before, may be missing.
pub fn pages_of(engine: &dyn Engine, date: BusinessDate) -> BoxFuture<'_, Result<Vec<Position>, StoreError>> {
    Box::pin(async move {
        let mut pages = Vec::new();
        let mut chunks = Vec::new();
        for (name, (head, _)) in heads(engine, [(Turn::Begins, date), (Turn::Ends, date)].to_vec()).await? {
            pages.extend(head.pages.positions());
            chunks.extend((0..head.chunks).map(|number| chunk_key(name, number)));
        }
        if !chunks.is_empty() {
            let expected = chunks.len();
            let items = engine.get_many(chunks).await?;
            if let (Some(item), true) = (items.first(), items.len() != expected) {
                return Err(unreadable(item, "other chunks of its index are missing".to_owned()));
            }
            for item in items {
                pages.extend(decode::<PageRanges>(&item)?.positions());
            }
        }
        pages.sort_unstable();
        pages.dedup();
        Ok(pages)
    })
}

/// Returns the heads of these indexes with their revisions; empty ones of revision 0 where there is none.
async fn heads(
    engine: &dyn Engine,
    names: Vec<IndexName>,
) -> Result<BTreeMap<IndexName, (IndexHead, Position)>, StoreError> {
    let keys: BTreeMap<Key, IndexName> = names.iter().map(|name| (head_key(*name), *name)).collect();
    let mut heads: BTreeMap<IndexName, (IndexHead, Position)> =
        names.into_iter().map(|name| (name, (IndexHead::default(), 0))).collect();
    for item in engine.get_many(keys.keys().cloned().collect()).await? {
        let name = *keys.get(&item.key).expect("the engine answers what it was asked");
        heads.insert(name, (decode(&item)?, item.revision));
    }
    Ok(heads)
}

/// Returns the first closes of dates after `after`, in order, at most `limit`.
pub fn closes_after(
    engine: &dyn Engine,
    after: Option<BusinessDate>,
    limit: usize,
) -> BoxFuture<'_, Result<Vec<DateClose>, StoreError>> {
    let after = after.map(|date| date.to_string());
    let query = Query { after, limit, ..Query::partition(Table::Ledger, CLOSES) };
    Box::pin(async move { engine.query(query).await?.items.iter().map(decode).collect() })
}

/// Returns the closes of the dates from `first` to `last`, in order.
pub fn closes_between(
    engine: &dyn Engine,
    first: BusinessDate,
    last: BusinessDate,
) -> BoxFuture<'_, Result<Vec<DateClose>, StoreError>> {
    let (from, to) = (Some(first.to_string()), Some(last.to_string()));
    let query = Query { from, to, ..Query::partition(Table::Ledger, CLOSES) };
    Box::pin(all_closes(engine, query))
}

/// Returns every close that is listed.
pub fn closes(engine: &dyn Engine) -> BoxFuture<'_, Result<Closes, StoreError>> {
    Box::pin(async move {
        let mut closes = Closes::default();
        for close in all_closes(engine, Query::partition(Table::Ledger, CLOSES)).await? {
            closes.insert(close.position, close.date);
        }
        Ok(closes)
    })
}

async fn all_closes(engine: &dyn Engine, mut query: Query) -> Result<Vec<DateClose>, StoreError> {
    let mut closes = Vec::new();
    loop {
        let page = engine.query(query.clone()).await?;
        for item in &page.items {
            closes.push(decode(item)?);
        }
        match page.next {
            Some(next) => query.after = Some(next.sort),
            None => return Ok(closes),
        }
    }
}

/// Returns the close of the latest date, if any date was closed.
pub fn latest_close(engine: &dyn Engine) -> BoxFuture<'_, Result<Option<DateClose>, StoreError>> {
    let query = Query { descending: true, limit: 1, ..Query::partition(Table::Ledger, CLOSES) };
    Box::pin(async move { engine.query(query).await?.items.first().map(decode).transpose() })
}

/// The versions of the rules that stand in the projected log, each with the page that introduced it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownVersions {
    first: Versions,
    later: Vec<(Position, VersionTerms)>,
}

impl KnownVersions {
    /// Returns the versions that the log has up to `position`.
    #[must_use]
    pub fn up_to(&self, position: Position) -> Versions {
        let mut versions = self.first.clone();
        for (_, terms) in self.later.iter().filter(|(introduced, _)| *introduced <= position) {
            versions.introduce(terms.clone()).expect("each was introduced by the log, in this order");
        }
        versions
    }

    /// Returns all of them.
    #[must_use]
    pub fn all(&self) -> Versions {
        self.up_to(Position::MAX)
    }
}

/// Returns the versions of the rules that stand in the projected log; `first` has version 1.
pub fn versions(engine: &dyn Engine, first: Versions) -> BoxFuture<'_, Result<KnownVersions, StoreError>> {
    Box::pin(async move {
        let page = engine.query(Query::partition(Table::Ledger, VERSIONS)).await?;
        let later = page.items.iter().map(|item| Ok((item.revision, decode(item)?)));
        let known = KnownVersions { first, later: later.collect::<Result<_, StoreError>>()? };
        Ok(known)
    })
}

/// Returns the write that lists a close. Repeating it changes nothing: a date is closed once.
#[must_use]
pub fn put_close(close: &DateClose) -> Write {
    let key = Key::new(Table::Ledger, CLOSES, close.date.to_string());
    Write::put(Item::new(key, close.position, encode(close)), Condition::None)
}

/// Returns the write that lists a version of the rules. Repeating it changes nothing: a version is introduced once.
fn put_version(terms: &VersionTerms, position: Position) -> Write {
    let key = Key::new(Table::Ledger, VERSIONS, format!("{:010}", terms.number));
    Write::put(Item::new(key, position, encode(terms)), Condition::None)
}
