//! What is taken away from the functions at the seam, to see whether a campaign finds it.

use std::fmt;
use std::str::FromStr;

use domain::log::{Entry, Page};
use store::{Change, Condition, Item, Key, Table, Write};

/// Kinds of items that are read after the marks that say how far they are.
const READ_AFTER_MARKS: [&str; 6] = ["ACCOUNT", "ADOPTION", "SUM", "CHILDREN", "ACTIVATION", "EXPIRY"];

/// Two reads of a function of which one has to come first: what is read later includes at least what is read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOrder {
    /// The function.
    pub function: &'static str,
    /// The table of both.
    pub table: Table,
    /// The kind of item that is read first.
    pub first: &'static str,
    /// The kinds of items that are read after it.
    pub then: &'static [&'static str],
}

impl ReadOrder {
    /// Every order of reads that no condition of a write would make up for.
    pub const ALL: [Self; 5] = [
        Self::after_marks("adoption-distribution"),
        Self::after_marks("daily-snapshot"),
        Self::after_marks("query-api"),
        Self { function: "adoption-distribution", table: Table::Source, first: "PROGRESS", then: &["INBOX"] },
        Self { function: "adoption-distribution", table: Table::Source, first: "INBOX", then: &["ROW"] },
    ];

    const fn after_marks(function: &'static str) -> Self {
        Self { function, table: Table::Ledger, first: "MARKS", then: &READ_AFTER_MARKS }
    }

    /// Returns whether a function reads both, as far as it was seen to.
    #[must_use]
    pub fn is_seen<'a>(&self, touches: impl IntoIterator<Item = &'a Touch>) -> bool {
        let (mut reads_first, mut reads_then) = (false, false);
        let reads = |touch: &&Touch| matches!(touch.operation, Operation::Get | Operation::Query);
        let own =
            touches.into_iter().filter(|touch| touch.function == self.function && touch.table == self.table);
        for touch in own.filter(reads) {
            reads_first |= touch.kind == self.first;
            reads_then |= self.then.contains(&touch.kind.as_str());
        }
        reads_first && reads_then
    }
}

/// What a function does to one kind of item: enumerated while the functions run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touch {
    /// The function.
    pub function: String,
    /// The table.
    pub table: Table,
    /// The first part of the items' partition keys.
    pub kind: String,
    /// What it does.
    pub operation: Operation,
}

/// What is done to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Read by its key.
    Get,
    /// Read as part of a partition.
    Query,
    /// Read as part of its table.
    Scan,
    /// Put on a condition.
    Put(ConditionKind),
    /// Deleted on a condition.
    Delete(ConditionKind),
}

/// The kind of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionKind {
    /// Anything may stand there.
    None,
    /// Nothing may stand there.
    Absent,
    /// What was read must still stand there.
    Revision,
    /// Nothing newer may stand there.
    Below,
}

/// A text that names no call of a function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a function, a table, a kind of item and an operation, as `mutate` prints them")]
pub struct InvalidTouch(String);

/// What is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// These writes take effect whatever stands there.
    Condition(Touch),
    /// These writes, where they change nothing, leave the revision as it is: what is under way takes effect after them.
    Fence(Touch),
    /// These calls are not tried again.
    Retry(Touch),
    /// Entries of this kind are not in the pages that functions read.
    Entry(String),
    /// What is read later is read as it was before what is read first.
    Reads(ReadOrder),
    /// A fault of the first edition, in the terms of this one.
    Known(KnownFault),
}

/// What happens to calls in a mutation run, whether or not something is taken away: without it what is taken away would
/// hardly ever be missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provoked {
    /// The first attempt of each of these calls fails.
    FailsFirst(Touch),
    /// The environment stands still before some of these writes, and what calls the function calls it once more
    /// meanwhile.
    StandsStill(Touch),
}

impl Mutation {
    /// Returns what has to be provoked so that this is missed.
    #[must_use]
    pub fn provoked(&self) -> Option<Provoked> {
        match self {
            Self::Retry(touch) => Some(Provoked::FailsFirst(touch.clone())),
            Self::Condition(touch) | Self::Fence(touch) => Some(Provoked::StandsStill(touch.clone())),
            Self::Entry(_) | Self::Reads(_) | Self::Known(_) => None,
        }
    }
}

/// Faults of the first edition, each as the same mistake would look in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownFault {
    /// The shortened list: a reader takes the first page of a list for all of it.
    ShortenedList,
    /// The barrier: what was announced counts as taken in although more was announced.
    Barrier,
    /// The gate: partitions of the source count as read up to now.
    Gate,
    /// The torn snapshot: a date is computed while its indexes lack the latest pages.
    TornSnapshot,
    /// The conflict that stalls: one conflict of a single write, and the group of the decider waits for 900 s.
    StallingConflict,
    /// Two first closes that block each other: each waits until the other is taken in.
    BlockingCloses,
}

impl Operation {
    const ALL: [Self; 11] = [
        Self::Get,
        Self::Query,
        Self::Scan,
        Self::Put(ConditionKind::None),
        Self::Put(ConditionKind::Absent),
        Self::Put(ConditionKind::Revision),
        Self::Put(ConditionKind::Below),
        Self::Delete(ConditionKind::None),
        Self::Delete(ConditionKind::Absent),
        Self::Delete(ConditionKind::Revision),
        Self::Delete(ConditionKind::Below),
    ];
}

impl FromStr for Touch {
    type Err = InvalidTouch;

