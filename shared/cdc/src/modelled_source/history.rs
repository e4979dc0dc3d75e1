//! A whole history of a source, by seed.

use std::collections::BTreeMap;

use serde_json::json;

use super::connector::{Chunk, Connector, Deletes, Form, Format, Keys, Seen};
use super::database::{Database, Row, TableName, TransactionId};
use super::dice::Dice;
use crate::CapturedRecord;

/// The table of the histories.
const ORDERS: TableName = ("rwa_planting", "planting_orders");
/// Its primary key. The order number is another column, which may change.
const KEY: &str = "id";
/// So few keys that transactions meet at them.
const KEYS: u64 = 5;

/// What a history is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variety {
    /// How messages are written.
    pub format: Format,
    /// Whether changes are made that the connector does not get to see, and a snapshot repairs.
    pub has_gap: bool,
    /// Whether compaction has removed all but the last records of each key.
    pub is_compacted: bool,
}

impl Variety {
    /// Returns one of them all.
    fn of(dice: &mut Dice) -> Self {
        let form = match dice.below(3) {
            0 => Form::Envelope,
            _ => Form::Flattened {
                deletes: *dice
                    .one_of(&[Deletes::Tombstone, Deletes::Rewrite, Deletes::RewriteWithTombstone])
                    .expect("a choice"),
                is_sequenced: !dice.once_in(3),
            },
        };
        let is_sequenced = !matches!(form, Form::Flattened { is_sequenced: false, .. });
        let omits_unchanged = dice.once_in(3);
        // Without a sequence a change that is sent again looks like one after an incremental read.
        // Columns that were never written are nowhere, if messages leave out what does not change. A tombstone
        // that is late says nothing of what was inserted after it in the gap.
        let is_bare_tombstone = matches!(form, Form::Flattened { deletes: Deletes::Tombstone, .. });
        let has_gap = is_sequenced && !omits_unchanged && !is_bare_tombstone && dice.once_in(3);
        // What compaction removes may be the only record of a column or of a repair.
        let is_compacted = !omits_unchanged && !has_gap && dice.once_in(4);
        Self { format: Format { form, omits_unchanged }, has_gap, is_compacted }
    }
}

/// The records that a connector wrote, and what the table holds in the end.
#[derive(Debug, Clone)]
pub struct History {
    /// What it is made of.
    pub variety: Variety,
    /// The records, in the order in which they were written.
    pub records: Vec<CapturedRecord>,
    /// The rows in the end.
    pub rows: BTreeMap<String, Row>,
}

impl History {
    /// Returns the history of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let variety = Variety::of(&mut dice);
        let mut run = Run::begin(dice, variety);
        let steps = 10 + run.dice.below(40);
        for _ in 0..steps {
            run.step();
        }
        run.finish()
    }
}

/// A history in the making.
struct Run {
    dice: Dice,
    variety: Variety,
    database: Database,
    connector: Connector,
    chunk: Option<Chunk>,
    /// The earliest position to which a connector that restarts goes back.
    stored: usize,
    next_order: u64,
    is_in_gap: bool,
    needs_repair: bool,
}

impl Run {
    fn begin(mut dice: Dice, variety: Variety) -> Self {
        let mut database = Database::new(1_795_000_000_000);
        let partitions = i32::try_from(1 + dice.below(3)).expect("a few");
        let mut next_order = 1;
        for _ in 0..dice.below(8) {
            let transaction = database.begin();
            change(&mut dice, &mut database, transaction, &mut next_order, true);
            database.commit(transaction);
        }
        // The slot may be older than the initial snapshot: the log then has the changes that the snapshot read.
        let slot = if dice.once_in(2) { database.commits() } else { database.commits() / 2 };
        let connector =
            Connector::new("dbserver1", variety.format, Keys::Text(KEY), slot).with_partitions(partitions);
        let stored = slot;
        let mut run = Self {
            dice,
            variety,
            database,
            connector,
            chunk: None,
            stored,
            next_order,
            is_in_gap: false,
            needs_repair: false,
        };
        if slot == run.database.commits() && run.dice.once_in(2) {
            run.snapshot_after_its_slot();
        } else {
            run.work(3);
            run.snapshot();
        }
        run
    }

    /// Takes an initial snapshot of what stood when the slot was created, in a transaction that begins later.
    fn snapshot_after_its_slot(&mut self) {
        let seen = Seen::by(&self.database, ORDERS);
        // The slot waits for the transactions that are open, so each of these began after it.
        self.work(3);
        self.database.wait(1);
        self.connector.write_snapshot(&self.database, ORDERS, &seen);
        self.database.wait(1);
    }

