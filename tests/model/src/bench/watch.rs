//! What watches the tables: it gets every change in the moment in which it takes effect.

use store::{Item, Table};

use super::requests::of_attributes;
use crate::clock::Millis;
use crate::table::Change;
use crate::world::World;

/// A change of an item of the ledger's tables.
#[derive(Clone, Debug)]
pub struct Effect {
    /// What was there.
    pub before: Option<Item>,
    /// What is there now.
    pub after: Option<Item>,
}

/// Gets every change with its time, and returns what must never happen and did.
pub type Watch = Box<dyn FnMut(Millis, Effect) -> Vec<String> + Send>;

impl Effect {
    /// Returns the item that the change is about, as it is now or was last.
    #[must_use]
    pub fn item(&self) -> &Item {
        self.after.as_ref().or(self.before.as_ref()).expect("a change is of an item")
    }
}

/// Has a world keep the changes of the ledger's tables.
pub(super) fn watch_tables(world: &mut World) {
    for table in Table::ALL {
        world.database.table(table.logical_name()).expect("the deployment has it").watch();
    }
}

/// Takes the changes since they were taken last.
pub(super) fn take_effects(world: &mut World) -> Vec<Effect> {
    let mut effects = Vec::new();
    for table in Table::ALL {
        let changes =
            world.database.table(table.logical_name()).expect("the deployment has it").take_changes();
        let of_table = |Change { before, after, .. }: Change| Effect {
            before: before.map(|stored| of_attributes(table, stored.item.clone())),
            after: after.map(|stored| of_attributes(table, stored.item.clone())),
        };
        effects.extend(changes.into_iter().map(of_table));
    }
    effects.retain(|effect| effect.before.is_some() || effect.after.is_some());
    effects
}
