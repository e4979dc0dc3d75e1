//! Requests to the tables and their answers, without the form that they have on the wire.

use std::collections::BTreeMap;

use super::key::Key;
use crate::error::{CancellationCode, ServiceError};
use crate::expression::{Condition, KeyCondition, Path, SortCondition, Update};
use crate::partiql::Statement;
use crate::value::{Item, Text};

/// A request that is evaluated in one moment.
#[derive(Clone, Debug)]
pub enum Request {
    /// Reads one item.
    Get(Get),
    /// Writes one item.
    Write(Write),
    /// Reads some items of one partition.
    Query(Query),
    /// Reads some items of the table.
    Scan(Scan),
    /// Reads up to a hundred items.
    BatchGet(Vec<BatchGet>),
    /// Writes up to twenty-five items, each by itself.
    BatchWrite(Vec<BatchWrite>),
    /// Executes up to twenty-five statements, each by itself.
    BatchStatements(Vec<BatchStatement>),
    /// Executes one statement, which may read many items.
    Statement(SingleStatement),
}

/// A read of one item.
#[derive(Clone, Debug)]
pub struct Get {
    /// The table.
    pub table: String,
    /// The key's attributes.
    pub key: Item,
    /// Whether the read sees every write before it.
    pub consistent: bool,
    /// The parts wanted; all without.
    pub projection: Option<Vec<Path>>,
}

/// A write of one item.
#[derive(Clone, Debug)]
pub struct Write {
    /// The table.
    pub table: String,
    /// What happens to which item.
    pub effect: Effect,
    /// What must hold before.
    pub condition: Option<Condition>,
    /// Whether a failed condition answers with the item that is there.
    pub item_on_failure: bool,
    /// What the answer shows of the item.
    pub return_values: ReturnValues,
}

/// What a write does.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Puts a whole item.
    Put(Item),
    /// Changes the item with a key, or makes it.
    Update(Item, Update),
    /// Removes the item with a key.
    Delete(Item),
    /// Changes nothing of the item with a key; only in transactions.
    Check(Item),
}

/// What an answer to a write shows of the item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReturnValues {
    /// Nothing.
    #[default]
    None,
    /// The item before.
    AllOld,
    /// The item after.
    AllNew,
    /// What the update changed, as it was before.
    UpdatedOld,
    /// What the update changed, as it is after.
    UpdatedNew,
}

/// A read of some items of one partition.
#[derive(Clone, Debug)]
pub struct Query {
    /// The table.
    pub table: String,
    /// The condition on the key, read with the names of the key attributes only when it is evaluated.
    pub condition: Condition,
    /// Which of the items read are answered.
    pub filter: Option<Condition>,
    /// How the page is made.
    pub page: PageOptions,
    /// Whether the sort keys ascend.
    pub forward: bool,
}

/// A read of some items of a table.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The table.
    pub table: String,
    /// Which of the items read are answered.
    pub filter: Option<Condition>,
    /// How the page is made.
    pub page: PageOptions,
    /// Which part of how many is read.
    pub segment: Option<(u64, u64)>,
}

/// What queries and scans have in common.
#[derive(Clone, Debug, Default)]
pub struct PageOptions {
    /// Whether the read sees every write before it.
    pub consistent: bool,
    /// How many items are read at most.
    pub limit: Option<usize>,
    /// The key after which the page begins.
    pub start: Option<Item>,
    /// The parts wanted; all without.
    pub projection: Option<Vec<Path>>,
    /// Whether only the number of items is wanted.
    pub count_only: bool,
}

/// The part of a batch read that one table answers.
#[derive(Clone, Debug, Default)]
pub struct BatchGet {
    /// The table.
    pub table: String,
    /// The keys' attributes.
    pub keys: Vec<Item>,
    /// Whether the read sees every write before it.
    pub consistent: bool,
    /// The parts wanted; all without.
    pub projection: Option<Vec<Path>>,
    /// The projection as it was written, with its names, for what comes back unprocessed.
    pub projection_source: Option<(String, BTreeMap<String, String>)>,
}

/// One write of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchWrite {
    /// The table.
    pub table: String,
    /// What is written.
    pub part: BatchPart,
}

/// What one write of a batch does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchPart {
    /// Puts a whole item.
    Put(Item),
    /// Removes the item with a key.
    Delete(Item),
}

/// One statement of a batch.
#[derive(Clone, Debug)]
pub struct BatchStatement {
    /// The statement, or why it could not be read.
    pub statement: Result<Statement, ServiceError>,
    /// Whether a read sees every write before it.
    pub consistent: bool,
    /// Whether a failed condition answers with the item that is there.
    pub item_on_failure: bool,
}

