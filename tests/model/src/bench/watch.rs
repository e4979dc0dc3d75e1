//! What watches the tables: it gets every change in the moment in which it takes effect.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use store::{Item, Table};

use super::requests::{body_of, item_of, revision_of};
use crate::clock::Millis;
use crate::table::{Change, Key, Stored};
use crate::world::{World, hash_of};

/// A change of an item of the ledger's tables.
#[derive(Clone)]
pub struct Effect {
    /// The table.
    pub table: Table,
    /// The key of the item.
    pub key: Key,
    before: Option<Arc<Stored>>,
    after: Option<Arc<Stored>>,
}

/// Gets every change with its time, and returns what must never happen and did.
pub type Watch = Box<dyn FnMut(Millis, Effect) -> Vec<String> + Send>;

impl Effect {
    /// Returns what stands before the first `#` of the item's partition key.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.key.partition.split('#').next().unwrap_or_default()
    }

    /// Returns the item that was there.
    #[must_use]
    pub fn before(&self) -> Option<Item> {
        self.before.as_ref().map(|stored| item_of(self.table, &stored.item))
    }

    /// Returns the item that is there now.
    #[must_use]
    pub fn after(&self) -> Option<Item> {
        self.after.as_ref().map(|stored| item_of(self.table, &stored.item))
    }

    /// Returns the revision of the item that was there.
    #[must_use]
    pub fn revision_before(&self) -> Option<u64> {
        self.before.as_ref().map(|stored| revision_of(&stored.item))
    }

    /// Returns the revision of the item that is there now.
    #[must_use]
    pub fn revision_after(&self) -> Option<u64> {
        self.after.as_ref().map(|stored| revision_of(&stored.item))
    }

    /// Returns whether the item that is there now is the one that was there.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.before.as_ref().map(|stored| &stored.item) == self.after.as_ref().map(|stored| &stored.item)
    }
}

/// Names the item, with its revision and a hash of what is in it.
impl fmt::Debug for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, key, after, .. } = self;
        write!(formatter, "{} {}/{} ", table.logical_name(), key.partition, key.sort)?;
        match after {
            Some(stored) => {
                write!(formatter, "is {} {:016x}", revision_of(&stored.item), hash_of(body_of(&stored.item)))
            }
            None => formatter.write_str("is gone"),
        }
    }
}

/// Takes the item, with its revision and a hash of what is in it.
impl Hash for Effect {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.table.logical_name().hash(state);
        (&self.key.partition, &self.key.sort).hash(state);
        let after = self.after.as_ref().map(|stored| (revision_of(&stored.item), body_of(&stored.item)));
        after.hash(state);
    }
}

/// Has a world keep the changes of the ledger's tables.
pub(super) fn watch_tables(world: &mut World) {
    for table in Table::ALL {
        world.database.table_mut(table.logical_name()).expect("the deployment has it").watch();
    }
}

/// Takes the changes since they were taken last.
pub(super) fn take_effects(world: &mut World) -> Vec<Effect> {
    let mut effects = Vec::new();
    if !world.database.has_changes() {
        return effects;
    }
    for table in Table::ALL {
        let watched = world.database.table_mut(table.logical_name()).expect("the deployment has it");
        let changes = watched.take_changes().into_iter();
        effects.extend(changes.map(|Change { key, before, after }| Effect { table, key, before, after }));
    }
    effects.retain(|effect| effect.before.is_some() || effect.after.is_some());
    effects
}
