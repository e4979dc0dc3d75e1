//! The source of a history: a database with overlapping transactions, and what a connector writes of it.

use std::collections::BTreeMap;

use cdc::modelled_source::{Chunk, Connector, Database, Deletes, Form, Format, Keys, Row, TableName};
use domain::OrderId;
use oracle::generate::History;
use serde_json::Value;

use crate::clock::Millis;
use crate::random::Random;

/// A record that a connector writes to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) at_ms: Millis,
    pub(super) topic: String,
    pub(super) partition: u32,
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
}

/// What happened at the source that is worth counting, by name.
pub(super) type Notes = BTreeMap<&'static str, u64>;

/// Everything that a connector writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Feed {
    pub(super) records: Vec<Written>,
    pub(super) partitions: u32,
    pub(super) notes: Notes,
    /// When the topics were made anew.
    pub(super) recreated_ms: Vec<Millis>,
    /// When the database failed over or the topics were made anew: nothing from before is written once more after that.
    turns_ms: Vec<Millis>,
}

impl Feed {
    /// Returns the records that are written once more together with this one: those of the same row from it up to the
    /// next one of another row, so that no tombstone comes without its delete. None where it is a tombstone itself.
    pub(super) fn run_from(&self, first: usize) -> Vec<&Written> {
        let begin = &self.records[first];
        if begin.value.is_none() {
            return Vec::new();
        }
        let place = |record: &&Written| record.topic == begin.topic && record.partition == begin.partition;
        let of_partition = self.records[first..].iter().filter(place);
        of_partition.take_while(|record| record.key == begin.key).collect()
    }

    /// Has the connector stand still until a time before it writes the last third of the records.
    pub(super) fn stand_still(&mut self, until_ms: Millis) {
        let Some(first) = self.records.get(self.records.len() * 2 / 3) else { return };
        let (from_ms, later_ms) = (first.at_ms, until_ms.saturating_sub(first.at_ms));
        let at = self.records.iter_mut().map(|record| &mut record.at_ms);
        let at = at.chain(&mut self.turns_ms).chain(&mut self.recreated_ms);
        at.filter(|at_ms| **at_ms >= from_ms).for_each(|at_ms| *at_ms += later_ms);
    }

    /// Returns until when a record may be written once more.
    pub(super) fn may_be_repeated_until(&self, record: &Written, last_ms: Millis) -> Millis {
        let next = self.turns_ms.iter().find(|turn_ms| **turn_ms >= record.at_ms);
        next.copied().unwrap_or(last_ms)
    }

    /// Returns when which order was committed first, in milliseconds since 1970, of those that are never deleted and
    /// whose rows never change their number.
    pub(super) fn orders_committed(&self) -> Vec<(i64, OrderId)> {
        let mut orders: BTreeMap<OrderId, Option<i64>> = BTreeMap::new();
        let mut of_key: BTreeMap<&str, OrderId> = BTreeMap::new();
        let topic = format!("{PREFIX}.{}.{}", TABLES[2].0, TABLES[2].1);
        for record in self.records.iter().filter(|record| record.topic == topic) {
            let key = record.key.as_deref().unwrap_or_default();
            let value = record.value.as_deref().and_then(|value| serde_json::from_str::<Value>(value).ok());
            let row = value.as_ref().map(|value| if value["op"].is_null() { value } else { &value["after"] });
            let is_deleted = |row: &Value| row.is_null() || row["__deleted"] == "true";
            let order = row.filter(|row| !is_deleted(row)).and_then(|row| row["order_id"].as_u64());
            let Some(order) = order.and_then(|order| order.to_string().parse::<OrderId>().ok()) else {
                of_key.get(key).and_then(|order| orders.insert(*order, None));
                continue;
            };
            if let Some(before) = of_key.insert(key, order).filter(|before| *before != order) {
                orders.insert(before, None);
                orders.insert(order, None);
            }
            let value = value.as_ref().expect("it has a row");
            let committed = value["source"]["ts_ms"].as_i64().or_else(|| value["__source_ts_ms"].as_i64());
            let is_streamed = value["op"] != "r" && value["__op"] != "r";
            orders.entry(order).or_insert(committed.filter(|_| is_streamed));
        }
        orders.into_iter().filter_map(|(order, committed_ms)| Some((committed_ms?, order))).collect()
    }
}

/// The tables of the source.
pub(super) const TABLES: [TableName; 3] =
    [("rwa_identity", "users"), ("rwa_referral", "referral_relations"), ("rwa_planting", "planting_orders")];
