//! How far each projection of the log is: `Ledger` `MARKS` / `<name>`, with the position as revision.

use std::collections::BTreeMap;

use domain::log::Position;

use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Query, Table, Write};
use crate::shard::Shard;

const PARTITION: &str = "MARKS";

/// A projection of the log, or a part of one, that goes through the pages by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Projection {
    /// Heads, lines and lists of one shard.
    Heads(Shard),
    /// The indexes of dates.
    Dates,
    /// Talent reports.
    Talent,
}

impl Projection {
    fn name(&self) -> String {
        match self {
            Self::Heads(shard) => format!("HEADS#{shard}"),
            Self::Dates => "DATES".to_owned(),
            Self::Talent => "TALENT".to_owned(),
        }
    }
}

/// How far each projection is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<String, Position>);

impl Marks {
    /// Returns the last page that this projection includes; 0 before the first.
    #[must_use]
    pub fn of(&self, projection: &Projection) -> Position {
        self.0.get(&projection.name()).copied().unwrap_or_default()
    }

    /// Returns the last page that the heads of every shard include.
    #[must_use]
    pub fn heads(&self, shards: u32) -> Position {
        Shard::all(shards).map(|shard| self.of(&Projection::Heads(shard))).min().unwrap_or_default()
    }
}

/// Returns how far each projection is.
///
/// What is read of a projection after this call includes at least the page of its mark.
pub fn read(engine: &dyn Engine) -> BoxFuture<'_, Result<Marks, StoreError>> {
    Box::pin(async move {
        let page = engine.query(Query::partition(Table::Ledger, PARTITION)).await?;
        Ok(Marks(page.items.into_iter().map(|item| (item.key.sort, item.revision)).collect()))
    })
}

/// Records that these projections include the pages up to `position`. A mark never goes back.
pub fn advance(
    engine: &dyn Engine,
    projections: Vec<Projection>,
    position: Position,
) -> BoxFuture<'_, Result<(), StoreError>> {
    let mark = move |projection: Projection| {
        let item = Item::new(Key::new(Table::Ledger, PARTITION, projection.name()), position, Vec::new());
        Write::put(item, Condition::Below(position))
    };
    Box::pin(async move {
        let written = engine.write_many(projections.into_iter().map(mark).collect()).await;
        written.into_iter().try_for_each(|written| written.map(|_| ()))
    })
}
