//! Which table of levels is in force, and how far everything was compared with it: `TALENT_STATE`.

use domain::{BusinessDate, VersionNumber, VersionTerms};
use serde::{Deserialize, Serialize};

use crate::codec::{decode, encode};
use crate::engine::{BoxFuture, Engine, StoreError};
use crate::item::{Condition, Item, Key, Table, Write, Written};

/// Which table of levels is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalentState {
    /// The versions of the rules after the first, as far as the log was read for talent.
    pub versions: Vec<VersionTerms>,
    /// The latest business date on which the table was looked up.
    pub date: Option<BusinessDate>,
    /// The version in force on that date; 0 before the first look.
    pub version: VersionNumber,
    /// Whether that version's table has a condition on activity.
    pub asks_for_activity: bool,
    /// The comparison of all accounts with the table, while it goes on.
    pub pass: Option<TablePass>,
    /// Counts the changes of this.
    #[serde(skip)]
    pub revision: u64,
}

/// How far all accounts were compared with the table in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePass {
    /// Partition and sort key of the last item looked at; `None` at the beginning.
    pub after: Option<(String, String)>,
}

impl TablePass {
    /// Returns the key of the last item looked at.
    #[must_use]
    pub fn start(&self) -> Option<Key> {
        let (partition, sort) = self.after.as_ref()?;
        Some(Key::new(Table::Ledger, partition.clone(), sort.clone()))
    }
}

fn key() -> Key {
    Key::new(Table::Ledger, "TALENT_STATE", "STATE")
}

/// Returns which table of levels is in force.
pub fn state(engine: &dyn Engine) -> BoxFuture<'_, Result<TalentState, StoreError>> {
    Box::pin(async move {
        let Some(item) = engine.get(key()).await? else { return Ok(TalentState::default()) };
        let state: TalentState = decode(&item)?;
        Ok(TalentState { revision: item.revision, ..state })
    })
}

/// Puts the state in the place of what was read. Returns whether nothing else came first.
pub fn put_state<'a>(engine: &'a dyn Engine, state: &TalentState) -> BoxFuture<'a, Result<bool, StoreError>> {
    let before = state.revision;
    let condition = if before == 0 { Condition::Absent } else { Condition::Revision(before) };
    let item = Item::new(key(), before + 1, encode(state));
    Box::pin(async move { Ok(engine.write(Write::put(item, condition)).await? == Written::Done) })
}