    fn step(&mut self) {
        let pause = self.dice.below(4);
        self.database.wait(i64::try_from(pause).expect("a few milliseconds"));
        match self.dice.below(30) {
            0..14 => self.work(1),
            14..20 => {
                let transactions = usize::try_from(1 + self.dice.below(4)).expect("a few");
                self.stream(transactions);
            }
            20 => self.snapshot(),
            21..24 => self.next_part_of_chunk(),
            24 | 25 => self.restart(),
            26 => self.stored = self.connector.position(),
            27 => self.reshape_topics(),
            28 if self.dice.once_in(3) => self.fail_over(),
            29 if self.variety.has_gap => self.switch_gap(),
            _ => {}
        }
    }

    /// Begins, continues, commits or aborts transactions.
    fn work(&mut self, times: u64) {
        for _ in 0..times {
            let open = self.database.open_transactions();
            let transaction = match self.dice.one_of(&open).filter(|_| !self.dice.clone().once_in(3)) {
                Some(transaction) => *transaction,
                None => self.database.begin(),
            };
            for _ in 0..=self.dice.below(2) {
                let may_delete = !self.is_in_gap;
                change(&mut self.dice, &mut self.database, transaction, &mut self.next_order, may_delete);
            }
            match self.dice.below(8) {
                0..5 => self.database.commit(transaction),
                5 => self.database.abort(transaction),
                _ => {}
            }
        }
    }

    /// Streams some transactions; an open chunk is written when its high watermark is reached.
    fn stream(&mut self, transactions: usize) {
        let end = self.connector.position().saturating_add(transactions);
        if let Some(chunk) = self.chunk.take_if(|chunk| chunk.high().is_some_and(|high| high < end)) {
            self.connector.write_chunk(&self.database, chunk);
            self.needs_repair &= self.is_in_gap;
        }
        self.connector.stream(&self.database, end.saturating_sub(self.connector.position()));
    }

    /// Takes an initial snapshot, or a blocking one in the middle.
    fn snapshot(&mut self) {
        // The connector does not take both kinds of snapshot at once.
        self.chunk = None;
        // Within one millisecond a commit before the snapshot looks like one after it.
        self.database.wait(1);
        self.connector.snapshot(&self.database, ORDERS);
        self.database.wait(1);
        self.needs_repair &= self.is_in_gap;
    }

    /// Opens a chunk of an incremental snapshot, or reads it, or closes it.
    fn next_part_of_chunk(&mut self) {
        match &mut self.chunk {
            None => self.chunk = Some(self.connector.open_chunk(&mut self.database, ORDERS)),
            Some(chunk) if !chunk.is_read() => chunk.read(&self.database),
            Some(chunk) if chunk.high().is_none() && !self.is_in_gap => chunk.close(&mut self.database),
            Some(_) => {}
        }
    }

    fn restart(&mut self) {
        // What was read of a chunk is read again.
        self.chunk = None;
        self.connector.restart(self.stored);
    }

    /// Gives the topics another partition, or makes them anew.
    fn reshape_topics(&mut self) {
        self.database.wait(1_000);
        if self.dice.once_in(2) {
            self.connector.add_partition();
        } else {
            self.connector.recreate_topics();
        }
        self.database.wait(1_000);
    }

    /// Goes on with another cluster, where the log is lower, after everything was streamed.
    fn fail_over(&mut self) {
        self.chunk = None;
        self.stream(usize::MAX);
        let log_end = 1_000_000 + self.dice.below(40_000_000);
        self.database.fail_over(log_end);
        self.connector.follow_failover(&self.database);
        self.stored = self.connector.position();
    }

    /// Begins or ends a time in which the connector does not see the table.
    fn switch_gap(&mut self) {
        // Transactions do not span both.
        for transaction in self.database.open_transactions() {
            self.database.abort(transaction);
        }
        // A chunk that was read before does not repair what comes after.
        self.chunk = None;
        self.is_in_gap = !self.is_in_gap;
        self.needs_repair = true;
        self.database.publish(!self.is_in_gap);
    }

