//! What the engine keeps and how it is asked for.

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

/// A stored item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it is.
    pub key: Key,
    /// Which state of the item this is. What a revision counts is the business of the kind of item.
    pub revision: u64,
    /// Its content, in the encoding of its kind.
    pub body: Vec<u8>,
    /// When the service may delete it, in seconds since 1970; `None` for items that stay.
    pub expires_at_s: Option<i64>,
}

impl Item {
    /// Returns an item that stays.
    #[must_use]
    pub fn new(key: Key, revision: u64, body: Vec<u8>) -> Self {
        Self { key, revision, body, expires_at_s: None }
    }
}

/// What must stand at a key for a write to take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Anything or nothing.
    None,
    /// No item.
    Absent,
    /// An item of exactly this revision.
    Revision(u64),
    /// No item, or one of a lower revision.
    Below(u64),
}

/// What a write does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Puts the whole item in the place of what is there.
    Put(Item),
    /// Removes what is there, if anything.
    Delete(Key),
}

/// A write of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// What it does.
    pub change: Change,
    /// On what condition.
    pub condition: Condition,
}

impl Write {
    /// Returns a write that puts `item` if `condition` holds.
    #[must_use]
    pub fn put(item: Item, condition: Condition) -> Self {
        Self { change: Change::Put(item), condition }
    }

    /// Returns a write that removes what is at `key` if `condition` holds.
    #[must_use]
    pub fn delete(key: Key, condition: Condition) -> Self {
        Self { change: Change::Delete(key), condition }
    }

    /// Returns where it writes.
    #[must_use]
    pub fn key(&self) -> &Key {
        match &self.change {
            Change::Put(item) => &item.key,
            Change::Delete(key) => key,
        }
    }
}

/// What became of a write that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// It took effect.
    Done,
    /// Its condition did not hold; this is what stands there.
    ConditionFailed(Option<Item>),
}

/// Asks for a range of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The table.
    pub table: Table,
    /// The partition key.
    pub partition: String,
    /// Only sort keys greater than or equal to this.
    pub from: Option<String>,
    /// Only sort keys less than or equal to this.
    pub to: Option<String>,
    /// Only sort keys that come after this one in the order asked for: where an earlier page ended.
    pub after: Option<String>,
    /// Greatest sort key first.
    pub descending: bool,
    /// At most this many items.
    pub limit: usize,
}

impl Query {
    /// Returns a query for a whole partition in ascending order, a thousand items at a time.
    #[must_use]
    pub fn partition(table: Table, partition: impl Into<String>) -> Self {
        let partition = partition.into();
        Self { table, partition, from: None, to: None, after: None, descending: false, limit: 1_000 }
    }
}

/// A page of items, and where the next one starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// The key after which the next page starts; `None` at the end.
    pub next: Option<Key>,
}

/// One of the equal parts of a table that are scanned side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Which part, from 0.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
}

impl Segment {
    /// The whole table.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}