/// The first part of the topics' names.
pub(super) const PREFIX: &str = "dbserver1";
/// The longest pause between two transactions.
const PAUSE_MS_MAX: u64 = 400;
/// How many transactions are open at once, at most.
const OPEN_MAX: usize = 3;

/// A change of a row: its key and columns before and after.
struct RowChange {
    table: TableName,
    before: Option<String>,
    after: Option<(String, Row)>,
}

/// Returns what a connector writes of a history whose source begins at this time of day.
pub(super) fn feed(history: &History, epoch_ms: i64, random: &mut Random, has_disorder: bool) -> Feed {
    let column_of: fn(TableName) -> &'static str =
        if history.order_key_column == "id" { |_| "id" } else { key_column_of_numbers };
    let format = if has_disorder { some_format(random) } else { ENVELOPE };
    let partitions = 1 + u32::try_from(random.below(2)).expect("0 or 1");
    let database = Database::new(epoch_ms + 500);
    let connector = Connector::new(PREFIX, format, Keys::Json(column_of), 0)
        .with_partitions(i32::try_from(partitions).expect("1 or 2"));
    let mut source = Source {
        random: random.fork(),
        database,
        connector,
        chunk: None,
        stored: 0,
        partitions,
        notes: Notes::new(),
        turns: Vec::new(),
        recreated: Vec::new(),
    };
    for transaction in transactions(history) {
        source.commit(&transaction, has_disorder);
        if has_disorder {
            source.disturb();
        }
        let transactions = usize::try_from(source.random.below(4)).expect("a few");
        source.stream(if has_disorder { transactions } else { usize::MAX });
    }
    source.finish(epoch_ms)
}

const ENVELOPE: Format = Format { form: Form::Envelope, omits_unchanged: false };

fn key_column_of_numbers(table: TableName) -> &'static str {
    if table == TABLES[2] { "order_id" } else { "id" }
}

fn some_format(random: &mut Random) -> Format {
    let flattened = |deletes| Form::Flattened { deletes, is_sequenced: true };
    let form = match random.below(6) {
        0 => flattened(Deletes::Tombstone),
        1 => flattened(Deletes::Rewrite),
        2 => flattened(Deletes::RewriteWithTombstone),
        _ => Form::Envelope,
    };
    Format { form, omits_unchanged: false }
}