    fn finish(mut self) -> History {
        for transaction in self.database.open_transactions() {
            if self.dice.once_in(2) {
                self.database.commit(transaction);
            } else {
                self.database.abort(transaction);
            }
        }
        if self.is_in_gap {
            self.switch_gap();
        }
        if self.needs_repair {
            self.repair();
        }
        self.stream(usize::MAX);
        if self.dice.once_in(3) {
            self.restart();
            self.stream(usize::MAX);
        }
        let rows = self.database.rows(ORDERS);
        let records = if self.variety.is_compacted {
            compacted(&mut self.dice, self.connector.records())
        } else {
            self.connector.records().iter().map(|(_, record)| record.clone()).collect()
        };
        History { variety: self.variety, records, rows }
    }

    /// Reads again what the connector did not see.
    fn repair(&mut self) {
        if self.dice.once_in(2) {
            return self.snapshot();
        }
        self.chunk = None;
        let mut chunk = self.connector.open_chunk(&mut self.database, ORDERS);
        self.work(1);
        chunk.read(&self.database);
        self.work(1);
        chunk.close(&mut self.database);
        self.work(2);
        for transaction in self.database.open_transactions() {
            self.database.commit(transaction);
        }
        self.database.wait(3);
        self.connector.write_chunk(&self.database, chunk);
    }
}

/// Makes one random change of a row in a transaction.
fn change(
    dice: &mut Dice,
    database: &mut Database,
    transaction: TransactionId,
    next_order: &mut u64,
    may_delete: bool,
) {
    let key = dice.below(KEYS).to_string();
    let Some(row) = database.seen_by(transaction, ORDERS, &key) else {
        let row = inserted(dice, &key, *next_order);
        *next_order += 1;
        database.change(transaction, ORDERS, None, Some((key, row)));
        return;
    };
    match dice.below(10) {
        0 if may_delete => {
            database.change(transaction, ORDERS, Some(&key), None);
        }
        1 if may_delete => {
            let moved = dice.below(KEYS).to_string();
            let mut row = row;
            row.insert(KEY.to_owned(), json!(moved));
            database.change(transaction, ORDERS, Some(&key), Some((moved, row)));
        }
        _ => {
            let row = updated(dice, row, next_order);
            database.change(transaction, ORDERS, Some(&key), Some((key.clone(), row)));
        }
    }
}

fn inserted(dice: &mut Dice, key: &str, order: u64) -> Row {
    let price = if dice.once_in(3) { json!(null) } else { json!("22617.0000000000") };
    let region = if dice.once_in(2) { json!(null) } else { json!("440000") };
    [
        (KEY, json!(key)),
        ("order_id", json!(order)),
        ("account_sequence", json!(format!("D{}", dice.below(9)))),
        ("tree_count", json!(1 + dice.below(9))),
        ("contribution_per_tree", price),
        ("adoption_date", json!(20_454 + dice.below(40))),
        ("status", json!("CREATED")),
        ("selected_province", region),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn updated(dice: &mut Dice, mut row: Row, next_order: &mut u64) -> Row {
    for _ in 0..=dice.below(2) {
        let (name, value) = match dice.below(7) {
            0 => {
                *next_order += 1;
                ("order_id", json!(*next_order))
            }
            1 => ("account_sequence", json!(format!("D{}", dice.below(9)))),
            2 => ("tree_count", json!(dice.below(9))),
            3 if dice.once_in(3) => ("contribution_per_tree", json!(null)),
            3 => ("contribution_per_tree", json!(format!("{}.5", dice.below(90_000)))),
            4 if dice.once_in(3) => ("selected_province", json!(null)),
            4 => ("selected_province", json!(format!("{}0000", 10 + dice.below(60)))),
            _ => (
                "status",
                json!(["CREATED", "PAID", "CANCELLED"][usize::try_from(dice.below(3)).unwrap_or(0)]),
            ),
        };
        row.insert(name.to_owned(), value);
    }
    row
}

/// Returns what compaction leaves: of the part of the log that it has cleaned, the last record of each key.
fn compacted(dice: &mut Dice, records: &[(u32, CapturedRecord)]) -> Vec<CapturedRecord> {
    let lane =
        |(incarnation, record): &(u32, CapturedRecord)| (*incarnation, record.partition, record.key.clone());
    let end = u64::try_from(records.len()).expect("a length fits");
    let cleaned = usize::try_from(dice.below(end + 1)).expect("below a length");
    let last: BTreeMap<_, _> =
        records[..cleaned].iter().enumerate().map(|(index, record)| (lane(record), index)).collect();
    let is_left = |index: usize, record| index >= cleaned || last.get(&lane(record)) == Some(&index);
    let kept = records.iter().enumerate().filter(|(index, record)| is_left(*index, record));
    kept.map(|(_, (_, record))| record.clone()).collect()
}
