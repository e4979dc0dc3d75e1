//! The pages of the log: `Log` `LOG#<position>` / `PAGE`, each in a partition of its own.

use domain::log::{Page, Position};

use crate::codec::{compress, decompress, unreadable};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Table, Write, Written};

const SORT: &str = "PAGE";

fn key(position: Position) -> Key {
    Key::new(Table::Log, format!("LOG#{position:012}"), SORT)
}

/// Returns the position of the page at a key of the log's table, if it is one.
#[must_use]
pub fn position_of(key: &Key) -> Option<Position> {
    (key.table == Table::Log).then(|| key.partition.strip_prefix("LOG#")?.parse().ok()).flatten()
}

/// Returns the page that an item holds: for tools that look at the table.
pub fn page_of(item: &Item) -> Result<Option<Page>, StoreError> {
    if position_of(&item.key).is_none() {
        return Ok(None);
    }
    let page = Page::decode(&decompress(item)?).map_err(|error| unreadable(item, error.to_string()))?;
    Ok(Some(page))
}

/// Returns the item that holds a page.
#[must_use]
pub fn item_of(page: &Page) -> Item {
    Item::new(key(page.position), 1, compress(&page.encode()))
}

/// Returns the error of a page that has to be there and is not, or does not follow the one before.
#[must_use]
pub fn missing(position: Position) -> StoreError {
    let message = "the page that belongs here is missing, or does not follow the one before".to_owned();
    StoreError::Unreadable { key: Box::new(key(position)), message }
}

/// Puts a page on condition that its number is free. This is the one write that decides.
pub fn put<'a>(engine: &'a dyn Engine, page: &Page) -> BoxFuture<'a, Result<Written, StoreError>> {
    engine.write(Write::put(item_of(page), Condition::Absent))
}

/// Returns the pages after `after`, in order and without gaps, at most `count`.
///
/// Mostly there is none, so the first one is asked for alone: asking for what is not there has its price.
pub fn read_after(
    engine: &dyn Engine,
    after: Position,
    count: u32,
) -> BoxFuture<'_, Result<Vec<Page>, StoreError>> {
    Box::pin(async move {
        let positions = |after: Position, count: u32| (after + 1..).take(count as usize);
        let mut pages = read(engine, positions(after, count.min(1))).await?;
        if !pages.is_empty() && count > 1 {
            pages.extend(read(engine, positions(after + 1, count - 1)).await?);
        }
        Ok(pages)
    })
}

/// How many pages are read at once by what reads a long part of the log.
const PAGES_READ: u32 = 128;

/// Takes each page after one position, up to another, in order. Returns the position of the last one: less than `until`
/// where the log ends before it or lacks a page.
///
/// # Errors
///
/// What storage says, and what `take` refuses.
pub async fn each_page<E: From<StoreError>>(
    engine: &dyn Engine,
    after: Position,
    until: Position,
    mut take: impl FnMut(Page) -> Result<(), E> + Send,
) -> Result<Position, E> {
    let mut read = after;
    while read < until {
        let count = PAGES_READ.min(u32::try_from(until - read).unwrap_or(PAGES_READ));
        let pages = read_after(engine, read, count).await?;
        let Some(last) = pages.last() else { break };
        read = last.position;
        pages.into_iter().try_for_each(&mut take)?;
    }
    Ok(read)
}

/// Returns the pages at these positions, in their order, up to the first that is missing.
pub fn read_at(
    engine: &dyn Engine,
    positions: Vec<Position>,
) -> BoxFuture<'_, Result<Vec<Page>, StoreError>> {
    Box::pin(async move { read(engine, positions).await })
}

async fn read(
    engine: &dyn Engine,
    positions: impl IntoIterator<Item = Position>,
) -> Result<Vec<Page>, StoreError> {
    let positions: Vec<Position> = positions.into_iter().collect();
    let items = engine.get_many(positions.iter().map(|position| key(*position)).collect()).await?;
    let mut pages = Vec::with_capacity(items.len());
    for item in items {
        pages.extend(page_of(&item)?);
    }
    pages.sort_by_key(|page| page.position);
    let mut wanted = positions;
    wanted.sort_unstable();
    let whole = pages.iter().zip(&wanted).take_while(|(page, wanted)| page.position == **wanted).count();
    pages.truncate(whole);
    Ok(pages)
}