/// A statement by itself.
#[derive(Clone, Debug)]
pub struct SingleStatement {
    /// The statement and its options.
    pub statement: BatchStatement,
    /// How many items a read looks at at most.
    pub limit: Option<usize>,
    /// The key after which a read goes on.
    pub start: Option<Item>,
}

/// A read of whole partitions, or of a range in each, one partition after the other: what a statement may ask for.
#[derive(Clone, Debug)]
pub(super) struct PartitionRead {
    /// The partitions in the order in which they are read.
    pub(super) partitions: Vec<Text>,
    /// The range of sort keys; all without.
    pub(super) sort: Option<SortCondition>,
    /// Which of the items read are answered.
    pub(super) filter: Option<Condition>,
    /// How the page is made.
    pub(super) page: PageOptions,
    /// Whether the sort keys ascend.
    pub(super) forward: bool,
}

/// Statements that all read or all write, together or not at all.
#[derive(Clone, Debug)]
pub struct TransactStatements {
    /// The statements.
    pub statements: Vec<BatchStatement>,
    /// What makes a repetition of the request harmless.
    pub token: Option<String>,
    /// The contents as text, by which a repetition is told from another request.
    pub fingerprint: String,
}

/// Writes that happen together or not at all.
#[derive(Clone, Debug)]
pub struct TransactWrite {
    /// The writes; their return values are not used.
    pub actions: Vec<Write>,
    /// What makes a repetition of the request harmless.
    pub token: Option<String>,
    /// The contents as text, by which a repetition is told from another request.
    pub fingerprint: String,
}

/// An answer without error.
#[derive(Clone, Debug)]
pub enum Response {
    /// To a read of one item.
    Got(Option<Item>),
    /// To a write of one item: what was asked to be shown of it.
    Written(Option<Item>),
    /// To a query or a scan.
    Page(Page),
    /// To a batch of reads: what was read, and what was not.
    BatchGot(BTreeMap<String, Vec<Item>>, Vec<BatchGet>),
    /// To a batch of writes: those that were not done.
    BatchWritten(Vec<BatchWrite>),
    /// To a batch of statements: each one's outcome.
    Statements(Vec<StatementOutcome>),
    /// To a single statement: the items that it read or returns, and where a read may go on.
    Items(Vec<Item>, Option<Item>),
    /// To a transaction of writes.
    Transacted,
    /// To a transaction of reads: the items in the order of the request.
    TransactionRead(Vec<Option<Item>>),
}

/// Some items, and where to go on.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The items; none where only their number was asked for.
    pub items: Vec<Item>,
    /// How many items passed the filter.
    pub count: usize,
    /// How many items were read.
    pub scanned: usize,
    /// The key of the last item read, where there may be more.
    pub last: Option<Item>,
    /// Whether only the number was asked for.
    pub count_only: bool,
}

/// How one statement of a batch ended.
#[derive(Clone, Debug)]
pub struct StatementOutcome {
    /// The table it names.
    pub table: Option<String>,
    /// The item it read or returned.
    pub item: Option<Item>,
    /// Why it failed.
    pub error: Option<StatementError>,
}

/// Why a statement of a batch failed.
#[derive(Clone, Debug)]
pub struct StatementError {
    /// The reason.
    pub code: CancellationCode,
    /// A sentence for the log.
    pub message: String,
    /// The item that was there, where the statement asked for it.
    pub item: Option<Item>,
}

impl Effect {
    /// Returns the attributes that contain the item's key.
    #[must_use]
    pub fn key_attributes(&self) -> &Item {
        match self {
            Self::Put(attributes)
            | Self::Update(attributes, _)
            | Self::Delete(attributes)
            | Self::Check(attributes) => attributes,
        }
    }
}

impl From<BatchPart> for Effect {
    fn from(part: BatchPart) -> Self {
        match part {
            BatchPart::Put(item) => Self::Put(item),
            BatchPart::Delete(key) => Self::Delete(key),
        }
    }
}

impl Query {
    /// Returns the key condition for a table's key attributes.
    pub fn key_condition(&self, schema: &super::key::Schema) -> Result<KeyCondition, ServiceError> {
        KeyCondition::from_condition(self.condition.clone(), &schema.partition, schema.sort.as_deref())
    }
}

/// Returns the bounds of one partition from a key on.
pub(super) fn end_of_partition(partition: &str) -> Key {
    Key { partition: Text::from_iter([partition, "\0"]), sort: Text::default() }
}