/// Returns the changes of each transaction, as rows with columns.
fn transactions(history: &History) -> Vec<Vec<RowChange>> {
    let mut transactions: BTreeMap<u64, Vec<RowChange>> = BTreeMap::new();
    for record in history.records() {
        let Some(value) = &record.value else { continue };
        let value: Value = serde_json::from_str(value).expect("the history writes JSON");
        let source = &value["source"];
        let name = source["table"].as_str().expect("a change names its table");
        let table = TABLES.into_iter().find(|(_, table)| *table == name).expect("one of the tables");
        let key = record.key.as_deref().map(key_of).expect("a change has a key");
        let row = |image: &Value| -> Option<Row> {
            let columns = image.as_object()?;
            Some(columns.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
        };
        let change = RowChange {
            table,
            before: (!value["before"].is_null()).then(|| key.clone()),
            after: row(&value["after"]).map(|row| (key, row)),
        };
        let number = source["txId"].as_u64().expect("a change names its transaction");
        transactions.entry(number).or_default().push(change);
    }
    transactions.into_values().collect()
}

/// Returns the JSON of the only column of a key.
fn key_of(key: &str) -> String {
    let key: Value = serde_json::from_str(key).expect("the history writes JSON");
    let columns = key.as_object().expect("a key is an object");
    columns.values().next().expect("a key has a column").to_string()
}

struct Source {
    random: Random,
    database: Database,
    connector: Connector,
    chunk: Option<Chunk>,
    /// The earliest position to which a connector that restarts goes back.
    stored: usize,
    partitions: u32,
    notes: Notes,
    /// When the database failed over or the topics were made anew, in milliseconds since 1970.
    turns: Vec<i64>,
    /// When the topics were made anew, in milliseconds since 1970.
    recreated: Vec<i64>,
}

impl Source {
    fn note(&mut self, what: &'static str) {
        *self.notes.entry(what).or_default() += 1;
    }

    fn pause(&mut self) {
        let pause_ms = self.random.below(PAUSE_MS_MAX);
        self.database.wait(pause_ms.cast_signed());
    }

    /// Commits a transaction, now or while others are open.
    fn commit(&mut self, changes: &[RowChange], may_stay_open: bool) {
        self.pause();
        let mut transaction = self.database.begin();
        for change in changes {
            let mut is_done = self.database.change(
                transaction,
                change.table,
                change.before.as_deref(),
                change.after.clone(),
            );
            if !is_done {
                // Another open transaction holds the row.
                self.database.commit(transaction);
                self.commit_open();
                transaction = self.database.begin();
                is_done = self.database.change(
                    transaction,
                    change.table,
                    change.before.as_deref(),
                    change.after.clone(),
                );
            }
            assert!(is_done, "the history changes rows that are there");
        }
        let is_full = self.database.open_transactions().len() > OPEN_MAX;
        if may_stay_open && !is_full && self.random.below(4) == 0 {
            self.note("transactions overlapped at the source");
        } else {
            self.database.commit(transaction);
        }
        if self.random.below(3) == 0 {
            self.commit_open();
        }
    }

    fn commit_open(&mut self) {
        for transaction in self.database.open_transactions() {
            self.pause();
            self.database.commit(transaction);
        }
    }

    /// Lets something happen to the connector, sometimes.
    fn disturb(&mut self) {
        match self.random.below(40) {
            0 => self.snapshot(),
            1..5 => self.next_part_of_chunk(),
            5 | 6 => {
                self.chunk = None;
                self.connector.restart(self.stored);
                self.note("a connector sent old changes again");
            }
            7 => self.stored = self.connector.position(),
            8 => self.fail_over(),
            9 => {
                self.database.wait(1_000);
                self.connector.add_partition();
                self.partitions += 1;
                self.database.wait(1_000);
                self.note("a topic got another partition");
            }
            10 => {
                self.database.wait(1_000);
                self.chunk = None;
                self.connector.recreate_topics();
                self.turns.push(self.database.now_ms());
                self.recreated.push(self.database.now_ms());
                self.stored = self.connector.position();
                self.database.wait(1_000);
                self.note("topics were made anew");
            }
            _ => {}
        }
    }

    fn some_table(&mut self) -> TableName {
        TABLES[usize::try_from(self.random.below(3)).expect("below 3")]
    }

    /// Reads a table in the middle of the stream.
    fn snapshot(&mut self) {
        self.chunk = None;
        // In one millisecond nothing tells a commit before the snapshot from one after it.
        self.database.wait(1);
        let table = self.some_table();
        self.connector.snapshot(&self.database, table);
        self.database.wait(1);
        self.note("a connector read a snapshot between changes");
    }

    fn next_part_of_chunk(&mut self) {
        let table = self.some_table();
        match &mut self.chunk {
            None => self.chunk = Some(self.connector.open_chunk(&mut self.database, table)),
            Some(chunk) if !chunk.is_read() => chunk.read(&self.database),
            Some(chunk) if chunk.high().is_none() => chunk.close(&mut self.database),
            Some(_) => {}
        }
    }

    /// Goes on with another cluster, where the log is lower, after everything was streamed.
    fn fail_over(&mut self) {
        self.commit_open();
        self.stream(usize::MAX);
        self.chunk = None;
        self.turns.push(self.database.now_ms());
        let log_end = 1_000_000 + self.random.below(40_000_000);
        self.database.fail_over(log_end);
        self.connector.follow_failover(&self.database);
        self.stored = self.connector.position();
        self.note("a database failed over to a lower log");
    }

    fn stream(&mut self, transactions: usize) {
        let end = self.connector.position().saturating_add(transactions);
        if let Some(chunk) = self.chunk.take_if(|chunk| chunk.high().is_some_and(|high| high < end)) {
            self.connector.write_chunk(&self.database, chunk);
            self.note("a connector read rows between watermarks");
        }
        self.connector.stream(&self.database, end.saturating_sub(self.connector.position()));
    }

    fn finish(mut self, epoch_ms: i64) -> Feed {
        self.commit_open();
        self.pause();
        self.stream(usize::MAX);
        let written = self.connector.records().iter().map(|(_, record)| Written {
            at_ms: u64::try_from(record.timestamp_ms.expect("every record has one") - epoch_ms)
                .expect("the source begins after the epoch"),
            topic: record.topic.clone(),
            partition: u32::try_from(record.partition).expect("partitions count from 0"),
            key: record.key.clone(),
            value: record.value.clone(),
        });
        let since_epoch = |at: &i64| u64::try_from(at - epoch_ms).expect("the source begins after the epoch");
        Feed {
            records: written.collect(),
            partitions: self.partitions,
            notes: self.notes,
            recreated_ms: self.recreated.iter().map(since_epoch).collect(),
            turns_ms: self.turns.iter().map(since_epoch).collect(),
        }
    }
}
