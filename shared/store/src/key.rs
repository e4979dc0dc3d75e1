//! Where an item is: its table and its key.

use std::fmt;

/// One of the ledger's tables, each named for the life its items lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The source's rows, how far they were read, what was announced and what was refused. Items change.
    Source,
    /// The pages of the log. An item is written once and never changes.
    Log,
    /// What follows from the log: heads, lines, lists and marks. All of it can be rebuilt from the log.
    Ledger,
    /// What each closed date ended with. An item is written once and never changes.
    Snapshots,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 4] = [Self::Source, Self::Log, Self::Ledger, Self::Snapshots];

    /// Returns the table's logical name, as in the template.
    #[must_use]
    pub fn logical_name(self) -> &'static str {
        match self {
            Self::Source => "Source",
            Self::Log => "Log",
            Self::Ledger => "Ledger",
            Self::Snapshots => "Snapshots",
        }
    }

    /// Returns the environment variable that names the deployed table.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Source => "SOURCE_TABLE",
            Self::Log => "LOG_TABLE",
            Self::Ledger => "LEDGER_TABLE",
            Self::Snapshots => "SNAPSHOTS_TABLE",
        }
    }
}

/// Where an item is. Only the modules of this crate that own a kind of item build keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The table.
    pub table: Table,
    /// The partition key.
    pub partition: String,
    /// The sort key.
    pub sort: String,
}

impl Key {
    /// Returns the key of these parts.
    pub fn new(table: Table, partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { table, partition: partition.into(), sort: sort.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}[{} / {}]", self.table.logical_name(), self.partition, self.sort)
    }
}