    fn from_str(text: &str) -> Result<Self, InvalidTouch> {
        let invalid = || InvalidTouch(text.to_owned());
        let words: Vec<&str> = text.split(' ').collect();
        let [function, table, kind, operation] = words[..] else { return Err(invalid()) };
        let table = Table::ALL.into_iter().find(|one| one.logical_name() == table).ok_or_else(invalid)?;
        let is_named = |one: &Operation| format!("{one:?}") == operation;
        let operation = Operation::ALL.into_iter().find(is_named).ok_or_else(invalid)?;
        Ok(Self { function: function.to_owned(), table, kind: kind.to_owned(), operation })
    }
}

impl KnownFault {
    /// Every known fault.
    pub const ALL: [Self; 6] = [
        Self::ShortenedList,
        Self::Barrier,
        Self::Gate,
        Self::TornSnapshot,
        Self::StallingConflict,
        Self::BlockingCloses,
    ];
}

impl Touch {
    pub(super) fn reads(function: &str, key: &Key) -> Self {
        Self::of(function, key, Operation::Get)
    }

    pub(super) fn of(function: &str, key: &Key, operation: Operation) -> Self {
        Self { function: function.to_owned(), table: key.table, kind: kind(&key.partition), operation }
    }

    pub(super) fn writes(function: &str, write: &Write) -> Self {
        let condition = match write.condition {
            Condition::None => ConditionKind::None,
            Condition::Absent => ConditionKind::Absent,
            Condition::Revision(_) => ConditionKind::Revision,
            Condition::Below(_) => ConditionKind::Below,
        };
        let operation = match write.change {
            Change::Put(_) => Operation::Put(condition),
            Change::Delete(_) => Operation::Delete(condition),
        };
        Self::of(function, write.key(), operation)
    }

    /// Returns whether it is a write on a condition that could be taken away.
    #[must_use]
    pub fn has_condition(&self) -> bool {
        match self.operation {
            Operation::Put(condition) | Operation::Delete(condition) => condition != ConditionKind::None,
            Operation::Get | Operation::Query | Operation::Scan => false,
        }
    }
}

/// Returns the first part of a partition key.
pub(super) fn kind(partition: &str) -> String {
    partition.split('#').next().unwrap_or_default().to_owned()
}

/// Returns the name of an entry's kind.
#[must_use]
pub fn entry_kind(entry: &Entry) -> String {
    let mut name = FirstWord::default();
    // The writer ends what writes to it after the first word.
    let _ = fmt::Write::write_fmt(&mut name, format_args!("{entry:?}"));
    name.0
}

/// Takes a text up to what is no letter or digit, and refuses the rest.
#[derive(Default)]
struct FirstWord(String);

impl fmt::Write for FirstWord {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.find(|letter: char| !letter.is_ascii_alphanumeric());
        self.0.push_str(&text[..end.unwrap_or(text.len())]);
        end.map_or(Ok(()), |_| Err(fmt::Error))
    }
}

/// Returns the item of a page without the entries of a kind.
pub(super) fn without_entries(item: &Item, kind: &str) -> Item {
    let Ok(Some(mut page)) = store::log::page_of(item) else { return item.clone() };
    let before = page.entries.len();
    page.entries.retain(|entry| entry_kind(entry) != kind);
    if page.entries.len() == before { item.clone() } else { item_of(&page) }
}

fn item_of(page: &Page) -> Item {
    store::log::item_of(page)
}

impl fmt::Display for Touch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, table, kind, operation } = self;
        write!(formatter, "{function} {} {kind} {operation:?}", table.logical_name())
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition(touch) => write!(formatter, "without the condition: {touch}"),
            Self::Retry(touch) => write!(formatter, "without trying again: {touch}"),
            Self::Entry(kind) => write!(formatter, "without the log's entries: {kind}"),
            Self::Fence(touch) => write!(formatter, "without the fence: {touch}"),
            Self::Reads(ReadOrder { function, first, then, .. }) => {
                write!(formatter, "the other way round: {function} reads {first}, then {}", then.join(", "))
            }
            Self::Known(fault) => write!(formatter, "as in the first edition: {fault:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::log::{Entry, Page, PageHash};

    use super::{ConditionKind, Operation, Touch, entry_kind, item_of, without_entries};
    use store::Table;

    #[test]
    fn a_call_is_named_as_it_is_printed() {
        for operation in Operation::ALL {
            let (function, kind) = ("ledger-audit".to_owned(), "AUDIT".to_owned());
            let touch = Touch { function, table: Table::Ledger, kind, operation };
            assert_eq!(touch.to_string().parse(), Ok(touch));
        }
        assert!("ledger-audit Ledger AUDIT".parse::<Touch>().is_err());
        let read = "cdc-ingest Source PROGRESS Put(Revision)".parse::<Touch>().expect("a call");
        assert_eq!(read.operation, Operation::Put(ConditionKind::Revision));
    }

    #[test]
    fn entries_of_a_kind_are_left_out_of_a_page() {
        let order = "7".parse().expect("an order");
        let entries = vec![Entry::OrderSeen { order }, Entry::Gone { order }];
        let page = Page { position: 3, previous: PageHash::default(), time_ms: 5, entries };
        let less = without_entries(&item_of(&page), "Gone");
        let less = store::log::page_of(&less).expect("readable").expect("a page");
        assert_eq!(less.entries.iter().map(entry_kind).collect::<Vec<_>>(), ["OrderSeen"]);
    }
}
