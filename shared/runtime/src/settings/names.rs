//! The names by which the deployed tables and queues are called.

use std::collections::BTreeMap;

use store::Table;

use super::{SettingsError, Variables};
use crate::Queue;

/// The names of the deployed tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNames(BTreeMap<Table, String>);

impl TableNames {
    /// Returns the names that the variables hold.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Missing`] names a table's variable that is not set.
    pub fn read(variables: &Variables) -> Result<Self, SettingsError> {
        let name = |table: Table| {
            let expected = format!("the name of the table {}", table.logical_name());
            Ok::<_, SettingsError>((table, variables.required(table.variable(), &expected)?))
        };
        Ok(Self(Table::ALL.into_iter().map(name).collect::<Result<_, SettingsError>>()?))
    }

    /// Returns the name of a table.
    #[must_use]
    pub fn name(&self, table: Table) -> &str {
        &self.0[&table]
    }

    /// Returns the table of this name, if it is one of the ledger's.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<Table> {
        self.0.iter().find(|(_, known)| *known == name).map(|(table, _)| *table)
    }
}

/// The URLs of the queues that a function may use. A function that sends nothing to a queue has no URL of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueUrls(BTreeMap<Queue, String>);

impl QueueUrls {
    /// Returns the URLs that the variables hold.
    #[must_use]
    pub fn read(variables: &Variables) -> Self {
        Self(
            Queue::ALL
                .into_iter()
                .filter_map(|queue| Some((queue, variables.get(queue.variable())?)))
                .collect(),
        )
    }

    /// Returns the URL of a queue.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Missing`] names the queue's variable if it is not set.
    pub fn url(&self, queue: Queue) -> Result<&str, SettingsError> {
        self.0.get(&queue).map(String::as_str).ok_or_else(|| SettingsError::Missing {
            variable: queue.variable(),
            expected: format!("the URL of the queue {}", queue.logical_name()),
        })
    }
}
